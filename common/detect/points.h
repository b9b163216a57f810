/* Sets of points (embeddings as rows) and the few steps of linear algebra on them. */
#ifndef BLADES_DETECT_POINTS_H
#define BLADES_DETECT_POINTS_H

#include "cli/error.h"

#include <stddef.h>
#include <stdint.h>

enum { DIMENSION_LIMIT = 65536 }; /* of embeddings from outside */

/* A view of rows of a float32 matrix; owns nothing. */
typedef struct points {
    const float *value;    /* (rows, dimension) */
    const uint32_t *index; /* which rows, in order; NULL: the first `count` */
    size_t count, dimension;
} points;

static inline const float *points_row(const points *p, size_t i)
{
    return p->value + (p->index ? p->index[i] : i) * p->dimension;
}

/* Makes BLAS compute with one thread, also outside parallel regions: the functions of this folder
   run one BLAS call a worker over fixed blocks, with as many workers as they are told, so that
   results do not depend on the number. Call it once, before any computation. */
void points_single_threaded_blas(void);

/* out (count, dimension) = rows first..first+count-1 minus `centre` (dimension), in double. */
void points_centred(const points *p, size_t first, size_t count, const double *centre, double *out);
/* The mean row, summed in row order. */
void points_mean(const points *p, double *mean);
/* scatter (d, d), lower triangle: sum_i w_i (x_i - centre)(x_i - centre)'; `weights` NULL: ones.
   Rows whose weight is below 1e-18 are left out: they change nothing in double. */
bool points_scatter(const points *p, const double *weights, size_t stride, const double *centre,
                    double *scatter, int threads, error *e);
/* The tile-wise core of points_scatter, for callers that parallelise over several scatters: number
   of tiles of the lower triangle, and one tile. `buffer`: SCATTER_BUFFER doubles. */
enum { SCATTER_TILE = 256, SCATTER_ROWS = 256, SCATTER_BUFFER = 2 * SCATTER_TILE * SCATTER_ROWS };
size_t scatter_tiles(size_t dimension);
void scatter_tile(const points *p, const double *weights, size_t stride, const double *centre,
                  size_t tile, double *scatter, double *buffer);

/* Cholesky factor of the symmetric matrix whose lower triangle is in a (n, n): a becomes L, zero
   above the diagonal. False (nothing set) when the matrix is not positive definite. */
bool cholesky_factor(double *a, size_t n);
/* inverse (n, n) = L^-1, zero above the diagonal. */
void triangle_invert(const double *l, size_t n, double *inverse);

/* log(sum_i exp(x_i)), safe for all -inf. */
double log_sum_exp(const double *x, size_t count);

#endif
