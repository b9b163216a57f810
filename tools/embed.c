/* embed: faces to vectors of unit length, by a trained model. */
#include "cli/memory.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "cli/threads.h"
#include "face/face_source.h"
#include "model/image_encoder.h"
#include "model/model.h"
#include "nn/l2norm.h"
#include "nn/threads.h"
#include "stream/writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const precision_names[] = {"float32", "bf16", NULL};
static const char *const faceless_names[] = {"skip", "error", NULL};
enum { FACELESS_SKIP, FACELESS_ERROR };

static struct {
    const char *model;
    int64_t batch;
    double central;
    int precision, faceless;
} options = {.batch = 16, .central = 1};

static const cli_option option_table[] = {
    {"model", 'm', CLI_STRING, &options.model, .argument = "FILE", .help = "the model (required)"},
    {"batch", 0, CLI_INTEGER, &options.batch, 1, 1024, .argument = "N",
     .help = "faces computed at a time (16)", .unrecorded = true},
    {"central", 0, CLI_NUMBER, &options.central, 0.01, 1, .argument = "X",
     .help = "share of an image file that is the face crop (1)"},
    {"precision", 0, CLI_CHOICE, &options.precision, .choices = precision_names, .argument = "KIND",
     .help = "of the encoder (float32)"},
    {"faceless", 0, CLI_CHOICE, &options.faceless, .choices = faceless_names, .argument = "HOW",
     .help = "what a photo without faces becomes (skip)", .rare = true},
};

static const cli_tool tool = {
    .name = "embed",
    .operands = "[FILE|FOLDER|STREAM...]",
    .summary =
        "Turn faces into vectors of unit length: image files, folders, photo or face streams.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SET | CLI_MAX_ERRORS | CLI_PROVENANCE,
};

/* One run: items are prepared by threads, taken back in order, and computed a batch at a time. */
typedef struct embedding_run {
    cli *c;
    model *network;
    image_encoder *encoder;
    face_source *input;
    stream_writer writer;
    stream_chunk chunk;
    input_item **items; /* taken and not written yet */
    size_t item_count, item_capacity;
    size_t faces;     /* of the items, with pixels */
    int64_t missing;  /* image files that could not be opened */
    int64_t faceless; /* photos without faces */
    uint8_t *pixels;
    float *vectors;
    progress shown;
} embedding_run;

/* ---- Writing -------------------------------------------------------------------------------- */

static void put_face(embedding_run *run, const input_item *item, const input_face *face,
                     float *vector)
{
    static const char *const own[] = {"id",     "photo",  "pixels",   "faces",
                                      "width",  "height", "exif_raw", "orientation",
                                      "coding", "mask",   NULL};
    const msgpack_object *from = item->record ? &item->record->object : NULL;
    int dimension = run->network->config.embedding_dim;
    const char *reason = face->status && !face->reason ? "out of memory" : face->reason;
    double length = reason ? 0 : l2norm_row(vector, vector, (size_t)dimension);
    if (!reason && !(length > 0 && isfinite(length))) reason = "the embedding is not finite";
    if (reason) {
        put_error_record(&run->chunk, run->c, face->id ? face->id : "", reason, from);
        return;
    }
    record_begin(&run->chunk, "embedding");
    put_text(&run->chunk, "id", face->id ? face->id : "");
    const msgpack_object *whole = object_get(from, "photo");
    if (whole)
        put_object(&run->chunk, "photo", whole);
    else
        put_text(&run->chunk, "photo", item->path ? item->path : item->record->id);
    put_binary(&run->chunk, "vector", vector, sizeof *vector * (size_t)dimension);
    put_rest(&run->chunk, run->c, from, own);
    record_end(&run->chunk);
}

static bool is_faceless(const input_item *item)
{
    return item->record && !item->record->is_error && item->count == 0;
}

static bool write_faceless(embedding_run *run, const stream_record *record, error *e)
{
    bool located = object_get(&record->object, "faces") != NULL;
    put_error_record(&run->chunk, run->c, record->id,
                     located ? "no face in the annotations" : "no faces: run face-locate",
                     &record->object);
    return stream_writer_put(&run->writer, &run->chunk, e);
}

static bool write_items(embedding_run *run, error *e)
{
    float *vector = run->vectors;
    bool written = true;
    for (size_t i = 0; i < run->item_count; i++) {
        input_item *item = run->items[i];
        if (written && item->record && item->record->is_error)
            written = stream_writer_pass(&run->writer, item->record, e);
        if (written && options.faceless == FACELESS_ERROR && is_faceless(item))
            written = write_faceless(run, item->record, e);
        for (size_t k = 0; written && k < item->count; k++) {
            put_face(run, item, &item->faces[k], vector);
            if (!item->faces[k].status) vector += run->network->config.embedding_dim;
            written = stream_writer_put(&run->writer, &run->chunk, e);
        }
        input_item_free(item);
    }
    run->item_count = run->faces = 0;
    return written;
}

/* Computes the faces of all taken items, at most --batch at a time, and writes them. */
static bool flush_items(embedding_run *run, error *e)
{
    const preprocessing *p = &run->network->config.preprocessing;
    size_t dimension = (size_t)run->network->config.embedding_dim,
           bytes = (size_t)p->size * (size_t)p->size * 3;
    float *vectors = memory_resize(run->vectors, run->faces * dimension, sizeof *vectors, e);
    if (!vectors) return false;
    run->vectors = vectors;
    size_t gathered = 0, computed = 0;
    for (size_t i = 0; i < run->item_count; i++)
        for (size_t k = 0; k < run->items[i]->count; k++) {
            if (run->items[i]->faces[k].status) continue;
            memcpy(run->pixels + gathered++ * bytes, run->items[i]->faces[k].crop.pixels, bytes);
            image_free(&run->items[i]->faces[k].crop);
            if (gathered < (size_t)options.batch && computed + gathered < run->faces) continue;
            image_encoder_forward(run->encoder, run->network->values, 0, run->pixels, p->mean,
                                  p->std, (int)gathered, STATISTICS_FOLDED,
                                  vectors + computed * dimension);
            computed += gathered;
            gathered = 0;
        }
    return write_items(run, e);
}

static bool write_header(embedding_run *run, error *e)
{
    char digest[17];
    model_digest(run->network, digest);
    stream_chunk *k = stream_writer_header_begin(&run->writer, face_source_header(run->input));
    put_integer(k, "dimension", run->network->config.embedding_dim);
    put_text(k, "model", digest);
    preprocessing_put(k, &run->network->config.preprocessing);
    return stream_writer_header_end(&run->writer, e);
}

/* ---- The parallel map ----------------------------------------------------------------------- */

static int next_item(void *context, void **item, error *e)
{
    input_item *next = NULL;
    int more = face_source_next(((embedding_run *)context)->input, &next, e);
    *item = next;
    return more;
}

static void prepare_item(void *context, void *item, int worker)
{
    face_source_prepare(((embedding_run *)context)->input, item);
}

static bool take_item(void *context, void *argument, error *e)
{
    embedding_run *run = context;
    input_item *item = argument;
    input_item **items =
        array_grow(run->items, run->item_count + 1, &run->item_capacity, sizeof *items, e);
    if (!items) {
        input_item_free(item);
        return false;
    }
    run->items = items;
    run->items[run->item_count++] = item;
    for (size_t k = 0; k < item->count; k++) run->faces += item->faces[k].status == 0;
    run->missing += item->path && item->count && item->faces[0].status == STATUS_NO_INPUT;
    run->faceless += is_faceless(item);
    progress_add_share(&run->shown, 1, face_source_share(run->input));
    bool full = run->faces >= (size_t)options.batch || run->item_count >= 4 * (size_t)options.batch;
    return !full || flush_items(run, e);
}

static void discard_item(void *context, void *item)
{
    input_item_free(item);
}

/* ---- Start and end -------------------------------------------------------------------------- */

/* Faces that were cropped already are as they are. */
static void warn_of_scale(const embedding_run *run)
{
    const preprocessing *p = &run->network->config.preprocessing;
    const msgpack_object *map = object_get(face_source_header(run->input), "preprocessing");
    double scale;
    if (object_number(map, "scale", &scale) && fabs(scale - p->scale) > 1e-6)
        cli_warn(run->c,
                 "the faces were cropped at %g times their boxes, those that the model was trained "
                 "on at %g; embed the photos, or use face-manipulate --scale %g",
                 scale, p->scale, p->scale);
}

static bool prepare_run(embedding_run *run, error *e)
{
    if (!options.model) return error_set(e, STATUS_USAGE, "a model is needed: -m FILE");
    if (!threads_start(run->c->threads, e)) return false;
    nn_threads_set(run->c->threads);
    run->network = model_read(options.model, e);
    if (!run->network) return false;
    const model_config *m = &run->network->config;
    const preprocessing *p = &m->preprocessing;
    image_encoder_config encoder = {.depth = m->depth,
                                    .width = m->width,
                                    .embedding_dim = m->embedding_dim,
                                    .size = p->size,
                                    .precision = options.precision ? IMAGE_BF16 : IMAGE_FLOAT32};
    run->encoder = image_encoder_create(&encoder, run->network->table, (int)options.batch, 0, e);
    if (!run->encoder) return false;
    run->pixels = memory_allocate((size_t)options.batch, (size_t)p->size * (size_t)p->size * 3, e);
    if (!run->pixels) return false;
    run->input = face_source_open(run->c, p, options.central, e);
    if (!run->input) return false;
    warn_of_scale(run);
    return stream_writer_open(&run->writer, run->c, "embedding", e) && write_header(run, e);
}

static void report(const embedding_run *run, error *e)
{
    if (run->faceless && options.faceless == FACELESS_SKIP)
        cli_note(run->c, "%lld photo%s no faces: run face-locate", (long long)run->faceless,
                 run->faceless == 1 ? " has" : "s have");
    if (run->missing && run->c->error_count > run->c->max_errors)
        error_set(e, STATUS_NO_INPUT, "%lld image files could not be opened",
                  (long long)run->missing);
}

static void run_embed(cli *c, error *e)
{
    static const parallel_plan plan = {next_item, prepare_item, take_item, discard_item};
    embedding_run run = {.c = c};
    if (prepare_run(&run, e)) {
        progress_start(&run.shown, c, "inputs", face_source_total(run.input));
        if (parallel_map(&plan, &run, c->threads, 0, e)) flush_items(&run, e);
        progress_end(&run.shown);
    }
    if (stream_writer_close(&run.writer, e)) report(&run, e);
    for (size_t i = 0; i < run.item_count; i++) input_item_free(run.items[i]);
    free(run.items);
    free(run.pixels);
    free(run.vectors);
    stream_chunk_free(&run.chunk);
    face_source_close(run.input);
    image_encoder_free(run.encoder);
    model_free(run.network);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run_embed(&c, &e);
    return cli_finish(&c, &e);
}
