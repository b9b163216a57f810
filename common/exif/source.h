/* Reading a file here and there: only what is needed is read, nothing past its end. */
#ifndef BLADES_EXIF_SOURCE_H
#define BLADES_EXIF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SOURCE_WINDOW = 8192 };

typedef struct exif_source {
    int file;                    /* descriptor; -1: the bytes are in `memory` */
    const unsigned char *memory; /* not owned */
    uint64_t size;
    uint64_t window_start; /* what of the file lies in `window` */
    size_t window_size;
    unsigned char window[SOURCE_WINDOW];
} exif_source;

/* A regular file's source; the descriptor stays the caller's. */
void exif_source_file(exif_source *s, int file, uint64_t size);
void exif_source_memory(exif_source *s, const void *bytes, uint64_t size);

/* `n` bytes (at most SOURCE_WINDOW) at `offset`, valid until the next call; NULL when they are not
 * all there. */
const unsigned char *exif_source_view(exif_source *s, uint64_t offset, size_t n);

/* Copies `n` bytes at `offset`; leaves the window where it is. False when they are not all there.
 */
bool exif_source_read(exif_source *s, uint64_t offset, void *to, size_t n);

#endif
