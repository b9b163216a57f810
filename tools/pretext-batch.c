/* pretext-batch: from faces and a task file to the labelled mini-batches that training sees. */
#include "face/batch_run.h"
#include "face/face_input.h"
#include "face/preprocessing.h"
#include "face/summary.h"
#include "stream/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const val_from_choices[] = {"split", "train", NULL};
enum { VAL_FROM_SPLIT, VAL_FROM_TRAIN };

static struct {
    const char *tasks, *balance, *summary_json;
    int64_t batch, size, shift, epochs, window, skip_steps;
    double val_fraction;
    int val_from, resampling;
    bool flip, with_generated, summary, spool;
    cli_strings draws;
} options = {.batch = 48, .epochs = 1, .window = 512, .val_fraction = 0.1};

static const cli_option option_table[] = {
    {"tasks", 't', CLI_STRING, &options.tasks, .argument = "FILE",
     .help = "task file: labels, classes, prompts (required)"},
    {"batch", 'b', CLI_INTEGER, &options.batch, 2, 65536, .argument = "N",
     .help = "faces of a batch (48)"},
    {"size", 's', CLI_INTEGER, &options.size, 8, 4096, .argument = "N",
     .help = "resample faces to N x N pixels (as they are)"},
    {"resampling", 0, CLI_CHOICE, &options.resampling, .choices = resampling_names,
     .argument = "HOW", .help = "how faces are resized (antialias)", .rare = true},
    {"epochs", 'e', CLI_INTEGER, &options.epochs, 0, 1e6, .argument = "N",
     .help = "times every face comes (1); 0: header only"},
    {"skip-steps", 0, CLI_INTEGER, &options.skip_steps, 0, 1e15, .argument = "N",
     .help = "begin with step N, as if those before were read", .rare = true},
    {"val-fraction", 0, CLI_NUMBER, &options.val_fraction, 0, 0.9, .argument = "X",
     .help = "share of photos to validate on (0.1); 0: none"},
    {"val-from", 0, CLI_CHOICE, &options.val_from, .choices = val_from_choices, .argument = "SIDE",
     .help = "what to validate on (split)", .rare = true},
    {"balance", 0, CLI_STRING, &options.balance, .argument = "KEY",
     .help = "draw each value of a tag or key equally often"},
    {"draw", 0, CLI_LIST, &options.draws, .argument = "NAME=W",
     .help = "weight of a manipulation (photographic=4, others 1)", .rare = true},
    {"flip", 0, CLI_FLAG, &options.flip, .help = "mirror half of the faces at random"},
    {"shift", 0, CLI_INTEGER, &options.shift, 0, 1024, .argument = "N",
     .help = "cut faces out of N pixels more, at random places (0)"},
    {"window", 0, CLI_INTEGER, &options.window, 2, 1e9, .argument = "N",
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
    progress shown;
    int side;      /* pixels of the faces that come out */
    int64_t steps; /* written or skipped so far */
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
static bool put_preprocessing(const job *j, stream_chunk *k, error *e)
{
    const msgpack_object *before = object_get(face_input_header(&j->input), "preprocessing");
    /* CLIP's normalisation (METHOD section 6). */
    preprocessing p = {.mean = {0.48145466f, 0.4578275f, 0.40821073f},
                       .std = {0.26862954f, 0.26130258f, 0.27577711f}};
    bool done =
        preprocessing_get(&p, before, e) &&
        (preprocessing_add_step(&p, j->side + (int)options.shift, (resampling)options.resampling) ||
         error_set(e, STATUS_DATA, "the preprocessing has too many steps"));
    p.size = j->side;
    if (!done || !preprocessing_check(&p, e))
        return error_context(e, "%s: the header", cli_input_name(j->c->inputs.item[0]));
    preprocessing_put(k, &p);
    return true;
}

/* Everything that is needed to make the same stream again. */
static bool write_header(job *j, const sampler *s, error *e)
{
    const catalog *faces = &j->input.faces;
    stream_chunk *k = stream_writer_header_begin(&j->writer, face_input_header(&j->input));
    if (j->tasks->name) put_text(k, "task_file", j->tasks->name);
    task_list_put(k, "tasks", j->tasks);
    if (!put_preprocessing(j, k, e)) return false;
    put_integer(k, "seed", (int64_t)j->c->seed);
    put_integer(k, "batch", options.batch);
    put_integer(k, "epochs", options.epochs);
    if (j->input.whole) {
        put_integer(k, "steps", (int64_t)sampler_steps(s) * options.epochs);
        put_sides(k, "faces", faces->member_count);
        put_sides(k, "photos", faces->photo_count);
    }
    put_integer(k, "first_step", options.skip_steps);
    put_text(k, "shuffle", j->input.whole ? "all" : "window");
    if (!j->input.whole) put_integer(k, "window", options.window);
    put_number(k, "val_fraction", options.val_fraction);
    put_text(k, "val_from", val_from_choices[options.val_from]);
    if (options.balance) put_text(k, "balance", options.balance);
    put_boolean(k, "flip", options.flip);
    if (options.shift) put_integer(k, "shift", options.shift);
    put_map_begin(k, "draw");
    for (size_t i = 0; i < j->draws.count; i++)
        put_number(k, j->draws.entry[i].name, j->draws.entry[i].weight);
    put_map_end(k);
    return stream_writer_header_end(&j->writer, e);
}

/* ---- What people see ------------------------------------------------------------------------ */

static void warn_line(void *context, const char *line)
{
    cli_note(context, "%s", line);
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

static void note_left_out(const job *j)
{
    const catalog *c = &j->input.faces;
    if (c->generated > 0)
        cli_note(j->c, "%" PRId64 " records of generated faces are left out (--with-generated)",
                 c->generated);
    if (c->outside > 0)
        cli_note(j->c, "%" PRId64 " records of other splits than train and val are left out",
                 c->outside);
    if (c->repeated > 0)
        cli_warn(j->c, "%" PRId64 " records have an id that came before and are left out",
                 c->repeated);
    if (c->val_chosen)
        cli_note(j->c, "so few photographs that the split was filled up with one of them");
    if (!j->input.whole && j->input.windows == 1)
        cli_note(j->c,
                 "input is a pipe: shuffling, classes and cuts are of windows of %" PRId64
                 " faces (--window, --spool)",
                 options.window);
}

/* ---- Checks --------------------------------------------------------------------------------- */

static bool find_side(job *j, error *e)
{
    const catalog *c = &j->input.faces;
    if (options.size) {
        j->side = (int)options.size;
        return true;
    }
    int side = c->width - (int)options.shift;
    bool changed = j->side && c->width && side != j->side;
    j->side = side;
    if (c->sizes_differ || changed || c->width != c->height)
        return error_set(
            e, STATUS_DATA,
            "the faces are not squares of one size (%dx%d is one of them); give --size", c->width,
            c->height);
    if (side < 1)
        return error_set(e, STATUS_DATA,
                         "faces of %d pixels leave nothing beside --shift %" PRId64
                         "; give --size too",
                         c->width, options.shift);
    return true;
}

static bool check_counts(const job *j, const sampler *s, error *e)
{
    const catalog *c = &j->input.faces;
    if (c->face_count == 0) return error_set(e, STATUS_DATA, "there are no faces in the input");
    if (sampler_val_count(s) == 0 && options.val_fraction > 0)
        return error_set(e, STATUS_DATA,
                         "none of %zu faces is left to validate on; raise --val-fraction%s or give"
                         " --val-from train, or --val-fraction 0 for no validation",
                         c->face_count, j->input.whole ? "" : " or --window");
    if (sampler_steps(s) == 0)
        return error_set(e, STATUS_DATA,
                         "only %zu faces to train on, but a batch has %" PRId64 "; lower --batch%s",
                         c->member_count[SPLIT_TRAIN], options.batch,
                         j->input.whole ? "" : " or raise --window");
    if (!j->input.whole && options.epochs > 1)
        return error_set(e, STATUS_USAGE,
                         "the input is a pipe of more than %" PRId64 " faces (--window) and can be"
                         " read once only; for --epochs %" PRId64 " give a file or --spool",
                         options.window, options.epochs);
    return true;
}

/* ---- Windows -------------------------------------------------------------------------------- */

static bool write_problems(job *j, error *e)
{
    stream_chunk k = {0};
    stream_buffer buffer = {0};
    for (size_t i = 0; i < j->input.problem_count && !e->status; i++) {
        const face_problem *problem = &j->input.problem[i];
        const msgpack_object *map = face_store_get(&j->input.store, problem->place, &buffer);
        if (!map) {
            error_set(e, STATUS_IO, "an input file was cut short or cannot be read");
        } else if (problem->reason[0]) {
            char *id = object_text_copy(map, "id");
            put_error_record(&k, j->c, id ? id : "", problem->reason, map);
            stream_writer_put(&j->writer, &k, e);
            free(id);
        } else {
            stream_record record = {.id = "", .is_error = true, .object = *map};
            stream_writer_pass(&j->writer, &record, e);
        }
    }
    stream_chunk_free(&k);
    stream_buffer_free(&buffer);
    return !e->status;
}

static bool write_batches(job *j, sampler *s, error *e)
{
    batch_run run = {.c = j->c,
                     .writer = &j->writer,
                     .builder = {.faces = &j->input.faces,
                                 .sampler = s,
                                 .store = &j->input.store,
                                 .width = j->side,
                                 .height = j->side,
                                 .play = (int)options.shift,
                                 .how = (resampling)options.resampling},
                     .sampler = s,
                     .shown = &j->shown,
                     .epochs = options.epochs,
                     .first_step = j->steps,
                     .skip = options.skip_steps};
    bool written = batch_run_write(&run, e);
    j->steps += (int64_t)sampler_steps(s) * options.epochs;
    return written;
}

static bool begin_stream(job *j, sampler *s, error *e)
{
    bool open = check_counts(j, s, e) && show_summary(j, s, e) && write_header(j, s, e);
    int64_t steps = (int64_t)sampler_steps(s) * options.epochs - options.skip_steps;
    int64_t total = j->input.whole && steps > 0 ? steps * options.batch : 0;
    progress_start(&j->shown, j->c, "faces", total);
    return open;
}

/* The faces that the next window begins with: those left over, and the latest to validate on (at
   most a quarter of a window, or a batch). Returns how many; caller frees *kept. */
static size_t choose_kept(const job *j, sampler *s, uint32_t **kept, error *e)
{
    const catalog *c = &j->input.faces;
    size_t limit =
        (size_t)(options.window / 4 > options.batch ? options.window / 4 : options.batch);
    size_t val = c->member_count[SPLIT_VAL], first = val > limit ? val - limit : 0;
    *kept = memory_allocate((size_t)options.batch + limit, sizeof **kept, e);
    if (!*kept) return 0;
    size_t count = sampler_rest(s, 0, *kept);
    for (size_t i = first; i < val; i++) (*kept)[count++] = c->member[SPLIT_VAL][i];
    return count;
}

static bool run_window(job *j, uint32_t **kept, size_t *kept_count, error *e)
{
    sampler s = {0};
    bool first = j->input.windows == 1;
    if (first || j->input.faces.repeated > 0) note_left_out(j);
    bool good =
        find_side(j, e) && sampler_open(&s, &j->input.faces, &j->draws, (size_t)options.batch, e);
    s.flip = options.flip;
    s.shift = options.shift > 0;
    s.pass_first = (j->input.windows - 1) << 20;
    good = good && (!first || begin_stream(j, &s, e)) && write_problems(j, e);
    good = good && (sampler_steps(&s) == 0 || write_batches(j, &s, e));
    if (good && j->input.more) *kept_count = choose_kept(j, &s, kept, e);
    sampler_close(&s);
    return good && !e->status;
}

static void run_windows(job *j, error *e)
{
    uint32_t *kept = NULL;
    size_t kept_count = 0;
    int found;
    while ((found = face_input_next(&j->input, kept, kept_count, e)) > 0) {
        free(kept);
        kept = NULL;
        kept_count = 0;
        if (!run_window(j, &kept, &kept_count, e)) break;
    }
    free(kept);
    progress_end(&j->shown);
}

static bool prepare(job *j, error *e)
{
    if (!options.tasks) return error_set(e, STATUS_USAGE, "--tasks FILE must be given");
    if (!(j->tasks = task_list_read(options.tasks, e)) || !draw_table_default(&j->draws, e))
        return false;
    for (size_t i = 0; i < options.draws.count; i++)
        if (!draw_table_set(&j->draws, options.draws.item[i], e)) return false;
    bool standard = j->c->inputs.count == 1 && strcmp(j->c->inputs.item[0], "-") == 0;
    return !options.spool || !standard || stream_index_possible(&j->c->inputs) ||
           standard_input_spool(e);
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
        face_input_open(&j.input, &c->inputs, &faces, j.tasks, (size_t)options.window, e)) {
        if (stream_writer_open(&j.writer, c, "batch", e)) {
            run_windows(&j, e);
            stream_writer_close(&j.writer, e);
        }
    }
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
