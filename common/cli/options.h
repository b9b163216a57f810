/* Parsing of one command line against tables of options; used by cli.c and help.c alone. */
#ifndef BLADES_CLI_OPTIONS_H
#define BLADES_CLI_OPTIONS_H

#include "cli/cli.h"

/* A tool's options followed by the common ones. */
typedef struct option_set {
    const cli_option *tables[2];
    size_t counts[2];
} option_set;

size_t option_total(const option_set *set);
const cli_option *option_at(const option_set *set, size_t i);

/* An option as messages name it: "-j, --threads". */
typedef struct option_spelling {
    char text[80];
} option_spelling;
option_spelling option_spell(const cli_option *o);

/* Parses argv; operands go to `operands`, options that can change the result to `given` (name and
   value, without those marked unrecorded). STATUS_USAGE on error. */
bool options_parse(const option_set *set, int argc, char **argv, cli_strings *operands,
                   cli_strings *given, error *e);

#endif
