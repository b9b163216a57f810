/* Writes images as PNG files in memory. */
#ifndef BLADES_IMAGE_PNG_ENCODE_H
#define BLADES_IMAGE_PNG_ENCODE_H

#include "image/image.h"

#include <stddef.h>

/* An RGB8 PNG in memory (caller frees *bytes). The same pixels give the same bytes. */
bool png_encode(const image *i, unsigned char **bytes, size_t *size, error *e);

#endif
