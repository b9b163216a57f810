/* A photo's file, decoded for its faces. */
#include "face/photo.h"

#include "cli/progress.h"

#include <math.h>
#include <stdlib.h>

bool photo_open(photo *p, const char *path, image_limits limits, error *e)
{
    *p = (photo){0};
    if (!image_file_read(path, limits, &p->bytes, &p->size, e) ||
        !image_probe(p->bytes, p->size, limits, &p->info, e)) {
        return false;
    }
    bool turned = p->info.orientation >= 5;
    p->width = turned ? p->info.height : p->info.width;
    p->height = turned ? p->info.width : p->info.height;
    return true;
}

void photo_close(photo *p)
{
    free(p->bytes);
    image_free(&p->decoded);
    *p = (photo){0};
}

void photo_box_upright(const photo *p, const double stored[4], double upright[4])
{
    double x0 = stored[0], y0 = stored[1], x1 = stored[2], y1 = stored[3];
    orientation_point(p->info.orientation, p->info.width, p->info.height, &x0, &y0);
    orientation_point(p->info.orientation, p->info.width, p->info.height, &x1, &y1);
    upright[0] = x0 < x1 ? x0 : x1;
    upright[1] = y0 < y1 ? y0 : y1;
    upright[2] = x0 < x1 ? x1 : x0;
    upright[3] = y0 < y1 ? y1 : y0;
}

static int denominator_choose(const photo *p, const crop *c, crop_options options)
{
    if (p->info.format != IMAGE_JPEG || options.how != RESAMPLE_ANTIALIAS) return 1;
    int width = c->right - c->left, height = c->bottom - c->top;
    int least = width < height ? width : height;
    for (int denominator = 8; denominator > 1; denominator /= 2) {
        if (least / denominator >= 2 * options.size) return denominator;
    }
    return 1;
}

static bool photo_decode(photo *p, int denominator, error *e)
{
    if (p->denominator == denominator) return true;
    double start = clock_seconds();
    p->denominator = 0;
    if (!image_decode(p->bytes, p->size, &p->info, denominator, &p->decoded, e)) return false;
    p->decode_seconds += clock_seconds() - start;
    int width = (p->info.width + denominator - 1) / denominator;
    int height = (p->info.height + denominator - 1) / denominator;
    if (p->decoded.width != width || p->decoded.height != height) {
        return error_set(e, STATUS_DATA, "decodes to %d x %d pixels, not %d x %d", p->decoded.width,
                         p->decoded.height, width, height);
    }
    p->denominator = denominator;
    return true;
}

bool photo_crop(photo *p, const double upright[4], crop_options options, image *out, crop *where,
                error *e)
{
    crop c;
    if (!crop_place(upright, options.scale, p->width, p->height, &c, e)) return false;
    if (where != NULL) *where = c;
    int denominator = denominator_choose(p, &c, options);
    if (!photo_decode(p, denominator, e)) return false;
    /* Cropping before turning upright: the crop is small, the photo is not. */
    double x0 = c.left, y0 = c.top, x1 = c.right, y1 = c.bottom;
    int orientation = p->info.orientation;
    orientation_point_back(orientation, p->info.width, p->info.height, &x0, &y0);
    orientation_point_back(orientation, p->info.width, p->info.height, &x1, &y1);
    double stored[4] = {fmin(x0, x1) / denominator, fmin(y0, y1) / denominator,
                        fmax(x0, x1) / denominator, fmax(y0, y1) / denominator};
    if (orientation == 1) {
        return image_resample(&p->decoded, stored, options.how, options.size, options.size, out, e);
    }
    image turned = {0};
    bool done =
        image_resample(&p->decoded, stored, options.how, options.size, options.size, &turned, e) &&
        image_orient(&turned, orientation, out, e);
    image_free(&turned);
    return done;
}
