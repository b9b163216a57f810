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

/* Keeps the k nearest in a heap whose root is the farthest of them. */
static void heap_offer(candidate *heap, size_t *size, size_t k, candidate new)
{
    size_t at;
    if (*size < k) {
        at = (*size)++;
        while (at > 0 && is_nearer(heap[(at - 1) / 2], new)) {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        heap[at] = new;
        return;
    }
    if (!is_nearer(new, heap[0])) return;
    for (at = 0;;) {
        size_t child = 2 * at + 1;
        if (child >= k) break;
        if (child + 1 < k && is_nearer(heap[child], heap[child + 1])) child++;
        if (!is_nearer(new, heap[child])) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = new;
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
    candidate *heaps; /* (QUERIES, k) */
    size_t sizes[QUERIES];
} search;

static size_t search_floats(size_t d)
{
    return QUERIES * (d + 1) + STORED * (d + 1) + (size_t)QUERIES * STORED;
}

/* The k nearest stored points of a block of queries; `self`: the same set, each point left out of
 * its own. */
static void search_block(search *s, const points *stored, const points *queries, size_t first,
                         size_t count, size_t k, bool self)
{
    size_t d = stored->dimension;
    fill_rows(queries, first, count, s->queries, s->query_squares);
    /* Full blocks, as other numbers of rows may be rounded in other ways. */
    memset(s->queries + count * d, 0, (QUERIES - count) * d * sizeof *s->queries);
    memset(s->sizes, 0, sizeof s->sizes);
    for (size_t begin = 0; begin < stored->count; begin += STORED) {
        size_t width = stored->count - begin < STORED ? stored->count - begin : STORED;
        fill_rows(stored, begin, width, s->stored, s->squares);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, QUERIES, (int)width, (int)d, 1,
                    s->queries, (int)d, s->stored, (int)d, 0, s->products, STORED);
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < width; j++) {
                if (self && begin + j == first + i) continue;
                float distance =
                    s->query_squares[i] + s->squares[j] - 2 * s->products[i * STORED + j];
                heap_offer(s->heaps + i * k, &s->sizes[i], k,
                           (candidate){distance > 0 ? distance : 0, (uint32_t)(begin + j)});
            }
    }
    for (size_t i = 0; i < count; i++)
        qsort(s->heaps + i * k, s->sizes[i], sizeof *s->heaps, compare_candidates);
}

static bool search_all(const points *stored, const points *queries, size_t k, bool self,
                       int threads, uint32_t *index, float *distance, error *e)
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
            search s = {.queries = buffers + worker * each, .heaps = heaps + worker * QUERIES * k};
            s.query_squares = s.queries + QUERIES * d;
            s.stored = s.query_squares + QUERIES;
            s.squares = s.stored + STORED * d;
            s.products = s.squares + STORED;
            search_block(&s, stored, queries, first, count, k, self);
            for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < k; j++) {
                    index[(first + i) * k + j] = s.heaps[i * k + j].index;
                    if (distance) distance[(first + i) * k + j] = s.heaps[i * k + j].distance;
                }
        }
    }
    bool done = buffers && heaps;
    free(buffers);
    free(heaps);
    return done;
}

bool neighbours_of_points(const points *p, size_t k, int threads, uint32_t *index, float *distance,
                          error *e)
{
    return search_all(p, p, k, true, threads, index, distance, e);
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

bool neighbours_predict(const neighbours *n, const points *x, int threads, double *probability,
                        error *e)
{
    size_t d = n->dimension, total[2] = {0};
    for (size_t i = 0; i < n->count; i++) total[n->labels[i]]++;
    float *queries = memory_allocate(x->count * d + 1, sizeof *queries, e);
    uint32_t *index = memory_allocate(x->count * n->k + 1, sizeof *index, e);
    points stored = {n->vectors, NULL, n->count, d}, asked = {queries, NULL, x->count, d};
    bool done = queries && index;
    if (done) {
        for (size_t i = 0; i < x->count; i++) l2norm_row(queries + i * d, points_row(x, i), d);
        done = search_all(&stored, &asked, n->k, false, threads, index, NULL, e);
    }
    for (size_t i = 0; done && i < x->count; i++) {
        size_t found[2] = {0};
        for (size_t j = 0; j < n->k; j++) found[n->labels[index[i * n->k + j]]]++;
        double photographic = (double)found[0] / (double)total[0];
        double generated = (double)found[1] / (double)total[1];
        probability[i] = generated / (generated + photographic);
    }
    free(queries);
    free(index);
    return done;
}
