/* Resampling a rectangle of an image. */
#ifndef BLADES_IMAGE_RESAMPLE_H
#define BLADES_IMAGE_RESAMPLE_H

#include "image/image.h"

/* Output pixel i of n along an axis looks at the source position c = a + (i + 1/2) s, where the
   rectangle spans a..b and s = (b - a) / n; source pixel j has its centre at j + 1/2. bilinear: the
   two pixels nearest to c, weights 1 - |j + 1/2 - c|; pixels beyond the rectangle are replaced by
   the nearest one in it (OpenCV's INTER_LINEAR, PyTorch's align_corners=False). antialias: a
   triangle as wide as the reduction, weights max(0, 1 - |j + 1/2 - c| / max(s, 1)) over the pixels
   of the rectangle, divided by their sum (Pillow's BILINEAR, PyTorch's antialias=True). The same as
   bilinear when enlarging. Both axes are done in float32, rounded to 8 bits once, half up. */
typedef enum resampling { RESAMPLE_ANTIALIAS, RESAMPLE_BILINEAR } resampling;

/* Names in the order of the enumeration, NULL-ended, for options and headers. */
extern const char *const resampling_names[];

/* Resamples the rectangle {x0, y0, x1, y1} of `from` (continuous coordinates, within the image, not
   empty) to width x height. */
bool image_resample(const image *from, const double rectangle[4], resampling how, int width,
                    int height, image *out, error *e);

#endif
