/* exif-extract: photographs in, `photo` records with their size and tags out. */
#include "cli/memory.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "exif/metadata.h"
#include "exif/photo.h"
#include "stream/writer.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 16 }; /* photos an item of work */

static struct {
    const char *metadata;
} options;

static const cli_option option_table[] = {
    {"metadata", 'm', CLI_STRING, &options.metadata, .argument = "FILE",
     .help = "tags from exiftool -j JSON or JSON lines"},
};

static const cli_tool tool = {
    .name = "exif-extract",
    .operands = "[FILE...]",
    .summary = "Read size, orientation and camera tags of JPEG, PNG, WebP and TIFF files.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SET | CLI_MAX_ERRORS | CLI_PROVENANCE,
};

typedef struct extraction {
    cli *c;
    metadata_table *metadata;
    size_t *match;   /* of each file: its object in the metadata */
    bool from_files; /* else the records come from the metadata alone */
    size_t count, next;
    exif_photo *photos; /* two a worker: the file's, the metadata's */
    stream_writer writer;
    progress shown;
    int64_t missing; /* files that could not be opened */
    int64_t joined;  /* files with metadata */
} extraction;

typedef struct batch_item {
    size_t first, count;
    stream_chunk out;
    int64_t missing, joined;
} batch_item;

static void free_item(void *context, void *argument)
{
    batch_item *item = argument;
    stream_chunk_free(&item->out);
    free(item);
}

static int next_item(void *context, void **out, error *e)
{
    extraction *x = context;
    if (x->next == x->count) return 0;
    batch_item *item = memory_zeroed(1, sizeof *item, e);
    if (!item) return -1;
    item->first = x->next;
    item->count = x->count - x->next < BATCH ? x->count - x->next : BATCH;
    x->next += item->count;
    *out = item;
    return 1;
}

static void put_record(stream_chunk *k, const cli *c, const char *name, const exif_photo *p,
                       const metadata_object *o)
{
    static const char *const passed[] = {"label", "source", "split"};
    record_begin(k, "photo");
    put_text(k, "id", name);
    put_text(k, "path", name);
    exif_photo_put(k, p);
    for (size_t i = 0; o && i < CLI_COUNT(passed); i++) {
        const char *text = metadata_text(o, passed[i]);
        if (text && !cli_set_has(c, passed[i], strlen(passed[i]))) put_text(k, passed[i], text);
    }
    put_sets(k, c);
    record_end(k);
}

static void put_problem(extraction *x, batch_item *item, const char *name, const error *problem)
{
    put_error_record(&item->out, x->c, name, problem->text, NULL);
    item->missing += problem->status == STATUS_NO_INPUT;
}

static void put_memory_problem(extraction *x, batch_item *item, const char *name)
{
    error problem = {0};
    error_set(&problem, STATUS_SYSTEM, "out of memory");
    put_problem(x, item, name, &problem);
}

static void work_file(extraction *x, batch_item *item, size_t i, exif_photo *p)
{
    const char *path = x->c->inputs.item[item->first + i];
    error problem = {0};
    if (!exif_photo_read(&p[0], path, &problem)) {
        put_problem(x, item, path, &problem);
        return;
    }
    size_t index = x->match ? x->match[item->first + i] : METADATA_NONE;
    metadata_object *o = index == METADATA_NONE ? NULL : metadata_get(x->metadata, index);
    if (!o && index != METADATA_NONE) {
        put_memory_problem(x, item, path);
        return;
    }
    if (o) {
        metadata_photo(o, &p[1]);
        exif_photo_complete(&p[0], &p[1]);
        item->joined++;
    }
    put_record(&item->out, x->c, path, &p[0], o);
    metadata_object_free(o);
}

static void work_metadata(extraction *x, batch_item *item, size_t i, exif_photo *p)
{
    char name[32];
    metadata_object *o = metadata_get(x->metadata, item->first + i);
    snprintf(name, sizeof name, "%zu", item->first + i);
    if (!o) {
        put_memory_problem(x, item, name);
        return;
    }
    metadata_photo(o, p);
    put_record(&item->out, x->c, *metadata_name(o) ? metadata_name(o) : name, p, o);
    metadata_object_free(o);
}

static void work_item(void *context, void *argument, int worker)
{
    extraction *x = context;
    batch_item *item = argument;
    for (size_t i = 0; i < item->count; i++)
        (x->from_files ? work_file : work_metadata)(x, item, i, &x->photos[2 * worker]);
}

static bool take_item(void *context, void *argument, error *e)
{
    extraction *x = context;
    batch_item *item = argument;
    x->missing += item->missing;
    x->joined += item->joined;
    progress_add(&x->shown, (int64_t)item->count, NULL);
    bool taken = stream_writer_put(&x->writer, &item->out, e);
    free_item(NULL, item);
    return taken;
}

static bool extract(extraction *x, error *e)
{
    static const parallel_plan plan = {next_item, work_item, take_item, free_item};
    x->photos = memory_allocate(2 * (size_t)x->c->threads, sizeof *x->photos, e);
    if (x->photos && stream_writer_open(&x->writer, x->c, "photo", e) &&
        stream_writer_header_begin(&x->writer, NULL) && stream_writer_header_end(&x->writer, e)) {
        progress_start(&x->shown, x->c, "photos", (int64_t)x->count);
        parallel_map(&plan, x, x->c->threads, 0, e);
        progress_end(&x->shown);
    }
    free(x->photos);
    return stream_writer_close(&x->writer, e);
}

static void report(const extraction *x, error *e)
{
    if (x->metadata && x->from_files)
        cli_note(x->c, "%lld of %zu files found their metadata among %zu objects",
                 (long long)x->joined, x->count, metadata_count(x->metadata));
    if (x->missing && x->c->error_count > x->c->max_errors)
        error_set(e, STATUS_NO_INPUT, "%lld of %zu files could not be opened",
                  (long long)x->missing, x->count);
}

static bool join(extraction *x, error *e)
{
    if (!x->metadata || !x->from_files) return true;
    x->match = memory_allocate(x->count, sizeof *x->match, e);
    return x->match && metadata_join(x->metadata, x->c->inputs.item, x->count, x->match, e);
}

static void run(cli *c, error *e)
{
    extraction x = {.c = c, .from_files = c->inputs_given || !options.metadata};
    for (size_t i = 0; x.from_files && options.metadata && i < c->inputs.count; i++) {
        if (strcmp(options.metadata, "-") || strcmp(c->inputs.item[i], "-")) continue;
        error_set(e, STATUS_USAGE, "standard input is named twice: as a file and as --metadata");
        return;
    }
    if (options.metadata && !(x.metadata = metadata_open(options.metadata, e))) return;
    x.count = x.from_files ? c->inputs.count : metadata_count(x.metadata);
    if (join(&x, e) && extract(&x, e)) report(&x, e);
    free(x.match);
    metadata_close(x.metadata);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run(&c, &e);
    return cli_finish(&c, &e);
}
