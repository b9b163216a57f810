/* A photo's file, decoded for its faces. */
#include "face/photo.h"

#include "cli/progress.h"
#include "exif/normalise.h"
#include "exif/photo.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More memory than this is not kept from one photo to the next. */
#define KEPT_MOST (32 << 20)

static size_t memory_held(const photo *p)
{
    size_t bytes = p->file.capacity;
    for (int i = 0; i < PHOTO_REDUCTIONS; i++) {
        const image *pixels = &p->decoded[i].pixels;
        bytes += 3 * (size_t)pixels->width * (size_t)pixels->height;
    }
    return bytes;
}

/* Forgets the photo, not the memory. */
static void photo_forget(photo *p)
{
    if (memory_held(p) > KEPT_MOST) photo_close(p);
    free(p->path);
    photo empty = {.file = p->file};
    for (int i = 0; i < PHOTO_REDUCTIONS; i++) empty.decoded[i].pixels = p->decoded[i].pixels;
    *p = empty;
}

static void photo_turn(photo *p, int orientation)
{
    bool turned = orientation >= 5;
    p->orientation = orientation;
    p->width = turned ? p->info.height : p->info.width;
    p->height = turned ? p->info.width : p->info.height;
}

/* As exif-extract finds it; 1 when absent or invalid. */
static int file_orientation(const photo *p)
{
    exif_photo head;
    error ignored = {0};
    exif_photo_read_bytes(&head, p->file.bytes, p->file.size, p->path, &ignored);
    int orientation = photo_orientation(&head.tags);
    return orientation == 0 ? 1 : orientation;
}

static bool file_open(photo *p, const char *path, image_limits limits, error *e)
{
    photo_forget(p);
    p->path = strdup(path);
    if (p->path == NULL) return error_set(e, STATUS_SYSTEM, "out of memory");
    return image_file_read(path, limits, &p->file, e) &&
           image_probe(p->file.bytes, p->file.size, limits, &p->info, e);
}

bool photo_open(photo *p, const char *path, image_limits limits, error *e)
{
    if (!file_open(p, path, limits, e)) return false;
    photo_turn(p, file_orientation(p));
    return true;
}

static bool size_check(const photo *p, const msgpack_object *record, error *e)
{
    int64_t width, height;
    if (!object_integer(record, "width", &width) || !object_integer(record, "height", &height) ||
        (width == p->info.width && height == p->info.height)) {
        return true;
    }
    return error_set(e, STATUS_DATA, "is %d x %d pixels, but its record says %lld x %lld",
                     p->info.width, p->info.height, (long long)width, (long long)height);
}

bool photo_open_record(photo *p, const stream_record *in, image_limits limits, error *e)
{
    if (in->id[0] == '\0') return error_set(e, STATUS_DATA, "no id");
    char *path = object_text_copy(&in->object, "path");
    const char *name = path == NULL ? in->id : path;
    int64_t orientation;
    bool done = file_open(p, name, limits, e) && size_check(p, &in->object, e);
    if (done) {
        bool known = object_integer(&in->object, "orientation", &orientation) && orientation >= 1 &&
                     orientation <= 8;
        photo_turn(p, known ? (int)orientation : file_orientation(p));
        const msgpack_object *faces = object_get(&in->object, "faces");
        p->whole =
            faces != NULL && faces->type == MSGPACK_OBJECT_ARRAY && faces->via.array.size > 1;
    } else {
        error_context(e, "%s", name);
    }
    free(path);
    return done;
}

void photo_close(photo *p)
{
    free(p->path);
    free(p->file.bytes);
    for (int i = 0; i < PHOTO_REDUCTIONS; i++) image_free(&p->decoded[i].pixels);
    *p = (photo){0};
}

void photo_box_upright(const photo *p, const double stored[4], double upright[4])
{
    double x0 = stored[0], y0 = stored[1], x1 = stored[2], y1 = stored[3];
    orientation_point(p->orientation, p->info.width, p->info.height, &x0, &y0);
    orientation_point(p->orientation, p->info.width, p->info.height, &x1, &y1);
    upright[0] = x0 < x1 ? x0 : x1;
    upright[1] = y0 < y1 ? y0 : y1;
    upright[2] = x0 < x1 ? x1 : x0;
    upright[3] = y0 < y1 ? y1 : y0;
}

/* The denominator's logarithm. */
static int reduction_choose(const photo *p, const crop *c, crop_options options)
{
    if (p->info.format != IMAGE_JPEG || options.how != RESAMPLE_ANTIALIAS) return 0;
    int width = c->right - c->left, height = c->bottom - c->top;
    int least = width < height ? width : height;
    for (int reduction = PHOTO_REDUCTIONS - 1; reduction > 0; reduction--) {
        if (least >> reduction >= 2 * options.size) return reduction;
    }
    return 0;
}

static bool window_holds(const image_window *have, const image_window *w)
{
    return have->left <= w->left && have->top <= w->top && have->right >= w->right &&
           have->bottom >= w->bottom;
}

static bool photo_decode(photo *p, int reduction, image_window needed, error *e)
{
    photo_decoding *d = &p->decoded[reduction];
    if (window_holds(&d->asked, &needed)) return true;
    if (p->failed.status == 0) {
        int n = 1 << reduction;
        if (p->whole) {
            needed =
                (image_window){0, 0, (p->info.width + n - 1) / n, (p->info.height + n - 1) / n};
        }
        double start = clock_seconds();
        d->asked = (image_window){0};
        d->window = needed;
        image_decode_window(p->file.bytes, p->file.size, &p->info, n, &d->window, &d->pixels,
                            &p->failed);
        p->decode_seconds += clock_seconds() - start;
    }
    if (p->failed.status != 0) return error_set(e, p->failed.status, "%s", p->failed.text);
    d->asked = needed;
    return true;
}

bool photo_crop(photo *p, const double upright[4], crop_options options, image *out, crop *where,
                error *e)
{
    crop c;
    if (!crop_place(upright, options.scale, p->width, p->height, &c, e)) return false;
    if (where != NULL) *where = c;
    int reduction = reduction_choose(p, &c, options), denominator = 1 << reduction;
    p->denominator = denominator;
    /* Cropping before turning upright: the crop is small, the photo is not. */
    double x0 = c.left, y0 = c.top, x1 = c.right, y1 = c.bottom;
    orientation_point_back(p->orientation, p->info.width, p->info.height, &x0, &y0);
    orientation_point_back(p->orientation, p->info.width, p->info.height, &x1, &y1);
    double stored[4] = {fmin(x0, x1) / denominator, fmin(y0, y1) / denominator,
                        fmax(x0, x1) / denominator, fmax(y0, y1) / denominator};
    image_window needed = {(int)stored[0], (int)stored[1], (int)ceil(stored[2]),
                           (int)ceil(stored[3])};
    if (!photo_decode(p, reduction, needed, e)) return false;
    const photo_decoding *d = &p->decoded[reduction];
    for (int i = 0; i < 4; i++) stored[i] -= i % 2 == 0 ? d->window.left : d->window.top;
    if (p->orientation == 1) {
        return image_resample(&d->pixels, stored, options.how, options.size, options.size, out, e);
    }
    image turned = {0};
    bool done =
        image_resample(&d->pixels, stored, options.how, options.size, options.size, &turned, e) &&
        image_orient(&turned, p->orientation, out, e);
    image_free(&turned);
    return done;
}
