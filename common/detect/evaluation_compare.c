/* Paired comparisons of detectors: the same faces, the same draws of the bootstrap. */
#include "cli/memory.h"
#include "detect/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A view of m with the faces that `other` has, too. Both are sorted by group and id. */
static bool restrict_run(const method *m, const method *other, method *out, error *e)
{
    *out = *m;
    out->rows = NULL;
    out->replicates = NULL;
    out->next_run = NULL;
    out->faces = (face_list){memory_allocate(m->faces.count + 1, sizeof *out->faces.item, e), 0, 0};
    for (size_t i = 0, j = 0; out->faces.item && i < m->faces.count && j < other->faces.count;) {
        const scored_face *x = &m->faces.item[i], *y = &other->faces.item[j];
        int order = x->group != y->group ? (x->group < y->group ? -1 : 1) : strcmp(x->id, y->id);
        if (order == 0) out->faces.item[out->faces.count++] = *x;
        i += order <= 0;
        j += order >= 0;
    }
    return out->faces.item != NULL;
}

static bool restrict_faces(const method *m, const method *other, method *out, error *e)
{
    if (!restrict_run(m, other, out, e)) return false;
    for (method **next = &out->next_run; (m = m->next_run); next = &(*next)->next_run) {
        *next = memory_zeroed(1, sizeof **next, e);
        if (!*next || !restrict_run(m, other, *next, e)) return false;
    }
    return true;
}

static bool subtract(const evaluation *v, const method *x, const method *y,
                     const evaluation_options *o, comparison *out, error *e)
{
    size_t rows = v->generator_count + 2, each = rows * METRICS, n = (size_t)o->bootstrap;
    out->metric = memory_zeroed(rows, sizeof *out->metric, e);
    double *values = memory_allocate(n + 1, sizeof *values, e);
    bool done = out->metric && values;
    for (size_t k = 0; done && k < each; k++) {
        interval *difference = &out->metric[k / METRICS][k % METRICS];
        *difference = (interval){x->rows[k / METRICS].metric[k % METRICS].value -
                                     y->rows[k / METRICS].metric[k % METRICS].value,
                                 NAN, NAN};
        for (size_t b = 0; b < n; b++)
            values[b] = x->replicates[b * each + k] - y->replicates[b * each + k];
        if (n) interval_set(difference, values, n, o->confidence);
    }
    free(values);
    return done;
}

static void free_view(method *m)
{
    free(m->faces.item);
    free(m->rows);
    free(m->replicates);
    for (method *run = m->next_run, *next; run; run = next) {
        next = run->next_run;
        run->next_run = NULL;
        free_view(run);
        free(run);
    }
}

static bool evaluation_compare(const evaluation *v, size_t a, size_t b, const evaluation_options *o,
                               comparison *out, error *e)
{
    const method *x = &v->methods[a], *y = &v->methods[b];
    method common[2] = {{0}, {0}};
    *out = (comparison){.a = a, .b = b};
    bool done = restrict_faces(x, y, &common[0], e) && restrict_faces(y, x, &common[1], e);
    if (done &&
        (common[0].faces.count != x->faces.count || common[0].faces.count != y->faces.count)) {
        done = evaluation_compute(v, &common[0], o, e) && evaluation_compute(v, &common[1], o, e);
        x = &common[0];
        y = &common[1];
    }
    done = done && subtract(v, x, y, o, out, e);
    out->faces = x->judged;
    free_view(&common[0]);
    free_view(&common[1]);
    if (!done) comparison_free(out);
    return done;
}

void comparison_free(comparison *c)
{
    free(c->metric);
    *c = (comparison){0};
}

comparison *evaluation_comparisons(const evaluation *v, const evaluation_options *o, size_t *count,
                                   error *e)
{
    comparison *all = memory_zeroed(v->method_count + 1, sizeof *all, e);
    size_t baseline = 0;
    *count = 0;
    for (size_t i = 0; o->baseline && i < v->method_count; i++)
        if (strcmp(v->methods[i].name, o->baseline) == 0) baseline = i;
    for (size_t i = 0; all && i < v->method_count; i++) {
        if (i == baseline) continue;
        size_t a = o->baseline ? i : baseline, b = o->baseline ? baseline : i;
        if (evaluation_compare(v, a, b, o, &all[*count], e)) {
            ++*count;
            continue;
        }
        while (*count > 0) comparison_free(&all[--*count]);
        free(all);
        return NULL;
    }
    return all;
}
