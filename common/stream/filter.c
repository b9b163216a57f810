/* The loop that most tools are: records in, records out, in order, on several threads. */
#include "cli/parallel.h"
#include "cli/progress.h"
#include "stream/writer.h"

#include <stdlib.h>

typedef struct filter_run {
    cli *c;
    const stream_filter *filter;
    void *context; /* of the tool */
    stream_reader *reader;
    stream_writer writer;
    progress shown;
} filter_run;

typedef struct filter_item {
    stream_record *in;
    stream_chunk out;
} filter_item;

static void free_item(void *context, void *argument)
{
    filter_item *item = argument;
    stream_record_free(item->in);
    stream_chunk_free(&item->out);
    free(item);
}

static bool write_header(filter_run *run, error *e)
{
    const msgpack_object *input = stream_reader_header(run->reader);
    stream_chunk *header = stream_writer_header_begin(&run->writer, input);
    if (run->filter->header && !run->filter->header(run->context, input, header, e)) return false;
    return stream_writer_header_end(&run->writer, e);
}

static int next_item(void *context, void **out, error *e)
{
    filter_run *run = context;
    filter_item *item = memory_zeroed(1, sizeof *item, e);
    if (!item) return -1;
    int read = stream_reader_next(run->reader, &item->in, e);
    if (read <= 0) {
        free(item);
        return read;
    }
    *out = item;
    return 1;
}

static void work_item(void *context, void *argument, int worker)
{
    filter_run *run = context;
    filter_item *item = argument;
    if (!item->in->is_error) run->filter->work(run->context, item->in, &item->out, worker);
}

static bool take_item(void *context, void *argument, error *e)
{
    filter_run *run = context;
    filter_item *item = argument;
    bool taken = item->in->is_error ? stream_writer_pass(&run->writer, item->in, e)
                                    : stream_writer_put(&run->writer, &item->out, e);
    progress_add(&run->shown, 1, NULL);
    free_item(NULL, item);
    return taken;
}

bool stream_filter_run(cli *c, const stream_filter *filter, void *context, error *e)
{
    static const parallel_plan plan = {next_item, work_item, take_item, free_item};
    filter_run run = {.c = c, .filter = filter, .context = context};
    run.reader = stream_reader_open(&c->inputs, filter->input_kinds, e);
    if (!run.reader) return false;
    if (stream_writer_open(&run.writer, c, filter->output_kind, e) && write_header(&run, e)) {
        progress_start(&run.shown, c, "records", 0);
        parallel_map(&plan, &run, c->threads, 0, e);
        progress_end(&run.shown);
    }
    stream_reader_close(run.reader);
    return stream_writer_close(&run.writer, e);
}
