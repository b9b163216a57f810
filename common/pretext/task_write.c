/* Tasks as JSON and in the headers of streams. */
#include "pretext/task.h"

#include <math.h>

/* NULL: out of memory. */
static json_t *json_strings(char *const *strings, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(array, json_string(strings[i])) == 0) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

/* False: out of memory (the value is NULL, too). */
static bool set_value(json_t *map, const char *key, json_t *value)
{
    return json_object_set_new(map, key, value) == 0;
}

static bool set_task(json_t *map, const task *t)
{
    return set_value(map, "name", json_string(t->name)) &&
           set_value(map, "kind", json_string(task_kind_name(t->kind))) &&
           (!t->tag || set_value(map, "tag", json_string(t->tag))) &&
           (!t->template || set_value(map, "template", json_string(t->template))) &&
           set_value(map, "classes", json_strings(t->classes, t->class_count)) &&
           set_value(map, "prompts", json_strings(t->prompts, t->class_count)) &&
           (t->kind != TASK_ORDINAL || isnan(t->cuts[0]) ||
            set_value(map, "cuts", json_pack("[f, f]", t->cuts[0], t->cuts[1]))) &&
           (!t->shuffle || set_value(map, "shuffle", json_true()));
}

json_t *task_list_json(const task_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        json_t *map = json_object();
        if (json_array_append_new(array, map) == 0 && set_task(map, &list->task[i])) continue;
        json_decref(array);
        return NULL;
    }
    return array;
}

static void put_texts(stream_chunk *k, const char *key, char *const *texts, size_t count)
{
    put_array(k, key, count);
    for (size_t i = 0; i < count; i++) put_text(k, NULL, texts[i]);
}

void task_list_put(stream_chunk *k, const char *key, const task_list *list)
{
    put_array(k, key, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const task *t = &list->task[i];
        put_map_begin(k, NULL);
        put_text(k, "name", t->name);
        put_text(k, "kind", task_kind_name(t->kind));
        if (t->tag) put_text(k, "tag", t->tag);
        if (t->template) put_text(k, "template", t->template);
        put_texts(k, "classes", t->classes, t->class_count);
        put_texts(k, "prompts", t->prompts, t->class_count);
        if (t->kind == TASK_ORDINAL && !isnan(t->cuts[0])) {
            put_array(k, "cuts", 2);
            put_number(k, NULL, t->cuts[0]);
            put_number(k, NULL, t->cuts[1]);
        }
        if (t->shuffle) put_boolean(k, "shuffle", true);
        put_map_end(k);
    }
}
