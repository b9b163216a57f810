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

typedef struct producer {
    const produce_options *options;
    /* buffers, used again and again */
    photo photo;
    image cropped, made, resized;
    soft_mask mask;
    const char *mask_region; /* the mask of this face's region; NULL: none yet */
    /* the photo and the face under work */
    const stream_record *in;
    produced *out;
    char *path, *id;
    int index;
    face face;
    crop where;
    double placed[2 * LANDMARKS_MOST];
    region regions[REGION_COUNT];
} producer;

producer *producer_make(const produce_options *options, error *e)
{
    producer *w = memory_zeroed(1, sizeof *w, e);
    if (w != NULL) w->options = options;
    return w;
}

void producer_free(producer *w)
{
    if (w == NULL) return;
    photo_close(&w->photo);
    image_free(&w->cropped);
    image_free(&w->made);
    image_free(&w->resized);
    soft_mask_free(&w->mask);
    free(w);
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

static void trace_add(producer *w, const char *id, const variant *v, error *e)
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

static void mask_put(stream_chunk *k, const soft_mask *mask, int size)
{
    rectangle r = mask->where;
    size_t count = (size_t)size * (size_t)size;
    uint8_t *grey = put_binary_room(k, "mask", count);
    if (grey == NULL) return;
    memset(grey, 0, count);
    const float *value = mask->values;
    for (int y = r.top; y < r.bottom; y++) {
        uint8_t *row = grey + (size_t)y * (size_t)size;
        for (int x = r.left; x < r.right; x++) row[x] = (uint8_t)(*value++ * 255 + 0.5f);
    }
}

/* Keeps an outlined copy for the sheet, in the column of this variant; the row was begun by the
 * face. */
static void cell_keep(producer *w, const variant *v, const image *made, int column, error *e)
{
    int columns = w->options->sheet_columns;
    if (column >= columns) return;
    image *cell = &w->out->cells[(w->out->sheet_rows - 1) * columns + column];
    if (!image_allocate(cell, made->width, made->height, e)) return;
    memcpy(cell->pixels, made->pixels, 3 * (size_t)cell->width * (size_t)cell->height);
    sheet_outline(cell, v, w->regions);
}

/* Renders straight into the record; the way of faces that are stored as they are made. */
static void pixels_render(producer *w, const variant *v, int column, error *e)
{
    int size = w->options->size;
    size_t bytes = 3 * (size_t)size * (size_t)size;
    image made = {size, size, put_binary_room(&w->out->records, "pixels", bytes)};
    if (made.pixels == NULL) return;
    variant_render(v, &w->cropped, &w->mask, &made);
    cell_keep(w, v, &made, column, e);
}

static void pixels_put(producer *w, const image *i, error *e)
{
    unsigned char *bytes;
    size_t size;
    stream_chunk *k = &w->out->records;
    if (!w->options->png) {
        put_binary(k, "pixels", i->pixels, 3 * (size_t)i->width * (size_t)i->height);
    } else if (png_encode(i, &bytes, &size, e)) {
        put_binary(k, "pixels", bytes, size);
        free(bytes);
    }
}

static void pixels_make(producer *w, const variant *v, int column, error *e)
{
    const produce_options *o = w->options;
    if (!o->png && o->size == o->crop.size) {
        pixels_render(w, v, column, e);
        return;
    }
    const image *final = &w->made;
    if (!image_allocate(&w->made, o->crop.size, o->crop.size, e)) return;
    variant_render(v, &w->cropped, &w->mask, &w->made);
    cell_keep(w, v, &w->made, column, e);
    if (o->size != o->crop.size) {
        const double whole[4] = {0, 0, w->made.width, w->made.height};
        if (!image_resample(&w->made, whole, o->crop.how, o->size, o->size, &w->resized, e)) return;
        final = &w->resized;
    }
    pixels_put(w, final, e);
}

static bool label_given(const producer *w)
{
    return cli_set_has(w->options->c, "label", strlen("label")) ||
           object_get(&w->in->object, "label") != NULL;
}

static void record_put(producer *w, const char *id, const variant *v, int column, error *e)
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
    put_integer(k, "width", o->size);
    put_integer(k, "height", o->size);
    put_text(k, "coding", o->png ? "png" : "raw");
    pixels_make(w, v, column, e);
    if (e->status != 0) {
        record_abandon(k);
        return;
    }
    if (o->masks && variant_has_mask(v)) mask_put(k, &w->mask, o->crop.size);
    put_rest(k, o->c, &w->in->object, own_keys);
    if (!label_given(w)) put_text(k, "label", "photographic");
    record_end(k);
}

/* Both flips of a mouth have one mask. */
static bool mask_prepare(producer *w, const variant *v, error *e)
{
    face_region which[REGION_COUNT];
    if (!variant_has_mask(v) || manipulation_regions(v->what, which) != 1) return true;
    if (w->mask_region == region_names[which[0]]) return true;
    w->mask_region = NULL;
    if (!soft_mask_make(&w->mask, v->region.box, w->options->crop.size, &v->mask, e)) return false;
    w->mask_region = region_names[which[0]];
    return true;
}

static void variant_make(producer *w, manipulation what, int64_t draw, int column, error *e)
{
    const produce_options *o = w->options;
    variant v = variant_choose(&o->variant, w->id, what, draw, w->regions, o->crop.size);
    if (!mask_prepare(w, &v, e)) return;
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
    record_put(w, id, &v, column, e);
    if (e->status == 0) w->out->variants++;
    free(id);
}

static void all_variants(producer *w, error *e)
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

static void sampled_variants(producer *w, error *e)
{
    for (int64_t draw = 0; draw < w->options->draws && e->status == 0; draw++) {
        manipulation what = variant_draw(&w->options->variant, w->id, draw, w->regions);
        variant_make(w, what, draw, draw < 1000 ? (int)draw : 1000, e);
    }
}

static bool row_begin(producer *w, error *e)
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
static void face_produce(producer *w)
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
static bool size_check(const producer *w, error *e)
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

static bool work_start(producer *w, error *e)
{
    w->path = object_text_copy(&w->in->object, "path");
    if (w->path == NULL) w->path = strdup(w->in->id);
    if (w->path == NULL) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (photo_open(&w->photo, w->path, w->options->limits, e) && size_check(w, e)) return true;
    return error_context(e, "%s", w->path);
}

void photo_produce(producer *w, const stream_record *in, produced *out)
{
    double start = clock_seconds();
    error e = {0};
    int count = face_count(&in->object);
    w->in = in;
    w->out = out;
    w->photo.decode_seconds = 0;
    if (count < 0) {
        error_set(&e, STATUS_DATA, "faces is no array of at most %d faces", FACES_MOST);
    } else if (count == 0) {
        out->no_faces = true;
    } else if (work_start(w, &e)) {
        for (w->index = 0; w->index < count; w->index++) face_produce(w);
    }
    if (e.status != 0) {
        put_error_record(&out->records, w->options->c, in->id, e.text, &in->object);
    }
    out->decode_seconds = w->photo.decode_seconds;
    free(w->path);
    free(w->id);
    w->path = w->id = NULL;
    out->seconds = clock_seconds() - start;
}

void produced_clear(const produce_options *options, produced *p)
{
    stream_chunk records = p->records;
    stream_chunk_clear(&records);
    p->records = (stream_chunk){0};
    produced_free(options, p);
    p->records = records;
}

void produced_free(const produce_options *options, produced *p)
{
    stream_chunk_free(&p->records);
    free(p->trace);
    for (int i = 0; i < p->sheet_rows * options->sheet_columns; i++) image_free(&p->cells[i]);
    free(p->cells);
    *p = (produced){0};
}
