/* JSON lines of a training run. */
#include "train/training_log.h"

#include "cli/memory.h"
#include "stream/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Files of lines ------------------------------------------------------------------------- */

enum { LINE_LIMIT = 1 << 24 }; /* bytes; a trace's first line holds all prompts */

static bool is_line_of(const char *line, size_t length, int64_t last)
{
    json_t *json = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(json, "step");
    bool fits = last < 0 ? json_object_get(json, "prompts") != NULL
                         : json_is_integer(step) && json_integer_value(step) == last;
    json_decref(json);
    return fits;
}

/* Does the line of the step `last` end at this position? None ends at 0. */
static bool ends_at(FILE *file, int64_t position, int64_t last, error *e)
{
    size_t size = position < LINE_LIMIT ? (size_t)position : LINE_LIMIT;
    char *text = size ? memory_allocate(size, 1, e) : NULL;
    bool fits = text && fseek(file, (long)(position - (int64_t)size), SEEK_SET) == 0 &&
                fread(text, 1, size, file) == size && text[size - 1] == '\n';
    if (fits) {
        const char *before = memrchr(text, '\n', size - 1);
        const char *line = before ? before + 1 : text;
        fits = is_line_of(line, (size_t)(text + size - line), last);
    }
    free(text);
    return fits;
}

/* Only a regular file can be continued; a device or pipe just goes on. */
static bool continue_file(line_file *f, const char *path, int64_t position, int64_t last, error *e)
{
    struct stat status;
    f->file = fopen(path, "r+");
    if (!f->file && errno == ENOENT) f->file = fopen(path, "w");
    if (!f->file) return error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    if (fstat(fileno(f->file), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0)
        return true;
    if (status.st_size < position || !ends_at(f->file, position, last, e))
        return error_set(e, STATUS_DATA,
                         "%s: not what the checkpoint's run wrote up to its step; name that file, "
                         "or a new one",
                         path);
    if (status.st_size > position && ftruncate(fileno(f->file), position) != 0)
        return error_set(e, STATUS_IO, "%s: ", path);
    return fseek(f->file, 0, SEEK_END) == 0 || error_set(e, STATUS_IO, "%s: ", path);
}

bool line_file_open(line_file *f, const char *path, int64_t position, int64_t last, error *e)
{
    *f = (line_file){.path = path};
    if (!path) return true;
    if (position >= 0) return continue_file(f, path, position, last, e);
    f->file = fopen(path, "w");
    return f->file || error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
}

int64_t line_file_position(const line_file *f)
{
    long position = f->file ? ftell(f->file) : 0;
    return position > 0 ? position : 0;
}

bool line_file_close(line_file *f, error *e)
{
    FILE *file = f->file;
    f->file = NULL;
    if (!file || fclose(file) == 0) return true;
    return error_set(e, STATUS_IO, "%s: ", f->path);
}

/* Takes over the line. */
static bool put_line(line_file *f, json_t *line, error *e)
{
    bool printed = number_json_print(line, JSON_COMPACT, f->file, f->path, e);
    json_decref(line);
    if (printed && fflush(f->file) != 0) return error_set(e, STATUS_IO, "%s: ", f->path);
    return printed;
}

/* ---- Values --------------------------------------------------------------------------------- */

static void put_real(json_t *line, const char *key, double value)
{
    json_object_set_new(line, key, isfinite(value) ? json_real(value) : json_null());
}

static void put_tasks(json_t *line, const char *key, const task_list *tasks, const double *values)
{
    json_t *map = json_object();
    for (size_t t = 0; t < tasks->count; t++) put_real(map, tasks->task[t].name, values[t]);
    json_object_set_new(line, key, map);
}

static void put_counts(json_t *line, const char *key, const task_list *tasks, const int64_t *counts)
{
    json_t *map = json_object();
    for (size_t t = 0; t < tasks->count; t++)
        json_object_set_new(map, tasks->task[t].name, json_integer(counts[t]));
    json_object_set_new(line, key, map);
}

/* The keys that both kinds of line begin with. */
static json_t *begin_line(const bilevel *b)
{
    const bilevel_report *r = &b->report;
    json_t *line = json_object();
    json_object_set_new(line, "step", json_integer(r->step));
    json_object_set_new(line, "epoch", json_integer(r->epoch));
    put_tasks(line, "loss", b->tasks, r->loss);
    if (r->validated && b->network->coarse >= 0)
        put_real(line, "validation_loss", r->validation_loss[b->network->coarse]);
    return line;
}

static double learning_rate(const bilevel *b)
{
    double largest = 0;
    for (int g = 0; g < PARAMETER_GROUPS; g++) largest = fmax(largest, b->options.rate[g]);
    return largest * b->report.factor;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

static json_t *token_array(const token_sequences *s, int i)
{
    json_t *array = json_array();
    for (int32_t k = s->start[i]; k < s->start[i + 1]; k++)
        json_array_append_new(array, json_integer(s->ids[k]));
    return array;
}

bool trace_prompts(line_file *f, const task_list *tasks, const token_sequences *sequences, error *e)
{
    if (!f->file) return true;
    json_t *line = json_object(), *prompts = json_array(), *tokens = json_array();
    json_t *names = json_array();
    for (size_t t = 0; t < tasks->count; t++) {
        json_array_append_new(names, json_string(tasks->task[t].name));
        for (size_t c = 0; c < tasks->task[t].class_count; c++)
            json_array_append_new(prompts, json_string(tasks->task[t].prompts[c]));
    }
    for (int i = 0; i < sequences->count; i++)
        json_array_append_new(tokens, token_array(sequences, i));
    json_object_set_new(line, "prompts", prompts);
    json_object_set_new(line, "tokens", tokens);
    json_object_set_new(line, "tasks", names);
    return put_line(f, line, e);
}

bool trace_step(line_file *f, const bilevel *b, error *e)
{
    if (!f->file) return true;
    const bilevel_report *r = &b->report;
    json_t *line = begin_line(b);
    put_tasks(line, "lambda_before", b->tasks, r->lambda_before);
    put_tasks(line, "lambda_after", b->tasks, r->lambda_after);
    put_tasks(line, "lambda_gradient", b->tasks, r->lambda_gradient);
    put_real(line, "gradient_norm", r->gradient_norm);
    put_real(line, "virtual_gradient_norm", r->virtual_norm);
    put_real(line, "validation_gradient_norm", r->validation_norm);
    put_real(line, "learning_rate", learning_rate(b));
    return put_line(f, line, e);
}

bool log_step(line_file *f, const bilevel *b, int images, double seconds, error *e)
{
    if (!f->file) return true;
    const bilevel_report *r = &b->report;
    json_t *line = begin_line(b);
    put_real(line, "total_loss", r->total_loss);
    put_counts(line, "labelled", b->tasks, r->labelled);
    if (r->validated) {
        put_tasks(line, "validation_losses", b->tasks, r->validation_loss);
        put_real(line, "validation_accuracy", r->accuracy);
        put_real(line, "validation_auc", r->auc);
    }
    put_tasks(line, "lambda", b->tasks, r->lambda_after);
    if (b->options.learn) put_tasks(line, "hypergradient", b->tasks, r->lambda_gradient);
    put_real(line, "gradient_norm", r->gradient_norm);
    put_real(line, "learning_rate", learning_rate(b));
    put_real(line, "images_per_second", seconds > 0 ? images / seconds : 0);
    return put_line(f, line, e);
}
