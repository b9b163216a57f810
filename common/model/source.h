/* Random access to the bytes of an input: a regular file is read where it lies, anything else is
 * read into memory. */
#ifndef BLADES_MODEL_SOURCE_H
#define BLADES_MODEL_SOURCE_H

#include "cli/error.h"

#include <stdint.h>

typedef struct source {
    const char *path; /* for messages; the caller's */
    int fd;           /* -1: `bytes` hold everything */
    unsigned char *bytes;
    int64_t size;
} source;

/* Errors of input_open, and STATUS_IO. "-": standard input. `path` must outlive the source. */
bool source_open(source *s, const char *path, error *e);
/* STATUS_DATA when [offset, offset + size) is not all inside. */
bool source_read(const source *s, int64_t offset, void *out, size_t size, error *e);
void source_close(source *s);

#endif
