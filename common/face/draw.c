/* How often each manipulation is drawn. */
#include "face/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool set_weight(draw_table *t, const char *name, size_t length, double weight, error *e)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strlen(t->entry[i].name) != length || memcmp(t->entry[i].name, name, length) != 0)
            continue;
        t->entry[i].weight = weight;
        return true;
    }
    if (t->count == sizeof t->entry / sizeof *t->entry)
        return error_set(e, STATUS_USAGE, "--draw: too many manipulations");
    char *copy = memory_allocate(length + 1, 1, e);
    if (!copy) return false;
    memcpy(copy, name, length);
    copy[length] = 0;
    t->entry[t->count++] = (draw_weight){copy, weight};
    return true;
}

bool draw_table_default(draw_table *t, error *e)
{
    static const draw_weight defaults[] = {{"photographic", 4}, {"mouth-vflip", 1},
                                           {"mouth-hflip", 1},  {"eye-hflip", 1},
                                           {"warp", 1},         {"nose-flip", 0}};
    *t = (draw_table){0};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        if (!set_weight(t, defaults[i].name, strlen(defaults[i].name), defaults[i].weight, e))
            return false;
    return true;
}

bool draw_table_set(draw_table *t, const char *text, error *e)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    double weight = equals ? strtod(equals + 1, &end) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || !(weight >= 0) || weight > 1e6)
        return error_set(e, STATUS_USAGE, "--draw: '%s' is not NAME=WEIGHT with a weight of 0..1e6",
                         text);
    return set_weight(t, text, (size_t)(equals - text), weight, e);
}

void draw_table_free(draw_table *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->entry[i].name);
    *t = (draw_table){0};
}
