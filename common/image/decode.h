/* Decoding JPEG, PNG and WebP to RGB8 from untrusted bytes. */
#ifndef BLADES_IMAGE_DECODE_H
#define BLADES_IMAGE_DECODE_H

#include "image/image.h"

typedef enum image_format { IMAGE_JPEG, IMAGE_PNG, IMAGE_WEBP } image_format;

/* What the head of a file says. */
typedef struct image_info {
    image_format format;
    int width, height; /* as stored */
} image_info;

/* Limits for untrusted images. Memory of one decoding: the file, as much again where a window is
   cut out of a JPEG's scan, 3 bytes a decoded pixel and, for progressive JPEGs, at most 6 bytes a
   stored pixel more (8 of CMYK). */
typedef struct image_limits {
    int64_t pixels; /* most stored pixels */
    int64_t bytes;  /* longest file */
} image_limits;

#define IMAGE_LIMITS ((image_limits){.pixels = 100000000, .bytes = 256 << 20})

/* The bytes of a file. Start from zeros; the owner frees `bytes`. */
typedef struct file_bytes {
    unsigned char *bytes;
    size_t size, capacity;
} file_bytes;

/* Reads a whole file into memory, that of the file before if it suffices. STATUS_NO_INPUT when it
   cannot be opened, STATUS_DATA when it is empty, no regular file or too long. The text has no file
   name. */
bool image_file_read(const char *path, image_limits limits, file_bytes *file, error *e);

/* Finds format and size and checks them against the limits: too many pixels, and more
   than 16 million pixels from a file of less than a thousandth as many bytes, are refused.
   STATUS_DATA. */
bool image_probe(const unsigned char *bytes, size_t size, image_limits limits, image_info *info,
                 error *e);

/* Pixels left..right-1, top..bottom-1 of a decoded image. */
typedef struct image_window {
    int left, top, right, bottom;
} image_window;

/* Decodes to RGB8 in stored orientation. Grey is repeated; CMYK and YCCK become RGB by (1-C)(1-K)
   (inverted values where an Adobe marker says so); 16 bits are rounded to 8; palettes are looked
   up; alpha is dropped, the colours under it kept. No colour management. `denominator` 1, 2, 4 or
   8: a JPEG is reduced so much in the DCT domain, to ceil(width / denominator) x ceil(height /
   denominator); other formats are not reduced (denominator 1). `window` is what is needed of the
   decoded image, and becomes what `out` holds: at least that, of which what was needed has the same
   pixels as when all is decoded. The rest of the file is checked too, of a JPEG with a single scan
   only that what follows the window's rows is data and restarts up to the end of the image.
   STATUS_DATA for anything wrong: data that ends early or is corrupt, more than 100 scans, or scans
   times pixels above 2e9, animations.
 */
bool image_decode_window(const unsigned char *bytes, size_t size, const image_info *info,
                         int denominator, image_window *window, image *out, error *e);

/* Decodes all of it. */
bool image_decode(const unsigned char *bytes, size_t size, const image_info *info, int denominator,
                  image *out, error *e);

#endif
