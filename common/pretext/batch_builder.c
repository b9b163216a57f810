/* Makes batch records of drawn faces. */
#include "pretext/batch_builder.h"

#include "cli/memory.h"
#include "face/face_pixels.h"
#include "face/preprocessing.h"
#include "stream/scan.h"

#include <endian.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool batch_size_check(const task_list *tasks, size_t batch, int side, error *e)
{
    enum { ROOM = 1 << 20, ID_ROOM = 256 }; /* for everything else of a record, and each id */
    size_t face = 3 * (size_t)side * (size_t)side + ID_ROOM;
    for (size_t i = 0; i < tasks->count; i++) face += task_label_size(&tasks->task[i]);
    return batch <= (SCAN_SIZE_MAX - ROOM) / face ||
           error_set(e, STATUS_USAGE,
                     "a batch of %zu faces of %d pixels has more than the %zu MiB of a stream's"
                     " record; lower --batch to %zu, or --size",
                     batch, side, SCAN_SIZE_MAX >> 20, (SCAN_SIZE_MAX - ROOM) / face);
}

bool batch_scratch_open(batch_scratch *s, const batch_builder *b, size_t batch, error *e)
{
    const task_list *tasks = b->faces->labels.tasks;
    size_t widest = 0;
    for (size_t i = 0; i < tasks->count; i++)
        if (task_label_size(&tasks->task[i]) > widest) widest = task_label_size(&tasks->task[i]);
    *s = (batch_scratch){.batch = batch};
    s->pixels = memory_allocate(batch * (size_t)b->width * (size_t)b->height, 3, e);
    s->label = memory_allocate(batch, widest, e);
    s->good = memory_allocate(batch, sizeof *s->good, e);
    s->id = memory_zeroed(batch, sizeof *s->id, e);
    return e->status == 0;
}

void batch_scratch_close(batch_scratch *s)
{
    for (size_t i = 0; s->id && i < s->batch; i++) free(s->id[i]);
    free(s->pixels);
    free(s->label);
    free(s->good);
    free(s->id);
    stream_buffer_free(&s->buffer);
    *s = (batch_scratch){0};
}

/* ---- Pixels --------------------------------------------------------------------------------- */

static void mirror(uint8_t *pixels, int width, int height)
{
    for (int y = 0; y < height; y++, pixels += 3 * width) {
        for (int left = 0, right = width - 1; left < right; left++, right--) {
            uint8_t kept[3];
            memcpy(kept, pixels + 3 * left, 3);
            memcpy(pixels + 3 * left, pixels + 3 * right, 3);
            memcpy(pixels + 3 * right, kept, 3);
        }
    }
}

/* Copies the window of the draw out of a face with the builder's play. */
static void cut_window(const batch_builder *b, const image *face, const batch_draw *draw,
                       uint8_t *pixels)
{
    size_t left = (size_t)window_begin(b->play, draw->left),
           top = (size_t)window_begin(b->play, draw->top);
    size_t row = 3 * (size_t)b->width, stride = 3 * (size_t)face->width;
    const uint8_t *from = face->pixels + top * stride + 3 * left;
    for (int y = 0; y < b->height; y++)
        memcpy(pixels + (size_t)y * row, from + (size_t)y * stride, row);
}

static bool read_face(const batch_builder *b, const msgpack_object *record, const batch_draw *draw,
                      uint8_t *pixels, error *e)
{
    image view, decoded = {0}, resized = {0};
    int width = b->width + b->play, height = b->height + b->play;
    bool read = face_record_image(record, &view, &decoded, e);
    if (read && (view.width != width || view.height != height)) {
        double whole[4] = {0, 0, view.width, view.height};
        read = image_resample(&view, whole, b->how, width, height, &resized, e);
        view = resized;
    }
    if (read) cut_window(b, &view, draw, pixels);
    if (read && draw->flip) mirror(pixels, b->width, b->height);
    image_free(&decoded);
    image_free(&resized);
    return read;
}

/* ---- Labels --------------------------------------------------------------------------------- */

static void put_word(unsigned char *label, size_t i, uint32_t bits)
{
    bits = htole32(bits);
    memcpy(label + i * sizeof bits, &bits, sizeof bits);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static bool has_region(const catalog *c, const face_variant *variant, const char *name)
{
    for (uint32_t i = 0; i < c->regions.count; i++)
        if (strcmp(c->regions.text[i], name) == 0) return variant->regions >> i & 1;
    return false;
}

/* Writes the label of face number i of the batch. */
static void label_face(const catalog *c, size_t number, batch_draw draw, size_t i,
                       unsigned char *label)
{
    const task *t = &c->labels.tasks->task[number];
    const face_variant *variant = &c->variant[draw.variant];
    size_t row = c->face[draw.face].row;
    if (t->kind == TASK_ORDINAL) {
        put_word(label, i, float_bits((float)label_value(&c->labels, row, number)));
    } else if (t->tag) {
        put_word(label, i, (uint32_t)label_class(&c->labels, row, number));
    } else if (t->kind == TASK_COARSE) {
        put_word(label, i, (int)variant->manipulation != c->photographic);
    } else {
        for (size_t k = 0; k < t->class_count; k++)
            label[i * t->class_count + k] = has_region(c, variant, t->classes[k]);
    }
}

static void put_labels(const batch_builder *b, batch_scratch *s, size_t count, stream_chunk *out)
{
    const task_list *tasks = b->faces->labels.tasks;
    put_map_begin(out, "labels");
    for (size_t t = 0; t < tasks->count; t++) {
        const task *item = &tasks->task[t];
        for (size_t i = 0; i < count; i++) {
            batch_draw draw = s->good[i];
            if (item->shuffle) draw = sampler_lender(b->sampler, draw.variant, item->name);
            label_face(b->faces, t, draw, i, s->label);
        }
        put_binary(out, item->name, s->label, count * task_label_size(item));
    }
    put_map_end(out);
}

/* ---- The record ----------------------------------------------------------------------------- */

/* Decodes the drawn faces one behind the other; those that fail leave no gap. */
static size_t read_faces(const batch_builder *b, batch_scratch *s, const batch_draw *draws,
                         size_t count, batch_failure *failures)
{
    size_t good = 0, failed = 0, bytes = (size_t)b->width * (size_t)b->height * 3;
    for (size_t i = 0; i < count; i++) {
        stream_place place = b->faces->variant[draws[i].variant].place;
        const msgpack_object *record = face_store_get(b->store, place, &s->buffer);
        error e = {0};
        free(s->id[good]);
        s->id[good] = record ? object_text_copy(record, "id") : NULL;
        if (s->id[good] && read_face(b, record, &draws[i], s->pixels + good * bytes, &e)) {
            s->good[good++] = draws[i];
        } else {
            batch_failure *failure = &failures[failed++];
            failure->variant = draws[i].variant;
            snprintf(failure->reason, sizeof failure->reason, "%.119s",
                     e.status ? e.text : "the record cannot be read");
        }
    }
    return good;
}

size_t batch_build(const batch_builder *b, batch_scratch *s, batch_name name,
                   const batch_draw *draws, size_t count, batch_failure *failures,
                   stream_chunk *out)
{
    char id[64];
    size_t n = read_faces(b, s, draws, count, failures);
    if (n == 0) return count;
    snprintf(id, sizeof id, "%s/%" PRId64, name.split, name.step);
    record_begin(out, "batch");
    put_text(out, "id", id);
    put_text(out, "split", name.split);
    put_integer(out, "epoch", name.epoch);
    put_integer(out, "step", name.step);
    put_integer(out, "n", (int64_t)n);
    put_integer(out, "height", b->height);
    put_integer(out, "width", b->width);
    put_binary(out, "pixels", s->pixels, n * (size_t)b->width * (size_t)b->height * 3);
    put_array(out, "ids", n);
    for (size_t i = 0; i < n; i++) put_text(out, NULL, s->id[i]);
    put_labels(b, s, n, out);
    record_end(out);
    return count - n;
}
