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

/* Cuts the MCUs about a window of stored pixels out of the scan that follows a header just read
   from memory: a baseline scan, of all components. The pixels of the part are those of the whole,
   where MCUs beyond do not count for their upsampled colours. The colour space, which markers of
   programs tell, is not in the part. The codes of all rows down to the window's last are looked at;
   false: one of them is wrong or odd, data or restarts are missing, the table lacks a code that the
   part needs, this is no such JPEG, the part
   would be so large that it does not pay, or memory is short; nothing is to be freed then. */
bool jpeg_part_cut(const struct jpeg_decompress_struct *info, image_window window, jpeg_part *part);

#endif
