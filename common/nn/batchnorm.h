/* Batch normalisation (Ioffe and Szegedy 2015) of a raw convolution output y (pixels, C):
   z = weight (y - mean) / sqrt(variance + 1e-5) + bias.

   z itself is never stored: forward gives the map a y + b that readers of y apply (OPERAND_AFFINE,
   _RELU); backward and jvp give the maps c1 g + c2 y + c3 (OPERAND_LINEAR) of the gradient and of
   the tangent. The sums over pixels come from the blocks that stored y, g or the tangent
   (sums_total). */
#ifndef BLADES_NN_BATCHNORM_H
#define BLADES_NN_BATCHNORM_H

#include <stdbool.h>

/* One layer in one pass; vectors of C floats, C padded; padded channels have all-zero maps. */
typedef struct batchnorm {
    int channels; /* not padded: the length of weight, bias and running statistics */
    int padded;
    bool frozen;                   /* normalised with constants */
    double count;                  /* pixels of the batch */
    float *mean, *variance, *rstd; /* variance biased */
    float *a, *b;
    float *c1, *c2, *c3; /* of the last backward or jvp */
} batchnorm;

/* Train: the statistics are totals[0..C) and totals[C..2C) (RESULT_STATISTICS). */
void batchnorm_forward(batchnorm *n, const double *totals, double count, const float *weight,
                       const float *bias);
/* Frozen: the statistics are the running ones. */
void batchnorm_forward_frozen(batchnorm *n, const float *running_mean,
                              const float *running_variance, const float *weight,
                              const float *bias);
/* totals: sums of g and g (y - mean), g being the gradient at z. Adds to dweight and dbias. */
void batchnorm_backward(batchnorm *n, const double *sum, const double *product, const float *weight,
                        float *dweight, float *dbias);
/* totals: sums of t and t (y - mean), t being the tangent of y. */
void batchnorm_jvp(batchnorm *n, const double *sum, const double *product, const float *weight,
                   const float *tweight, const float *tbias);
/* running += momentum 0.1 * (batch - running), the variance unbiased. */
void batchnorm_update(const batchnorm *n, float *running_mean, float *running_variance);
/* The map that normalises with running statistics, z = scale y + shift, for folding into weights.
 */
void batchnorm_fold(int channels, const float *running_mean, const float *running_variance,
                    const float *weight, const float *bias, float *scale, float *shift);

#endif
