/* Batch records into checked arrays. */
#include "train/batch.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES_LIMIT = 65536, SIZE_LIMIT = 4096 };

/* ---- The header ----------------------------------------------------------------------------- */

static bool read_count(const msgpack_object *map, const char *key, int64_t *count, error *e)
{
    int64_t value;
    if (!object_integer(map, key, &value)) return true;
    if (value < 0 || value > BATCH_NUMBER_LIMIT)
        return error_set(e, STATUS_DATA, "the header's %s is %lld, not 0 to %lld", key,
                         (long long)value, (long long)BATCH_NUMBER_LIMIT);
    *count = value;
    return true;
}

bool batch_header_read(batch_header *h, const msgpack_object *header, error *e)
{
    const msgpack_object *how = object_get(header, "preprocessing");
    double scale;
    if (how && object_get(how, "scale") && !object_number(how, "scale", &scale))
        return error_set(e, STATUS_DATA, "the preprocessing's scale is not a number");
    return read_count(header, "steps", &h->steps, e) &&
           preprocessing_get(&h->preprocessing, how, e);
}

/* ---- Labels --------------------------------------------------------------------------------- */

static bool check_classes(const task *t, const int32_t *labels, int n, error *e)
{
    for (int i = 0; i < n; i++)
        if (labels[i] < -1 || labels[i] >= (int32_t)t->class_count)
            return error_set(e, STATUS_DATA,
                             "task '%s': label %d is neither a class 0 to %zu nor -1", t->name,
                             (int)labels[i], t->class_count - 1);
    return true;
}

static bool check_values(const task *t, const float *labels, int n, error *e)
{
    for (int i = 0; i < n; i++)
        if (isinf(labels[i]))
            return error_set(e, STATUS_DATA, "task '%s': a value is infinite", t->name);
    return true;
}

static bool check_regions(const task *t, const uint8_t *labels, int n, error *e)
{
    for (size_t i = 0; i < (size_t)n * t->class_count; i++)
        if (labels[i] > 1 && labels[i] != 255)
            return error_set(e, STATUS_DATA, "task '%s': region label %d is not 0, 1 or 255",
                             t->name, labels[i]);
    return true;
}

static bool check_labels(const task *t, batch_labels labels, int n, error *e)
{
    switch (t->kind) {
    case TASK_ORDINAL:
        return check_values(t, labels.values, n, e);
    case TASK_FINE:
        return check_regions(t, labels.regions, n, e);
    case TASK_CATEGORICAL:
    case TASK_COARSE:
        break;
    }
    return check_classes(t, labels.classes, n, e);
}

/* Copies the labels of all tasks, each at a multiple of 8 bytes. */
static bool take_labels(batch *b, const task_list *tasks, bool training, error *e)
{
    const msgpack_object *map = object_get(&b->record->object, "labels");
    size_t n = (size_t)b->count, room = 0;
    for (size_t t = 0; t < tasks->count; t++)
        room += (n * task_label_size(&tasks->task[t]) + 7) / 8 * 8;
    b->labels = memory_zeroed(tasks->count, sizeof *b->labels, e);
    char *at = b->owned = memory_allocate(room, 1, e);
    if (!b->labels || !at) return false;
    for (size_t t = 0; t < tasks->count; t++) {
        const task *named = &tasks->task[t];
        const void *bytes;
        size_t size;
        if (!object_binary(map, named->name, &bytes, &size)) {
            if (training)
                return error_set(e, STATUS_DATA, "no labels for the task '%s'", named->name);
            continue;
        }
        if (size != n * task_label_size(named))
            return error_set(e, STATUS_DATA,
                             "task '%s': %zu bytes of labels, but %zu images need %zu", named->name,
                             size, n, n * task_label_size(named));
        memcpy(at, bytes, size);
        b->labels[t].any = at;
        if (!check_labels(named, b->labels[t], b->count, e)) return false;
        at += (size + 7) / 8 * 8;
    }
    return true;
}

/* ---- Batches -------------------------------------------------------------------------------- */

static bool take_pixels(batch *b, error *e)
{
    const msgpack_object *map = &b->record->object;
    int64_t n = 0, height = 0, width = 0;
    const void *bytes;
    size_t size;
    if (!object_integer(map, "n", &n) || n < 1 || n > IMAGES_LIMIT)
        return error_set(e, STATUS_DATA, "n, the number of images, is missing or not 1 to %d",
                         IMAGES_LIMIT);
    if (!object_integer(map, "height", &height) || !object_integer(map, "width", &width) ||
        height != width || height < 1 || height > SIZE_LIMIT)
        return error_set(e, STATUS_DATA, "height and width must be equal and 1 to %d", SIZE_LIMIT);
    if (!object_binary(map, "pixels", &bytes, &size) || size != (size_t)(n * height * width * 3))
        return error_set(e, STATUS_DATA, "pixels are not n * height * width * 3 bytes");
    b->count = (int)n;
    b->size = (int)height;
    b->pixels = bytes;
    b->step = -1;
    object_integer(map, "step", &b->step);
    object_integer(map, "epoch", &b->epoch);
    if (b->step < -1 || b->step > BATCH_NUMBER_LIMIT || b->epoch < 0 ||
        b->epoch > BATCH_NUMBER_LIMIT)
        return error_set(e, STATUS_DATA, "step or epoch is not 0 to %lld",
                         (long long)BATCH_NUMBER_LIMIT);
    return true;
}

batch *batch_parse(stream_record *record, const task_list *tasks, bool training, error *e)
{
    batch *b = memory_zeroed(1, sizeof *b, e);
    if (!b) {
        stream_record_free(record);
        return NULL;
    }
    b->record = record;
    if (take_pixels(b, e) && take_labels(b, tasks, training, e)) return b;
    error_context(e, "record %lld", (long long)record->number);
    batch_free(b);
    return NULL;
}

void batch_free(batch *b)
{
    if (!b) return;
    stream_record_free(b->record);
    free(b->labels);
    free(b->owned);
    free(b);
}

bool batch_is_training(const stream_record *record)
{
    return object_text_is(&record->object, "split", "train");
}

void batch_pair_free(batch_pair *pair)
{
    batch_free(pair->train);
    batch_free(pair->validation);
    *pair = (batch_pair){0};
}

/* ---- Places --------------------------------------------------------------------------------- */

batch_place batch_place_start(void)
{
    return (batch_place){.step = -1};
}

batch_place batch_place_after(batch_place last, const batch *next)
{
    bool numbered = last.step >= 0 && next->step >= 0;
    bool restarts = next->epoch < last.epoch || (numbered && next->step <= last.step);
    int64_t running = last.running + (restarts ? 1 : next->epoch - last.epoch);
    if (running > BATCH_NUMBER_LIMIT) running = BATCH_NUMBER_LIMIT;
    return (batch_place){next->step, next->epoch, running};
}

/* ---- Tasks ---------------------------------------------------------------------------------- */

static bool same_texts(char *const *a, char *const *b, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(a[i], b[i]) != 0) return false;
    return true;
}

bool batch_tasks_match(const task_list *a, const task_list *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const task *x = &a->task[i], *y = &b->task[i];
        if (strcmp(x->name, y->name) != 0 || x->kind != y->kind ||
            x->class_count != y->class_count ||
            !same_texts(x->classes, y->classes, x->class_count) ||
            !same_texts(x->prompts, y->prompts, x->class_count))
            return false;
    }
    return true;
}
