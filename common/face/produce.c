/* All variants of all faces of a photo. */
#include "face/produce.h"

#include "cli/progress.h"
#include "face/sheet.h"
#include "image/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of a photo that its faces do not inherit, or have of their own. */
static const char *const own_keys[] = {
    "id",          "path",  "photo",  "face",     "width",        "height",
    "orientation", "faces", "pixels", "coding",   "manipulation", "regions",
    "draw",        "epoch", "mask",   "exif_raw", NULL,
};

/* A face under work, and the buffers for it. */
typedef struct work {
    const produce_options *options;
    const stream_record *in;
    produced *out;
    photo photo;
    char *path, *id;
    int index;
    face face;
    image cropped, made, resized;
    crop where;
    double placed[2 * LANDMARKS_MOST];
    region regions[REGION_COUNT];
    float *mask;
    const char *mask_region; /* the mask of this face's region; NULL: none yet */
} work;

static void work_free(work *w)
{
    photo_close(&w->photo);
    image_free(&w->cropped);
    image_free(&w->made);
    image_free(&w->resized);
    free(w->path);
    free(w->id);
    free(w->mask);
}

static char *text_join(const char *a, const char *separator, const char *b, int64_t number)
{
    size_t size = strlen(a) + strlen(separator) + strlen(b) + 24;
    char *text = malloc(size);
    if (text == NULL) return NULL;
    if (number >= 0) {
        snprintf(text, size, "%s%s%s%lld", a, separator, b, (long long)number);
    } else {
        snprintf(text, size, "%s%s%s", a, separator, b);
    }
    return text;
}

static void trace_add(work *w, const char *id, const variant *v, error *e)
{
    const produce_options *o = w->options;
    trace_face f = {
        .id = w->id,
        .photo = w->in->id,
        .path = w->path,
        .orientation = w->photo.info.orientation,
        .denominator = w->photo.denominator,
        .where = w->where,
        .working_size = o->crop.size,
        .size = o->size,
        .how = o->crop.how,
        .points = w->face.points,
        .landmarks = w->placed,
    };
    photo_box_upright(&w->photo, w->face.box, f.box);
    char *line = trace_line(&f, id, v);
    size_t length = line == NULL ? 0 : strlen(line);
    char *all =
        line == NULL ? NULL : memory_resize(w->out->trace, w->out->trace_length + length + 1, 1, e);
    if (all != NULL) {
        memcpy(all + w->out->trace_length, line, length + 1);
        w->out->trace = all;
        w->out->trace_length += length;
    } else {
        error_set(e, STATUS_SYSTEM, "out of memory");
    }
    free(line);
}

static void mask_put(stream_chunk *k, const float *mask, int size, error *e)
{
    size_t count = (size_t)size * (size_t)size;
    uint8_t *grey = memory_allocate(count, 1, e);
    if (grey == NULL) return;
    for (size_t i = 0; i < count; i++) grey[i] = (uint8_t)(mask[i] * 255 + 0.5f);
    put_binary(k, "mask", grey, count);
    free(grey);
}

static void pixels_put(stream_chunk *k, const image *i, bool png, error *e)
{
    put_integer(k, "width", i->width);
    put_integer(k, "height", i->height);
    put_text(k, "coding", png ? "png" : "raw");
    if (!png) {
        put_binary(k, "pixels", i->pixels, 3 * (size_t)i->width * (size_t)i->height);
        return;
    }
    unsigned char *bytes;
    size_t size;
    if (!png_encode(i, &bytes, &size, e)) return;
    put_binary(k, "pixels", bytes, size);
    free(bytes);
}

static bool label_given(const work *w)
{
    const cli_strings *sets = &w->options->c->sets;
    for (size_t i = 0; i + 1 < sets->count; i += 2) {
        if (strcmp(sets->item[i], "label") == 0) return true;
    }
    return object_get(&w->in->object, "label") != NULL;
}

static void record_put(work *w, const char *id, const variant *v, const image *i, error *e)
{
    const produce_options *o = w->options;
    stream_chunk *k = &w->out->records;
    record_begin(k, "face");
    put_text(k, "id", id);
    put_text(k, "photo", w->in->id);
    put_integer(k, "face", w->index);
    put_text(k, "manipulation", manipulation_name(v->what, v->affine));
    face_region which[REGION_COUNT];
    int count = manipulation_regions(v->what, which);
    put_array(k, "regions", (size_t)count);
    for (int r = 0; r < count; r++) put_text(k, NULL, region_names[which[r]]);
    put_integer(k, "draw", v->draw);
    if (o->sampled) put_integer(k, "epoch", v->draw / o->per_face);
    pixels_put(k, i, o->png, e);
    if (o->masks && v->what != PHOTOGRAPHIC && v->what != WARP) {
        mask_put(k, w->mask, o->crop.size, e);
    }
    put_rest(k, o->c, &w->in->object, own_keys);
    if (!label_given(w)) put_text(k, "label", "photographic");
    record_end(k);
}

/* Keeps an outlined copy for the sheet, in the column of this variant; the row was begun by the
 * face. */
static void cell_keep(work *w, const variant *v, int column, error *e)
{
    int columns = w->options->sheet_columns;
    if (column >= columns) return;
    image *cell = &w->out->cells[(w->out->sheet_rows - 1) * columns + column];
    if (!image_allocate(cell, w->made.width, w->made.height, e)) return;
    memcpy(cell->pixels, w->made.pixels, 3 * (size_t)cell->width * (size_t)cell->height);
    sheet_outline(cell, v, w->regions);
}

/* Both flips of a mouth have one mask. */
static bool mask_prepare(work *w, const variant *v, error *e)
{
    face_region which[REGION_COUNT];
    if (!variant_has_mask(v) || manipulation_regions(v->what, which) != 1) return true;
    if (w->mask_region == region_names[which[0]]) return true;
    w->mask_region = NULL;
    if (!soft_mask(v->region.box, w->options->crop.size, &v->mask, w->mask, e)) return false;
    w->mask_region = region_names[which[0]];
    return true;
}

static void variant_make(work *w, manipulation what, int64_t draw, int column, error *e)
{
    const produce_options *o = w->options;
    variant v = variant_choose(&o->variant, w->id, what, draw, w->regions, o->crop.size);
    if (!mask_prepare(w, &v, e) || !variant_render(&v, &w->cropped, w->mask, &w->made, e)) return;
    const image *final = &w->made;
    if (o->size != o->crop.size) {
        double whole[4] = {0, 0, w->made.width, w->made.height};
        if (!image_resample(&w->made, whole, o->crop.how, o->size, o->size, &w->resized, e)) return;
        final = &w->resized;
    }
    const char *name = manipulation_name(what, v.affine);
    char *id = o->draws == 1 ? text_join(w->id, "/", name, -1) : NULL;
    if (o->draws > 1) {
        char *plain = text_join(w->id, "/", name, -1);
        id = plain == NULL ? NULL : text_join(plain, "@", "", draw);
        free(plain);
    }
    if (id == NULL) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return;
    }
    if (o->trace) trace_add(w, id, &v, e);
    if (o->sheet_columns > 0) cell_keep(w, &v, column, e);
    record_put(w, id, &v, final, e);
    w->out->variants++;
    free(id);
}

static void all_variants(work *w, error *e)
{
    int column = 0;
    for (int what = 0; what < MANIPULATION_COUNT; what++) {
        if (what == NOSE_FLIP && !w->options->variant.nose) continue;
        if (!manipulation_possible((manipulation)what, w->regions, &w->options->variant)) {
            w->out->left_out[what]++;
        } else {
            int64_t draws = what == PHOTOGRAPHIC ? 1 : w->options->draws;
            for (int64_t draw = 0; draw < draws && e->status == 0; draw++) {
                variant_make(w, (manipulation)what, draw,
                             draw == 0 ? column : w->options->sheet_columns, e);
            }
        }
        column++;
    }
}

static void sampled_variants(work *w, error *e)
{
    for (int64_t draw = 0; draw < w->options->draws && e->status == 0; draw++) {
        manipulation what = variant_draw(&w->options->variant, w->id, draw, w->regions);
        variant_make(w, what, draw, draw < 1000 ? (int)draw : 1000, e);
    }
}

static bool row_begin(work *w, error *e)
{
    int columns = w->options->sheet_columns;
    if (columns == 0) return true;
    size_t count = (size_t)(w->out->sheet_rows + 1) * (size_t)columns;
    image *cells = memory_resize(w->out->cells, count, sizeof *cells, e);
    if (cells == NULL) return false;
    for (size_t i = count - (size_t)columns; i < count; i++) cells[i] = (image){0};
    w->out->cells = cells;
    w->out->sheet_rows++;
    return true;
}

/* Says no more than that the face failed; its finished variants stay. */
static void face_produce(work *w)
{
    const produce_options *o = w->options;
    error e = {0};
    free(w->id);
    w->id = text_join(w->in->id, "#", "", w->index);
    w->mask_region = NULL;
    double box[4];
    if (w->id == NULL) {
        error_set(&e, STATUS_SYSTEM, "out of memory");
    } else if (face_get(&w->in->object, w->index, &w->face, &e)) {
        photo_box_upright(&w->photo, w->face.box, box);
        if (photo_crop(&w->photo, box, o->crop, &w->cropped, &w->where, &e) && row_begin(w, &e)) {
            face_landmarks_place(&w->face, &w->photo, &w->where, o->crop.size, w->placed);
            face_regions(w->placed, w->face.points, o->crop.size, w->regions);
            w->out->faces++;
            if (w->face.points == 0) w->out->no_landmarks++;
            if (o->sampled) {
                sampled_variants(w, &e);
            } else {
                all_variants(w, &e);
            }
        }
    }
    if (e.status != 0) {
        put_error_record(&w->out->records, o->c, w->id == NULL ? w->in->id : w->id, e.text,
                         &w->in->object);
    }
}

/* The record's size, where it has one, must be the file's, in either orientation: boxes are in its
   pixels. */
static bool size_check(const work *w, error *e)
{
    int64_t width, height;
    if (!object_integer(&w->in->object, "width", &width) ||
        !object_integer(&w->in->object, "height", &height)) {
        return true;
    }
    const image_info *info = &w->photo.info;
    if (width == info->width && height == info->height) return true;
    if (width == info->height && height == info->width) return true;
    return error_set(e, STATUS_DATA, "is %d x %d pixels, but its record says %lld x %lld",
                     info->width, info->height, (long long)width, (long long)height);
}

static bool work_start(work *w, error *e)
{
    int size = w->options->crop.size;
    w->path = object_text_copy(&w->in->object, "path");
    if (w->path == NULL) w->path = strdup(w->in->id);
    w->mask = memory_allocate((size_t)size * (size_t)size, sizeof *w->mask, e);
    if (w->path == NULL) error_set(e, STATUS_SYSTEM, "out of memory");
    if (e->status != 0) return false;
    if (photo_open(&w->photo, w->path, w->options->limits, e) && size_check(w, e)) return true;
    return error_context(e, "%s", w->path);
}

void photo_produce(const produce_options *options, const stream_record *in, produced *out)
{
    double start = clock_seconds();
    error e = {0};
    int count = face_count(&in->object);
    work w = {.options = options, .in = in, .out = out};
    if (count < 0) {
        error_set(&e, STATUS_DATA, "faces is no array of at most %d faces", FACES_MOST);
    } else if (count == 0) {
        out->no_faces = true;
    } else if (work_start(&w, &e)) {
        for (w.index = 0; w.index < count; w.index++) face_produce(&w);
    }
    if (e.status != 0) put_error_record(&out->records, options->c, in->id, e.text, &in->object);
    out->decode_seconds = w.photo.decode_seconds;
    work_free(&w);
    out->seconds = clock_seconds() - start;
}

void produced_free(const produce_options *options, produced *p)
{
    stream_chunk_free(&p->records);
    free(p->trace);
    for (int i = 0; i < p->sheet_rows * options->sheet_columns; i++) image_free(&p->cells[i]);
    free(p->cells);
    *p = (produced){0};
}
