/* What a training run begins with. */
#include "train/model_setup.h"

#include "cli/memory.h"
#include "stream/json.h"
#include "stream/number.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The prompts of all tasks in order; the caller frees the array alone. NULL on error. */
static const char **list_prompts(const task_list *tasks, size_t *count, error *e)
{
    const char **prompts = memory_allocate(task_list_prompt_count(tasks), sizeof *prompts, e);
    *count = 0;
    for (size_t i = 0; prompts && i < tasks->count; i++)
        for (size_t k = 0; k < tasks->task[i].class_count; k++)
            prompts[(*count)++] = tasks->task[i].prompts[k];
    return prompts;
}

/* ---- The model ------------------------------------------------------------------------------ */

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

static tokenizer *make_vocabulary(const trainer_options *o, const task_list *tasks, error *e)
{
    if (o->vocabulary) return tokenizer_read_merges(o->vocabulary, e);
    if (o->init) {
        tokenizer *words = read_vocabulary(o->init, e);
        if (words || e->status) return words;
    }
    size_t count;
    const char **prompts = list_prompts(tasks, &count, e);
    tokenizer *words = prompts ? tokenizer_from_texts(prompts, count, e) : NULL;
    free(prompts);
    return words;
}

static bool initialise_from_file(model *m, const cli *c, const char *path, error *e)
{
    model_report report = {0};
    tensor_file *file = tensor_file_open(path, e);
    bool good = file && model_initialise(m, file, &report, e);
    tensor_file_close(file);
    if (good && (report.missing_count || report.unused_count || c->verbose))
        cli_note(c, "%s: %zu parameters found, %zu missing (random), %zu of the file not used",
                 path, report.found_count, report.missing_count, report.unused_count);
    if (good && c->verbose) model_report_print(&report, stderr);
    model_report_free(&report);
    return good;
}

model *model_setup_create(const cli *c, const trainer_options *options, const preprocessing *how,
                          const task_list *tasks, error *e)
{
    model_config config = options->config;
    config.preprocessing = *how;
    tokenizer *words = make_vocabulary(options, tasks, e);
    if (!words) return NULL;
    model *m = model_create(&config, words, c->seed, e);
    if (!m || !options->init || initialise_from_file(m, c, options->init, e)) return m;
    model_free(m);
    return NULL;
}

model *model_setup_resume(const trainer_options *options, const task_list *tasks, error *e)
{
    const char *path = options->resume;
    model *m = model_read(path, e);
    if (!m) return NULL;
    task_list *of = m->tasks ? task_list_parse(m->tasks, strlen(m->tasks), e) : NULL;
    bool same = of && batch_tasks_match(of, tasks);
    task_list_free(of);
    if (same) return m;
    model_free(m);
    if (e->status)
        error_context(e, "%s", path);
    else
        error_set(e, STATUS_DATA, "%s: the checkpoint's tasks are not those of the stream", path);
    return NULL;
}

/* ---- Prompts -------------------------------------------------------------------------------- */

static bool same_tokens(const token_sequences *s, size_t a, size_t b)
{
    int length = s->start[a + 1] - s->start[a];
    return length == s->start[b + 1] - s->start[b] &&
           memcmp(s->ids + s->start[a], s->ids + s->start[b], (size_t)length * sizeof *s->ids) == 0;
}

static bool refuse_prompts(const trainer_options *o, const task *t, size_t a, size_t b, error *e)
{
    const char *one = t->prompts[a], *other = t->prompts[b];
    if (strcasecmp(one, other) == 0)
        return error_set(
            e, STATUS_DATA,
            "task '%.100s': \"%.200s\" and \"%.200s\" are the same prompt, because case "
            "does not count; choose others",
            t->name, one, other);
    return error_set(e, STATUS_DATA,
                     "task '%.100s': the model's vocabulary lacks the words that tell \"%.200s\" "
                     "from \"%.200s\"; choose others, or train %swith another --vocabulary",
                     t->name, one, other, o->init ? "without --init or " : "");
}

static bool check_prompts_differ(const trainer_options *o, const task_list *tasks,
                                 const token_sequences *s, error *e)
{
    size_t first = 0;
    for (size_t i = 0; i < tasks->count; first += tasks->task[i++].class_count)
        for (size_t b = 1; b < tasks->task[i].class_count; b++)
            for (size_t a = 0; a < b; a++)
                if (same_tokens(s, first + a, first + b))
                    return refuse_prompts(o, &tasks->task[i], a, b, e);
    return true;
}

bool model_setup_prompts(const model *m, const trainer_options *options, const task_list *tasks,
                         const char *input, token_sequences *out, error *e)
{
    if (!m->words) /* a new model has one */
        return error_set(e, STATUS_DATA, "%s: the checkpoint holds no vocabulary", options->resume);
    size_t count;
    const char **prompts = list_prompts(tasks, &count, e);
    bool good = prompts && model_encode_prompts(m, prompts, (int)count, out, e) &&
                check_prompts_differ(options, tasks, out, e);
    free(prompts);
    return good || error_context(e, "%s", input);
}

/* ---- What the file says --------------------------------------------------------------------- */

bool model_setup_tasks(model *m, const task_list *tasks, error *e)
{
    json_t *json = task_list_json(tasks);
    free(m->tasks);
    m->tasks = number_json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return m->tasks || error_set(e, STATUS_SYSTEM, "out of memory");
}
