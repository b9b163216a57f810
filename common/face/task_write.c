/* Tasks as JSON and in the headers of streams. */
#include "face/task.h"

#include <math.h>

static json_t *json_strings(char *const *strings, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(array, json_string(strings[i]));
    return array;
}

json_t *task_list_json(const task_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const task *t = &list->task[i];
        json_t *map = json_object();
        json_object_set_new(map, "name", json_string(t->name));
        json_object_set_new(map, "kind", json_string(task_kind_name(t->kind)));
        if (t->tag) json_object_set_new(map, "tag", json_string(t->tag));
        if (t->template) json_object_set_new(map, "template", json_string(t->template));
        json_object_set_new(map, "classes", json_strings(t->classes, t->class_count));
        json_object_set_new(map, "prompts", json_strings(t->prompts, t->class_count));
        if (t->kind == TASK_ORDINAL && !isnan(t->cuts[0])) {
            json_object_set_new(map, "cuts", json_pack("[f, f]", t->cuts[0], t->cuts[1]));
        }
        if (t->shuffle) json_object_set_new(map, "shuffle", json_true());
        if (json_array_append_new(array, map) != 0) {
            json_decref(array);
            return NULL;
        }
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
