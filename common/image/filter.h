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

/* Blurs an image of one channel, width x height row-major, in place with count x count weights.
   Rows and columns of zeros cost little. */
bool gaussian_blur(float *pixels, int width, int height, int count, double sigma, error *e);

/* Erodes a mask of zeros and ones by the ellipse that OpenCV's getStructuringElement(MORPH_ELLIPSE,
   (count, count)) makes, count odd. The outside of the image erodes nothing. `out` may not be
   `mask`. */
bool ellipse_erode(const uint8_t *mask, int width, int height, int count, uint8_t *out, error *e);

#endif
