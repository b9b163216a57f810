/* What --help prints: a screen of 24 lines of 80 columns at most; used by cli.c alone. */
#ifndef BLADES_CLI_HELP_H
#define BLADES_CLI_HELP_H

#include "cli/cli.h"
#include "cli/options.h"

/* The usage, a line for each option that is not rare, and the rare ones' names; with `all`, a line
   for each option. `set` holds the tool's options and the common ones that it has. */
void help_print(const cli_tool *tool, const option_set *set, bool all, FILE *to);

#endif
