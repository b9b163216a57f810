/* Encoding JPEG, with an EXIF block if there is one. */
#ifndef BLADES_IMAGE_JPEG_ENCODE_H
#define BLADES_IMAGE_JPEG_ENCODE_H

#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct jpeg_options {
    int quality;             /* 1..100 */
    bool chroma_subsampling; /* 4:2:0 instead of 4:4:4 */
    const unsigned char
        *exif; /* "Exif\0\0" and TIFF, at most 65533 bytes; NULL: a JFIF header instead */
    size_t exif_size;
} jpeg_options;

/* A baseline JPEG in memory (the caller frees *bytes). The same pixels and options give the same
 * bytes. */
bool jpeg_encode(const image *i, const jpeg_options *options, unsigned char **bytes, size_t *size,
                 error *e);

#endif
