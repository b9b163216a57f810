/* Opening inputs: "-" is standard input, a folder is none. */
#ifndef BLADES_CLI_INPUT_H
#define BLADES_CLI_INPUT_H

#include "cli/error.h"

#include <sys/stat.h>

/* Opens an input to be read and describes it in *status. Returns its descriptor, which the caller
   closes (for "-" too: it is a duplicate, whose position is standard input's), or -1 with
   STATUS_NO_INPUT set: it cannot be opened, is a folder, or is a standard input that is closed. */
int input_open(const char *path, struct stat *status, error *e);

/* Describes an input that may not be opened yet, as stat(2) does. */
bool input_describe(const char *path, struct stat *status);

#endif
