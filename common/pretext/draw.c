/* How often each manipulation is drawn. */
#include "cli/memory.h"
#include "pretext/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool set_weight(draw_table *t, const char *name, double weight, bool standard, error *e)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->entry[i].name, name) != 0) continue;
        t->entry[i].weight = weight;
        return true;
    }
    if (t->count == sizeof t->entry / sizeof *t->entry)
        return error_set(e, STATUS_USAGE, "--draw: too many manipulations");
    char *copy = memory_allocate(strlen(name) + 1, 1, e);
    if (!copy) return false;
    t->entry[t->count++] = (draw_weight){strcpy(copy, name), weight, standard};
    return true;
}

bool draw_table_default(draw_table *t, error *e)
{
    static const struct {
        const char *name;
        double weight;
    } defaults[] = {{"photographic", 4}, {"mouth-vflip", 1}, {"mouth-hflip", 1},
                    {"eye-hflip", 1},    {"warp", 1},        {"nose-flip", 0}};
    *t = (draw_table){0};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (!set_weight(t, defaults[i].name, defaults[i].weight, true, e)) return false;
    return true;
}

bool draw_table_set(draw_table *t, const char *text, error *e)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL, name[TAG_TEXT_MAX + 1];
    double weight = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || !(weight >= 0) || weight > 1e6)
        return error_set(e, STATUS_USAGE, "--draw: '%s' is not NAME=WEIGHT with a weight of 0..1e6",
                         text);
    size_t length = (size_t)(equals - text);
    if (length > TAG_TEXT_MAX)
        return error_set(e, STATUS_USAGE, "--draw: a name has at most %d bytes", TAG_TEXT_MAX);
    memcpy(name, text, length);
    name[length] = 0;
    return set_weight(t, manipulation_drawn_name(name), weight, false, e);
}

bool draw_weight_used(const draw_weight *w, const catalog *c)
{
    return w->standard || value_set_find(&c->manipulations, w->name) >= 0;
}

void draw_table_free(draw_table *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->entry[i].name);
    *t = (draw_table){0};
}
