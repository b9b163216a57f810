/* Parsing of one command line against tables of options; used by cli.c alone. */
#ifndef BLADES_CLI_OPTIONS_H
#define BLADES_CLI_OPTIONS_H

#include "cli/cli.h"

/* A tool's options followed by the common ones. */
typedef struct option_set {
    const cli_option *tables[2];
    size_t counts[2];
} option_set;

/* Parses argv; operands go to `operands`, options that can change the result to `given` (name and
   value, without those marked unrecorded). STATUS_USAGE on error. */
bool options_parse(const option_set *set, int argc, char **argv, cli_strings *operands,
                   cli_strings *given, error *e);

/* Prints the lines "  -k, --components=N    help" of one table. */
void options_print(const cli_option *options, size_t count, FILE *to);

/* Prints words, at most 80 columns a line: the first line has `column` already, the others begin at
   `indent`. */
void options_print_text(const char *text, size_t column, size_t indent, FILE *to);

#endif
