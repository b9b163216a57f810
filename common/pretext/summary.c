/* How many faces each task has, by class and by side of the split. */
#include "pretext/summary.h"

#include "cli/memory.h"
#include "cli/quantile.h"
#include "cli/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABELLED_FEW = 20, /* among fewer faces, one class for all of them says little */
    NAME_WIDTH = 42,   /* of the first column, in characters */
    NAME_MOST = 60,    /* characters of a name that are shown */
};

static const char *const side_names[2] = {"train", "val"};

/* ---- Counting ------------------------------------------------------------------------------- */

/* Without cuts there are no levels to count. */
static void count_value(const task *t, task_summary *sum, int side, double value)
{
    if (isnan(value))
        sum->missing[side]++;
    else if (!isnan(t->cuts[0]))
        sum->count[side][value < t->cuts[0] ? 0 : value <= t->cuts[1] ? 1 : 2]++;
}

static void count_face(batch_summary *s, size_t number, int side, batch_draw draw)
{
    const catalog *c = s->faces;
    const task *t = &c->labels.tasks->task[number];
    task_summary *sum = &s->task[number];
    const face_variant *v = &c->variant[draw.variant];
    size_t row = c->face[draw.face].row;
    sum->total[side]++;
    if (t->kind == TASK_ORDINAL) {
        count_value(t, sum, side, label_value(&c->labels, row, number));
    } else if (t->tag) {
        int32_t class = label_class(&c->labels, row, number);
        class < 0 ? sum->missing[side]++ : sum->count[side][class]++;
    } else if (t->kind == TASK_COARSE) {
        sum->count[side][(int)v->manipulation != c->photographic]++;
    } else {
        for (size_t k = 0; k < t->class_count; k++)
            for (uint32_t r = 0; r < c->regions.count; r++)
                if (strcmp(c->regions.text[r], t->classes[k]) == 0)
                    sum->count[side][k] += v->regions >> r & 1;
    }
}

/* Ranking learns nothing from faces of the same value. */
static bool count_ties(batch_summary *s, size_t number, error *e)
{
    const catalog *c = s->faces;
    size_t count = 0, run = 0;
    double *values = memory_allocate(c->member_count[SPLIT_TRAIN] + 1, sizeof *values, e);
    if (!values) return false;
    for (size_t i = 0; i < c->member_count[SPLIT_TRAIN]; i++) {
        size_t row = c->face[c->member[SPLIT_TRAIN][i]].row;
        double value = label_value(&c->labels, row, number);
        if (!isnan(value)) values[count++] = value;
    }
    sort_ascending(values, count);
    for (size_t i = 0; i < count; i++) {
        run = i > 0 && values[i] == values[i - 1] ? run + 1 : 1;
        if (run > s->task[number].tied) s->task[number].tied = run;
    }
    free(values);
    return true;
}

bool batch_summary_open(batch_summary *s, sampler *from, error *e)
{
    const catalog *c = from->faces;
    *s = (batch_summary){.faces = c};
    size_t tasks = c->labels.tasks->count;
    s->task = memory_zeroed(tasks, sizeof *s->task, e);
    for (size_t t = 0; s->task && t < tasks; t++)
        for (int side = 0; side < 2; side++)
            s->task[t].count[side] =
                memory_zeroed(c->labels.tasks->task[t].class_count, sizeof(size_t), e);
    for (size_t t = 0; t < tasks && !e->status; t++)
        if (c->labels.tasks->task[t].kind == TASK_ORDINAL) count_ties(s, t, e);
    if (e->status) return false;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < c->member_count[side]; i++) {
            batch_draw draw = sampler_face(from, c->member[side][i], side);
            for (size_t t = 0; t < tasks; t++) count_face(s, t, side, draw);
        }
    }
    return true;
}

void batch_summary_close(batch_summary *s)
{
    for (size_t t = 0; s->task && t < s->faces->labels.tasks->count; t++) {
        free(s->task[t].count[0]);
        free(s->task[t].count[1]);
    }
    free(s->task);
    *s = (batch_summary){0};
}

/* ---- For people ----------------------------------------------------------------------------- */

static double percent(size_t part, size_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Which numbers a class of an ordinal task has; returns how many characters it printed. */
static int print_bounds(const task *t, size_t level, FILE *to)
{
    if (t->kind != TASK_ORDINAL || isnan(t->cuts[0])) return 0;
    if (level == 0) return fprintf(to, " (below %.4g)", t->cuts[0]);
    if (level == 1) return fprintf(to, " (%.4g to %.4g)", t->cuts[0], t->cuts[1]);
    return fprintf(to, " (above %.4g)", t->cuts[1]);
}

/* The numbers of a line whose first `width` characters are printed. */
static void print_counts(const task_summary *sum, int width, const size_t count[2], FILE *to)
{
    fprintf(to, "%*s", width < NAME_WIDTH ? NAME_WIDTH - width : 0, "");
    for (int side = 0; side < 2; side++)
        fprintf(to, " %9zu %5.1f%%", count[side], percent(count[side], sum->total[side]));
    fputc('\n', to);
}

/* Names may come from the tags of any photo. */
static void print_task(const task *t, const task_summary *sum, FILE *to)
{
    text_print_start(to, t->name, NAME_MOST);
    fprintf(to, " (%s%s)\n", task_kind_name(t->kind), t->shuffle ? ", shuffled" : "");
    for (size_t k = 0; k < t->class_count; k++) {
        size_t count[2] = {sum->count[0][k], sum->count[1][k]};
        int width = fprintf(to, "  ");
        width += (int)text_print_start(to, t->classes[k], NAME_MOST);
        width += print_bounds(t, k, to);
        print_counts(sum, width, count, to);
    }
    if (t->tag) print_counts(sum, fprintf(to, "  - missing"), sum->missing, to);
}

void batch_summary_print(const batch_summary *s, FILE *to)
{
    const catalog *c = s->faces;
    fprintf(to, "%-*s %16s %16s\n", NAME_WIDTH, "", side_names[0], side_names[1]);
    fprintf(to, "%-*s %16zu %16zu\n", NAME_WIDTH, "faces", c->member_count[0], c->member_count[1]);
    fprintf(to, "%-*s %16zu %16zu\n", NAME_WIDTH, "photographs", c->photo_count[0],
            c->photo_count[1]);
    for (size_t t = 0; t < c->labels.tasks->count; t++)
        print_task(&c->labels.tasks->task[t], &s->task[t], to);
}

/* ---- For programs --------------------------------------------------------------------------- */

static json_t *json_sides(const size_t count[2])
{
    return json_pack("{s:I, s:I}", side_names[0], (json_int_t)count[0], side_names[1],
                     (json_int_t)count[1]);
}

/* Adds a value (taken over) to a map. False when memory is out (the value is NULL, too). */
static bool set_value(json_t *map, const char *key, json_t *value)
{
    return json_object_set_new(map, key, value) == 0;
}

/* The value, or NULL in its place (freed) when making it failed. */
static json_t *value_if(bool good, json_t *value)
{
    if (good) return value;
    json_decref(value);
    return NULL;
}

static json_t *json_classes(const task *t, const task_summary *sum)
{
    json_t *classes = json_array();
    bool good = classes != NULL;
    for (size_t k = 0; k < t->class_count && good; k++)
        good = json_array_append_new(classes,
                                     json_pack("{s:s, s:I, s:I}", "name", t->classes[k],
                                               side_names[0], (json_int_t)sum->count[0][k],
                                               side_names[1], (json_int_t)sum->count[1][k])) == 0;
    return value_if(good, classes);
}

static bool set_missing(json_t *map, const task_summary *sum)
{
    double rates[2] = {percent(sum->missing[0], sum->total[0]) / 100,
                       percent(sum->missing[1], sum->total[1]) / 100};
    return set_value(map, "missing", json_sides(sum->missing)) &&
           set_value(map, "missing_rate",
                     json_pack("{s:f, s:f}", side_names[0], rates[0], side_names[1], rates[1]));
}

static json_t *json_task(const task *t, const task_summary *sum)
{
    json_t *map = json_object();
    bool good = set_value(map, "name", json_string(t->name)) &&
                set_value(map, "kind", json_string(task_kind_name(t->kind))) &&
                set_value(map, "classes", json_classes(t, sum)) &&
                (!t->tag || set_missing(map, sum)) &&
                (t->kind != TASK_ORDINAL || isnan(t->cuts[0]) ||
                 set_value(map, "cuts", json_pack("[f, f]", t->cuts[0], t->cuts[1]))) &&
                (!t->shuffle || set_value(map, "shuffle", json_true()));
    return value_if(good, map);
}

static json_t *json_tasks(const batch_summary *s)
{
    const task_list *tasks = s->faces->labels.tasks;
    json_t *array = json_array();
    bool good = array != NULL;
    for (size_t t = 0; t < tasks->count && good; t++)
        good = json_array_append_new(array, json_task(&tasks->task[t], &s->task[t])) == 0;
    return value_if(good, array);
}

json_t *batch_summary_json(const batch_summary *s)
{
    const catalog *c = s->faces;
    json_t *map = json_object();
    bool good = set_value(map, "faces", json_sides(c->member_count)) &&
                set_value(map, "photos", json_sides(c->photo_count)) &&
                set_value(map, "tasks", json_tasks(s));
    return value_if(good, map);
}

/* ---- What looks wrong ----------------------------------------------------------------------- */

typedef void warn_line(void *context, const char *line);

static int name_bytes(const char *name)
{
    return (int)text_bytes(name, NAME_MOST);
}

static void check_classes(const task *t, const task_summary *sum, warn_line *warn, void *context)
{
    size_t labelled = sum->total[0] - sum->missing[0];
    char line[600];
    if (labelled < LABELLED_FEW) return;
    if (t->kind == TASK_ORDINAL && 10 * sum->tied > 9 * labelled) {
        snprintf(line, sizeof line, "task %.*s: %.1f%% of the labelled faces have the same value",
                 name_bytes(t->name), t->name, percent(sum->tied, labelled));
        warn(context, line);
    }
    if (t->kind == TASK_ORDINAL || t->kind == TASK_FINE) return;
    for (size_t k = 0; k < t->class_count; k++) {
        if (10 * sum->count[0][k] <= 9 * labelled) continue;
        snprintf(line, sizeof line, "task %.*s: class %.*s has %.1f%% of the labelled faces",
                 name_bytes(t->name), t->name, name_bytes(t->classes[k]), t->classes[k],
                 percent(sum->count[0][k], labelled));
        warn(context, line);
    }
}

void batch_summary_check(const batch_summary *s, void (*warn)(void *context, const char *line),
                         void *context)
{
    const task_list *tasks = s->faces->labels.tasks;
    char line[1200] = "no training face has a label for";
    size_t used = strlen(line);
    bool any = false;
    for (size_t t = 0; t < tasks->count; t++) {
        const task_summary *sum = &s->task[t];
        const char *name = tasks->task[t].name;
        if (sum->missing[0] == sum->total[0] && used < sizeof line - 4 * NAME_MOST - 3) {
            used += (size_t)snprintf(line + used, sizeof line - used, "%s %.*s", any ? "," : "",
                                     name_bytes(name), name);
            any = true;
        }
        check_classes(&tasks->task[t], sum, warn, context);
    }
    if (any) warn(context, line);
}
