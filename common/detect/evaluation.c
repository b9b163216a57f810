/* Evaluation of detectors: grouping, pairing, subsampling, bootstrap. */
#include "detect/evaluation.h"

#include "cli/random.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { SUBSAMPLE = 1 }; /* the purpose in random_keyed's index */

double method_oriented(const method *m, double score)
{
    return m->higher_is_photographic ? -score : score;
}

size_t method_runs(const method *m)
{
    size_t runs = 0;
    for (; m; m = m->next_run) runs++;
    return runs;
}

group_calls method_calls(const method *m, size_t group)
{
    group_calls calls = {0};
    double runs = (double)method_runs(m);
    for (const method *run = m; run; run = run->next_run)
        for (size_t i = 0; i < run->count; i++) {
            if (run->faces[i].group != group) continue;
            calls.faces += run == m;
            calls.generated += run->faces[i].decided == DECISION_GENERATED;
            calls.undecided += run->faces[i].decided == DECISION_NONE;
        }
    calls.generated /= runs;
    calls.undecided /= runs;
    return calls;
}

static void method_free(method *m)
{
    for (size_t j = 0; j < m->count; j++) free(m->faces[j].id);
    free(m->faces);
    free(m->name);
    free(m->path);
    free(m->errors);
    for (size_t j = 0; j < m->failed.count; j++) free((char *)m->failed.item[j]);
    cli_strings_free(&m->failed);
    free(m->rows);
    free(m->replicates);
    for (method *run = m->next_run, *next; run; run = next) {
        next = run->next_run;
        run->next_run = NULL;
        method_free(run);
        free(run);
    }
}

void evaluation_free(evaluation *v)
{
    for (size_t i = 0; i < v->method_count; i++) method_free(&v->methods[i]);
    for (size_t i = 0; i < v->group_count; i++) free(v->groups[i].source);
    free(v->methods);
    free(v->groups);
    free(v->generators);
    free(v->paired);
    *v = (evaluation){0};
}

/* ---- Preparation ---------------------------------------------------------------------------- */

static int compare_by_id(const void *a, const void *b)
{
    return strcmp(((const scored_face *)a)->id, ((const scored_face *)b)->id);
}

static int compare_by_group(const void *a, const void *b)
{
    const scored_face *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return strcmp(x->id, y->id);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorts a method's faces by id, refuses an id that comes twice, draws and decides. */
static bool prepare_faces(method *m, uint64_t seed, error *e)
{
    if (m->count) qsort(m->faces, m->count, sizeof *m->faces, compare_by_id);
    if (m->failed.count)
        qsort(m->failed.item, m->failed.count, sizeof *m->failed.item, compare_texts);
    for (size_t j = 1; j < m->count; j++)
        if (strcmp(m->faces[j - 1].id, m->faces[j].id) == 0)
            return error_set(e, STATUS_DATA, "%s: the id '%s' comes twice", m->path,
                             m->faces[j].id);
    for (size_t j = 0; j < m->count; j++) {
        random_state r = random_keyed(seed, m->faces[j].id, SUBSAMPLE);
        m->faces[j].draw = random_bits(&r);
        if (!m->thresholded) continue;
        double score = m->faces[j].score;
        bool generated = m->higher_is_photographic ? score < m->threshold : score > m->threshold;
        m->faces[j].decided = generated ? DECISION_GENERATED : DECISION_PHOTOGRAPHIC;
    }
    return true;
}

/* What a method makes of the faces of the first one; both are sorted by id. */
static bool match_first(const evaluation *v, method *m, error *e)
{
    const method *first = &v->methods[0];
    for (size_t j = 0; m != first && j < first->count; j++) {
        const scored_face *face = &first->faces[j], *own = NULL;
        if (m->count) own = bsearch(face, m->faces, m->count, sizeof *m->faces, compare_by_id);
        if (own && own->group != face->group)
            return error_set(e, STATUS_DATA, "%s: the face '%s' is %s (%s) here and %s (%s) in %s",
                             m->path, face->id, face_label_names[v->groups[own->group].label],
                             v->groups[own->group].source,
                             face_label_names[v->groups[face->group].label],
                             v->groups[face->group].source, first->path);
        bool failed = !own && m->failed.count &&
                      bsearch(&face->id, m->failed.item, m->failed.count, sizeof *m->failed.item,
                              compare_texts);
        m->missing += !own && !failed;
    }
    return true;
}

/* Runs of one method are averaged over the same faces; all are sorted by id. */
static bool match_runs(const method *m, error *e)
{
    for (const method *run = m->next_run; run; run = run->next_run) {
        bool same = run->count == m->count;
        for (size_t j = 0; same && j < m->count; j++)
            same = strcmp(run->faces[j].id, m->faces[j].id) == 0;
        if (!same)
            return error_set(e, STATUS_DATA,
                             "%s: the faces are not those of %s, as those of another run must be",
                             run->path, m->path);
    }
    return true;
}

static bool prepare_methods(evaluation *v, const evaluation_options *o, error *e)
{
    for (size_t i = 0; i < v->method_count; i++) {
        for (method *m = &v->methods[i]; m; m = m->next_run)
            if (!prepare_faces(m, o->seed, e) || !match_first(v, m, e)) return false;
        if (!match_runs(&v->methods[i], e)) return false;
    }
    for (size_t i = 0; i < v->method_count; i++)
        for (method *m = &v->methods[i]; m; m = m->next_run)
            if (m->count) qsort(m->faces, m->count, sizeof *m->faces, compare_by_group);
    return true;
}

static const evaluation *sorted_evaluation; /* qsort has no context */

static int compare_generators(const void *a, const void *b)
{
    const face_group *groups = sorted_evaluation->groups;
    return strcmp(groups[*(const size_t *)a].source, groups[*(const size_t *)b].source);
}

static bool find_generators(evaluation *v, error *e)
{
    v->generators = memory_allocate(v->group_count + 1, sizeof *v->generators, e);
    v->paired = memory_zeroed((v->group_count + 1) * (v->group_count + 1), sizeof *v->paired, e);
    if (!v->generators || !v->paired) return false;
    for (size_t g = 0; g < v->group_count; g++)
        if (v->groups[g].label == FACE_GENERATED) v->generators[v->generator_count++] = g;
    sorted_evaluation = v;
    qsort(v->generators, v->generator_count, sizeof *v->generators, compare_generators);
    for (size_t r = 0; r < v->generator_count; r++)
        for (size_t g = 0; g < v->group_count; g++)
            v->paired[r * v->group_count + g] = v->groups[g].label == FACE_PHOTOGRAPHIC;
    return true;
}

static long find_group(const evaluation *v, const char *source, size_t length, face_label label)
{
    for (size_t g = 0; g < v->group_count; g++)
        if (v->groups[g].label == label && strlen(v->groups[g].source) == length &&
            memcmp(v->groups[g].source, source, length) == 0)
            return (long)g;
    return -1;
}

/* "generator=source,source": that generator is compared with those sources alone. */
static bool apply_pair(evaluation *v, const char *pair, error *e)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1])
        return error_set(e, STATUS_USAGE, "--pair %s: write GENERATOR=SOURCE[,SOURCE...]", pair);
    long generator = find_group(v, pair, (size_t)(equals - pair), FACE_GENERATED);
    if (generator < 0)
        return error_set(e, STATUS_USAGE, "--pair %s: no generated face has the source '%.*s'",
                         pair, (int)(equals - pair), pair);
    size_t row = 0;
    while (v->generators[row] != (size_t)generator) row++;
    memset(v->paired + row * v->group_count, 0, v->group_count * sizeof *v->paired);
    for (const char *source = equals + 1; source;) {
        size_t length = strcspn(source, ",");
        long group = find_group(v, source, length, FACE_PHOTOGRAPHIC);
        if (group < 0)
            return error_set(e, STATUS_USAGE,
                             "--pair %s: no photographic face has the source '%.*s'", pair,
                             (int)length, source);
        v->paired[row * v->group_count + (size_t)group] = true;
        source = source[length] ? source + length + 1 : NULL;
    }
    return true;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static bool in_row(const evaluation *v, size_t row, size_t group)
{
    if (row > v->generator_count) return true; /* overall */
    return group == v->generators[row] || v->paired[row * v->group_count + group];
}

static int compare_draws(const void *a, const void *b)
{
    const scored_face *const *x = a, *const *y = b;
    if ((*x)->draw != (*y)->draw) return (*x)->draw < (*y)->draw ? -1 : 1;
    return strcmp((*x)->id, (*y)->id);
}

ranked_item *evaluation_ranked(const evaluation *v, const method *m, size_t row,
                               const evaluation_options *o, size_t *count, error *e)
{
    ranked_item *items = memory_allocate(m->count + 1, sizeof *items, e);
    const scored_face **class = memory_allocate(m->count + 1, sizeof *class, e);
    size_t available[2] = {0}, limit = SIZE_MAX;
    *count = 0;
    for (size_t i = 0; items && class && i < m->count; i++)
        if (in_row(v, row, m->faces[i].group))
            available[v->groups[m->faces[i].group].label == FACE_GENERATED]++;
    if (o->per_class > 0) {
        limit = available[0] < available[1] ? available[0] : available[1];
        if (limit > (size_t)o->per_class) limit = (size_t)o->per_class;
    }
    for (int generated = 0; items && class && generated < 2; generated++) {
        size_t found = 0;
        for (size_t i = 0; i < m->count; i++) {
            size_t group = m->faces[i].group;
            if (in_row(v, row, group) && (v->groups[group].label == FACE_GENERATED) == generated)
                class[found++] = &m->faces[i];
        }
        if (found > limit) qsort(class, found, sizeof *class, compare_draws);
        for (size_t i = 0; i < found && i < limit; i++)
            items[(*count)++] = (ranked_item){method_oriented(m, class[i] -> score),
                                              (uint32_t)(class[i] - m->faces), generated,
                                              (uint8_t) class[i] -> decided};
    }
    if (items && class) ranked_sort(items, *count);
    bool done = items && class;
    free(class);
    if (done) return items;
    free(items);
    return NULL;
}

/* ---- Bootstrap ------------------------------------------------------------------------------ */

/* How often each face of a method is drawn in a replicate: with replacement, group by group, the
   same for methods that have the same faces. */
static void draw_counts(const evaluation *v, const method *m, uint64_t seed, uint64_t replicate,
                        uint32_t *counts)
{
    memset(counts, 0, m->count * sizeof *counts);
    for (size_t first = 0, end; first < m->count; first = end) {
        size_t group = m->faces[first].group;
        for (end = first; end < m->count && m->faces[end].group == group; end++) continue;
        random_state r = random_keyed(seed, v->groups[group].source,
                                      2 * replicate + (v->groups[group].label == FACE_GENERATED));
        for (size_t i = first; i < end; i++) counts[first + random_below(&r, end - first)]++;
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

typedef struct row_items {
    ranked_item *items; /* NULL: the mean row */
    size_t count;
} row_items;

/* all (replicates, rows, METRICS). */
static bool run_replicates(const evaluation *v, const method *m, const evaluation_options *o,
                           const row_items *rows, double *all, error *e)
{
    size_t g = v->generator_count, each = (g + 2) * METRICS;
    uint32_t *counts = memory_allocate((size_t)o->threads * (m->count + 1), sizeof *counts, e);
    if (!counts) return false;
#pragma omp parallel for schedule(dynamic) num_threads(o->threads)
    for (int b = 0; b < o->bootstrap; b++) {
        uint32_t *own = counts + (size_t)omp_get_thread_num() * (m->count + 1);
        double *values = all + (size_t)b * each;
        draw_counts(v, m, o->seed, (uint64_t)b, own);
        for (size_t r = 0; r < g + 2; r++) {
            metrics computed;
            if (!rows[r].items) continue;
            metrics_compute(rows[r].items, rows[r].count, own, &computed);
            memcpy(values + r * METRICS, computed.value, sizeof computed.value);
        }
        mean_of_rows(values, g, values + g * METRICS);
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

static bool compute_rows(const evaluation *v, method *m, const evaluation_options *o,
                         row_items *rows, error *e)
{
    size_t g = v->generator_count;
    double *plain = memory_allocate((g + 1) * METRICS, sizeof *plain, e);
    m->rows = memory_zeroed(g + 2, sizeof *m->rows, e);
    bool done = plain && m->rows;
    for (size_t r = 0; done && r < g + 2; r++) {
        metrics computed;
        if (r == g) {
            mean_of_rows(plain, g, computed.value);
            computed.photographic = computed.generated = 0;
        } else {
            rows[r].items = evaluation_ranked(v, m, r, o, &rows[r].count, e);
            done = rows[r].items != NULL;
            if (!done) break;
            metrics_compute(rows[r].items, rows[r].count, NULL, &computed);
        }
        if (r < g) memcpy(plain + r * METRICS, computed.value, sizeof computed.value);
        m->rows[r].photographic = computed.photographic;
        m->rows[r].generated = computed.generated;
        for (size_t k = 0; k < METRICS; k++)
            m->rows[r].metric[k] = (interval){computed.value[k], NAN, NAN};
    }
    free(plain);
    return done;
}

/* Values and replicates of one run. */
static bool compute_run(const evaluation *v, method *m, const evaluation_options *o, error *e)
{
    size_t rows = v->generator_count + 2, n = (size_t)o->bootstrap * rows * METRICS;
    row_items *items = memory_zeroed(rows, sizeof *items, e);
    m->replicates = memory_allocate(n + 1, sizeof *m->replicates, e);
    bool done = items && m->replicates && compute_rows(v, m, o, items, e) &&
                (n == 0 || run_replicates(v, m, o, items, m->replicates, e));
    for (size_t r = 0; items && r < rows; r++) free(items[r].items);
    free(items);
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

bool evaluation_run(evaluation *v, const evaluation_options *o, error *e)
{
    if (!prepare_methods(v, o, e) || !find_generators(v, e)) return false;
    if (o->baseline && !evaluation_method(v, o->baseline))
        return error_set(e, STATUS_USAGE, "--compare %s: no detector is named so", o->baseline);
    for (size_t i = 0; i < o->pairs.count; i++)
        if (!apply_pair(v, o->pairs.item[i], e)) return false;
    if (v->group_count == 0)
        return error_set(e, STATUS_DATA,
                         "no face has a label: set it when embedding, for example "
                         "embed --set label=photographic --set source=mine");
    for (size_t i = 0; i < v->method_count; i++)
        if (!evaluation_compute(v, &v->methods[i], o, e)) return false;
    return true;
}
