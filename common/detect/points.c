/* Linear algebra on sets of points: centred blocks, scatter matrices by tiles, Cholesky factors. */
#include "detect/points.h"

#include "cli/memory.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { CHOLESKY_BLOCK = 64 };
static const double NEGLIGIBLE_WEIGHT = 1e-18;

void points_single_threaded_blas(void)
{
    openblas_set_num_threads(1);
    omp_set_num_threads(1); /* OpenBLAS built with OpenMP takes this as its own number of threads */
}

void points_centred(const points *p, size_t first, size_t count, const double *centre, double *out)
{
    size_t d = p->dimension;
    for (size_t i = 0; i < count; i++) {
        const float *row = points_row(p, first + i);
        for (size_t j = 0; j < d; j++) out[i * d + j] = (double)row[j] - centre[j];
    }
}

void points_mean(const points *p, double *mean)
{
    size_t d = p->dimension;
    memset(mean, 0, d * sizeof *mean);
    for (size_t i = 0; i < p->count; i++) {
        const float *row = points_row(p, i);
        for (size_t j = 0; j < d; j++) mean[j] += (double)row[j];
    }
    for (size_t j = 0; j < d; j++) mean[j] /= (double)p->count;
}

size_t scatter_tiles(size_t dimension)
{
    size_t side = (dimension + SCATTER_TILE - 1) / SCATTER_TILE;
    return side * (side + 1) / 2;
}

/* Fills rows of sqrt(w)(x - centre) for columns first..first+width-1. */
static size_t gather(const points *p, const double *weights, size_t stride, const double *centre,
                     size_t *next, size_t first, size_t width, double *rows)
{
    size_t filled = 0, i = *next;
    for (; i < p->count && filled < SCATTER_ROWS; i++) {
        double w = weights ? weights[i * stride] : 1;
        if (!(w > NEGLIGIBLE_WEIGHT)) continue;
        double root = sqrt(w);
        const float *row = points_row(p, i) + first;
        double *out = rows + filled++ * SCATTER_TILE;
        for (size_t j = 0; j < width; j++) out[j] = root * ((double)row[j] - centre[first + j]);
    }
    *next = i;
    return filled;
}

void scatter_tile(const points *p, const double *weights, size_t stride, const double *centre,
                  size_t tile, double *scatter, double *buffer)
{
    size_t d = p->dimension, down = 0;
    while ((down + 1) * (down + 2) / 2 <= tile) down++;
    size_t across = tile - down * (down + 1) / 2;
    size_t row = down * SCATTER_TILE, column = across * SCATTER_TILE;
    size_t height = d - row < SCATTER_TILE ? d - row : SCATTER_TILE;
    size_t width = d - column < SCATTER_TILE ? d - column : SCATTER_TILE;
    double *out = scatter + row * d + column;
    double *left = buffer, *right = buffer + (size_t)SCATTER_TILE * SCATTER_ROWS;

    for (size_t i = 0; i < height; i++) memset(out + i * d, 0, width * sizeof *out);
    size_t next = 0, again = 0, filled;
    while ((filled = gather(p, weights, stride, centre, &next, row, height, left)) > 0) {
        if (down == across) {
            cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)height, (int)filled, 1, left,
                        SCATTER_TILE, 1, out, (int)d);
            continue;
        }
        gather(p, weights, stride, centre, &again, column, width, right);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)height, (int)width, (int)filled,
                    1, left, SCATTER_TILE, right, SCATTER_TILE, 1, out, (int)d);
    }
}

bool points_scatter(const points *p, const double *weights, size_t stride, const double *centre,
                    double *scatter, int threads, error *e)
{
    double *buffers = memory_allocate((size_t)threads * SCATTER_BUFFER, sizeof *buffers, e);
    if (!buffers) return false;
    size_t tiles = scatter_tiles(p->dimension);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t t = 0; t < tiles; t++)
        scatter_tile(p, weights, stride, centre, t, scatter,
                     buffers + (size_t)omp_get_thread_num() * SCATTER_BUFFER);
    free(buffers);
    return true;
}

static bool factor_small(double *a, size_t n, size_t stride)
{
    for (size_t j = 0; j < n; j++) {
        double pivot = a[j * stride + j];
        for (size_t k = 0; k < j; k++) pivot -= a[j * stride + k] * a[j * stride + k];
        if (!(pivot > 0) || !isfinite(pivot)) return false;
        a[j * stride + j] = pivot = sqrt(pivot);
        for (size_t i = j + 1; i < n; i++) {
            double sum = a[i * stride + j];
            for (size_t k = 0; k < j; k++) sum -= a[i * stride + k] * a[j * stride + k];
            a[i * stride + j] = sum / pivot;
        }
    }
    return true;
}

bool cholesky_factor(double *a, size_t n)
{
    for (size_t j = 0; j < n; j += CHOLESKY_BLOCK) {
        size_t width = n - j < CHOLESKY_BLOCK ? n - j : CHOLESKY_BLOCK, rest = n - j - width;
        double *diagonal = a + j * n + j, *below = a + (j + width) * n + j;
        if (!factor_small(diagonal, width, n)) return false;
        if (rest == 0) break;
        cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)rest,
                    (int)width, 1, diagonal, (int)n, below, (int)n);
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)rest, (int)width, -1, below,
                    (int)n, 1, below + width, (int)n);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) a[i * n + j] = 0;
    return true;
}

void triangle_invert(const double *l, size_t n, double *inverse)
{
    memset(inverse, 0, n * n * sizeof *inverse);
    for (size_t i = 0; i < n; i++) inverse[i * n + i] = 1;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, (int)n, 1,
                l, (int)n, inverse, (int)n);
}

double log_sum_exp(const double *x, size_t count)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        if (x[i] > most) most = x[i];
    if (!isfinite(most)) return most;
    for (size_t i = 0; i < count; i++) sum += exp(x[i] - most);
    return most + log(sum);
}
