/* A photo's file, decoded for its faces. */
#include "face/photo.h"

#include "cli/progress.h"

#include <math.h>
#include <stdlib.h>

/* More memory than this is not kept from one photo to the next. */
#define KEPT_MOST (32 << 20)

bool photo_open(photo *p, const char *path, image_limits limits, error *e)
{
    size_t pixels = 3 * (size_t)p->decoded.width * (size_t)p->decoded.height;
    if (p->file.capacity + pixels > KEPT_MOST) photo_close(p);
    *p = (photo){.file = p->file, .decoded = p->decoded};
    if (!image_file_read(path, limits, &p->file, e) ||
        !image_probe(p->file.bytes, p->file.size, limits, &p->info, e)) {
        return false;
    }
    bool turned = p->info.orientation >= 5;
    p->width = turned ? p->info.height : p->info.width;
    p->height = turned ? p->info.width : p->info.height;
    return true;
}

void photo_close(photo *p)
{
    free(p->file.bytes);
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

/* Has the latest decoding these pixels, reduced by this denominator? */
static bool photo_has(const photo *p, int denominator, const image_window *w)
{
    const image_window *have = &p->window;
    return p->denominator == denominator && have->left <= w->left && have->top <= w->top &&
           have->right >= w->right && have->bottom >= w->bottom;
}

static bool photo_decode(photo *p, int denominator, image_window needed, error *e)
{
    if (photo_has(p, denominator, &needed)) return true;
    if (p->decodings > 0) {
        needed = (image_window){0, 0, (p->info.width + denominator - 1) / denominator,
                                (p->info.height + denominator - 1) / denominator};
    }
    double start = clock_seconds();
    p->denominator = 0;
    if (!image_decode_window(p->file.bytes, p->file.size, &p->info, denominator, &needed,
                             &p->decoded, e)) {
        return false;
    }
    p->decode_seconds += clock_seconds() - start;
    p->denominator = denominator;
    p->window = needed;
    p->decodings++;
    return true;
}

bool photo_crop(photo *p, const double upright[4], crop_options options, image *out, crop *where,
                error *e)
{
    crop c;
    if (!crop_place(upright, options.scale, p->width, p->height, &c, e)) return false;
    if (where != NULL) *where = c;
    int denominator = denominator_choose(p, &c, options);
    /* Cropping before turning upright: the crop is small, the photo is not. */
    double x0 = c.left, y0 = c.top, x1 = c.right, y1 = c.bottom;
    int orientation = p->info.orientation;
    orientation_point_back(orientation, p->info.width, p->info.height, &x0, &y0);
    orientation_point_back(orientation, p->info.width, p->info.height, &x1, &y1);
    double stored[4] = {fmin(x0, x1) / denominator, fmin(y0, y1) / denominator,
                        fmax(x0, x1) / denominator, fmax(y0, y1) / denominator};
    image_window needed = {(int)stored[0], (int)stored[1], (int)ceil(stored[2]),
                           (int)ceil(stored[3])};
    if (!photo_decode(p, denominator, needed, e)) return false;
    for (int i = 0; i < 4; i++) stored[i] -= i % 2 == 0 ? p->window.left : p->window.top;
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
