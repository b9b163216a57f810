/* stream-dump: shows any stream as JSON lines, or checks it. */
#include "cli/output.h"
#include "stream/json.h"
#include "stream/reader.h"

#include <inttypes.h>

static struct {
    bool verify, count, header, base64;
    int64_t limit;
} options;

static const cli_option option_table[] = {
    {"verify", 0, CLI_FLAG, &options.verify,
     .help = "print nothing; exit 1 if the stream is damaged"},
    {"count", 0, CLI_FLAG, &options.count, .help = "print the numbers of records and errors only"},
    {"header", 0, CLI_FLAG, &options.header, .help = "print the first header only"},
    {"base64", 0, CLI_FLAG, &options.base64, .help = "print all binary fields in base64"},
    {"limit", 'n', CLI_INTEGER, &options.limit, 1, 1e15, .argument = "N",
     .help = "stop after N records (0: never)"},
};

static const cli_tool tool = {
    .name = "stream-dump",
    .operands = "[STREAM...]",
    .summary = "Show streams as JSON lines, one a record; float32 and int32 fields as arrays.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
};

/* Options that ask for different things, or shape what the other does not print. */
static bool check_options(error *e)
{
    const struct {
        const char *one, *other;
        bool both;
    } clashes[] = {
        {"verify", "count", options.verify && options.count},
        {"verify", "header", options.verify && options.header},
        {"verify", "base64", options.verify && options.base64},
        {"verify", "limit", options.verify && options.limit},
        {"count", "header", options.count && options.header},
        {"count", "base64", options.count && options.base64},
        {"count", "limit", options.count && options.limit},
        {"header", "limit", options.header && options.limit},
    };
    for (size_t i = 0; i < CLI_COUNT(clashes); i++)
        if (clashes[i].both)
            return error_set(e, STATUS_USAGE, "--%s and --%s do not go together", clashes[i].one,
                             clashes[i].other);
    return true;
}

static bool print_map(const msgpack_object *map, const msgpack_object *header, const output *to,
                      error *e)
{
    return json_print_record(map, header, options.base64, to->file, output_name(to->path), e);
}

/* Prints the headers and records until the end or --limit; counts[0] records and counts[1] errors.
 */
static bool dump_records(stream_reader *reader, bool shown, const output *to, int64_t counts[2],
                         error *e)
{
    int64_t segment = -1;
    stream_record *record;
    int more;
    while ((more = stream_reader_next(reader, &record, e)) > 0) {
        const msgpack_object *header = stream_reader_header(reader);
        counts[record->is_error]++;
        bool good = true;
        if (shown && record->segment != segment) good = print_map(header, header, to, e);
        if (shown && good) good = print_map(&record->object, header, to, e);
        segment = record->segment;
        stream_record_free(record);
        if (!good) return false;
        if (options.limit && counts[0] + counts[1] == options.limit) return true;
    }
    if (more == 0 && shown && segment < 0) {
        const msgpack_object *header = stream_reader_header(reader);
        return print_map(header, header, to, e);
    }
    return more == 0;
}

static bool dump(stream_reader *reader, const output *to, error *e)
{
    const msgpack_object *header = stream_reader_header(reader);
    if (options.header) return print_map(header, header, to, e);
    int64_t counts[2] = {0, 0};
    if (!dump_records(reader, !options.verify && !options.count, to, counts, e)) return false;
    if (options.count)
        fprintf(to->file, "%" PRId64 " records, %" PRId64 " errors\n", counts[0], counts[1]);
    return true;
}

static int run(cli *c)
{
    error e = {0}, none = {0};
    output out = {0};
    stream_reader *reader = check_options(&e) ? stream_reader_open(&c->inputs, NULL, &e) : NULL;
    if (reader && output_open(&out, c->output, false, &e)) dump(reader, &out, &e);
    stream_reader_close(reader);
    output_commit(&out, &e);
    if (!options.verify || e.status != STATUS_DATA) return cli_finish(c, &e);
    cli_note(c, "%s", e.text);
    return cli_finish_status(c, &none, STATUS_NO);
}

int main(int argc, char **argv)
{
    cli c;
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    return run(&c);
}
