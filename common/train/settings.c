/* Option tables to JSON and back. */
#include "train/settings.h"

#include "stream/number.h"

#include <stdlib.h>
#include <string.h>

static bool in_range(const cli_option *o, double number)
{
    return number >= o->minimum && number <= o->maximum;
}

/* A number out of its range is a default that stands for "not set", and left out. */
static json_t *option_value(const cli_option *o)
{
    switch (o->kind) {
    case CLI_FLAG:
        return json_boolean(*(const bool *)o->value);
    case CLI_INTEGER: {
        int64_t integer = *(const int64_t *)o->value;
        return in_range(o, (double)integer) ? json_integer(integer) : NULL;
    }
    case CLI_NUMBER: {
        double number = *(const double *)o->value;
        return in_range(o, number) ? json_real(number) : NULL;
    }
    case CLI_STRING:
        return *(const char *const *)o->value ? json_string(*(const char *const *)o->value) : NULL;
    case CLI_CHOICE:
        return json_string(o->choices[*(const int *)o->value]);
    case CLI_LIST:
        break;
    }
    return NULL;
}

json_t *settings_get(const cli_option *options, size_t count)
{
    json_t *all = json_object();
    for (size_t i = 0; i < count && all; i++) {
        if (options[i].unrecorded) continue;
        json_t *value = option_value(&options[i]);
        if (value && json_object_set_new(all, options[i].name, value) != 0) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

static bool set_choice(const cli_option *o, const char *name)
{
    for (int i = 0; name && o->choices[i]; i++) {
        if (strcmp(o->choices[i], name) != 0) continue;
        *(int *)o->value = i;
        return true;
    }
    return false;
}

/* False when the value is not of the option's kind or out of its range: the file is not ours. */
static bool set_option(const cli_option *o, const json_t *value)
{
    double number = json_number_value(value);
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->value = json_is_true(value);
        return json_is_boolean(value);
    case CLI_INTEGER:
        *(int64_t *)o->value = json_integer_value(value);
        return json_is_integer(value) && in_range(o, number);
    case CLI_NUMBER:
        *(double *)o->value = number;
        return json_is_number(value) && in_range(o, number);
    case CLI_STRING:
        *(const char **)o->value = json_string_value(value);
        return json_is_string(value);
    case CLI_CHOICE:
        return set_choice(o, json_string_value(value));
    case CLI_LIST:
        break;
    }
    return false;
}

static const cli_option *find_option(const cli_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0) return &options[i];
    return NULL;
}

/* `given` is names followed by values, but for flags; names of common options have values, too. */
bool settings_given(const cli_option *options, size_t count, const cli_strings *given,
                    const char *name)
{
    for (size_t i = 0; i < given->count; i++) {
        const cli_option *o = find_option(options, count, given->item[i]);
        if (strcmp(given->item[i], name) == 0) return true;
        if (!o || o->kind != CLI_FLAG) i++;
    }
    return false;
}

static bool is_listed(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0) return true;
    return false;
}

static bool conflict(const cli_option *o, const json_t *now, const json_t *saved, error *e)
{
    char *ours = number_json_dumps(now, JSON_ENCODE_ANY);
    char *theirs = number_json_dumps(saved, JSON_ENCODE_ANY);
    error_set(e, STATUS_USAGE,
              "--%s is %s, but the run that wrote the checkpoint had %s; leave the option out",
              o->name, ours ? ours : "unset", theirs ? theirs : "none");
    free(ours);
    free(theirs);
    return false;
}

/* An option that was not given. */
static bool restore_option(const cli_option *o, const json_t *value, bool changeable, error *e)
{
    if (value)
        return set_option(o, value) ||
               error_set(e, STATUS_DATA, "the checkpoint's value of --%s makes no sense", o->name);
    json_t *needed = changeable ? NULL : option_value(o);
    if (needed) error_set(e, STATUS_DATA, "the checkpoint does not say its --%s", o->name);
    json_decref(needed);
    return e->status == 0;
}

static bool check_given(const cli_option *o, const json_t *value, bool changeable, error *e)
{
    json_t *now = option_value(o);
    if (!(value && json_equal(now, value)) && !changeable) conflict(o, now, value, e);
    json_decref(now);
    return e->status == 0;
}

bool settings_restore(const cli_option *options, size_t count, const json_t *saved,
                      const cli_strings *given, const char *const *changeable, error *e)
{
    for (size_t i = 0; i < count; i++) {
        const cli_option *o = &options[i];
        const json_t *value = json_object_get(saved, o->name);
        bool may_change = is_listed(changeable, o->name);
        if (o->unrecorded) continue;
        if (!(settings_given(options, count, given, o->name)
                  ? check_given(o, value, may_change, e)
                  : restore_option(o, value, may_change, e)))
            return false;
    }
    return true;
}

static json_t *value_text(const json_t *value)
{
    char text[NUMBER_TEXT_SIZE];
    if (json_is_real(value)) {
        number_text(json_real_value(value), text);
        return json_string(text);
    }
    if (json_is_integer(value)) return json_sprintf("%lld", (long long)json_integer_value(value));
    return json_string(json_string_value(value));
}

bool settings_arguments(const cli_option *options, size_t count, const json_t *defaults,
                        const char *const *skipped, cli_strings *out, json_t **texts, error *e)
{
    json_t *now = settings_get(options, count);
    *texts = json_array();
    bool good = now && *texts;
    for (size_t i = 0; good && i < count; i++) {
        const json_t *value = json_object_get(now, options[i].name);
        if (!value || json_equal(value, json_object_get(defaults, options[i].name)) ||
            is_listed(skipped, options[i].name))
            continue;
        good = cli_strings_add(out, options[i].name, e);
        if (!good || options[i].kind == CLI_FLAG) continue;
        json_t *text = value_text(value);
        good = json_array_append_new(*texts, text) == 0 &&
               cli_strings_add(out, json_string_value(text), e);
    }
    json_decref(now);
    return good || error_set(e, STATUS_SYSTEM, "out of memory");
}
