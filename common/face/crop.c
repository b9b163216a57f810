/* The square about a face. */
#include "face/crop.h"

#include <math.h>

static int clip(double x, int limit)
{
    return x <= 0 ? 0 : x >= limit ? limit : (int)x;
}

bool crop_place(const double box[4], double scale, int width, int height, crop *c, error *e)
{
    *c = (crop){0};
    double w = box[2] - box[0], h = box[3] - box[1];
    if (!isfinite(w) || !isfinite(h) || !(w > 0) || !(h > 0)) {
        return error_set(e, STATUS_DATA, "face box %g,%g,%g,%g is empty", box[0], box[1], box[2],
                         box[3]);
    }
    double side = floor(scale * (w > h ? w : h));
    double left = floor((box[0] + box[2]) / 2) - floor(side / 2);
    double top = floor((box[1] + box[3]) / 2) - floor(side / 2);
    *c = (crop){clip(left, width), clip(top, height), clip(left + side, width),
                clip(top + side, height)};
    if (box[0] >= width || box[1] >= height || box[2] <= 0 || box[3] <= 0) {
        return error_set(e, STATUS_DATA,
                         "face box %g,%g,%g,%g is outside the image of %d x %d pixels", box[0],
                         box[1], box[2], box[3], width, height);
    }
    if (c->left < c->right && c->top < c->bottom) return true;
    return error_set(e, STATUS_DATA,
                     "face box %g,%g,%g,%g times %g has no whole pixel of the image of %d x %d",
                     box[0], box[1], box[2], box[3], scale, width, height);
}
