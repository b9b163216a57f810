/* k-means: greedy k-means++ starts, Lloyd's iterations. */
#include "detect/kmeans.h"

#include "cli/memory.h"
#include "cli/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ITERATIONS = 100 };
static const double TOLERANCE = 1e-4; /* of the mean variance, on the centres' squared shift */

static double squared_distance(const float *x, const double *centre, size_t d)
{
    double part[4] = {0};
    size_t j = 0;
    for (; j + 4 <= d; j += 4)
        for (size_t l = 0; l < 4; l++) {
            double difference = (double)x[j + l] - centre[j + l];
            part[l] += difference * difference;
        }
    for (; j < d; j++) {
        double difference = (double)x[j] - centre[j];
        part[0] += difference * difference;
    }
    return (part[0] + part[1]) + (part[2] + part[3]);
}

void kmeans_assign(const points *p, size_t k, const double *centres, int threads, uint32_t *labels,
                   double *distances)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < p->count; i++) {
        const float *row = points_row(p, i);
        double least = INFINITY;
        for (size_t c = 0; c < k; c++) {
            double distance = squared_distance(row, centres + c * p->dimension, p->dimension);
            if (distance < least) {
                least = distance;
                labels[i] = (uint32_t)c;
            }
        }
        if (distances) distances[i] = least;
    }
}

static size_t draw_point(random_state *random, const double *weight, size_t count, double total)
{
    if (!(total > 0)) return random_below(random, count);
    double target = random_uniform(random) * total, sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weight[i];
        if (sum > target) return i;
    }
    return count - 1;
}

static void set_centre(const points *p, size_t i, double *centre)
{
    const float *row = points_row(p, i);
    for (size_t j = 0; j < p->dimension; j++) centre[j] = (double)row[j];
}

/* nearest (count) = min(nearest, distance to centre); the sum, in row order. */
static double approach(const points *p, const double *nearest, const double *centre, double *out,
                       int threads)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < p->count; i++) {
        double distance = squared_distance(points_row(p, i), centre, p->dimension);
        out[i] = nearest && nearest[i] < distance ? nearest[i] : distance;
    }
    double sum = 0;
    for (size_t i = 0; i < p->count; i++) sum += out[i];
    return sum;
}

/* Each new centre is the best of 2 + ln k points drawn in proportion to their squared distance. */
static void choose_starts(const points *p, size_t k, random_state *random, int threads,
                          double *centres, double *scratch)
{
    size_t n = p->count, d = p->dimension, trials = 2 + (size_t)log((double)k);
    double *nearest = scratch, *tried = scratch + n, *best = scratch + 2 * n;
    set_centre(p, random_below(random, n), centres);
    double total = approach(p, NULL, centres, nearest, threads);
    for (size_t c = 1; c < k; c++) {
        double least = INFINITY;
        size_t chosen = 0;
        for (size_t t = 0; t < trials; t++) {
            size_t candidate = draw_point(random, nearest, n, total);
            set_centre(p, candidate, centres + c * d);
            double sum = approach(p, nearest, centres + c * d, tried, threads);
            if (sum < least) {
                least = sum;
                chosen = candidate;
                double *swap = best;
                best = tried;
                tried = swap;
            }
        }
        set_centre(p, chosen, centres + c * d);
        double *swap = nearest;
        nearest = best;
        best = swap;
        total = least;
    }
}

/* New centres from labels; empty groups restart at the points farthest from their centres. */
static void move_centres(const points *p, size_t k, const uint32_t *labels, double *distances,
                         double *centres, size_t *sizes, int threads)
{
    size_t d = p->dimension;
    memset(sizes, 0, k * sizeof *sizes);
    for (size_t i = 0; i < p->count; i++) sizes[labels[i]]++;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t c = 0; c < k; c++) {
        if (sizes[c] == 0) continue;
        double *centre = centres + c * d;
        memset(centre, 0, d * sizeof *centre);
        for (size_t i = 0; i < p->count; i++) {
            if (labels[i] != c) continue;
            const float *row = points_row(p, i);
            for (size_t j = 0; j < d; j++) centre[j] += (double)row[j];
        }
        for (size_t j = 0; j < d; j++) centre[j] /= (double)sizes[c];
    }
    for (size_t c = 0; c < k; c++) {
        if (sizes[c] > 0) continue;
        size_t farthest = 0;
        for (size_t i = 1; i < p->count; i++)
            if (distances[i] > distances[farthest]) farthest = i;
        set_centre(p, farthest, centres + c * d);
        distances[farthest] = 0;
    }
}

static double mean_variance(const points *p, double *mean)
{
    points_mean(p, mean);
    double sum = 0;
    for (size_t i = 0; i < p->count; i++)
        sum += squared_distance(points_row(p, i), mean, p->dimension);
    return sum / ((double)p->count * (double)p->dimension);
}

bool kmeans_fit(const points *p, size_t k, uint64_t seed, uint64_t start, int threads,
                uint32_t *labels, double *centres, error *e)
{
    size_t n = p->count, d = p->dimension;
    double *scratch = memory_allocate(3 * n + k * d + d, sizeof *scratch, e);
    size_t *sizes = memory_allocate(k, sizeof *sizes, e);
    bool done = scratch && sizes;
    if (done) {
        random_state random = random_keyed(seed, "kmeans", start);
        double *before = scratch + 3 * n, tolerance = TOLERANCE * mean_variance(p, before + k * d);
        choose_starts(p, k, &random, threads, centres, scratch);
        for (int iteration = 0; iteration < ITERATIONS; iteration++) {
            kmeans_assign(p, k, centres, threads, labels, scratch);
            memcpy(before, centres, k * d * sizeof *before);
            move_centres(p, k, labels, scratch, centres, sizes, threads);
            double shift = 0;
            for (size_t j = 0; j < k * d; j++)
                shift += (centres[j] - before[j]) * (centres[j] - before[j]);
            if (shift <= tolerance) break;
        }
        kmeans_assign(p, k, centres, threads, labels, NULL);
    }
    free(scratch);
    free(sizes);
    return done;
}
