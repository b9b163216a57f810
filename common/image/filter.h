/* Gaussian blur and erosion of masks, with the kernels and borders of OpenCV. */
#ifndef BLADES_IMAGE_FILTER_H
#define BLADES_IMAGE_FILTER_H

#include "cli/error.h"

#include <stdint.h>

/* `count` (odd) weights exp(-d^2 / (2 sigma^2)) about the middle, summing to 1: OpenCV's
   getGaussianKernel for sigma > 0. */
void gaussian_kernel(int count, double sigma, double *kernel);

/* The index that stands for `i` beyond the ends of 0..n-1: gfedcb|abcdefgh|gfedcba (OpenCV's
   BORDER_REFLECT_101). */
int border_reflect(int i, int n);

/* Pixels left..right-1, top..bottom-1 of an image of one channel that is 0 outside. */
typedef struct filter_part {
    int left, top, right, bottom;
} filter_part;

/* The region that blurring `part` with `count` weights can make non-zero, clipped to width x
 * height.
 */
filter_part blurred_part(filter_part part, int count, int width, int height);

/* Blurs a part of an image of width x height (row-major, only the part) with count x count weights;
   `out` has room for blurred_part of it. */
bool gaussian_blur(const float *pixels, filter_part part, int width, int height, int count,
                   double sigma, float *out, error *e);

/* Erodes a mask of zeros and ones by the ellipse that OpenCV's getStructuringElement(MORPH_ELLIPSE,
   (count, count)) makes, count odd. The outside of the image erodes nothing. `out` may not be
   `mask`. */
bool ellipse_erode(const uint8_t *mask, int width, int height, int count, uint8_t *out, error *e);

#endif
