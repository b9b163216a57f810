/* Rows of an evaluation: which faces they count, their metrics, the bootstrap. */
#include "detect/evaluation.h"

#include "cli/memory.h"
#include "cli/quantile.h"
#include "cli/random.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* ---- The faces of a row --------------------------------------------------------------------- */

/* Faces that a replicate draws from among each other: those of one source, or, taken by
   --per-class, of one class. `count` of the numbers below `range` are drawn, those that are faces:
   rows that took unequally many of the same photographs then share the draws of those that they
   share. */
typedef struct stratum {
    const char *key;  /* of the draws, with purpose */
    uint64_t purpose; /* 0, 1: of photographic and generated sources; 2: of classes */
    size_t first, count, range;
} stratum;

typedef struct row_faces {
    uint32_t *face; /* indices into the method's faces, stratum by stratum */
    stratum *strata;
    ranked_item *items; /* by falling score */
    size_t count, strata_count;
} row_faces;

static void row_faces_free(row_faces *r)
{
    free(r->face);
    free(r->strata);
    free(r->items);
    *r = (row_faces){0};
}

static bool in_row(const evaluation *v, size_t row, size_t group)
{
    if (row > v->generator_count) return true; /* overall */
    return group == v->generators[row] || v->paired[row * v->group_count + group];
}

static bool is_generated(const evaluation *v, const scored_face *face)
{
    return v->groups[face->group].label == FACE_GENERATED;
}

/* All faces of the row's sources. */
static void take_sources(const evaluation *v, const method *m, size_t row, row_faces *out)
{
    const scored_face *faces = m->faces.item;
    for (size_t first = 0, end; first < m->faces.count; first = end) {
        size_t group = faces[first].group;
        for (end = first; end < m->faces.count && faces[end].group == group; end++) continue;
        if (!in_row(v, row, group)) continue;
        out->strata[out->strata_count++] =
            (stratum){v->groups[group].source, is_generated(v, &faces[first]), out->count,
                      end - first, end - first};
        for (size_t i = first; i < end; i++) out->face[out->count++] = (uint32_t)i;
    }
}

static int compare_draws(const void *a, const void *b)
{
    const scored_face *const *x = a, *const *y = b;
    if ((*x)->draw != (*y)->draw) return (*x)->draw < (*y)->draw ? -1 : 1;
    return strcmp((*x)->id, (*y)->id);
}

/* At most `most` faces of each class, and equally many. chosen (faces) is room. */
static void take_classes(const evaluation *v, const method *m, size_t row, size_t most,
                         const scored_face **chosen, row_faces *out)
{
    size_t found[2] = {0}, range[2];
    for (int generated = 0; generated < 2; generated++) {
        const scored_face **class_faces = chosen + (generated ? found[0] : 0);
        for (size_t i = 0; i < m->faces.count; i++) {
            const scored_face *face = &m->faces.item[i];
            if (in_row(v, row, face->group) && is_generated(v, face) == generated)
                class_faces[found[generated]++] = face;
        }
        qsort(class_faces, found[generated], sizeof *class_faces, compare_draws);
        range[generated] = found[generated] < most ? found[generated] : most;
    }
    size_t count = range[0] < range[1] ? range[0] : range[1];
    for (int generated = 0; count && generated < 2; generated++) {
        const scored_face **class_faces = chosen + (generated ? found[0] : 0);
        out->strata[out->strata_count++] =
            (stratum){class_faces[0]->id, 2, out->count, count, range[generated]};
        for (size_t i = 0; i < count; i++)
            out->face[out->count++] = (uint32_t)(class_faces[i] - m->faces.item);
    }
}

/* On failure, too, the caller frees with row_faces_free. */
static bool take_row(const evaluation *v, const method *m, size_t row, const evaluation_options *o,
                     row_faces *out, error *e)
{
    const scored_face **chosen = memory_allocate(m->faces.count + 1, sizeof *chosen, e);
    *out = (row_faces){.face = memory_allocate(m->faces.count + 1, sizeof *out->face, e),
                       .strata = memory_allocate(v->group_count + 2, sizeof *out->strata, e),
                       .items = memory_allocate(m->faces.count + 1, sizeof *out->items, e)};
    bool done = chosen && out->face && out->strata && out->items;
    if (done && o->per_class > 0)
        take_classes(v, m, row, (size_t)o->per_class, chosen, out);
    else if (done)
        take_sources(v, m, row, out);
    for (size_t i = 0; done && i < out->count; i++) {
        const scored_face *face = &m->faces.item[out->face[i]];
        out->items[i] = (ranked_item){method_oriented(m, face->score), out->face[i],
                                      is_generated(v, face), (uint8_t)face->decided};
    }
    if (done) ranked_sort(out->items, out->count);
    free(chosen);
    return done;
}

ranked_item *evaluation_ranked(const evaluation *v, const method *m, size_t row,
                               const evaluation_options *o, size_t *count, error *e)
{
    row_faces taken;
    ranked_item *items = NULL;
    if (take_row(v, m, row, o, &taken, e)) {
        items = taken.items;
        taken.items = NULL;
    }
    *count = taken.count;
    row_faces_free(&taken);
    return items;
}

/* ---- Bootstrap ------------------------------------------------------------------------------ */

/* How often each face of the row is drawn in a replicate. */
static void draw_counts(const row_faces *r, uint64_t seed, uint64_t replicate, uint32_t *counts)
{
    for (size_t i = 0; i < r->count; i++) counts[r->face[i]] = 0;
    for (size_t s = 0; s < r->strata_count; s++) {
        const stratum *from = &r->strata[s];
        random_state state = random_keyed(seed, from->key, 2 * replicate + from->purpose);
        for (size_t drawn = 0; drawn < from->count;) {
            uint64_t i = random_below(&state, from->range);
            if (i >= from->count) continue;
            counts[r->face[from->first + i]]++;
            drawn++;
        }
    }
}

static void mean_of_rows(const double *rows, size_t generators, double *mean)
{
    for (size_t k = 0; k < METRICS; k++) {
        double sum = 0;
        for (size_t r = 0; r < generators; r++) sum += rows[r * METRICS + k];
        mean[k] = generators ? sum / (double)generators : NAN;
    }
}

void interval_set(interval *out, double *values, size_t count, double confidence)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    out->low = out->high = NAN;
    if (kept == 0 || isnan(out->value)) return;
    sort_ascending(values, kept);
    out->low = quantile_sorted(values, kept, (1 - confidence) / 2);
    out->high = quantile_sorted(values, kept, (1 + confidence) / 2);
}

/* Fills the row's part of replicates (bootstrap, rows, METRICS). */
static bool run_replicates(const method *m, const evaluation_options *o, const row_faces *taken,
                           size_t row, size_t rows, double *replicates, error *e)
{
    size_t room = m->faces.count + 1;
    uint32_t *counts = memory_allocate((size_t)o->threads * room, sizeof *counts, e);
    if (!counts) return false;
#pragma omp parallel for schedule(dynamic) num_threads(o->threads)
    for (int b = 0; b < o->bootstrap; b++) {
        metrics computed;
        uint32_t *own = counts + (size_t)omp_get_thread_num() * room;
        draw_counts(taken, o->seed, (uint64_t)b, own);
        metrics_compute(taken->items, taken->count, own, &computed);
        memcpy(replicates + ((size_t)b * rows + row) * METRICS, computed.value,
               sizeof computed.value);
    }
    free(counts);
    return true;
}

static bool set_intervals(const evaluation *v, method *m, const evaluation_options *o, error *e)
{
    size_t each = (v->generator_count + 2) * METRICS, n = (size_t)o->bootstrap;
    double *values = memory_allocate(n + 1, sizeof *values, e);
    for (size_t k = 0; values && k < each; k++) {
        for (size_t b = 0; b < n; b++) values[b] = m->replicates[b * each + k];
        interval_set(&m->rows[k / METRICS].metric[k % METRICS], values, n, o->confidence);
    }
    free(values);
    return values != NULL;
}

static bool compute_row(const evaluation *v, method *m, size_t row, const evaluation_options *o,
                        bool *judged, double *values, error *e)
{
    metrics computed;
    row_faces taken;
    bool done = take_row(v, m, row, o, &taken, e);
    if (done) {
        metrics_compute(taken.items, taken.count, NULL, &computed);
        memcpy(values, computed.value, sizeof computed.value);
        m->rows[row].photographic = computed.photographic;
        m->rows[row].generated = computed.generated;
        for (size_t i = 0; i < taken.count; i++) {
            m->judged += !judged[taken.face[i]];
            judged[taken.face[i]] = true;
        }
        done = run_replicates(m, o, &taken, row, v->generator_count + 2, m->replicates, e);
    }
    row_faces_free(&taken);
    return done;
}

/* Values and replicates of one run. */
static bool compute_run(const evaluation *v, method *m, const evaluation_options *o, error *e)
{
    size_t g = v->generator_count, rows = g + 2, each = rows * METRICS, n = (size_t)o->bootstrap;
    double *values = memory_allocate(each, sizeof *values, e);
    bool *judged = memory_zeroed(m->faces.count + 1, sizeof *judged, e);
    m->rows = memory_zeroed(rows, sizeof *m->rows, e);
    m->replicates = memory_allocate(n * each + 1, sizeof *m->replicates, e);
    m->judged = 0;
    bool done = values && judged && m->rows && m->replicates;
    for (size_t r = 0; done && r < rows; r++)
        if (r != g) done = compute_row(v, m, r, o, judged, values + r * METRICS, e);
    if (done) mean_of_rows(values, g, values + g * METRICS);
    for (size_t b = 0; done && b < n; b++)
        mean_of_rows(m->replicates + b * each, g, m->replicates + b * each + g * METRICS);
    for (size_t k = 0; done && k < each; k++)
        m->rows[k / METRICS].metric[k % METRICS] = (interval){values[k], NAN, NAN};
    free(values);
    free(judged);
    return done;
}

/* The mean over runs in place of the values of the first. */
static void average_runs(const evaluation *v, method *m, const evaluation_options *o)
{
    size_t each = (v->generator_count + 2) * METRICS, n = (size_t)o->bootstrap * each;
    double runs = (double)method_runs(m);
    for (const method *run = m->next_run; run; run = run->next_run) {
        for (size_t k = 0; k < each; k++)
            m->rows[k / METRICS].metric[k % METRICS].value +=
                run->rows[k / METRICS].metric[k % METRICS].value;
        for (size_t k = 0; k < n; k++) m->replicates[k] += run->replicates[k];
    }
    for (size_t k = 0; k < each; k++) m->rows[k / METRICS].metric[k % METRICS].value /= runs;
    for (size_t k = 0; k < n; k++) m->replicates[k] /= runs;
}

bool evaluation_compute(const evaluation *v, method *m, const evaluation_options *o, error *e)
{
    for (method *run = m; run; run = run->next_run)
        if (!compute_run(v, run, o, e)) return false;
    if (m->next_run) average_runs(v, m, o);
    return o->bootstrap == 0 || set_intervals(v, m, o, e);
}
