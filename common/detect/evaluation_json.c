/* An evaluation as one JSON object. */
#include "detect/evaluation_json.h"

#include "cli/text.h"
#include "stream/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval_object(const interval *i)
{
    return json_pack("{s:o, s:o, s:o}", "value", number(i->value), "low", number(i->low), "high",
                     number(i->high));
}

/* Names come from inputs and need not be UTF-8: other bytes become \\xHH, so that different names
   stay different. */
static json_t *text(const char *name)
{
    char *written = malloc(4 * strlen(name) + 1), *end = written;
    if (!written) return NULL;
    for (size_t left = strlen(name), length; left > 0; left -= length, name += length) {
        length = utf8_length((const unsigned char *)name, left);
        if (length) {
            memcpy(end, name, length);
            end += length;
        } else {
            end += sprintf(end, "\\x%02x", (unsigned char)*name);
            length = 1;
        }
    }
    json_t *string = json_stringn(written, (size_t)(end - written));
    free(written);
    return string;
}

static json_t *row_object(const evaluation *v, const method *m, size_t row)
{
    json_t *object = json_object();
    if (row < v->generator_count) {
        json_t *against = json_array();
        for (size_t g = 0; g < v->group_count; g++)
            if (v->paired[row * v->group_count + g])
                json_array_append_new(against, text(v->groups[g].source));
        json_object_set_new(object, "generator", text(v->groups[v->generators[row]].source));
        json_object_set_new(object, "against", against);
    }
    if (row != v->generator_count) {
        json_object_set_new(object, "photographic",
                            json_integer((json_int_t)m->rows[row].photographic));
        json_object_set_new(object, "generated", json_integer((json_int_t)m->rows[row].generated));
    }
    for (size_t k = 0; k < METRICS; k++)
        json_object_set_new(object, metric_keys[k], interval_object(&m->rows[row].metric[k]));
    return object;
}

static json_t *source_object(const evaluation *v, const method *m, size_t group)
{
    group_calls calls = method_calls(m, group);
    json_t *called = calls.undecided > 0 ? json_null()
                     : m->next_run       ? json_real(calls.generated)
                                         : json_integer((json_int_t)calls.generated);
    return json_pack("{s:o, s:s, s:I, s:o, s:I}", "source", text(v->groups[group].source), "label",
                     face_label_names[v->groups[group].label], "faces", (json_int_t)calls.faces,
                     "called_generated", called, "failed", (json_int_t)method_errors(m, group));
}

static json_t *method_object(const evaluation *v, const method *m)
{
    json_t *object = json_object(), *sources = json_array(), *generators = json_array();
    for (size_t g = 0; g < v->group_count; g++)
        json_array_append_new(sources, source_object(v, m, g));
    for (size_t r = 0; r < v->generator_count; r++)
        json_array_append_new(generators, row_object(v, m, r));
    json_object_set_new(object, "name", text(m->name));
    json_object_set_new(object, "higher",
                        json_string(m->higher_is_photographic ? "photographic" : "generated"));
    json_object_set_new(object, "runs", json_integer((json_int_t)method_runs(m)));
    json_object_set_new(object, "sources", sources);
    json_object_set_new(object, "generators", generators);
    json_object_set_new(object, "mean", row_object(v, m, v->generator_count));
    json_object_set_new(object, "overall", row_object(v, m, v->generator_count + 1));
    json_object_set_new(object, "failed", json_integer((json_int_t)m->failed.count));
    json_object_set_new(object, "unlabelled", json_integer((json_int_t)m->unlabelled));
    json_object_set_new(object, "other_label", json_integer((json_int_t)m->other_label));
    json_object_set_new(object, "manipulated", json_integer((json_int_t)m->manipulated));
    json_object_set_new(object, "missing", json_integer((json_int_t)m->missing));
    json_object_set_new(object, "unknown", json_integer((json_int_t)m->unknown));
    return object;
}

static json_t *difference_row(const evaluation *v, const comparison *c, size_t row)
{
    json_t *object = json_object();
    if (row < v->generator_count)
        json_object_set_new(object, "generator", text(v->groups[v->generators[row]].source));
    for (size_t k = 0; k < METRICS; k++)
        json_object_set_new(object, metric_keys[k], interval_object(&c->metric[row][k]));
    return object;
}

static json_t *differences_array(const evaluation *v, const evaluation_options *o, error *e)
{
    json_t *differences = json_array();
    size_t count;
    comparison *all = evaluation_comparisons(v, o, &count, e);
    for (size_t i = 0; all && i < count; i++) {
        json_t *object = json_object(), *generators = json_array();
        for (size_t r = 0; r < v->generator_count; r++)
            json_array_append_new(generators, difference_row(v, &all[i], r));
        json_object_set_new(object, "method", text(v->methods[all[i].a].name));
        json_object_set_new(object, "minus", text(v->methods[all[i].b].name));
        json_object_set_new(object, "faces", json_integer((json_int_t)all[i].faces));
        json_object_set_new(object, "generators", generators);
        json_object_set_new(object, "mean", difference_row(v, &all[i], v->generator_count));
        json_object_set_new(object, "overall", difference_row(v, &all[i], v->generator_count + 1));
        json_array_append_new(differences, object);
        comparison_free(&all[i]);
    }
    free(all);
    return differences;
}

bool evaluation_write_json(const evaluation *v, const evaluation_options *o, FILE *to, error *e)
{
    json_t *methods = json_array(), *whole = json_object();
    for (size_t i = 0; i < v->method_count; i++)
        json_array_append_new(methods, method_object(v, &v->methods[i]));
    json_object_set_new(whole, "positive", json_string("generated"));
    json_object_set_new(whole, "confidence", json_real(o->confidence));
    json_object_set_new(whole, "bootstrap", json_integer(o->bootstrap));
    json_object_set_new(whole, "per_class", json_integer(o->per_class));
    json_object_set_new(whole, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(whole, "methods", methods);
    json_object_set_new(whole, "differences", differences_array(v, o, e));
    bool done = !e->status &&
                number_json_print(whole, JSON_INDENT(1) | JSON_PRESERVE_ORDER, to, o->output, e);
    json_decref(whole);
    return done;
}
