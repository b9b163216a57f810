/* Nearest neighbours: exact search by blocks of matrix products. */
#include "detect/neighbours.h"

#include "cli/memory.h"
#include "nn/l2norm.h"

#include <cblas.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = 64, STORED = 1024 };

typedef struct candidate {
    float distance;
    uint32_t index;
} candidate;

static bool is_nearer(candidate a, candidate b)
{
    return a.distance < b.distance || (a.distance == b.distance && a.index < b.index);
}

/* The k nearest in a heap whose root is the farthest of them. */
typedef struct nearest {
    candidate *heap; /* (k) */
    size_t size;
    uint32_t tied[2]; /* points by label that are as far as the root and not in the heap */
} nearest;

static void heap_add(nearest *n, candidate new)
{
    candidate *heap = n->heap;
    size_t at = n->size++;
    while (at > 0 && is_nearer(heap[(at - 1) / 2], new)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = new;
}

static void heap_replace_root(nearest *n, candidate new)
{
    candidate *heap = n->heap;
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n->size) break;
        if (child + 1 < n->size && is_nearer(heap[child], heap[child + 1])) child++;
        if (!is_nearer(new, heap[child])) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = new;
}

/* labels may be NULL: ties are not counted then. */
static void heap_offer(nearest *n, size_t k, candidate new, const uint8_t *labels)
{
    candidate out = new;
    if (n->size < k) {
        heap_add(n, new);
        return;
    }
    if (is_nearer(new, n->heap[0])) {
        out = n->heap[0];
        heap_replace_root(n, new);
        if (n->heap[0].distance < out.distance) n->tied[0] = n->tied[1] = 0;
    }
    if (labels) n->tied[labels[out.index]] += out.distance == n->heap[0].distance;
}

static int compare_candidates(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (is_nearer(*x, *y)) return -1;
    return is_nearer(*y, *x);
}

static void fill_rows(const points *p, size_t first, size_t count, float *rows, float *squares)
{
    for (size_t i = 0; i < count; i++) {
        const float *row = points_row(p, first + i);
        double sum = 0;
        for (size_t j = 0; j < p->dimension; j++) sum += (double)row[j] * (double)row[j];
        memcpy(rows + i * p->dimension, row, p->dimension * sizeof *rows);
        squares[i] = (float)sum;
    }
}

typedef struct search {
    float *queries, *query_squares, *stored, *squares, *products;
    nearest nearest[QUERIES];
} search;

static size_t search_floats(size_t d)
{
    return QUERIES * (d + 1) + STORED * (d + 1) + (size_t)QUERIES * STORED;
}

/* The k nearest stored points of a block of queries, sorted; `self`: the same set, each point left
   out of its own. */
static void search_block(search *s, const points *stored, const uint8_t *labels,
                         const points *queries, size_t first, size_t count, size_t k, bool self)
{
    size_t d = stored->dimension;
    fill_rows(queries, first, count, s->queries, s->query_squares);
    /* Full blocks, as other numbers of rows may be rounded in other ways: equal points tie. */
    memset(s->queries + count * d, 0, (QUERIES - count) * d * sizeof *s->queries);
    for (size_t begin = 0; begin < stored->count; begin += STORED) {
        size_t width = stored->count - begin < STORED ? stored->count - begin : STORED;
        fill_rows(stored, begin, width, s->stored, s->squares);
        memset(s->stored + width * d, 0, (STORED - width) * d * sizeof *s->stored);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, QUERIES, STORED, (int)d, 1, s->queries,
                    (int)d, s->stored, (int)d, 0, s->products, STORED);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < width; j++) {
                if (self && begin + j == first + i) continue;
                float distance =
                    s->query_squares[i] + s->squares[j] - 2 * s->products[i * STORED + j];
                heap_offer(&s->nearest[i], k,
                           (candidate){distance > 0 ? distance : 0, (uint32_t)(begin + j)}, labels);
            }
    }
    for (size_t i = 0; i < count; i++)
        qsort(s->nearest[i].heap, s->nearest[i].size, sizeof(candidate), compare_candidates);
}

/* What becomes of the neighbours that one query has found. */
typedef void found_function(void *context, size_t query, const nearest *found);

static bool search_all(const points *stored, const uint8_t *labels, const points *queries, size_t k,
                       bool self, int threads, found_function *found, void *context, error *e)
{
    size_t d = stored->dimension, each = search_floats(d), workers = (size_t)threads;
    size_t blocks = (queries->count + QUERIES - 1) / QUERIES;
    float *buffers = memory_allocate(workers * each, sizeof *buffers, e);
    candidate *heaps = memory_allocate(workers * QUERIES * k, sizeof *heaps, e);
    if (buffers && heaps) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (size_t b = 0; b < blocks; b++) {
            size_t worker = (size_t)omp_get_thread_num(), first = b * QUERIES;
            size_t count = queries->count - first < QUERIES ? queries->count - first : QUERIES;
            search s = {.queries = buffers + worker * each};
            s.query_squares = s.queries + QUERIES * d;
            s.stored = s.query_squares + QUERIES;
            s.squares = s.stored + STORED * d;
            s.products = s.squares + STORED;
            for (size_t i = 0; i < count; i++)
                s.nearest[i].heap = heaps + (worker * QUERIES + i) * k;
            search_block(&s, stored, labels, queries, first, count, k, self);
            for (size_t i = 0; i < count; i++) found(context, first + i, &s.nearest[i]);
        }
    }
    bool done = buffers && heaps;
    free(buffers);
    free(heaps);
    return done;
}

typedef struct listing {
    uint32_t *index;
    float *distance;
} listing;

static void list_found(void *context, size_t query, const nearest *found)
{
    const listing *to = context;
    for (size_t j = 0, k = found->size; j < k; j++) {
        to->index[query * k + j] = found->heap[j].index;
        to->distance[query * k + j] = found->heap[j].distance;
    }
}

bool neighbours_of_points(const points *p, size_t k, int threads, uint32_t *index, float *distance,
                          error *e)
{
    listing to = {index, distance};
    return search_all(p, NULL, p, k, true, threads, list_found, &to, e);
}

/* ---- The detector --------------------------------------------------------------------------- */

bool neighbours_create(neighbours *n, const points *p, const uint8_t *labels, size_t k, error *e)
{
    size_t d = p->dimension, generated = 0;
    for (size_t i = 0; i < p->count; i++) generated += labels[i];
    if (generated == 0 || generated == p->count)
        return error_set(e, STATUS_DATA, "both photographic and generated faces are needed");
    *n = (neighbours){.count = p->count, .dimension = d, .k = k < p->count ? k : p->count};
    n->vectors = memory_allocate(p->count * d, sizeof *n->vectors, e);
    n->labels = memory_allocate(p->count, 1, e);
    if (!n->vectors || !n->labels) {
        neighbours_free(n);
        return false;
    }
    for (size_t i = 0; i < p->count; i++) l2norm_row(n->vectors + i * d, points_row(p, i), d);
    memcpy(n->labels, labels, p->count);
    return true;
}

void neighbours_free(neighbours *n)
{
    free(n->vectors);
    free(n->labels);
    *n = (neighbours){0};
}

typedef struct vote {
    const uint8_t *labels;
    double total[2]; /* stored faces by label */
    double *probability;
} vote;

/* All that are as far as the k-th share the places that the nearer ones leave. */
static void count_votes(void *context, size_t query, const nearest *found)
{
    const vote *v = context;
    size_t k = found->size, places = 0;
    double share[2], nearer[2] = {0}, tied[2] = {found->tied[0], found->tied[1]};
    for (size_t j = 0; j < k; j++) {
        bool is_tied = found->heap[j].distance == found->heap[k - 1].distance;
        (is_tied ? tied : nearer)[v->labels[found->heap[j].index]]++;
        places += is_tied;
    }
    for (int label = 0; label < 2; label++)
        share[label] =
            (nearer[label] + tied[label] * (double)places / (tied[0] + tied[1])) / v->total[label];
    v->probability[query] = share[1] / (share[0] + share[1]);
}

bool neighbours_predict(const neighbours *n, const points *x, int threads, double *probability,
                        error *e)
{
    size_t d = n->dimension;
    vote v = {.labels = n->labels, .probability = probability};
    for (size_t i = 0; i < n->count; i++) v.total[n->labels[i]]++;
    float *queries = memory_allocate(x->count * d + 1, sizeof *queries, e);
    if (!queries) return false;
    points stored = {n->vectors, NULL, n->count, d}, asked = {queries, NULL, x->count, d};
    for (size_t i = 0; i < x->count; i++) l2norm_row(queries + i * d, points_row(x, i), d);
    bool done = search_all(&stored, n->labels, &asked, n->k, false, threads, count_votes, &v, e);
    free(queries);
    return done;
}
