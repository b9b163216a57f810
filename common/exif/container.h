/* Where an image file keeps its size and its EXIF blocks: JPEG, PNG, WebP, TIFF. Only headers are
 * read. */
#ifndef BLADES_EXIF_CONTAINER_H
#define BLADES_EXIF_CONTAINER_H

#include "exif/source.h"

enum { CONTAINER_BLOCKS = 8, CONTAINER_EXTENDED_BYTES = 4 << 20 };

/* One EXIF block: a TIFF structure, from its header on. */
typedef struct exif_place {
    uint64_t offset, size;
    unsigned char *bytes; /* owned; NULL: it lies in the file at `offset` */
} exif_place;

typedef struct exif_container {
    const char *format;    /* "JPEG", "PNG", "WebP", "TIFF"; NULL: none of these */
    int64_t width, height; /* as coded; 0: not found */
    int place_count;       /* in file order; more than CONTAINER_BLOCKS are ignored */
    exif_place place[CONTAINER_BLOCKS];
} exif_container;

/* Reads the headers. Returns false if the file is in none of the formats. Free with
 * exif_container_free in any case. */
bool exif_container_read(exif_container *c, exif_source *s);
void exif_container_free(exif_container *c);

/* For the readers of the formats: notes a block in the file, or one in memory, which it takes over.
 */
void exif_container_add(exif_container *c, uint64_t offset, uint64_t size);
/* A chunk's block, which some writers begin with JPEG's "Exif\0\0". */
void exif_container_add_chunk(exif_container *c, exif_source *s, uint64_t offset, uint32_t size);
void exif_container_add_bytes(exif_container *c, unsigned char *bytes, uint64_t size);

/* The formats, each called after its signature was seen. */
void jpeg_find_exif(exif_container *c, exif_source *s);
void png_find_exif(exif_container *c, exif_source *s);
void webp_find_exif(exif_container *c, exif_source *s);

/* Integers of a file. */
static inline uint32_t big_endian_16(const unsigned char *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t big_endian_32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint32_t little_endian_16(const unsigned char *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t little_endian_32(const unsigned char *p)
{
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* Does a TIFF header begin here (8 bytes)? */
static inline bool is_tiff_header(const unsigned char *p)
{
    return (p[0] == 'I' && p[1] == 'I' && p[2] == 42 && p[3] == 0) ||
           (p[0] == 'M' && p[1] == 'M' && p[2] == 0 && p[3] == 42);
}

#endif
