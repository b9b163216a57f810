/* t-SNE: affinities of nearest neighbours, and their layout by gradient descent. */
#include "detect/tsne.h"

#include "cli/memory.h"
#include "detect/neighbours.h"
#include "detect/pca.h"
#include "detect/quadtree.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EXAGGERATED = 250, BISECTIONS = 100, PROGRESS = 50 };

typedef struct affinities { /* symmetric, sparse, summing to 1 */
    size_t *start;          /* (count + 1) */
    uint32_t *to;
    double *value;
} affinities;

typedef struct layout {
    const tsne_options *o;
    size_t count;
    affinities p;
    quadtree tree;
    double *y;             /* (count, 2) */
    double *gradient;      /* (count, 2) */
    double *repulsion;     /* (count, 3): force, sum of q */
    double *update, *gain; /* (count, 2) */
    double rate;
} layout;

/* ---- Affinities ----------------------------------------------------------------------------- */

/* p (k) = exp(-beta d) / sum, with beta such that the entropy is that of the perplexity. */
static void conditional(const float *distance, size_t k, double perplexity, double *p)
{
    double beta = 1, low = 0, high = INFINITY, wanted = log(perplexity);
    for (int step = 0; step < BISECTIONS; step++) {
        double sum = 1, weighted = 0; /* of the nearest one */
        p[0] = 1;
        for (size_t j = 1; j < k; j++) {
            double d = (double)distance[j] - (double)distance[0];
            p[j] = exp(-beta * d);
            sum += p[j];
            weighted += d * p[j];
        }
        double entropy = log(sum) + beta * weighted / sum, difference = entropy - wanted;
        for (size_t j = 0; j < k; j++) p[j] /= sum;
        if (fabs(difference) < 1e-5) break;
        if (difference > 0) {
            low = beta;
            beta = isinf(high) ? 2 * beta : (beta + high) / 2;
        } else {
            high = beta;
            beta = (beta + low) / 2;
        }
    }
}

typedef struct pair {
    uint32_t from, to;
    double value;
} pair;

static int compare_pairs(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->to > y->to) - (x->to < y->to);
}

/* (P + P') / 2n from neighbours (count, k) and conditional probabilities. */
static bool symmetrise(affinities *a, const uint32_t *index, const double *p, size_t count,
                       size_t k, error *e)
{
    size_t total = 2 * count * k, kept = 0;
    pair *pairs = memory_allocate(total, sizeof *pairs, e);
    a->start = memory_zeroed(count + 1, sizeof *a->start, e);
    a->to = memory_allocate(total, sizeof *a->to, e);
    a->value = memory_allocate(total, sizeof *a->value, e);
    bool done = pairs && a->start && a->to && a->value;
    if (done) {
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < k; j++) {
                uint32_t other = index[i * k + j];
                double half = p[i * k + j] / (2.0 * (double)count);
                pairs[2 * (i * k + j)] = (pair){(uint32_t)i, other, half};
                pairs[2 * (i * k + j) + 1] = (pair){other, (uint32_t)i, half};
            }
        qsort(pairs, total, sizeof *pairs, compare_pairs);
        for (size_t i = 0; i < total; i++) {
            if (i > 0 && compare_pairs(&pairs[i - 1], &pairs[i]) == 0) {
                a->value[kept - 1] += pairs[i].value;
                continue;
            }
            a->to[kept] = pairs[i].to;
            a->value[kept++] = pairs[i].value;
            a->start[pairs[i].from + 1] = kept;
        }
        for (size_t i = 1; i <= count; i++)
            if (a->start[i] < a->start[i - 1]) a->start[i] = a->start[i - 1];
    }
    free(pairs);
    return done;
}

static bool find_affinities(affinities *a, const points *p, const tsne_options *o, error *e)
{
    size_t n = p->count, k = (size_t)(3 * o->perplexity + 1);
    if (k > n - 1) k = n - 1;
    uint32_t *index = memory_allocate(n * k, sizeof *index, e);
    float *distance = memory_allocate(n * k, sizeof *distance, e);
    double *value = memory_allocate(n * k, sizeof *value, e);
    bool done =
        index && distance && value && neighbours_of_points(p, k, o->threads, index, distance, e);
    if (done) {
#pragma omp parallel for schedule(static) num_threads(o->threads)
        for (size_t i = 0; i < n; i++)
            conditional(distance + i * k, k, o->perplexity, value + i * k);
        done = symmetrise(a, index, value, n, k, e);
    }
    free(index);
    free(distance);
    free(value);
    return done;
}

/* ---- Descent -------------------------------------------------------------------------------- */

static void attract(const layout *l, size_t i, double force[2])
{
    const double *y = l->y + 2 * i;
    force[0] = force[1] = 0;
    for (size_t j = l->p.start[i]; j < l->p.start[i + 1]; j++) {
        const double *other = l->y + 2 * (size_t)l->p.to[j];
        double dx = y[0] - other[0], dy = y[1] - other[1];
        double pq = l->p.value[j] / (1 + dx * dx + dy * dy);
        force[0] += pq * dx;
        force[1] += pq * dy;
    }
}

static void find_gradient(layout *l, double exaggeration)
{
    double sum = 0;
    quadtree_build(&l->tree, l->y, l->count);
#pragma omp parallel for schedule(dynamic, 64) num_threads(l->o->threads)
    for (size_t place = 0; place < l->count; place++) {
        size_t i = l->tree.order[place];
        double *own = l->repulsion + 3 * i, force[2];
        own[2] = quadtree_repulsion(&l->tree, place, l->o->angle, own);
        attract(l, i, force);
        for (int c = 0; c < 2; c++) l->gradient[2 * i + c] = exaggeration * force[c];
    }
    for (size_t i = 0; i < l->count; i++) sum += l->repulsion[3 * i + 2];
    if (!(sum > DBL_EPSILON)) sum = DBL_EPSILON;
    for (size_t i = 0; i < l->count; i++)
        for (int c = 0; c < 2; c++) {
            double *g = &l->gradient[2 * i + c];
            *g = 4 * (*g - l->repulsion[3 * i + c] / sum);
        }
}

/* One step of gradient descent with momentum and a gain for each coordinate (Jacobs 1988). */
static void step(layout *l, double momentum)
{
    for (size_t j = 0; j < 2 * l->count; j++) {
        bool same = l->update[j] * l->gradient[j] < 0;
        l->gain[j] = same ? l->gain[j] + 0.2 : fmax(0.8 * l->gain[j], 0.01);
        l->update[j] = momentum * l->update[j] - l->rate * l->gain[j] * l->gradient[j];
        l->y[j] += l->update[j];
    }
}

/* sum p log(p / q), q = (1 / (1 + d^2)) / Z with Z over all pairs. */
static double find_divergence(layout *l)
{
    double z = 0, sum = 0, *row = l->repulsion;
#pragma omp parallel for schedule(dynamic, 64) num_threads(l->o->threads)
    for (size_t i = 0; i < l->count; i++) {
        double own = 0;
        for (size_t j = 0; j < l->count; j++) {
            double dx = l->y[2 * i] - l->y[2 * j], dy = l->y[2 * i + 1] - l->y[2 * j + 1];
            own += 1 / (1 + dx * dx + dy * dy);
        }
        row[i] = own - 1;
    }
    for (size_t i = 0; i < l->count; i++) z += row[i];
    for (size_t i = 0; i < l->count; i++)
        for (size_t j = l->p.start[i]; j < l->p.start[i + 1]; j++) {
            const double *other = l->y + 2 * (size_t)l->p.to[j];
            double dx = l->y[2 * i] - other[0], dy = l->y[2 * i + 1] - other[1], p = l->p.value[j];
            if (p > 0) sum += p * log(p * (1 + dx * dx + dy * dy) * z);
        }
    return sum;
}

static void begin_phase(layout *l)
{
    for (size_t j = 0; j < 2 * l->count; j++) {
        l->update[j] = 0;
        l->gain[j] = 1;
    }
}

static void descend(layout *l)
{
    int first = l->o->iterations < 4 * EXAGGERATED ? l->o->iterations / 4 : EXAGGERATED;
    begin_phase(l);
    for (int i = 0; i < l->o->iterations; i++) {
        bool early = i < first;
        if (i == first) begin_phase(l);
        find_gradient(l, early ? l->o->exaggeration : 1);
        step(l, early ? 0.5 : 0.8);
        if (l->o->say && (i + 1) % PROGRESS == 0) l->o->say(l->o->context, PROGRESS);
    }
}

/* Principal components, the first scaled to a standard deviation of 1e-4. */
static bool begin_layout(layout *l, const points *p, error *e)
{
    double square = 0;
    if (!pca_project(p, l->o->threads, l->y, NULL, e)) return false;
    for (size_t i = 0; i < l->count; i++) square += l->y[2 * i] * l->y[2 * i];
    double deviation = sqrt(square / (double)l->count);
    for (size_t j = 0; j < 2 * l->count; j++) l->y[j] *= deviation > 0 ? 1e-4 / deviation : 0;
    return true;
}

bool tsne_fit(const points *p, const tsne_options *o, double *positions, double *divergence,
              error *e)
{
    size_t n = p->count;
    layout l = {.o = o, .count = n, .y = positions};
    if (n < 2 || !(o->perplexity < (double)n))
        return error_set(e, STATUS_DATA, "%zu face%s too few for a perplexity of %g", n,
                         n == 1 ? " is" : "s are", o->perplexity);
    l.rate = o->learning_rate > 0 ? o->learning_rate : fmax((double)n / o->exaggeration / 4, 50);
    l.gradient = memory_allocate(2 * n, sizeof(double), e);
    l.repulsion = memory_allocate(3 * n, sizeof(double), e);
    l.update = memory_allocate(2 * n, sizeof(double), e);
    l.gain = memory_allocate(2 * n, sizeof(double), e);
    bool done = l.gradient && l.repulsion && l.update && l.gain && quadtree_create(&l.tree, n, e) &&
                find_affinities(&l.p, p, o, e) && begin_layout(&l, p, e);
    if (done) {
        descend(&l);
        *divergence = find_divergence(&l);
        if (!isfinite(*divergence))
            done = error_set(e, STATUS_INTERNAL,
                             "the layout is no longer finite: lower --learning-rate");
        else if (!(*divergence > 0))
            *divergence = 0; /* below by rounding */
    }
    quadtree_free(&l.tree);
    free(l.p.start);
    free(l.p.to);
    free(l.p.value);
    free(l.gradient);
    free(l.repulsion);
    free(l.update);
    free(l.gain);
    return done;
}
