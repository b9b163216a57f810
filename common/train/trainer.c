/* A training run from stream to model file. */
#include "train/trainer.h"

#include "cli/output.h"
#include "cli/progress.h"
#include "stream/json.h"
#include "stream/number.h"
#include "train/model_setup.h"
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
    const char *input; /* the first one, for messages */
    task_list *tasks;
    char *provenance; /* of a model by this stream; NULL if none is wanted or the model has it */
    batch_header header;
    batch_source *source;
    batch_pair pair; /* the next to be trained on */
    bool paired;     /* `pair` holds it */
    int64_t errors;  /* error records up to it */
    model *model;
    token_sequences sequences;
    plan plan;
    optimizer optimizer;
    lambda_weights lambda;
    network network;
    bilevel bilevel;
    line_file log, trace;
    int64_t done, begun, kept; /* steps: in all, before this run, in the checkpoint */
    batch_place place;         /* of the last step */
} trainer;

/* ---- Everything around it ------------------------------------------------------------------- */

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
    if (!t->reader) return false;
    t->input = stream_reader_input(t->reader);
    return read_header(t, e) || error_context(e, "%s", t->input);
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
                          capacity, e) ||
           error_context(e, "record %" PRId64 ": %d images at a time",
                         t->pair.train->record->number, capacity);
}

/* ---- Batches -------------------------------------------------------------------------------- */

/* Fills t->pair: 1, 0 at the end of the stream, -1 on error, -2 when interrupted. */
static int next_pair(trainer *t, error *e)
{
    if (t->paired) return 1;
    int more = batch_source_next(t->source, &t->pair, t->interrupted, e);
    t->paired = more > 0;
    if (more >= 0) t->errors = t->pair.errors;
    return more;
}

static void drop_pair(trainer *t)
{
    batch_pair_free(&t->pair);
    t->paired = false;
}

static void take_provenance(trainer *t)
{
    free(t->model->provenance);
    t->model->provenance = t->provenance;
    t->provenance = NULL;
}

/* Goes to the batch of the next step. A stream that starts at step 0 is read past the steps done;
   one that starts later may begin anywhere up to the next step of the stream that the checkpoint
   stopped in. */
static int skip_done(trainer *t, error *e)
{
    int more = next_pair(t, e);
    if (more <= 0) return more;
    int64_t first = t->pair.train->step;
    bool whole = first <= 0;
    if ((whole || t->done == 0) && t->provenance) take_provenance(t);
    if (t->done == 0) return more;
    int64_t next = t->place.step < 0 ? t->done : t->place.step + 1;
    if (first > next) {
        error_set(e, STATUS_DATA,
                  "%s: the stream begins at step %" PRId64
                  ", but the checkpoint goes on at step %" PRId64,
                  t->pair.train->input, first, next);
        return -1;
    }
    batch_place place = whole ? batch_place_start() : t->place;
    int64_t left = whole ? t->done : next - first;
    for (; left > 0 && more > 0; left--) {
        if (whole) place = batch_place_after(place, t->pair.train);
        drop_pair(t);
        more = next_pair(t, e);
    }
    if (more > 0) t->place = place;
    return more;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static bool save_checkpoint(trainer *t, error *e)
{
    checkpoint_state state = {
        .steps = t->done,
        .log_position = line_file_position(&t->log),
        .trace_position = line_file_position(&t->trace),
        .seed = t->c->seed,
        .seed_given = t->c->seed_given,
        .provenance = t->c->provenance,
        .place = t->place,
        .settings = t->settings,
    };
    if (!checkpoint_write(t->options->checkpoint, t->model, &t->optimizer, &t->lambda, &state, e))
        return false;
    t->kept = t->done;
    return true;
}

/* When the input turns out wrong, the steps on what came before are not lost. */
static void keep_steps(trainer *t)
{
    const char *path = t->options->checkpoint;
    error failure = {0};
    if (!path || t->done == t->begun) return;
    if (t->kept == t->done || save_checkpoint(t, &failure))
        cli_warn(t->c, "stopped after step %" PRId64 "; go on with --resume %s", t->done, path);
    else
        cli_warn(t->c, "no checkpoint was kept: %s", failure.text);
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

static bool check_validation(const trainer *t, error *e)
{
    return !t->options->bilevel.learn || t->pair.validation ||
           error_set(e, STATUS_DATA,
                     "record %" PRId64 ": no validation batch follows this training batch, but "
                     "task weights are learnt on them; fix the weights with --weights",
                     t->pair.train->record->number);
}

static bool one_step(trainer *t, error *e)
{
    double started = clock_seconds();
    batch *training = t->pair.train;
    batch_place place = batch_place_after(t->place, training);
    training->epoch = place.running;
    if (!check_validation(t, e) || !fit_network(t, e) ||
        !bilevel_step(&t->bilevel, t->done, training, validation_of(t), e))
        return e->status == STATUS_INTERNAL ? false : error_context(e, "%s", training->input);
    t->done++;
    t->place = place;
    double seconds = clock_seconds() - started;
    return log_step(&t->log, &t->bilevel, training->count, seconds, e) &&
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

/* In one line, where the run is not what was asked for. */
static void tell_length(const trainer *t)
{
    int64_t wanted = t->options->steps;
    bool nothing = t->options->resume && t->done == t->begun;
    if (nothing && wanted >= 0 && wanted <= t->done)
        cli_warn(t->c,
                 "nothing was trained: %s has done %" PRId64 " steps and --steps is %" PRId64
                 "; give a larger one",
                 t->options->resume, t->done, wanted);
    else if (nothing)
        cli_warn(t->c,
                 "nothing was trained: the stream has no batch behind the %" PRId64
                 " steps that %s has done",
                 t->done, t->options->resume);
    else if (wanted > t->done)
        cli_warn(t->c, "the stream ended after %" PRId64 " of %" PRId64 " steps", t->done, wanted);
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
    if (e->status && (more == -1 || e->status == STATUS_DATA)) keep_steps(t);
    if (!e->status && !*t->interrupted) tell_length(t);
    return e->status == 0;
}

/* ---- The end -------------------------------------------------------------------------------- */

/* What became of the training, for the model file. */
static char *summary_text(const trainer *t)
{
    json_t *weights = json_object();
    for (size_t i = 0; i < t->tasks->count; i++)
        json_object_set_new(weights, t->tasks->task[i].name, json_real(t->lambda.value[i]));
    json_t *json = json_pack("{s:I, s:o}", "steps", (json_int_t)t->done, "lambda", weights);
    char *text = number_json_dumps(json, JSON_COMPACT);
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
    if (t->errors > 0) cli_note(t->c, "%" PRId64 " error records in the stream", t->errors);
    if (path && !save_checkpoint(t, e)) return false;
    if (!*t->interrupted) return write_model(t, e);
    if (path)
        cli_warn(t->c, "interrupted after step %" PRId64 "; go on with --resume %s", t->done, path);
    else
        cli_warn(t->c, "interrupted after step %" PRId64 "; without --checkpoint nothing was kept",
                 t->done);
    return true;
}

/* ---- The beginning -------------------------------------------------------------------------- */

static bool open_source(trainer *t, error *e)
{
    if (!open_stream(t, e)) return false;
    t->options->stream_opened();
    if (t->c->provenance &&
        !(t->provenance = json_provenance(t->c, stream_reader_header(t->reader), e)))
        return false;
    /* From here on the reader belongs to the source's thread. */
    t->source = batch_source_open(t->reader, t->tasks, e);
    return t->source != NULL;
}

/* The first batch of a new run says how large a network it needs, and whether there is anything to
   train on. */
static bool look_ahead(trainer *t, error *e)
{
    if (t->options->steps == 0 && t->header.preprocessing.size) return true;
    int more = next_pair(t, e);
    if (more == 0 && t->options->steps != 0)
        return error_set(e, STATUS_DATA,
                         "%s: there is no batch to train on; --steps 0 writes the initial model",
                         t->input);
    if (more == -2) cli_warn(t->c, "interrupted before the first step");
    return more >= 0;
}

static bool create_model(trainer *t, error *e)
{
    preprocessing how = t->header.preprocessing;
    if (!how.size)
        preprocessing_set_size(
            &how, t->paired ? t->pair.train->size : t->options->config.preprocessing.size,
            how.step[how.step_count - 1].how);
    t->model = model_setup_create(t->c, t->options, &how, t->tasks, e);
    return t->model != NULL;
}

static bool resume_model(trainer *t, const checkpoint_state *resumed, error *e)
{
    t->done = t->begun = t->kept = resumed->steps;
    t->place = resumed->place;
    t->model = model_setup_resume(t->options, t->tasks, e);
    return t->model != NULL;
}

/* A later part of the stream has another provenance than the whole: a resumed run keeps that of its
   checkpoint unless it is given the whole. */
static bool describe_model(trainer *t, error *e)
{
    if (!t->options->resume || !t->c->provenance) take_provenance(t);
    return model_setup_tasks(t->model, t->tasks, e);
}

static bool open_logs(trainer *t, const checkpoint_state *resumed, error *e)
{
    const trainer_options *o = t->options;
    return line_file_open(&t->log, o->log, resumed ? resumed->log_position : -1, t->done - 1, e) &&
           line_file_open(&t->trace, o->trace, resumed ? resumed->trace_position : -1, t->done - 1,
                          e) &&
           (line_file_position(&t->trace) > 0 ||
            trace_prompts(&t->trace, t->tasks, &t->sequences, e));
}

/* Returns false without an error when a signal came before there was anything to keep. */
static bool prepare(trainer *t, const checkpoint_state *resumed, error *e)
{
    const trainer_options *o = t->options;
    if (!output_check(o->output, true, e) ||
        (o->checkpoint && !output_check(o->checkpoint, true, e)) || !open_source(t, e) ||
        !(resumed || look_ahead(t, e)) ||
        !(resumed ? resume_model(t, resumed, e) : create_model(t, e)) || !describe_model(t, e) ||
        !model_setup_prompts(t->model, o, t->tasks, t->input, &t->sequences, e) ||
        !create_state(t, e) || !open_logs(t, resumed, e))
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
    trainer t = {.c = c,
                 .options = options,
                 .settings = settings,
                 .interrupted = interrupted,
                 .place = batch_place_start()};
    if (prepare(&t, resumed, e) && train(&t, e)) finish(&t, e);
    release(&t, e);
    return e->status == 0;
}
