/* pretext-batch: from faces and a task file to the labelled mini-batches that training sees. */
#include "cli/plural.h"
#include "face/preprocessing.h"
#include "pretext/batch_window.h"
#include "pretext/summary.h"
#include "stream/number.h"

#include <inttypes.h>
#include <string.h>

static const char *const val_from_choices[] = {"split", "train", NULL};
enum { VAL_FROM_SPLIT, VAL_FROM_TRAIN };

static struct {
    const char *tasks, *balance, *summary_json;
    batch_settings batch;
    double val_fraction;
    int val_from, resampling;
    bool with_generated, summary, spool;
    cli_strings draws;
} options = {.batch = {.batch = 48, .epochs = 1, .window = 512}, .val_fraction = 0.1};

static const cli_option option_table[] = {
    {"tasks", 't', CLI_STRING, &options.tasks, .argument = "FILE",
     .help = "task file: labels, classes, prompts (required)"},
    {"batch", 'b', CLI_INTEGER, &options.batch.batch, 2, 65536, .argument = "N",
     .help = "faces of a batch (48)"},
    {"size", 's', CLI_INTEGER, &options.batch.size, 8, 4096, .argument = "N",
     .help = "resample faces to N x N pixels (as they are)"},
    {"resampling", 0, CLI_CHOICE, &options.resampling, .choices = resampling_names,
     .argument = "HOW", .help = "how faces are resized (antialias)", .rare = true},
    {"epochs", 'e', CLI_INTEGER, &options.batch.epochs, 0, 1e6, .argument = "N",
     .help = "times every face comes (1); 0: header only"},
    {"skip-steps", 0, CLI_INTEGER, &options.batch.skip_steps, 0, 1e15, .argument = "N",
     .help = "begin with step N, as if those before were read", .rare = true},
    {"val-fraction", 0, CLI_NUMBER, &options.val_fraction, 0, 0.9, .argument = "X",
     .help = "share of photos to validate on (0.1); 0: none"},
    {"val-from", 0, CLI_CHOICE, &options.val_from, .choices = val_from_choices, .argument = "SIDE",
     .help = "what to validate on (split)", .rare = true},
    {"balance", 0, CLI_STRING, &options.balance, .argument = "KEY",
     .help = "draw each value of a tag or key equally often"},
    {"draw", 0, CLI_LIST, &options.draws, .argument = "NAME=W",
     .help = "weight of a manipulation (photographic=4, others 1)", .rare = true},
    {"flip", 0, CLI_FLAG, &options.batch.flip, .help = "mirror half of the faces at random"},
    {"shift", 0, CLI_INTEGER, &options.batch.shift, 0, 1024, .argument = "N",
     .help = "cut faces out of N pixels more, at random places (0)"},
    {"window", 0, CLI_INTEGER, &options.batch.window, 2, 1e9, .argument = "N",
     .help = "faces to shuffle among when input is a pipe (512)", .rare = true},
    {"spool", 0, CLI_FLAG, &options.spool, .help = "copy a piped input to a temporary file first",
     .rare = true},
    {"with-generated", 0, CLI_FLAG, &options.with_generated,
     .help = "keep faces whose label is generated", .rare = true},
    {"summary", 0, CLI_FLAG, &options.summary,
     .help = "print class counts, cuts, missing rates (stderr)"},
    {"summary-json", 0, CLI_STRING, &options.summary_json, .argument = "FILE",
     .help = "write the same as JSON", .unrecorded = true, .written = true},
};

static const cli_tool tool = {
    .name = "pretext-batch",
    .operands = "[FACES...]",
    .summary = "Turn faces into shuffled, labelled batches: training and validation in turn.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED | CLI_MAX_ERRORS | CLI_PROVENANCE,
};

typedef struct job {
    cli *c;
    task_list *tasks;
    draw_table draws;
    face_input input;
    stream_writer writer;
} job;

/* ---- The header ----------------------------------------------------------------------------- */

static void put_sides(stream_chunk *k, const char *key, const size_t count[2])
{
    put_map_begin(k, key);
    put_integer(k, "train", (int64_t)count[0]);
    put_integer(k, "val", (int64_t)count[1]);
    put_map_end(k);
}

/* What was done to the faces, as far as their header says, and what is done here. */
static bool put_preprocessing(const job *j, stream_chunk *k, int side, error *e)
{
    const msgpack_object *before = object_get(face_input_header(&j->input), "preprocessing");
    preprocessing p = {PREPROCESSING_CLIP};
    bool done = preprocessing_get(&p, before, e) &&
                (preprocessing_add_step(&p, side + (int)options.batch.shift, options.batch.how) ||
                 error_set(e, STATUS_DATA, "the preprocessing has too many steps"));
    p.size = side;
    if (!done || !preprocessing_check(&p, e))
        return error_context(e, "%s: the header", cli_input_name(j->c->inputs.item[0]));
    preprocessing_put(k, &p);
    return true;
}

/* Everything that is needed to make the same stream again. */
static bool write_header(job *j, const sampler *s, int side, error *e)
{
    const catalog *faces = &j->input.faces;
    stream_chunk *k = stream_writer_header_begin(&j->writer, face_input_header(&j->input));
    if (j->tasks->name) put_text(k, "task_file", j->tasks->name);
    task_list_put(k, "tasks", j->tasks);
    if (!put_preprocessing(j, k, side, e)) return false;
    put_integer(k, "seed", (int64_t)j->c->seed);
    put_integer(k, "batch", options.batch.batch);
    put_integer(k, "epochs", options.batch.epochs);
    if (j->input.whole) {
        put_integer(k, "steps", (int64_t)sampler_steps(s) * options.batch.epochs);
        put_sides(k, "faces", faces->member_count);
        put_sides(k, "photos", faces->photo_count);
    }
    put_integer(k, "first_step", options.batch.skip_steps);
    put_text(k, "shuffle", j->input.whole ? "all" : "window");
    if (!j->input.whole) put_integer(k, "window", options.batch.window);
    put_number(k, "val_fraction", options.val_fraction);
    put_text(k, "val_from", val_from_choices[options.val_from]);
    if (options.balance) put_text(k, "balance", options.balance);
    put_boolean(k, "flip", options.batch.flip);
    if (options.batch.shift) put_integer(k, "shift", options.batch.shift);
    put_map_begin(k, "draw");
    for (size_t i = 0; i < j->draws.count; i++)
        put_number(k, j->draws.entry[i].name, j->draws.entry[i].weight);
    put_map_end(k);
    return stream_writer_header_end(&j->writer, e);
}

/* ---- What people see ------------------------------------------------------------------------ */

static void warn_line(void *context, const char *line)
{
    cli_warn(context, "%s", line);
}

static bool write_summary_json(const batch_summary *s, error *e)
{
    output out = {0};
    json_t *json = batch_summary_json(s);
    if (!json) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (output_open(&out, options.summary_json, false, e))
        number_json_print(json, JSON_INDENT(1), out.file, options.summary_json, e);
    json_decref(json);
    return output_commit(&out, e);
}

static bool show_summary(job *j, sampler *s, error *e)
{
    batch_summary summary = {0};
    bool good = batch_summary_open(&summary, s, e);
    if (good && options.summary) batch_summary_print(&summary, stderr);
    if (good) batch_summary_check(&summary, warn_line, j->c);
    if (good && options.summary_json) good = write_summary_json(&summary, e);
    batch_summary_close(&summary);
    return good;
}

static void note_window(const job *j)
{
    if (j->input.faces.val_chosen)
        cli_note(j->c, "so few photographs that the split was filled up with one of them");
    if (!j->input.whole)
        cli_note(j->c,
                 "input is a pipe: shuffling, classes and cuts are of windows of %" PRId64
                 " faces (--window, --spool)",
                 options.batch.window);
}

static void note_left_out(const job *j)
{
    if (j->input.returned > 0)
        cli_warn(j->c, "%" PRId64 " face%s came in more than one window", j->input.returned,
                 plural((size_t)j->input.returned));
    const left_out_counts *n = &j->input.left_out;
    if (n->generated > 0)
        cli_note(j->c, "left out %" PRId64 " record%s of generated faces (--with-generated)",
                 n->generated, plural((size_t)n->generated));
    if (n->outside > 0)
        cli_note(j->c, "left out %" PRId64 " record%s of other splits than train and val",
                 n->outside, plural((size_t)n->outside));
    if (n->repeated > 0)
        cli_warn(j->c, "left out %" PRId64 " record%s whose id came before", n->repeated,
                 plural((size_t)n->repeated));
}

/* ---- The run -------------------------------------------------------------------------------- */

static bool begin_stream(void *context, sampler *first, int side, error *e)
{
    job *j = context;
    note_window(j);
    return show_summary(j, first, e) && write_header(j, first, side, e);
}

static void write_stream(job *j, error *e)
{
    const batch_windows windows = {.c = j->c,
                                   .input = &j->input,
                                   .draws = &j->draws,
                                   .writer = &j->writer,
                                   .settings = &options.batch,
                                   .begin = begin_stream,
                                   .context = j};
    if (!stream_writer_open(&j->writer, j->c, "batch", e)) return;
    batch_windows_write(&windows, e);
    note_left_out(j);
    stream_writer_close(&j->writer, e);
}

/* Is standard input read, and no regular file? */
static bool is_piped(const cli_strings *inputs)
{
    static const char *name = "-";
    const cli_strings standard = {&name, 1, 1};
    for (size_t i = 0; i < inputs->count; i++)
        if (strcmp(inputs->item[i], name) == 0) return !stream_index_possible(&standard);
    return false;
}

static bool prepare(job *j, error *e)
{
    if (!options.tasks) return error_set(e, STATUS_USAGE, "--tasks FILE must be given");
    if (!(j->tasks = task_list_read(options.tasks, e)) || !draw_table_default(&j->draws, e))
        return false;
    for (size_t i = 0; i < options.draws.count; i++)
        if (!draw_table_set(&j->draws, options.draws.item[i], e)) return false;
    options.batch.how = (resampling)options.resampling;
    return !options.spool || !is_piped(&j->c->inputs) || standard_input_spool(e);
}

static void run(cli *c, error *e)
{
    job j = {.c = c};
    catalog_options faces = {.seed = c->seed,
                             .val_fraction = options.val_fraction,
                             .val_from_train = options.val_from == VAL_FROM_TRAIN,
                             .with_generated = options.with_generated,
                             .balance = options.balance};
    if (prepare(&j, e) &&
        face_input_open(&j.input, &c->inputs, &faces, j.tasks, (size_t)options.batch.window, e))
        write_stream(&j, e);
    face_input_close(&j.input);
    draw_table_free(&j.draws);
    task_list_free(j.tasks);
    cli_strings_free(&options.draws);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run(&c, &e);
    return cli_finish(&c, &e);
}
