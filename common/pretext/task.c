/* Task files and headers: reading, checking, looking up. */
#include "pretext/task.h"

#include "cli/memory.h"
#include "stream/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const kind_names[] = {"ordinal", "categorical", "coarse", "fine"};
static const char *const default_classes[][3] = {
    [TASK_ORDINAL] = {"low", "medium", "high"},
    [TASK_COARSE] = {"photographic", "manipulated"},
    [TASK_FINE] = {"mouth", "eye", "nose"},
};
static const char *const known_keys[] = {"name", "kind", "tag",    "template", "classes", "prompts",
                                         "cuts", "map",  "others", "shuffle",  "comment"};

const char *task_kind_name(task_kind kind)
{
    return kind_names[kind];
}

size_t task_label_size(const task *t)
{
    return t->kind == TASK_FINE ? t->class_count : sizeof(int32_t);
}

static char *text_copy(const char *text, size_t length, error *e)
{
    char *copy = memory_allocate(length + 1, 1, e);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

static void strings_free(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++) free(strings[i]);
    free(strings);
}

static void task_free(task *t)
{
    free(t->name);
    free(t->tag);
    free(t->template);
    strings_free(t->classes, t->class_count);
    strings_free(t->prompts, t->class_count);
    for (size_t i = 0; i < t->mapping_count; i++) {
        free(t->mappings[i].from);
        free(t->mappings[i].to);
    }
    free(t->mappings);
}

void task_list_free(task_list *list)
{
    if (!list) return;
    for (size_t i = 0; i < list->count; i++) task_free(&list->task[i]);
    free(list->task);
    free(list->name);
    free(list);
}

/* ---- Values of JSON ------------------------------------------------------------------------- */

/* A copy of a text value, which must be short, not empty and without NUL bytes. NULL on error. */
static char *value_text(const json_t *value, const char *what, error *e)
{
    const char *text = json_string_value(value);
    if (!text) {
        error_set(e, STATUS_DATA, "%s must be a text", what);
        return NULL;
    }
    size_t length = json_string_length(value);
    if (length == 0 || length > TASK_TEXT_LIMIT || strlen(text) != length) {
        error_set(e, STATUS_DATA, "%s must have 1 to %d bytes and no NUL", what, TASK_TEXT_LIMIT);
        return NULL;
    }
    return text_copy(text, length, e);
}

/* An array of different texts. */
static bool value_texts(const json_t *array, const char *what, char ***out, size_t *count, error *e)
{
    size_t n = json_array_size(array);
    if (!json_is_array(array) || n == 0 || n > TASK_CLASS_LIMIT) {
        return error_set(e, STATUS_DATA, "%s must be an array of 1 to %d texts", what,
                         TASK_CLASS_LIMIT);
    }
    char **texts = memory_zeroed(n, sizeof *texts, e);
    if (!texts) return false;
    for (size_t i = 0; i < n; i++) {
        texts[i] = value_text(json_array_get(array, i), what, e);
        if (!texts[i]) goto failed;
    }
    *out = texts;
    *count = n;
    return true;
failed:
    strings_free(texts, n);
    return false;
}

static bool value_flag(const json_t *map, const char *key, bool *flag, error *e)
{
    const json_t *value = json_object_get(map, key);
    if (!value) return true;
    if (!json_is_boolean(value)) return error_set(e, STATUS_DATA, "%s must be true or false", key);
    *flag = json_is_true(value);
    return true;
}

/* ---- Prompts -------------------------------------------------------------------------------- */

static char *prompt_fill(const char *template, const char *class, error *e)
{
    const char *hole = strstr(template, "{}");
    size_t before = (size_t)(hole - template), name = strlen(class), after = strlen(hole + 2);
    char *prompt = memory_allocate(before + name + after + 1, 1, e);
    if (!prompt) return NULL;
    memcpy(prompt, template, before);
    memcpy(prompt + before, class, name);
    memcpy(prompt + before + name, hole + 2, after + 1);
    return prompt;
}

static bool prompts_fill(task *t, error *e)
{
    t->prompts = memory_zeroed(t->class_count, sizeof *t->prompts, e);
    if (!t->prompts) return false;
    for (size_t i = 0; i < t->class_count; i++) {
        t->prompts[i] = prompt_fill(t->template, t->classes[i], e);
        if (!t->prompts[i]) return false;
    }
    return true;
}

bool task_resolve(task *t, const char *const *classes, size_t count, error *e)
{
    size_t total = count + (t->others ? 1 : 0);
    t->classes = memory_zeroed(total, sizeof *t->classes, e);
    if (!t->classes) return false;
    t->class_count = total;
    for (size_t i = 0; i < total; i++) {
        const char *name = i < count ? classes[i] : "others";
        t->classes[i] = text_copy(name, strlen(name), e);
        if (!t->classes[i]) return false;
    }
    return prompts_fill(t, e);
}

/* ---- One task ------------------------------------------------------------------------------- */

static bool read_kind(task *t, const json_t *map, error *e)
{
    const char *kind = json_string_value(json_object_get(map, "kind"));
    for (size_t i = 0; kind && i < sizeof kind_names / sizeof *kind_names; i++) {
        if (strcmp(kind, kind_names[i]) != 0) continue;
        t->kind = (task_kind)i;
        return true;
    }
    return error_set(e, STATUS_DATA, "kind must be ordinal, categorical, coarse or fine");
}

static bool read_tag(task *t, const json_t *map, error *e)
{
    const json_t *tag = json_object_get(map, "tag");
    bool from_tag = t->kind == TASK_ORDINAL || t->kind == TASK_CATEGORICAL;
    if (tag && t->kind == TASK_FINE) return error_set(e, STATUS_DATA, "a fine task has no tag");
    if (tag) return (t->tag = value_text(tag, "tag", e)) != NULL;
    return !from_tag || (t->tag = text_copy(t->name, strlen(t->name), e)) != NULL;
}

static bool default_class_list(task *t, error *e)
{
    if (t->kind == TASK_CATEGORICAL)
        return error_set(e, STATUS_DATA, "a categorical task needs classes");
    size_t count = t->kind == TASK_COARSE ? 2 : 3;
    t->classes = memory_zeroed(count, sizeof *t->classes, e);
    if (!t->classes) return false;
    t->class_count = count;
    for (size_t i = 0; i < count; i++) {
        const char *name = default_classes[t->kind][i];
        t->classes[i] = text_copy(name, strlen(name), e);
        if (!t->classes[i]) return false;
    }
    return true;
}

static bool read_automatic(task *t, const char *text, error *e)
{
    char *end = NULL;
    errno = 0;
    long n = strncmp(text, "auto:", 5) == 0 && text[5] >= '0' && text[5] <= '9'
                 ? strtol(text + 5, &end, 10)
                 : 0;
    if (!end || *end || errno || n < 1 || n >= TASK_CLASS_LIMIT) {
        return error_set(e, STATUS_DATA,
                         "classes must be an array of texts or \"auto:N\" with N in 1..%d",
                         TASK_CLASS_LIMIT - 1);
    }
    if (t->kind != TASK_CATEGORICAL) {
        return error_set(e, STATUS_DATA, "only a categorical task can have classes \"%s\"", text);
    }
    t->automatic = (int)n;
    return true;
}

static bool classes_differ(const task *t, error *e)
{
    for (size_t i = 1; i < t->class_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(t->classes[i], t->classes[j]) == 0) {
                return error_set(e, STATUS_DATA, "class \"%s\" is there twice", t->classes[i]);
            }
        }
    }
    return true;
}

static bool read_classes(task *t, const json_t *map, error *e)
{
    const json_t *classes = json_object_get(map, "classes");
    if (json_is_string(classes)) return read_automatic(t, json_string_value(classes), e);
    bool good = classes ? value_texts(classes, "classes", &t->classes, &t->class_count, e)
                        : default_class_list(t, e);
    if (!good) return false;
    if (t->kind == TASK_ORDINAL && t->class_count != 3) {
        return error_set(e, STATUS_DATA,
                         "an ordinal task has 3 classes (low, medium, high), not %zu",
                         t->class_count);
    }
    if (t->kind == TASK_COARSE && t->class_count != 2) {
        return error_set(e, STATUS_DATA,
                         "a coarse task has 2 classes (photographic, manipulated), not %zu",
                         t->class_count);
    }
    return classes_differ(t, e);
}

static bool read_prompts(task *t, const json_t *map, error *e)
{
    const json_t *template = json_object_get(map, "template"),
                 *prompts = json_object_get(map, "prompts");
    if (template) {
        t->template = value_text(template, "template", e);
        if (!t->template) return false;
        const char *hole = strstr(t->template, "{}");
        if (!hole || strstr(hole + 2, "{}"))
            return error_set(e, STATUS_DATA, "template must hold {} once");
    }
    if (!prompts && !template)
        return error_set(e, STATUS_DATA, "template or prompts must be given");
    if (t->automatic && !template)
        return error_set(e, STATUS_DATA, "classes \"auto:N\" need a template");
    if (t->automatic)
        return prompts ? error_set(e, STATUS_DATA, "classes \"auto:N\" cannot have prompts") : true;
    if (!prompts) return prompts_fill(t, e);
    size_t count = json_array_size(prompts);
    if (!json_is_array(prompts) || count != t->class_count) {
        return error_set(e, STATUS_DATA, "prompts must be an array of %zu texts, one a class",
                         t->class_count);
    }
    return value_texts(prompts, "prompts", &t->prompts, &count, e);
}

static bool read_cuts(task *t, const json_t *map, error *e)
{
    const json_t *cuts = json_object_get(map, "cuts");
    t->cuts[0] = t->cuts[1] = NAN;
    if (!cuts || json_is_null(cuts) || (json_is_array(cuts) && json_array_size(cuts) == 0))
        return true;
    const json_t *low = json_array_get(cuts, 0), *high = json_array_get(cuts, 1);
    if (t->kind != TASK_ORDINAL || json_array_size(cuts) != 2 || !json_is_number(low) ||
        !json_is_number(high) || !(json_number_value(low) <= json_number_value(high))) {
        return error_set(e, STATUS_DATA, "cuts must be two rising numbers of an ordinal task");
    }
    t->cuts[0] = (float)json_number_value(low);
    t->cuts[1] = (float)json_number_value(high);
    if (!isfinite(t->cuts[0]) || !isfinite(t->cuts[1]))
        return error_set(e, STATUS_DATA, "cuts must be within the range of float32");
    return true;
}

static bool read_mappings(task *t, json_t *map, error *e)
{
    json_t *mappings = json_object_get(map, "map");
    if (!mappings) return true;
    if (!json_is_object(mappings) || json_object_size(mappings) > TASK_CLASS_LIMIT || !t->tag ||
        t->kind == TASK_ORDINAL) {
        return error_set(e, STATUS_DATA,
                         "map must be an object of texts of a task that classifies a tag");
    }
    t->mappings = memory_zeroed(json_object_size(mappings) + 1, sizeof *t->mappings, e);
    if (!t->mappings) return false;
    const char *from;
    json_t *to;
    json_object_foreach(mappings, from, to)
    {
        task_mapping *m = &t->mappings[t->mapping_count++];
        m->from = text_copy(from, strlen(from), e);
        m->to = json_is_null(to) ? text_copy("", 0, e) : value_text(to, "map", e);
        if (!m->from || !m->to) return false;
        bool known = t->automatic || !*m->to;
        for (size_t i = 0; i < t->class_count && !known; i++)
            known = strcasecmp(m->to, t->classes[i]) == 0;
        if (!known) return error_set(e, STATUS_DATA, "map: \"%s\" is no class of the task", m->to);
    }
    return true;
}

static bool keys_known(json_t *map, error *e)
{
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
    {
        bool known = false;
        for (size_t i = 0; i < sizeof known_keys / sizeof *known_keys; i++)
            known |= strcmp(key, known_keys[i]) == 0;
        if (!known) return error_set(e, STATUS_DATA, "unknown key \"%s\"", key);
    }
    return true;
}

static bool task_from_json(task *t, json_t *map, bool strict, error *e)
{
    if (!json_is_object(map)) return error_set(e, STATUS_DATA, "must be an object");
    t->name = value_text(json_object_get(map, "name"), "name", e);
    return t->name && (!strict || keys_known(map, e)) && read_kind(t, map, e) &&
           read_tag(t, map, e) && read_classes(t, map, e) && read_prompts(t, map, e) &&
           read_cuts(t, map, e) && read_mappings(t, map, e) &&
           value_flag(map, "others", &t->others, e) && value_flag(map, "shuffle", &t->shuffle, e) &&
           (!t->others || t->automatic ||
            error_set(e, STATUS_DATA,
                      "others goes with classes \"auto:N\"; list it as a class instead"));
}

/* ---- The list ------------------------------------------------------------------------------- */

static task_list *list_from_json(json_t *root, bool strict, error *e)
{
    json_t *tasks = json_is_object(root) ? json_object_get(root, "tasks") : root;
    size_t count = json_array_size(tasks);
    if (!json_is_array(tasks) || count == 0 || count > TASK_LIMIT) {
        error_set(e, STATUS_DATA, "tasks must be an array of 1 to %d tasks", TASK_LIMIT);
        return NULL;
    }
    task_list *list = memory_zeroed(1, sizeof *list, e);
    if (!list) return NULL;
    list->task = memory_zeroed(count, sizeof *list->task, e);
    if (!list->task) goto failed;
    const json_t *name = json_is_object(root) ? json_object_get(root, "name") : NULL;
    if (name && !(list->name = value_text(name, "name", e))) goto failed;
    for (size_t i = 0; i < count; i++) {
        task *t = &list->task[list->count++];
        if (!task_from_json(t, json_array_get(tasks, i), strict, e)) {
            error_context(e, "task %zu%s%s%s", i + 1, t->name ? " (" : "", t->name ? t->name : "",
                          t->name ? ")" : "");
            goto failed;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(list->task[j].name, t->name) != 0) continue;
            error_set(e, STATUS_DATA, "task %zu: there is another task named \"%s\"", i + 1,
                      t->name);
            goto failed;
        }
    }
    return list;
failed:
    task_list_free(list);
    return NULL;
}

task_list *task_list_read(const char *path, error *e)
{
    json_t *root = json_file_read(path, e);
    if (!root) return NULL;
    task_list *list = list_from_json(root, true, e);
    if (!list) error_context(e, "%s", path);
    json_decref(root);
    return list;
}

task_list *task_list_parse(const char *json, size_t length, error *e)
{
    json_error_t where;
    json_t *root = json_loadb(json, length, 0, &where);
    if (!root) {
        error_set(e, STATUS_DATA, "tasks: %s", where.text);
        return NULL;
    }
    task_list *list = list_from_json(root, false, e);
    if (!list) error_context(e, "tasks");
    json_decref(root);
    return list;
}

task_list *task_list_from_header(const msgpack_object *tasks, error *e)
{
    if (!tasks) {
        error_set(e, STATUS_DATA, "the header has no tasks");
        return NULL;
    }
    json_t *root = json_from_object(tasks);
    if (!root) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return NULL;
    }
    task_list *list = list_from_json(root, false, e);
    if (!list) error_context(e, "header: tasks");
    json_decref(root);
    return list;
}

/* ---- Looking up ----------------------------------------------------------------------------- */

size_t task_list_prompt_first(const task_list *list, size_t t)
{
    size_t first = 0;
    for (size_t i = 0; i < t; i++) first += list->task[i].class_count;
    return first;
}

size_t task_list_prompt_count(const task_list *list)
{
    return task_list_prompt_first(list, list->count);
}

const task *task_list_find(const task_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->task[i].name, name) == 0) return &list->task[i];
    }
    return NULL;
}

/* In any case of letters. */
static bool text_matches(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

int task_class(const task *t, const char *text, size_t length)
{
    for (size_t i = 0; i < t->mapping_count; i++) {
        if (!text_matches(t->mappings[i].from, text, length)) continue;
        text = t->mappings[i].to;
        length = strlen(text);
        if (length == 0) return -1;
        break;
    }
    int others = -1;
    for (size_t i = 0; i < t->class_count; i++) {
        if (text_matches(t->classes[i], text, length)) return (int)i;
        if (strcasecmp(t->classes[i], "others") == 0) others = (int)i;
    }
    return others;
}
