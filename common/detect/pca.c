/* Principal components by subspace iteration on the covariance. */
#include "detect/pca.h"

#include "cli/memory.h"
#include "cli/random.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITERATIONS = 2000,
    GUARDS = 8
}; /* further directions, which make the first two converge fast */

static double column_length(const double *v, size_t d, size_t columns, size_t c)
{
    double square = 0;
    for (size_t j = 0; j < d; j++) square += v[j * columns + c] * v[j * columns + c];
    return sqrt(square);
}

static void take_away_columns_before(double *v, size_t d, size_t columns, size_t c)
{
    for (size_t b = 0; b < c; b++) {
        double dot = 0;
        for (size_t j = 0; j < d; j++) dot += v[j * columns + b] * v[j * columns + c];
        for (size_t j = 0; j < d; j++) v[j * columns + c] -= dot * v[j * columns + b];
    }
}

/* Gram-Schmidt, twice: what the first pass leaves of a column that depends on those before is
   rounding, which is nothing. */
static void normalise_columns(double *v, size_t d, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        double before = column_length(v, d, columns, c);
        take_away_columns_before(v, d, columns, c);
        take_away_columns_before(v, d, columns, c);
        double length = column_length(v, d, columns, c);
        double scale = length > 1e-12 * before ? 1 / length : 0;
        for (size_t j = 0; j < d; j++) v[j * columns + c] *= scale;
    }
}

/* The leading eigenvectors of a symmetric matrix (d, d), as the first two columns of v (d,
 * columns). */
static bool leading_vectors(const double *matrix, size_t d, size_t columns, double *v, error *e)
{
    double *next = memory_allocate(d * columns, sizeof *next, e);
    if (!next) return false;
    random_state random = random_keyed(0, "pca", 0);
    for (size_t i = 0; i < d * columns; i++) v[i] = random_normal(&random);
    normalise_columns(v, d, columns);
    for (int iteration = 0; iteration < ITERATIONS; iteration++) {
        cblas_dsymm(CblasRowMajor, CblasLeft, CblasLower, (int)d, (int)columns, 1, matrix, (int)d,
                    v, (int)columns, 0, next, (int)columns);
        normalise_columns(next, d, columns);
        double change = 0;
        for (size_t j = 0; j < d; j++)
            for (size_t c = 0; c < 2 && c < columns; c++)
                change += fabs(next[j * columns + c] - v[j * columns + c]);
        memcpy(v, next, d * columns * sizeof *v);
        if (change < 1e-10) break;
    }
    free(next);
    return true;
}

static void project(const points *p, const double *mean, const double *v, size_t columns,
                    int threads, double *positions)
{
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = 0; i < p->count; i++) {
        const float *row = points_row(p, i);
        double sum[2] = {0};
        for (size_t j = 0; j < p->dimension; j++)
            for (size_t c = 0; c < 2 && c < columns; c++)
                sum[c] += ((double)row[j] - mean[j]) * v[j * columns + c];
        positions[2 * i] = sum[0];
        positions[2 * i + 1] = sum[1];
    }
}

static void fix_signs(double *v, size_t d, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        double largest = 0;
        for (size_t j = 0; j < d; j++)
            if (fabs(v[j * columns + c]) > fabs(largest)) largest = v[j * columns + c];
        for (size_t j = 0; largest < 0 && j < d; j++) v[j * columns + c] = -v[j * columns + c];
    }
}

bool pca_project(const points *p, int threads, double *positions, double *share, error *e)
{
    size_t d = p->dimension, columns = 2 + GUARDS < d ? 2 + GUARDS : d;
    double *mean = memory_allocate(d, sizeof *mean, e),
           *v = memory_allocate(d * columns, sizeof *v, e);
    double *scatter = memory_zeroed(d * d, sizeof *scatter, e);
    bool done = mean && v && scatter;
    if (done) points_mean(p, mean);
    done = done && points_scatter(p, NULL, 1, mean, scatter, threads, e) &&
           leading_vectors(scatter, d, columns, v, e);
    if (done) {
        fix_signs(v, d, columns);
        project(p, mean, v, columns, threads, positions);
    }
    for (size_t c = 0; done && share && c < 2; c++) {
        double total = 0, own = 0;
        for (size_t j = 0; j < d; j++) total += scatter[j * d + j];
        for (size_t i = 0; i < p->count; i++) own += positions[2 * i + c] * positions[2 * i + c];
        share[c] = total > 0 ? own / total : 0;
    }
    free(mean);
    free(v);
    free(scatter);
    return done;
}
