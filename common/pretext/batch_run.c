/* Writes the batches of a sampler, made on several threads. */
#include "pretext/batch_run.h"
#include "cli/memory.h"
#include "cli/parallel.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SIDES = 2 };
static const char *const side_names[SIDES] = {"train", "val"};

/* A training batch and the validation batch that follows it. */
typedef struct batch_item {
    int64_t epoch, step;
    size_t failed[SIDES];
    batch_draw *draws[SIDES];
    batch_failure *failures[SIDES];
    stream_chunk out;
    struct batch_item *next_free;
} batch_item;

typedef struct batch_work {
    batch_run *run;
    batch_scratch *scratch; /* one a thread */
    batch_item *free_items; /* used again and again */
    int64_t step, end;      /* within the run */
    size_t batch;
    int sides; /* 1: no validation */
} batch_work;

static void free_item(void *context, void *argument)
{
    batch_item *item = argument;
    for (int i = 0; i < SIDES; i++) {
        free(item->draws[i]);
        free(item->failures[i]);
    }
    stream_chunk_free(&item->out);
    free(item);
}

static batch_item *get_item(batch_work *w, error *e)
{
    batch_item *item = w->free_items;
    if (item) {
        w->free_items = item->next_free;
        return item;
    }
    item = memory_zeroed(1, sizeof *item, e);
    for (int i = 0; item && i < w->sides; i++) {
        item->draws[i] = memory_allocate(w->batch, sizeof(batch_draw), e);
        item->failures[i] = memory_allocate(w->batch, sizeof(batch_failure), e);
    }
    if (!e->status) return item;
    if (item) free_item(NULL, item);
    return NULL;
}

/* Draws the faces of the next step and has their records read ahead. */
static int next_batches(void *context, void **out, error *e)
{
    batch_work *w = context;
    sampler *s = w->run->sampler;
    if (w->step == w->end) return 0;
    batch_item *item = get_item(w, e);
    if (!item) return -1;
    int64_t steps = (int64_t)sampler_steps(s);
    item->epoch = w->step / steps;
    item->step = w->step;
    sampler_train(s, item->epoch, (size_t)(w->step % steps), item->draws[0]);
    if (w->sides == SIDES) sampler_val(s, w->step, item->draws[1]);
    for (int side = 0; side < w->sides; side++)
        for (size_t i = 0; i < w->batch; i++)
            face_store_expect(w->run->builder.store,
                              s->faces->variant[item->draws[side][i].variant].place);
    w->step++;
    *out = item;
    return 1;
}

static void make_batches(void *context, void *argument, int worker)
{
    batch_work *w = context;
    batch_item *item = argument;
    for (int side = 0; side < w->sides; side++) {
        batch_name name = {side_names[side], item->epoch, w->run->first_step + item->step};
        item->failed[side] =
            batch_build(&w->run->builder, &w->scratch[worker], name, item->draws[side], w->batch,
                        item->failures[side], &item->out);
    }
}

static const msgpack_object *get_record(const batch_builder *b, uint32_t variant,
                                        stream_buffer *buffer, error *e)
{
    const msgpack_object *record =
        face_store_get(b->store, b->faces->variant[variant].place, buffer);
    if (!record) error_set(e, STATUS_IO, "an input file was cut short or cannot be read");
    return record;
}

/* Error records of the faces that failed for the first time. */
static bool report_failures(batch_work *w, const batch_item *item, error *e)
{
    const batch_builder *b = &w->run->builder;
    stream_chunk k = {0};
    stream_buffer buffer = {0};
    for (int side = 0; side < w->sides; side++) {
        for (size_t i = 0; i < item->failed[side]; i++) {
            const batch_failure *failure = &item->failures[side][i];
            if (w->run->faces->variant[failure->variant].reported) continue;
            w->run->faces->variant[failure->variant].reported = true;
            const msgpack_object *record = get_record(b, failure->variant, &buffer, e);
            if (!record) break;
            char *id = object_text_copy(record, "id");
            put_error_record(&k, w->run->c, id ? id : "", failure->reason, record);
            free(id);
        }
    }
    bool written = !e->status && stream_writer_put(w->run->writer, &k, e);
    stream_buffer_free(&buffer);
    stream_chunk_free(&k);
    return written;
}

/* Too few faces of a batch are left: says which failed first, and why. */
static bool refuse_batch(const batch_work *w, const batch_item *item, int side, error *e)
{
    const batch_failure *first = &item->failures[side][0];
    const batch_builder *b = &w->run->builder;
    stream_buffer buffer = {0};
    const msgpack_object *record = get_record(b, first->variant, &buffer, e);
    char *id = record ? object_text_copy(record, "id") : NULL;
    uint32_t file = b->faces->variant[first->variant].place.file;
    error_set(e, STATUS_DATA,
              "%s: %.200s: %s; of the %zu faces of the %s batch of step %" PRId64
              " %zu cannot be decoded, and a batch needs two",
              cli_input_name(w->run->c->inputs.item[file]), id ? id : "?", first->reason, w->batch,
              side_names[side], w->run->first_step + item->step, item->failed[side]);
    free(id);
    stream_buffer_free(&buffer);
    return false;
}

static bool take_batches(void *context, void *argument, error *e)
{
    batch_work *w = context;
    batch_item *item = argument;
    bool taken = true;
    if (item->failed[0] + item->failed[1] > 0) taken = report_failures(w, item, e);
    for (int side = 0; side < w->sides && taken; side++)
        if (w->batch - item->failed[side] < 2) taken = refuse_batch(w, item, side, e);
    taken = taken && stream_writer_put(w->run->writer, &item->out, e);
    progress_add(w->run->shown, (int64_t)w->batch, NULL);
    item->next_free = w->free_items;
    w->free_items = item;
    return taken;
}

static bool open_work(batch_work *w, error *e)
{
    const batch_run *run = w->run;
    w->scratch = memory_zeroed((size_t)run->c->threads, sizeof *w->scratch, e);
    for (int i = 0; w->scratch && i < run->c->threads; i++)
        if (!batch_scratch_open(&w->scratch[i], &run->builder, w->batch, e)) return false;
    return e->status == 0;
}

static void close_work(batch_work *w)
{
    for (int i = 0; w->scratch && i < w->run->c->threads; i++) batch_scratch_close(&w->scratch[i]);
    free(w->scratch);
    while (w->free_items) {
        batch_item *item = w->free_items;
        w->free_items = item->next_free;
        free_item(NULL, item);
    }
}

bool batch_run_write(batch_run *run, error *e)
{
    static const parallel_plan plan = {next_batches, make_batches, take_batches, free_item};
    batch_work w = {.run = run, .batch = run->sampler->batch};
    int64_t steps = (int64_t)sampler_steps(run->sampler) * run->epochs;
    int64_t skipped = run->skip > run->first_step ? run->skip - run->first_step : 0;
    w.end = steps;
    w.step = skipped < steps ? skipped : steps;
    w.sides = sampler_val_count(run->sampler) > 0 ? SIDES : 1;
    bool written = w.step == w.end || (open_work(&w, e) && parallel_map(&plan, &w, run->c->threads,
                                                                        run->c->threads + 1, e));
    close_work(&w);
    return written;
}
