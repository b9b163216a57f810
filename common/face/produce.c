/* The variants of a photo's faces. */
#include "face/produce.h"

#include "cli/memory.h"
#include "cli/progress.h"
#include "face/sheet.h"
#include "image/png_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys that faces have of their own, or do not inherit from their photo. */
static const char *const own_keys[] = {
    "id",          "path",  "photo",  "face",     "width",        "height",
    "orientation", "faces", "pixels", "coding",   "manipulation", "regions",
    "draw",        "epoch", "mask",   "exif_raw", NULL,
};

typedef struct producer {
    const produce_options *options;
    /* buffers, used again and again */
    photo photo;
    int64_t opened; /* number of the photo that this is; 0: none */
    error unopened; /* why it is none */
    image cropped, made, resized;
    soft_mask mask;
    const char *mask_region; /* the mask of this face's region; NULL: none yet */
    /* the photo and the face under work */
    const stream_record *in;
    produced *out;
    int64_t sheet_rows; /* that may still be begun */
    bool on_sheet;      /* the face has a row */
    char *id;
    int index; /* of the face that was cropped last; -1: none */
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
    free(w->id);
    photo_close(&w->photo);
    image_free(&w->cropped);
    image_free(&w->made);
    image_free(&w->resized);
    soft_mask_free(&w->mask);
    free(w);
}

static void trace_add(producer *w, const char *id, const variant *v, error *e)
{
    const produce_options *o = w->options;
    trace_face f = {
        .id = w->id,
        .photo = w->in->id,
        .path = w->photo.path,
        .orientation = w->photo.orientation,
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
    if (column >= columns || !w->on_sheet) return;
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

/* "<face>/<manipulation>", and "@<draw>" where there are several; caller frees. NULL: no memory. */
static char *variant_id(const char *face_id, const variant *v, bool numbered)
{
    const char *name = manipulation_name(v->what, v->affine);
    size_t size = strlen(face_id) + strlen(name) + 24;
    char *id = malloc(size);
    if (id == NULL) return NULL;
    int length = snprintf(id, size, "%s/%s", face_id, name);
    if (numbered) snprintf(id + length, size - (size_t)length, "@%lld", (long long)v->draw);
    return id;
}

static void variant_make(producer *w, manipulation what, int64_t draw, int column, error *e)
{
    const produce_options *o = w->options;
    variant v = variant_choose(&o->variant, w->id, what, draw, w->regions, o->crop.size);
    if (!mask_prepare(w, &v, e)) return;
    char *id = variant_id(w->id, &v, o->draws > 1);
    if (id == NULL) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return;
    }
    if (o->trace) trace_add(w, id, &v, e);
    record_put(w, id, &v, column, e);
    if (e->status == 0) w->out->variants++;
    free(id);
}

static void left_out_count(producer *w, manipulation what)
{
    face_region which[REGION_COUNT];
    manipulation_regions(what, which);
    w->out->left_out[what][w->regions[which[0]].lack]++;
}

/* Variant `number` of all: the photographic one, then so many draws of each manipulation. */
static void variant_of_all(producer *w, int64_t number, error *e)
{
    const produce_options *o = w->options;
    int column = number == 0 ? 0 : 1 + (int)((number - 1) / o->draws);
    int64_t draw = number == 0 ? 0 : (number - 1) % o->draws;
    manipulation what = (manipulation)column;
    if (!o->variant.nose && what >= NOSE_FLIP) what++;
    if (manipulation_possible(what, w->regions, &o->variant)) {
        variant_make(w, what, draw, draw == 0 ? column : o->sheet_columns, e);
    } else if (draw == 0) {
        left_out_count(w, what);
    }
}

/* What the face cannot have becomes a warp. */
static void variant_sampled(producer *w, int64_t draw, error *e)
{
    const produce_options *o = w->options;
    manipulation what = variant_draw(&o->variant, w->id, draw);
    if (!manipulation_possible(what, w->regions, &o->variant)) {
        left_out_count(w, what);
        what = WARP;
    }
    variant_make(w, what, draw, draw < o->sheet_columns ? (int)draw : o->sheet_columns, e);
}

static int64_t variants_of_face(const produce_options *o)
{
    int manipulations = MANIPULATION_COUNT - 1 - !o->variant.nose;
    return o->sampled ? o->draws : 1 + manipulations * o->draws;
}

static bool row_begin(producer *w, error *e)
{
    int columns = w->options->sheet_columns;
    w->on_sheet = columns > 0 && w->sheet_rows > 0;
    if (!w->on_sheet) return true;
    size_t count = (size_t)(w->out->sheet_rows + 1) * (size_t)columns;
    image *cells = memory_resize(w->out->cells, count, sizeof *cells, e);
    if (cells == NULL) return false;
    for (size_t i = count - (size_t)columns; i < count; i++) cells[i] = (image){0};
    w->out->cells = cells;
    w->out->sheet_rows++;
    w->sheet_rows--;
    return true;
}

/* Crops a face and finds its regions, unless the piece before left it so. */
static bool face_prepare(producer *w, int index, error *e)
{
    const produce_options *o = w->options;
    if (w->index == index) return true;
    double box[4];
    w->index = -1;
    w->mask_region = NULL;
    free(w->id);
    w->id = face_id(w->in->id, index);
    if (w->id == NULL) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (!face_get(&w->in->object, index, &w->face, e)) return false;
    photo_box_upright(&w->photo, w->face.box, box);
    if (!photo_crop(&w->photo, box, o->crop, &w->cropped, &w->where, e)) return false;
    face_landmarks_place(&w->face, &w->photo, &w->where, o->crop.size, w->placed);
    if (!variant_regions(w->placed, w->face.points, o->crop.size, w->regions, e)) return false;
    w->index = index;
    return true;
}

/* Says no more than that the face failed; its finished variants stay. */
static void face_produce(producer *w, int index, const face_piece *piece)
{
    error e = {0};
    if (face_prepare(w, index, &e) && row_begin(w, &e)) {
        if (piece->variant == 0) {
            w->out->faces++;
            if (w->face.points == 0) w->out->no_landmarks++;
        }
        int64_t end = piece->variant + piece->variants;
        for (int64_t number = piece->variant; number < end && e.status == 0; number++) {
            if (w->options->sampled) {
                variant_sampled(w, number, &e);
            } else {
                variant_of_all(w, number, &e);
            }
        }
    }
    w->out->face_failed = e.status != 0;
    if (e.status != 0) {
        put_error_record(&w->out->records, w->options->c, w->id == NULL ? w->in->id : w->id, e.text,
                         &w->in->object);
    }
}

/* Opens the photo, unless it is the one at hand. */
static bool work_start(producer *w, const produce_photo *p, error *e)
{
    if (w->opened != p->number) {
        w->index = -1;
        w->unopened = (error){0};
        w->opened = p->number;
        photo_open_record(&w->photo, p->in, w->options->limits, &w->unopened);
    }
    if (w->unopened.status == 0) return true;
    return error_set(e, w->unopened.status, "%s", w->unopened.text);
}

face_pieces produce_pieces(const produce_options *o, const stream_record *in)
{
    int faces = face_count(&in->object);
    int64_t pixels = (int64_t)o->size * o->size, bytes = (3 + o->masks) * pixels + 1024;
    if (o->trace) bytes += 4096;
    return (face_pieces){.faces = faces < 0 ? 0 : faces,
                         .variants = variants_of_face(o),
                         .most = bytes < PIECE_BYTES ? PIECE_BYTES / bytes : 1};
}

void piece_produce(producer *w, const produce_photo *of, face_piece piece, int64_t sheet_rows,
                   produced *out)
{
    double start = clock_seconds();
    error e = {0};
    int count;
    w->in = of->in;
    w->out = out;
    w->sheet_rows = sheet_rows;
    w->photo.decode_seconds = 0;
    if (face_count_get(&w->in->object, &count, &e) && count > 0 && work_start(w, of, &e)) {
        for (int i = 0; i < piece.faces; i++) face_produce(w, piece.face + i, &piece);
    }
    out->no_faces = count == 0;
    out->photo_failed = e.status != 0;
    if (e.status != 0) {
        put_error_record(&out->records, w->options->c, w->in->id, e.text, &w->in->object);
    }
    out->decode_seconds = w->photo.decode_seconds;
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
