/* Writing and reading checkpoints. */
#include "train/checkpoint.h"

#include "stream/number.h"
#include "train/vector.h"

#include <stdlib.h>
#include <string.h>

/* ---- Writing -------------------------------------------------------------------------------- */

typedef struct moment_source {
    const plan *plan;
    const float *vector;
} moment_source;

static bool produce_moment(const void *context, void *elements, error *e)
{
    const moment_source *moment = context;
    vector_gather(moment->plan, moment->vector, elements);
    return true;
}

static safetensors_entry moment_entry(const char *name, const moment_source *moment)
{
    return (safetensors_entry){.name = name,
                               .type = TENSOR_F32,
                               .rank = 1,
                               .shape = {(int64_t)moment->plan->trained_total},
                               .produce = produce_moment,
                               .context = moment};
}

static safetensors_entry lambda_entry(const char *name, int count, const double *data)
{
    return (safetensors_entry){
        .name = name, .type = TENSOR_F64, .rank = 1, .shape = {count}, .data = data};
}

static char *state_text(const optimizer *o, const lambda_weights *l, const checkpoint_state *state)
{
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:O}", "steps",
        (json_int_t)state->steps, "optimizer_updates", (json_int_t)o->updates, "lambda_updates",
        (json_int_t)l->updates, "log_position", (json_int_t)state->log_position, "trace_position",
        (json_int_t)state->trace_position, "stream_step", (json_int_t)state->place.step,
        "stream_epoch", (json_int_t)state->place.epoch, "epoch", (json_int_t)state->place.running,
        "seed", (json_int_t)state->seed, "seed_given", (int)state->seed_given, "provenance",
        (int)state->provenance, "settings", state->settings);
    char *text = number_json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    return text;
}

bool checkpoint_write(const char *path, const model *m, const optimizer *o, const lambda_weights *l,
                      const checkpoint_state *state, error *e)
{
    moment_source first = {o->plan, o->first}, second = {o->plan, o->second};
    safetensors_entry entries[5] = {
        lambda_entry("lambda.parameter", l->count, l->parameter),
        lambda_entry("lambda.first_moment", l->count, l->first),
        lambda_entry("lambda.second_moment", l->count, l->second),
        moment_entry("optimizer.first_moment", &first),
        moment_entry("optimizer.second_moment", &second),
    };
    char *text = state_text(o, l, state);
    if (!text) return error_set(e, STATUS_SYSTEM, "out of memory");
    safetensors_pair pair = {"training_state", text};
    bool written = model_write(m, path, "checkpoint", entries, o->second ? 5 : 4, &pair, 1, e);
    free(text);
    return written;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static json_t *read_state(const tensor_file *file, error *e)
{
    const char *text = tensor_file_metadata(file, "training_state");
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    if (!json) error_set(e, STATUS_DATA, "%s: not a checkpoint of blades-train", file->path);
    return json;
}

static bool damaged(const char *path, error *e)
{
    return error_set(e, STATUS_DATA, "%s: the checkpoint's state is damaged", path);
}

static bool counts(json_int_t number)
{
    return number >= 0 && number <= BATCH_NUMBER_LIMIT;
}

/* Older checkpoints lack the place, of runs whose epochs were those of the stream. */
static bool unpack_state(json_t *json, checkpoint_state *state)
{
    json_int_t steps, log_position, trace_position, seed;
    json_int_t stream_step, stream_epoch = 0, epoch = 0;
    int seed_given, provenance = true;
    json_t *settings = NULL;
    if (json_unpack(json, "{s:I, s:I, s:I, s:I, s:b, s:o}", "steps", &steps, "log_position",
                    &log_position, "trace_position", &trace_position, "seed", &seed, "seed_given",
                    &seed_given, "settings", &settings) != 0)
        return false;
    stream_step = steps - 1;
    if (json_unpack(json, "{s?I, s?I, s?I, s?b}", "stream_step", &stream_step, "stream_epoch",
                    &stream_epoch, "epoch", &epoch, "provenance", &provenance) != 0)
        return false;
    *state = (checkpoint_state){.steps = steps,
                                .log_position = log_position,
                                .trace_position = trace_position,
                                .seed = (uint64_t)seed,
                                .seed_given = seed_given != 0,
                                .provenance = provenance != 0,
                                .place = {stream_step, stream_epoch, epoch},
                                .settings = settings};
    return counts(steps) && log_position >= 0 && trace_position >= 0 && seed >= 0 &&
           stream_step >= -1 && stream_step < BATCH_NUMBER_LIMIT && counts(stream_epoch) &&
           counts(epoch) && json_is_object(settings);
}

bool checkpoint_read_state(const char *path, checkpoint_state *state, error *e)
{
    *state = (checkpoint_state){0};
    tensor_file *file = safetensors_open_kind(path, "checkpoint", e);
    if (!file) return false;
    json_t *json = read_state(file, e);
    if (json && unpack_state(json, state))
        json_incref(state->settings);
    else
        state->settings = NULL;
    if (json && !state->settings) damaged(path, e);
    json_decref(json);
    tensor_file_close(file);
    return e->status == 0;
}

static bool restore_moment(const tensor_file *file, const char *name, const plan *p, float *vector,
                           error *e)
{
    int64_t shape[1] = {(int64_t)p->trained_total};
    float *compact = tensor_read_new(file, name, 1, shape, e);
    if (!compact) return false;
    vector_scatter(p, compact, vector);
    free(compact);
    return true;
}

static bool restore_lambda(const tensor_file *file, const char *name, int count, double *out,
                           error *e)
{
    const tensor *t = tensor_file_find(file, name);
    if (!t || t->rank != 1 || t->count != count)
        return error_set(e, STATUS_DATA, "%s: %s is missing or not of %d tasks", file->path, name,
                         count);
    return tensor_read_doubles(file, t, out, e);
}

bool checkpoint_restore(const tensor_file *file, optimizer *o, lambda_weights *l, error *e)
{
    json_t *json = read_state(file, e);
    json_int_t steps, optimizer_updates, lambda_updates;
    if (!json) return false;
    if (json_unpack(json, "{s:I, s:I, s:I}", "steps", &steps, "optimizer_updates",
                    &optimizer_updates, "lambda_updates", &lambda_updates) != 0 ||
        optimizer_updates != steps || lambda_updates < 0 || lambda_updates > steps)
        damaged(file->path, e);
    json_decref(json);
    if (e->status || !restore_lambda(file, "lambda.parameter", l->count, l->parameter, e) ||
        !restore_lambda(file, "lambda.first_moment", l->count, l->first, e) ||
        !restore_lambda(file, "lambda.second_moment", l->count, l->second, e) ||
        !restore_moment(file, "optimizer.first_moment", o->plan, o->first, e))
        return false;
    if (o->second && !restore_moment(file, "optimizer.second_moment", o->plan, o->second, e))
        return false;
    o->updates = optimizer_updates;
    l->updates = lambda_updates;
    lambda_evaluate(l);
    return true;
}
