/* Output files that appear complete or not at all: a temporary name beside the target, fsync,
   rename. The target is where symbolic links lead to; one that exists keeps its mode. Signals that
   end the tool remove what is unfinished. */
#ifndef BLADES_CLI_OUTPUT_H
#define BLADES_CLI_OUTPUT_H

#include "cli/error.h"

#include <stdio.h>

typedef struct output {
    FILE *file;      /* write here */
    char *path;      /* NULL: standard output */
    char *target;    /* the path without symbolic links; NULL: standard output */
    char *temporary; /* NULL: standard output, or a target that is not a regular file (/dev/null) */
} output;

/* Opens `path` (NULL or "-": standard output). With `binary`, a terminal is refused (STATUS_USAGE).
   STATUS_CANNOT_CREATE when the file cannot be made. */
bool output_open(output *o, const char *path, bool binary, error *e);

/* The same test, and nothing is left open or behind: for tools that write at the end of a long run.
   Devices and pipes are opened when there is something for them. */
bool output_check(const char *path, bool binary, error *e);

/* Flushes, syncs, renames, closes; standard output is flushed and stays open. STATUS_IO on failure,
   and then nothing is left behind. Does nothing but discard when e is set already. */
bool output_commit(output *o, error *e);

/* Closes and removes what was written. Safe on a zeroed or committed output. */
void output_discard(output *o);

/* Would writing both lose one of the two? NULL or "-": standard output. Devices and pipes take what
   they are given. */
bool output_same(const char *one, const char *other);

/* As messages name an output: its path, or "standard output" for NULL and "-". */
const char *output_name(const char *path);

/* Removes every temporary file of this process: for signal handlers that end it. */
void output_remove_unfinished(void);

#endif
