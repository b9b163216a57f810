/* Opening inputs: "-" is standard input; folders are refused. Reading and spooling them whole. */
#ifndef BLADES_CLI_INPUT_H
#define BLADES_CLI_INPUT_H

#include "cli/error.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens an input to be read and describes it in *status. Returns its descriptor, which the caller
   closes (for "-" too: it is a duplicate, whose position is standard input's), or -1 with
   STATUS_NO_INPUT set: it cannot be opened, is a folder, or is a standard input that is closed. */
int input_open(const char *path, struct stat *status, error *e);

/* Describes an input that may not be opened yet, as stat(2) does. */
bool input_describe(const char *path, struct stat *status);

/* read(2), again where a signal interrupts it. */
ssize_t input_read(int file, void *bytes, size_t size);

/* pread(2) until all bytes are there. Returns how many it read: fewer where the file ends (errno is
   then 0) or cannot be read (errno says why). */
size_t input_read_at(int file, void *bytes, size_t size, uint64_t offset);

/* Reads a descriptor (messages call it `name`) to its end, or `limit` bytes (1 or more) of it. A
   NUL follows the bytes, which the caller frees; *bytes is NULL on failure. */
bool input_read_all(int file, const char *name, uint64_t limit, char **bytes, size_t *size,
                    error *e);

/* Copies what a descriptor still holds (a pipe, say; messages call it `name`) to a nameless file in
   $TMPDIR or /tmp. Returns its descriptor, to be read from the beginning and closed by the caller,
   or -1. */
int input_spool(int from, const char *name, error *e);

#endif
