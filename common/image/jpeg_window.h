/* The part of a baseline JPEG that a window needs, as a small JPEG of its own. */
#ifndef BLADES_IMAGE_JPEG_WINDOW_H
#define BLADES_IMAGE_JPEG_WINDOW_H

#include "image/decode.h"

#include <stdio.h>

#include <jpeglib.h>

typedef struct jpeg_part {
    image_window units; /* the MCUs it has; all of the image's components' are in one scan */
    int unit_width, unit_height; /* stored pixels */
    unsigned char *bytes;        /* the caller frees them */
    size_t size;
    const unsigned char *rest; /* where the scan goes on below, in the bytes of the whole */
} jpeg_part;

/* Cuts the MCUs around a window of stored pixels out of a baseline scan of all components; `info`
   has just read its header from memory. The part's pixels equal those of the whole image, except
   where upsampling would read MCUs outside it. The colour space, which APP markers decide, is not
   in the part. False (nothing to free) when the image is not baseline, a code is invalid, data or
   restarts are missing, a needed code is absent from the tables, cutting would not save work, or
   memory is short. */
bool jpeg_part_cut(const struct jpeg_decompress_struct *info, image_window window, jpeg_part *part);

#endif
