/* Output files that appear complete or not at all: a temporary name beside the target, fsync,
   rename. SIGINT and SIGTERM remove what is unfinished. */
#ifndef BLADES_CLI_OUTPUT_H
#define BLADES_CLI_OUTPUT_H

#include "cli/error.h"

#include <stdio.h>

typedef struct output {
    FILE *file;      /* write here */
    char *path;      /* NULL: standard output */
    char *temporary; /* NULL: standard output, or a target that is no regular file (/dev/null) */
} output;

/* Opens `path` (NULL or "-": standard output). With `binary`, a terminal is refused (STATUS_USAGE).
   STATUS_CANNOT_CREATE when the file cannot be made. */
bool output_open(output *o, const char *path, bool binary, error *e);

/* Its name for messages. */
const char *output_name(const output *o);

/* Flushes, syncs, renames, closes; standard output is flushed and stays open. STATUS_IO on failure,
   and then nothing is left behind. Does nothing but discard when e is set already. */
bool output_commit(output *o, error *e);

/* Closes and removes what was written. Safe on a zeroed or committed output. */
void output_discard(output *o);

/* Removes every temporary file of this process: for signal handlers that end it. */
void output_remove_unfinished(void);

#endif
