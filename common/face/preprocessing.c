/* From face crops to an encoder's inputs. */
#include "face/preprocessing.h"

#include <string.h>

enum {
    SIDE_MOST = 5120, /* inputs of 4096, cut out of 1024 more */
    SCALE_MOST = 100,
};

bool preprocessing_add_step(preprocessing *p, int side, resampling how)
{
    if (p->step_count > 0 && p->step[p->step_count - 1].side == side) return true;
    if (p->step_count == RESIZE_STEPS_MOST) return false;
    p->step[p->step_count++] = (resize_step){side, how};
    return true;
}

void preprocessing_set_size(preprocessing *p, int size, resampling how)
{
    p->size = size;
    p->step_count = 0;
    preprocessing_add_step(p, size, how);
}

bool preprocessing_check(const preprocessing *p, error *e)
{
    bool good = p->step_count > 0 && p->step_count <= RESIZE_STEPS_MOST && p->size > 0 &&
                p->step[p->step_count - 1].side >= p->size;
    for (int i = 0; good && i < p->step_count; i++)
        good = p->step[i].side > 0 && p->step[i].side <= SIDE_MOST;
    if (!good) return error_set(e, STATUS_DATA, "the preprocessing's size and steps make no sense");
    return (p->scale >= 0 && p->scale <= SCALE_MOST) ||
           error_set(e, STATUS_DATA, "the preprocessing's scale is no number from 0 to %d",
                     SCALE_MOST);
}

/* ---- Headers -------------------------------------------------------------------------------- */

static void put_three(stream_chunk *k, const char *key, const float values[3])
{
    put_array(k, key, 3);
    for (int i = 0; i < 3; i++) put_number(k, NULL, (double)values[i]);
}

void preprocessing_put(stream_chunk *k, const preprocessing *p)
{
    put_map_begin(k, "preprocessing");
    if (p->scale > 0) put_number(k, "scale", p->scale);
    put_array(k, "steps", (size_t)p->step_count);
    for (int i = 0; i < p->step_count; i++) {
        put_map_begin(k, NULL);
        put_integer(k, "side", p->step[i].side);
        put_text(k, "resampling", resampling_names[p->step[i].how]);
        put_map_end(k);
    }
    put_integer(k, "size", p->size);
    put_three(k, "mean", p->mean);
    put_three(k, "std", p->std);
    put_map_end(k);
}

static bool get_side(const msgpack_object *map, const char *key, int *side, error *e)
{
    int64_t value;
    if (!object_get(map, key)) return true;
    if (!object_integer(map, key, &value) || value < 1 || value > SIDE_MOST)
        return error_set(e, STATUS_DATA, "the preprocessing's %s is no number from 1 to %d", key,
                         SIDE_MOST);
    *side = (int)value;
    return true;
}

static bool get_resampling(const msgpack_object *map, resampling *how, error *e)
{
    if (!object_get(map, "resampling")) return true;
    for (int i = 0; resampling_names[i]; i++) {
        *how = (resampling)i;
        if (object_text_is(map, "resampling", resampling_names[i])) return true;
    }
    return error_set(e, STATUS_DATA, "the preprocessing's resampling is not known");
}

static bool get_three(const msgpack_object *map, const char *key, double minimum, float out[3],
                      error *e)
{
    const msgpack_object *list = object_get(map, key);
    if (!list) return true;
    if (list->type != MSGPACK_OBJECT_ARRAY || list->via.array.size != 3)
        return error_set(e, STATUS_DATA, "the preprocessing's %s is no array of 3 numbers", key);
    for (int i = 0; i < 3; i++) {
        double value;
        if (!object_as_number(&list->via.array.ptr[i], &value) ||
            !(value >= minimum && value <= 1e6))
            return error_set(e, STATUS_DATA,
                             "the preprocessing's %s is no array of 3 numbers from %g", key,
                             minimum);
        out[i] = (float)value;
    }
    return true;
}

static bool get_steps(preprocessing *p, const msgpack_object *list, error *e)
{
    if (list->type != MSGPACK_OBJECT_ARRAY || list->via.array.size < 1 ||
        list->via.array.size > RESIZE_STEPS_MOST)
        return error_set(e, STATUS_DATA, "the preprocessing's steps are no array of 1 to %d",
                         RESIZE_STEPS_MOST);
    p->step_count = 0;
    for (uint32_t i = 0; i < list->via.array.size; i++) {
        resize_step step = {.side = 0};
        if (!get_side(&list->via.array.ptr[i], "side", &step.side, e) ||
            !get_resampling(&list->via.array.ptr[i], &step.how, e))
            return false;
        if (!step.side) return error_set(e, STATUS_DATA, "a step of the preprocessing has no side");
        p->step[p->step_count++] = step;
    }
    return true;
}

bool preprocessing_get(preprocessing *p, const msgpack_object *map, error *e)
{
    resampling how = p->step_count ? p->step[p->step_count - 1].how : RESAMPLE_ANTIALIAS;
    int size = 0, working_size = 0;
    object_number(map, "scale", &p->scale);
    if (!get_side(map, "size", &size, e) || !get_resampling(map, &how, e) ||
        !get_side(map, "working_size", &working_size, e) ||
        !get_three(map, "mean", 0, p->mean, e) || !get_three(map, "std", 1e-6, p->std, e))
        return false;
    const msgpack_object *steps = object_get(map, "steps");
    if (size) p->size = size;
    if (steps) return get_steps(p, steps, e) && preprocessing_check(p, e);
    if (!size && !object_get(map, "resampling")) return true;
    p->step_count = 0;
    if (working_size) preprocessing_add_step(p, working_size, how);
    preprocessing_add_step(p, p->size, how);
    return true;
}

bool preprocessing_of_header(preprocessing *p, const msgpack_object *header, error *e)
{
    *p = (preprocessing){PREPROCESSING_CLIP};
    return preprocessing_get(p, object_get(header, "preprocessing"), e) ||
           error_context(e, "the header");
}

bool preprocessing_equal(const preprocessing *a, const preprocessing *b)
{
    bool equal = a->scale == b->scale && a->size == b->size && a->step_count == b->step_count;
    for (int i = 0; equal && i < a->step_count; i++)
        equal = a->step[i].side == b->step[i].side && a->step[i].how == b->step[i].how;
    for (int i = 0; i < 3; i++) equal &= a->mean[i] == b->mean[i] && a->std[i] == b->std[i];
    return equal;
}

/* ---- Pixels --------------------------------------------------------------------------------- */

int window_begin(int play, double share)
{
    return (int)(share * play + 0.5);
}

/* The middle of a square, size x size; takes over the square. */
static bool take_middle(image *square, int size, image *out, error *e)
{
    int from = window_begin(square->width - size, 0.5);
    if (square->width == size) {
        image_free(out);
        *out = *square;
        *square = (image){0};
        return true;
    }
    if (!image_allocate(out, size, size, e)) return false;
    size_t row = 3 * (size_t)size, stride = 3 * (size_t)square->width;
    const uint8_t *pixels = square->pixels + (size_t)from * stride + 3 * (size_t)from;
    for (size_t y = 0; y < (size_t)size; y++)
        memcpy(out->pixels + y * row, pixels + y * stride, row);
    return true;
}

/* The steps from number `next` on; takes over the square. */
static bool take_steps(const preprocessing *p, int next, image *square, image *out, error *e)
{
    image resized = {0};
    for (; next < p->step_count; next++) {
        const resize_step *s = &p->step[next];
        const double whole[4] = {0, 0, square->width, square->height};
        if (!image_resample(square, whole, s->how, s->side, s->side, &resized, e)) break;
        image_free(square);
        *square = resized;
        resized = (image){0};
    }
    bool done = next == p->step_count && take_middle(square, p->size, out, e);
    image_free(square);
    image_free(&resized);
    return done;
}

bool preprocessing_crop(const preprocessing *p, photo *from, const double upright[4], image *out,
                        error *e)
{
    image square = {0};
    crop_options first = {.scale = p->scale, .size = p->step[0].side, .how = p->step[0].how};
    if (photo_crop(from, upright, first, &square, NULL, e))
        return take_steps(p, 1, &square, out, e);
    image_free(&square);
    return false;
}

bool preprocessing_continue(const preprocessing *p, const image *face, image *out, error *e)
{
    int next = p->step_count - 1;
    while (next >= 0 && (p->step[next].side != face->width || face->width != face->height)) next--;
    next = next < 0 ? p->step_count - 1 : next + 1;
    image square = {0};
    if (!image_allocate(&square, face->width, face->height, e)) return false;
    memcpy(square.pixels, face->pixels, 3 * (size_t)face->width * (size_t)face->height);
    return take_steps(p, next, &square, out, e);
}
