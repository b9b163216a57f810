/* What the tags of faces say, and the labels that the tasks make of it. */
#include "pretext/labels.h"

#include "cli/memory.h"
#include "cli/quantile.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool label_table_open(label_table *t, task_list *tasks, error *e)
{
    *t = (label_table){.tasks = tasks};
    t->column = memory_zeroed(tasks->count, sizeof *t->column, e);
    return t->column != NULL;
}

void label_table_close(label_table *t)
{
    for (size_t i = 0; t->column && i < t->tasks->count; i++) {
        value_set_free(&t->column[i].values);
        free(t->column[i].class);
    }
    free(t->column);
    free(t->cell);
    *t = (label_table){0};
}

double label_value(const label_table *t, size_t row, size_t number)
{
    return t->cell[row * t->tasks->count + number];
}

static bool read_cell(label_table *t, size_t number, const msgpack_object *record, double *cell,
                      error *e)
{
    const task *item = &t->tasks->task[number];
    char text[TAG_TEXT_MAX + 1];
    *cell = NAN;
    if (!item->tag) return true;
    if (item->kind == TASK_ORDINAL) {
        double value = tag_number(record, item->tag);
        if (fabs(value) <= (double)FLT_MAX) *cell = (float)value;
        return true;
    }
    if (!tag_text(record, item->tag, text)) return true;
    int added = value_set_add(&t->column[number].values, text, e);
    if (added < 0) return error_context(e, "task '%s'", item->name);
    *cell = added;
    return true;
}

bool label_table_add(label_table *t, const msgpack_object *record, error *e)
{
    size_t width = t->tasks->count;
    double *grown = array_grow(t->cell, t->rows + 1, &t->capacity, width * sizeof *grown, e);
    if (!grown) return false;
    t->cell = grown;
    for (size_t i = 0; i < width; i++)
        if (!read_cell(t, i, record, &t->cell[t->rows * width + i], e)) return false;
    t->rows++;
    return true;
}

const char *label_table_difference(label_table *t, size_t row, const msgpack_object *record,
                                   error *e)
{
    for (size_t i = 0; i < t->tasks->count; i++) {
        double there = label_value(t, row, i), here;
        if (!read_cell(t, i, record, &here, e)) return NULL;
        if (isnan(there) ? !isnan(here) : here != there) return t->tasks->task[i].tag;
    }
    return NULL;
}

/* ---- Classes -------------------------------------------------------------------------------- */

typedef struct frequency {
    const char *text;
    size_t count;
} frequency;

static int compare_frequencies(const void *a, const void *b)
{
    const frequency *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->text, y->text);
}

/* Where a value goes before it is counted: through the task's mappings; NULL: it is missing. */
static const char *mapped_value(const task *item, const char *text)
{
    for (size_t i = 0; i < item->mapping_count; i++)
        if (strcasecmp(item->mappings[i].from, text) == 0)
            return *item->mappings[i].to ? item->mappings[i].to : NULL;
    return text;
}

static void lower_case(char *to, const char *from)
{
    while (*from) *to++ = (char)tolower((unsigned char)*from++);
    *to = 0;
}

/* Adds up the mapped values by their spelling without case, under the spelling that sorts first. */
static bool merge_values(const task *item, const value_set *values, const size_t *counts,
                         frequency *merged, size_t *used, error *e)
{
    value_set spellings = {0};
    for (size_t i = 0; i < values->count; i++) {
        const char *text = mapped_value(item, values->text[i]);
        char lower[TASK_TEXT_LIMIT + 1];
        if (!text || counts[i] == 0 || (item->others && strcasecmp(text, "others") == 0)) continue;
        lower_case(lower, text);
        int place = value_set_add(&spellings, lower, e);
        if (place < 0) break;
        frequency *f = &merged[place];
        if (!f->text || strcmp(text, f->text) < 0) f->text = text;
        f->count += counts[i];
    }
    *used = spellings.count;
    value_set_free(&spellings);
    return e->status == 0;
}

static size_t *count_values(const label_table *t, size_t number, const bool *training, error *e)
{
    size_t *counts = memory_zeroed(t->column[number].values.count + 1, sizeof *counts, e);
    for (size_t row = 0; counts && row < t->rows; row++) {
        double cell = label_value(t, row, number);
        if (training[row] && !isnan(cell)) counts[(size_t)cell]++;
    }
    return counts;
}

/* Gives a task its classes: the first of the frequencies, or "others" alone when there is none. */
static bool name_classes(task *item, const frequency *frequencies, size_t count, error *e)
{
    if (count > (size_t)item->automatic) count = (size_t)item->automatic;
    const char **names = memory_zeroed(count + 1, sizeof *names, e);
    if (!names) return false;
    for (size_t i = 0; i < count; i++) names[i] = frequencies[i].text;
    if (count == 0 && !item->others) names[count++] = "others";
    bool named = task_resolve(item, names, count, e);
    free(names);
    return named;
}

static bool choose_classes(label_table *t, size_t number, const bool *training, error *e)
{
    task *item = &t->tasks->task[number];
    const value_set *values = &t->column[number].values;
    size_t *counts = count_values(t, number, training, e), used = 0;
    frequency *merged = memory_zeroed(values->count + 1, sizeof *merged, e);
    bool good = counts && merged && merge_values(item, values, counts, merged, &used, e);
    if (good) {
        qsort(merged, used, sizeof *merged, compare_frequencies);
        good = name_classes(item, merged, used, e);
    }
    free(merged);
    free(counts);
    return good;
}

static bool find_classes(label_table *t, size_t number, error *e)
{
    label_column *column = &t->column[number];
    free(column->class);
    column->class = memory_zeroed(column->values.count + 1, sizeof *column->class, e);
    if (!column->class) return false;
    for (size_t i = 0; i < column->values.count; i++) {
        const char *text = column->values.text[i];
        column->class[i] = task_class(&t->tasks->task[number], text, strlen(text));
    }
    return true;
}

/* ---- Cuts ----------------------------------------------------------------------------------- */

static bool cut_levels(label_table *t, size_t number, const bool *training, error *e)
{
    double *values = memory_allocate(t->rows + 1, sizeof *values, e);
    if (!values) return false;
    size_t count = 0;
    for (size_t row = 0; row < t->rows; row++) {
        double value = label_value(t, row, number);
        if (training[row] && !isnan(value)) values[count++] = value;
    }
    sort_ascending(values, count);
    for (int i = 0; i < 2 && count > 0; i++)
        t->tasks->task[number].cuts[i] = quantile_sorted(values, count, (i + 1) / 3.0);
    free(values);
    return true;
}

/* ---- All tasks ------------------------------------------------------------------------------ */

bool label_table_resolve(label_table *t, const bool *training, error *e)
{
    for (size_t i = 0; i < t->tasks->count; i++) {
        const task *item = &t->tasks->task[i];
        if (item->kind == TASK_ORDINAL) {
            if (isnan(item->cuts[0]) && !cut_levels(t, i, training, e)) return false;
        } else if (item->tag) {
            if (item->class_count == 0 && !choose_classes(t, i, training, e)) return false;
            if (!find_classes(t, i, e)) return false;
        }
    }
    return true;
}

int32_t label_class(const label_table *t, size_t row, size_t number)
{
    double cell = label_value(t, row, number);
    return isnan(cell) ? -1 : t->column[number].class[(size_t)cell];
}
