/* An RGB image in memory. */
#ifndef BLADES_IMAGE_IMAGE_H
#define BLADES_IMAGE_IMAGE_H

#include "cli/error.h"

#include <stdint.h>

/* Row-major RGB8, rows without padding: pixel (x, y) is at pixels + 3 * (y * width + x).
   Start from `image i = {0}`; image_free makes it that again. */
typedef struct image {
    int width, height;
    uint8_t *pixels;
} image;

/* Bytes after an allocated image's last pixel that may be read (kernels load pixels by fours). */
enum { IMAGE_PADDING = 4 };

/* Makes *i an image of this size with undefined pixels, in the memory of the image it was if that
   had as many. */
bool image_allocate(image *i, int width, int height, error *e);
void image_free(image *i);

/* EXIF orientations 1..8: what to do to the stored pixels to see them upright (1: nothing; 3: turn
   by 180 degrees; 6: a quarter turn clockwise; ...). 5..8 swap width and height. */

/* Turns a stored image upright. */
bool image_orient(const image *stored, int orientation, image *upright, error *e);
/* The place (x, y) of a stored image of width x height in the upright one, and the way back.
   Coordinates are continuous: 0 is the left or upper edge of the image, width or height the other.
 */
void orientation_point(int orientation, double width, double height, double *x, double *y);
void orientation_point_back(int orientation, double width, double height, double *x, double *y);

#endif
