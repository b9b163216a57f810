/* A training run from stream to model file. */
#include "train/trainer.h"

#include "cli/progress.h"
#include "stream/json.h"
#include "stream/writer.h"
#include "train/training_log.h"
#include "train/weights.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct trainer {
    cli *c;
    const trainer_options *options;
    const volatile sig_atomic_t *interrupted;
    json_t *settings;
    stream_reader *reader;
    task_list *tasks;
    char *provenance; /* of the model to come; NULL: none wanted */
    batch_header header;
    batch_source *source;
    batch_pair pair; /* the next to be trained on */
    bool paired;     /* `pair` holds it */
    model *model;
    token_sequences sequences;
    plan plan;
    optimizer optimizer;
    lambda_weights lambda;
    network network;
    bilevel bilevel;
    line_file log, trace;
    int64_t done; /* steps */
} trainer;

/* ---- The model ---------------------------------------------------------------------------------
 */

/* The vocabulary that goes with initial values; NULL without an error when their file holds none.
 */
static tokenizer *read_vocabulary(const char *path, error *e)
{
    tensor_file *file = tensor_file_open(path, e);
    if (!file) return NULL;
    const char *kind = tensor_file_metadata(file, "vocabulary_kind");
    const char *text = tensor_file_metadata(file, "vocabulary");
    tokenizer *words = kind && text ? tokenizer_parse(kind, text, e) : NULL;
    tensor_file_close(file);
    return words;
}

static tokenizer *make_vocabulary(const trainer *t, error *e)
{
    if (t->options->vocabulary) return tokenizer_read_merges(t->options->vocabulary, e);
    if (t->options->init) {
        tokenizer *words = read_vocabulary(t->options->init, e);
        if (words || e->status) return words;
    }
    size_t count = 0, total = task_list_prompt_count(t->tasks);
    const char **prompts = memory_allocate(total, sizeof *prompts, e);
    if (!prompts) return NULL;
    for (size_t i = 0; i < t->tasks->count; i++)
        for (size_t k = 0; k < t->tasks->task[i].class_count; k++)
            prompts[count++] = t->tasks->task[i].prompts[k];
    tokenizer *words = tokenizer_from_texts(prompts, count, e);
    free(prompts);
    return words;
}

static bool initialise_from_file(trainer *t, error *e)
{
    model_report report = {0};
    bool good = model_initialise(t->model, t->options->init, &report, e);
    if (good && (report.missing_count || report.unused_count || t->c->verbose))
        cli_note(t->c, "%s: %zu parameters found, %zu missing (random), %zu of the file not used",
                 t->options->init, report.found_count, report.missing_count, report.unused_count);
    if (good && t->c->verbose) model_report_print(&report, stderr);
    model_report_free(&report);
    return good;
}

/* The provenance of the model as a JSON array: the stream's, and this tool. */
static char *provenance_text(trainer *t, error *e)
{
    stream_chunk chunk = {0};
    char *line = NULL, *text = NULL;
    size_t size = 0, offset = 0;
    msgpack_unpacked map;
    msgpack_unpacked_init(&map);
    record_begin(&chunk, "model");
    put_provenance(&chunk, t->c, stream_reader_header(t->reader));
    record_end(&chunk);
    FILE *memory = open_memstream(&line, &size);
    bool good = !chunk.failed && memory &&
                msgpack_unpack_next(&map, chunk.bytes.data, chunk.bytes.size, &offset) ==
                    MSGPACK_UNPACK_SUCCESS &&
                json_print_record(&map.data, &map.data, false, memory, e);
    if (memory) fclose(memory);
    json_t *json = good ? json_loads(line, 0, NULL) : NULL;
    text = json_dumps(json_object_get(json, "provenance"), JSON_COMPACT);
    if (!good) error_set(e, STATUS_SYSTEM, "out of memory");
    json_decref(json);
    free(line);
    msgpack_unpacked_destroy(&map);
    stream_chunk_free(&chunk);
    return text;
}

static bool describe_model(trainer *t, error *e)
{
    json_t *tasks = task_list_json(t->tasks);
    free(t->model->tasks);
    free(t->model->provenance);
    t->model->provenance = t->provenance;
    t->provenance = NULL;
    t->model->tasks = tasks ? json_dumps(tasks, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(tasks);
    if (!t->model->tasks) return error_set(e, STATUS_SYSTEM, "out of memory");
    return true;
}

static bool create_model(trainer *t, error *e)
{
    model_config config = t->options->config;
    preprocessing *p = &config.preprocessing;
    int size = p->size;
    *p = t->header.preprocessing;
    if (!p->size)
        preprocessing_set_size(p, t->paired ? t->pair.train->size : size,
                               p->step[p->step_count - 1].how);
    tokenizer *words = make_vocabulary(t, e);
    if (!words) return false;
    t->model = model_create(&config, words, t->c->seed, e);
    return t->model && (!t->options->init || initialise_from_file(t, e));
}

static bool resume_model(trainer *t, error *e)
{
    const char *path = t->options->resume;
    t->model = model_read(path, NULL, e);
    if (!t->model) return false;
    task_list *tasks =
        t->model->tasks ? task_list_parse(t->model->tasks, strlen(t->model->tasks), e) : NULL;
    bool same = tasks && batch_tasks_match(tasks, t->tasks);
    task_list_free(tasks);
    if (same || e->status) return same;
    return error_set(e, STATUS_DATA, "%s: the checkpoint's tasks are not those of the stream",
                     path);
}

static bool same_tokens(const token_sequences *s, size_t a, size_t b)
{
    int length = s->start[a + 1] - s->start[a];
    return length == s->start[b + 1] - s->start[b] &&
           memcmp(s->ids + s->start[a], s->ids + s->start[b], (size_t)length * sizeof *s->ids) == 0;
}

/* Classes whose prompts read the same, as where a vocabulary lacks their words, can never be told
   apart. */
static bool check_prompts_differ(const trainer *t, error *e)
{
    size_t first = 0;
    for (size_t i = 0; i < t->tasks->count; first += t->tasks->task[i++].class_count) {
        const task *one = &t->tasks->task[i];
        for (size_t b = 1; b < one->class_count; b++)
            for (size_t a = 0; a < b; a++)
                if (same_tokens(&t->sequences, first + a, first + b))
                    return error_set(e, STATUS_DATA,
                                     "task '%.100s': the model's vocabulary lacks the words that "
                                     "tell \"%.200s\" from \"%.200s\"; choose others, or train "
                                     "without --init or with --vocabulary",
                                     one->name, one->prompts[a], one->prompts[b]);
    }
    return true;
}

static bool encode_prompts(trainer *t, error *e)
{
    size_t count = 0, total = task_list_prompt_count(t->tasks);
    const char **prompts = memory_allocate(total, sizeof *prompts, e);
    if (!prompts) return false;
    for (size_t i = 0; i < t->tasks->count; i++)
        for (size_t k = 0; k < t->tasks->task[i].class_count; k++)
            prompts[count++] = t->tasks->task[i].prompts[k];
    bool good = model_encode_prompts(t->model, prompts, (int)count, &t->sequences, e);
    free(prompts);
    return good && check_prompts_differ(t, e);
}

/* ---- Everything around it ----------------------------------------------------------------------
 */

static bool check_tasks(const trainer *t, error *e)
{
    if (t->tasks->count == 0)
        return error_set(e, STATUS_DATA, "the stream's header holds no tasks");
    for (size_t i = 0; i < t->tasks->count; i++) {
        const task *one = &t->tasks->task[i];
        if (one->kind == TASK_COARSE && one->class_count != 2)
            return error_set(e, STATUS_DATA, "task '%s': coarse detection has 2 classes, not %zu",
                             one->name, one->class_count);
        if (one->kind == TASK_COARSE) return true;
    }
    if (!t->options->bilevel.learn) return true;
    return error_set(e, STATUS_DATA,
                     "no task of kind coarse to learn the weights for; fix them with --weights");
}

static bool read_header(trainer *t, error *e)
{
    const msgpack_object *header = stream_reader_header(t->reader);
    t->header.preprocessing = t->options->config.preprocessing;
    t->header.preprocessing.size = 0;
    if (!batch_header_read(&t->header, header, e)) return false;
    const msgpack_object *tasks = object_get(header, "tasks");
    if (!tasks) return error_set(e, STATUS_DATA, "the stream's header holds no tasks");
    t->tasks = task_list_from_header(tasks, e);
    return t->tasks && check_tasks(t, e);
}

static bool open_stream(trainer *t, error *e)
{
    static const char *const kinds[] = {"batch", NULL};
    t->reader = stream_reader_open(&t->c->inputs, kinds, e);
    return t->reader &&
           (read_header(t, e) || error_context(e, "%s", stream_reader_input(t->reader)));
}

/* What is trained and how far it is; the network waits for the first batch. */
static bool create_state(trainer *t, error *e)
{
    const trainer_options *o = t->options;
    bool adamw = o->optimizer == OPTIMIZER_ADAMW;
    if (!plan_create(&t->plan, t->model->table, o->network.frozen, adamw ? t->sequences.ids : NULL,
                     (size_t)t->sequences.start[t->sequences.count], e) ||
        !optimizer_create(&t->optimizer, o->optimizer, &t->plan, o->bilevel.decay, e) ||
        !lambda_create(&t->lambda, o->weights ? LAMBDA_RAW : o->lambda, (int)t->tasks->count, e))
        return false;
    if (t->plan.trained_total == 0)
        return error_set(e, STATUS_USAGE, "--freeze leaves nothing to train");
    if (!o->resume) return !o->weights || weights_read(&t->lambda, o->weights, t->tasks, e);
    tensor_file *file = safetensors_open(o->resume, e);
    if (file) checkpoint_restore(file, &t->optimizer, &t->lambda, e);
    tensor_file_close(file);
    return e->status == 0;
}

/* A larger batch than any before needs a new network. */
static bool fit_network(trainer *t, error *e)
{
    int capacity = t->network.capacity;
    if (t->pair.train->count > capacity) capacity = t->pair.train->count;
    if (t->pair.validation && t->pair.validation->count > capacity)
        capacity = t->pair.validation->count;
    if (capacity == t->network.capacity) return true;
    network_free(&t->network);
    return network_create(&t->network, t->model, t->tasks, &t->sequences, &t->options->network,
                          capacity, e);
}

/* ---- Batches -----------------------------------------------------------------------------------
 */

/* Fills t->pair: 1, 0 at the end of the stream, -1 on error, -2 when interrupted. */
static int next_pair(trainer *t, error *e)
{
    if (t->paired) return 1;
    int more = batch_source_next(t->source, &t->pair, t->interrupted, e);
    t->paired = more > 0;
    return more;
}

static void drop_pair(trainer *t)
{
    batch_pair_free(&t->pair);
    t->paired = false;
}

/* Goes to the batch of the next step. A stream that starts at step 0 is read past the steps done;
   one that starts later may begin anywhere up to the next step. */
static int skip_done(trainer *t, error *e)
{
    int more = next_pair(t, e);
    if (more <= 0 || t->done == 0) return more;
    int64_t step = t->pair.train->step < 0 ? 0 : t->pair.train->step;
    if (step > t->done) {
        error_set(e, STATUS_DATA,
                  "the stream begins at step %" PRId64
                  ", but the checkpoint goes on at step %" PRId64,
                  step, t->done);
        return -1;
    }
    for (; step < t->done && more > 0; step++) {
        drop_pair(t);
        more = next_pair(t, e);
    }
    return more;
}

/* ---- Steps -------------------------------------------------------------------------------------
 */

static bool save_checkpoint(trainer *t, error *e)
{
    checkpoint_state state = {
        .steps = t->done,
        .log_position = line_file_position(&t->log),
        .trace_position = line_file_position(&t->trace),
        .seed = t->c->seed,
        .seed_given = t->c->seed_given,
        .settings = t->settings,
    };
    return checkpoint_write(t->options->checkpoint, t->model, &t->optimizer, &t->lambda, &state, e);
}

/* The validation batch this step uses. */
static const batch *validation_of(const trainer *t)
{
    int64_t every = t->options->validate_every;
    if (t->options->bilevel.learn) return t->pair.validation;
    return every > 0 && t->done % every == 0 ? t->pair.validation : NULL;
}

static void show_progress(trainer *t, progress *line)
{
    const bilevel_report *r = &t->bilevel.report;
    char extra[100];
    int used = snprintf(extra, sizeof extra, "loss %.4f", r->total_loss);
    if (r->validated && t->network.coarse >= 0)
        snprintf(extra + used, sizeof extra - (size_t)used, ", validation %.4f (%.0f %%)",
                 r->validation_loss[t->network.coarse], 100 * r->accuracy);
    progress_add(line, 1, extra);
}

static bool one_step(trainer *t, error *e)
{
    double started = clock_seconds();
    if (t->options->bilevel.learn && !t->pair.validation)
        return error_set(e, STATUS_DATA,
                         "step %" PRId64 ": no validation batch follows the training batch",
                         t->done);
    if (!fit_network(t, e)) return false;
    if (!bilevel_step(&t->bilevel, t->done, t->pair.train, validation_of(t), e))
        return e->status == STATUS_DATA ? error_context(e, "%s", t->pair.train->input) : false;
    t->done++;
    double seconds = clock_seconds() - started;
    return log_step(&t->log, &t->bilevel, t->pair.train->count, seconds, e) &&
           trace_step(&t->trace, &t->bilevel, e);
}

static bool is_wanted(const trainer *t)
{
    return !*t->interrupted && (t->options->steps < 0 || t->done < t->options->steps);
}

static int64_t expected_steps(const trainer *t)
{
    return t->options->steps >= 0 ? t->options->steps : t->header.steps;
}

static bool train(trainer *t, error *e)
{
    progress line;
    int64_t every = t->options->checkpoint ? t->options->checkpoint_every : 0;
    int more = is_wanted(t) ? skip_done(t, e) : 0;
    int64_t expected = expected_steps(t);
    progress_start(&line, t->c, "steps", expected > t->done ? expected - t->done : 0);
    while (more > 0 && is_wanted(t)) {
        if (!one_step(t, e)) break;
        show_progress(t, &line);
        drop_pair(t);
        if (every > 0 && t->done % every == 0 && !save_checkpoint(t, e)) break;
        if (is_wanted(t)) more = next_pair(t, e);
    }
    progress_end(&line);
    if (*t->interrupted && e->status == STATUS_DATA)
        *e = (error){0}; /* the signal met the whole pipeline */
    if (!e->status && !*t->interrupted && t->options->steps > t->done)
        cli_warn(t->c, "the stream ended after %" PRId64 " of %" PRId64 " steps", t->done,
                 t->options->steps);
    return e->status == 0;
}

/* ---- The end -----------------------------------------------------------------------------------
 */

/* What became of the training, for the model file. */
static char *summary_text(const trainer *t)
{
    json_t *weights = json_object();
    for (size_t i = 0; i < t->tasks->count; i++)
        json_object_set_new(weights, t->tasks->task[i].name, json_real(t->lambda.value[i]));
    json_t *json = json_pack("{s:I, s:o}", "steps", (json_int_t)t->done, "lambda", weights);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(json);
    return text;
}

static bool write_model(trainer *t, error *e)
{
    char *text = summary_text(t);
    if (!text) return error_set(e, STATUS_SYSTEM, "out of memory");
    safetensors_pair pair = {"training", text};
    bool written = model_write(t->model, t->options->output, "model", NULL, 0, &pair, 1, e);
    free(text);
    return written;
}

static bool finish(trainer *t, error *e)
{
    const char *path = t->options->checkpoint;
    int64_t errors = batch_source_errors(t->source);
    if (errors > 0) cli_note(t->c, "%" PRId64 " error records in the stream", errors);
    if (path && !save_checkpoint(t, e)) return false;
    if (!*t->interrupted) return write_model(t, e);
    if (path)
        cli_warn(t->c, "interrupted after step %" PRId64 "; go on with --resume %s", t->done, path);
    else
        cli_warn(t->c, "interrupted after step %" PRId64 "; without --checkpoint nothing was kept",
                 t->done);
    return true;
}

static bool prepare(trainer *t, const checkpoint_state *resumed, error *e)
{
    const trainer_options *o = t->options;
    if (!open_stream(t, e)) return false;
    if (t->c->provenance && !(t->provenance = provenance_text(t, e))) return false;
    /* From here on the reader belongs to the source's thread. */
    t->source = batch_source_open(t->reader, t->tasks, e);
    if (!t->source) return false;
    if (!resumed && o->steps != 0 && next_pair(t, e) == -1) return false;
    if (resumed) t->done = resumed->steps;
    if (!(o->resume ? resume_model(t, e) : create_model(t, e)) || !describe_model(t, e) ||
        !encode_prompts(t, e) || !create_state(t, e))
        return false;
    if (!line_file_open(&t->log, o->log, resumed ? resumed->log_position : 0, e) ||
        !line_file_open(&t->trace, o->trace, resumed ? resumed->trace_position : 0, e))
        return false;
    if (line_file_position(&t->trace) == 0 && !trace_prompts(&t->trace, t->tasks, &t->sequences, e))
        return false;
    t->network.tasks = t->tasks;
    return bilevel_create(&t->bilevel, &o->bilevel, &t->plan, t->model, &t->network, &t->optimizer,
                          &t->lambda, e);
}

static void release(trainer *t, error *e)
{
    line_file_close(&t->log, e);
    line_file_close(&t->trace, e);
    bilevel_free(&t->bilevel);
    network_free(&t->network);
    optimizer_free(&t->optimizer);
    lambda_free(&t->lambda);
    plan_free(&t->plan);
    token_sequences_free(&t->sequences);
    model_free(t->model);
    drop_pair(t);
    free(t->provenance);
    if (!batch_source_close(t->source)) return;
    task_list_free(t->tasks);
    stream_reader_close(t->reader);
}

bool trainer_run(cli *c, const trainer_options *options, json_t *settings,
                 const checkpoint_state *resumed, const volatile sig_atomic_t *interrupted,
                 error *e)
{
    trainer t = {.c = c, .options = options, .settings = settings, .interrupted = interrupted};
    if (prepare(&t, resumed, e) && train(&t, e)) finish(&t, e);
    release(&t, e);
    return e->status == 0;
}
