/* Pretext tasks (blades-tasks(5)) as data: from task files, in the headers of batch
   streams, and as the JSON that model files carry. All three hold the same maps; blades-tasks(5)
   describes them. */
#ifndef BLADES_PRETEXT_TASK_H
#define BLADES_PRETEXT_TASK_H

#include "cli/error.h"
#include "stream/record.h"

#include <jansson.h>

typedef enum task_kind { TASK_ORDINAL, TASK_CATEGORICAL, TASK_COARSE, TASK_FINE } task_kind;

/* Where a class name of the photo's tag goes when it is not spelt like a class of the task. */
typedef struct task_mapping {
    char *from, *to;
} task_mapping;

typedef struct task {
    char *name; /* unique in its list; the key of its labels in a batch */
    task_kind kind;
    char *tag;      /* of `exif`, else of the record; NULL: labels come from the manipulation */
    char *template; /* with {} for the class; NULL when the prompts were given one by one */
    size_t class_count;
    char **classes; /* ordinal: low, medium, high; fine: regions */
    char **prompts; /* one a class */
    double cuts[2]; /* ordinal, of values as floats: below the first is low, above the second high;
                       NaN: unknown */
    int automatic;  /* classes "auto:N": N, and class_count is 0 until task_resolve; else 0 */
    bool others;    /* "auto:N" gets a last class "others" for the rest */
    bool shuffle;   /* labels of another face drawn at random: a task that cannot be learnt */
    size_t mapping_count;
    task_mapping *mappings;
} task;

typedef struct task_list {
    char *name; /* of the task file; NULL: none */
    size_t count;
    task *task;
} task_list;

enum { TASK_LIMIT = 1000, TASK_CLASS_LIMIT = 10000, TASK_TEXT_LIMIT = 1000 };

/* Reads a task file. STATUS_NO_INPUT when it cannot be opened, STATUS_DATA when it is wrong (with
   the task and what is wrong). Unknown keys are refused: they are misspelt ones. NULL on error;
   free with task_list_free. */
task_list *task_list_read(const char *path, error *e);

/* The tasks of a batch header (the value of its key `tasks`) or of a model file's JSON (the array
   itself, or an object with `tasks`). Unknown keys are ignored; prompts must be there. NULL on
   error. */
task_list *task_list_from_header(const msgpack_object *tasks, error *e);
task_list *task_list_parse(const char *json, size_t length, error *e);

/* The array of maps {name, kind, tag, template, classes, prompts, cuts, shuffle}, absent where they
 * do not apply. */
void task_list_put(stream_chunk *k, const char *key, const task_list *list);
json_t *task_list_json(const task_list *list); /* NULL: out of memory; caller decrefs */

void task_list_free(task_list *list); /* NULL is fine */

/* All prompts of all tasks in order; index of a task's first (shared for its test). */
size_t task_list_prompt_count(const task_list *list);
size_t task_list_prompt_first(const task_list *list, size_t t);
const task *task_list_find(const task_list *list, const char *name); /* NULL: none of this name */

const char *task_kind_name(task_kind kind); /* "ordinal", "categorical", "coarse", "fine" */

/* Bytes of a sample's label in a batch record: fine tasks have a byte per class, others an int32.
 */
size_t task_label_size(const task *t);

/* Gives an "auto:N" task its classes (copied) and fills its prompts; adds "others" where the task
 * wants it. */
bool task_resolve(task *t, const char *const *classes, size_t count, error *e);

/* The class of a tag's text: through the mappings, then by name regardless of case, else the class
   "others" if the task lists it, else -1 (missing). */
int task_class(const task *t, const char *text, size_t length);

#endif
