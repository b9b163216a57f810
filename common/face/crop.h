/* Where the square about a face lies (face-manipulate(1), "The crop"). */
#ifndef BLADES_FACE_CROP_H
#define BLADES_FACE_CROP_H

#include "image/resample.h"

/* The face crop's parameters; part of the preprocessing that model files record. */
typedef struct crop_options {
    double scale; /* of the box's longer side */
    int size;     /* of the square that comes out */
    resampling how;
} crop_options;

/* The method's. */
#define CROP_SCALE 1.3
enum { CROP_SIZE = 224 };

/* Pixels left..right-1, top..bottom-1 of the upright image. */
typedef struct crop {
    int left, top, right, bottom;
} crop;

/* The crop of a box {x0, y0, x1, y1} in an upright image of width x height: with the side
   s = floor(scale * max(x1 - x0, y1 - y0)), left = floor((x0 + x1) / 2) - floor(s / 2), top
   likewise, right = left + s, bottom = top + s, all clipped to the image; so a crop at the image's
   border is not square, and is stretched when it is resized. STATUS_DATA for a box that is empty,
   not finite or outside the image, or when the crop has no pixel. */
bool crop_place(const double box[4], double scale, int width, int height, crop *c, error *e);

#endif
