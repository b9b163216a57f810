/* A model's configuration as JSON. */
#include "model/model_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A json's text; takes over the json. */
static char *json_text(json_t *json, error *e)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(json);
    if (!text) error_set(e, STATUS_SYSTEM, "out of memory");
    return text;
}

char *architecture_text(const model_config *c, error *e)
{
    const text_config *t = &c->text;
    return json_text(json_pack("{s:i, s:f, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "depth",
                               c->depth, "width", c->width, "embedding_dim", c->embedding_dim,
                               "text", "layers", t->layers, "width", t->width, "heads", t->heads,
                               "context", t->context, "vocabulary", t->vocabulary, "output_dim",
                               t->output_dim),
                     e);
}

char *preprocessing_text(const preprocessing *p, error *e)
{
    json_t *steps = json_array();
    for (int i = 0; i < p->step_count; i++)
        json_array_append_new(steps, json_pack("{s:i, s:s}", "side", p->step[i].side, "resampling",
                                               resampling_names[p->step[i].how]));
    return json_text(json_pack("{s:f, s:o, s:i, s:[f, f, f], s:[f, f, f]}", "scale", p->scale,
                               "steps", steps, "size", p->size, "mean", (double)p->mean[0],
                               (double)p->mean[1], (double)p->mean[2], "std", (double)p->std[0],
                               (double)p->std[1], (double)p->std[2]),
                     e);
}

static bool number_get(json_t *object, const char *key, double *number)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) return false;
    *number = json_number_value(value);
    return true;
}

static bool integer_get(json_t *object, const char *key, int *integer)
{
    json_t *value = json_object_get(object, key);
    if (!json_is_integer(value)) return false;
    json_int_t number = json_integer_value(value);
    if (number < 0 || number > 1000000000) return false;
    *integer = (int)number;
    return true;
}

bool architecture_parse(model_config *c, const char *text, const char *path, error *e)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL),
           *part = json_object_get(json, "text");
    text_config *t = &c->text;
    bool ok = integer_get(json, "depth", &c->depth) && number_get(json, "width", &c->width) &&
              integer_get(json, "embedding_dim", &c->embedding_dim) &&
              integer_get(part, "layers", &t->layers) && integer_get(part, "width", &t->width) &&
              integer_get(part, "heads", &t->heads) && integer_get(part, "context", &t->context) &&
              integer_get(part, "vocabulary", &t->vocabulary) &&
              integer_get(part, "output_dim", &t->output_dim);
    t->embedding_dim = c->embedding_dim;
    json_decref(json);
    return ok ||
           error_set(e, STATUS_DATA, "%s: metadata 'architecture' does not describe a model", path);
}

static bool three_get(json_t *object, const char *key, float out[3])
{
    json_t *list = json_object_get(object, key);
    if (json_array_size(list) != 3) return false;
    for (size_t i = 0; i < 3; i++) {
        if (!json_is_number(json_array_get(list, i))) return false;
        out[i] = (float)json_number_value(json_array_get(list, i));
    }
    return true;
}

static bool resampling_get(json_t *object, resampling *how)
{
    const char *name = json_string_value(json_object_get(object, "resampling"));
    for (int i = 0; name && resampling_names[i]; i++) {
        *how = (resampling)i;
        if (strcmp(resampling_names[i], name) == 0) return true;
    }
    return false;
}

static bool steps_get(json_t *object, preprocessing *p)
{
    json_t *steps = json_object_get(object, "steps");
    resampling how;
    if (!steps) {
        if (!resampling_get(object, &how)) return false;
        preprocessing_set_size(p, p->size, how);
        return true;
    }
    size_t count = json_array_size(steps);
    if (count < 1 || count > RESIZE_STEPS_MOST) return false;
    p->step_count = (int)count;
    for (size_t i = 0; i < count; i++) {
        json_t *step = json_array_get(steps, i);
        if (!integer_get(step, "side", &p->step[i].side) || !resampling_get(step, &p->step[i].how))
            return false;
    }
    return true;
}

bool preprocessing_parse(preprocessing *p, const char *text, const char *path, error *e)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    bool ok = integer_get(json, "size", &p->size) && three_get(json, "mean", p->mean) &&
              three_get(json, "std", p->std) && number_get(json, "scale", &p->scale) &&
              steps_get(json, p) && preprocessing_check(p, e);
    json_decref(json);
    if (!ok) *e = (error){0};
    return ok || error_set(e, STATUS_DATA, "%s: metadata 'preprocessing' makes no sense", path);
}
