/* The maps of batch normalisation, computed per channel in double. */
#include "nn/batchnorm.h"

#include <math.h>

#define EPSILON 1e-5
#define MOMENTUM 0.1

static void map_set(batchnorm *n, int c, double mean, double variance, double weight, double bias)
{
    double rstd = 1 / sqrt(variance + EPSILON), a = weight * rstd;
    n->mean[c] = (float)mean;
    n->variance[c] = (float)variance;
    n->rstd[c] = (float)rstd;
    n->a[c] = (float)a;
    n->b[c] = (float)(bias - mean * a);
}

void batchnorm_forward(batchnorm *n, const double *totals, double count, const float *weight,
                       const float *bias)
{
    n->frozen = false;
    n->count = count;
    for (int c = 0; c < n->channels; c++)
        map_set(n, c, totals[c], totals[n->padded + c], weight[c], bias[c]);
    for (int c = n->channels; c < n->padded; c++) map_set(n, c, 0, 0, 0, 0);
}

void batchnorm_forward_frozen(batchnorm *n, const float *running_mean,
                              const float *running_variance, const float *weight, const float *bias)
{
    n->frozen = true;
    n->count = 1;
    for (int c = 0; c < n->channels; c++)
        map_set(n, c, running_mean[c], running_variance[c], weight[c], bias[c]);
    for (int c = n->channels; c < n->padded; c++) map_set(n, c, 0, 0, 0, 0);
}

/* c1 g + c2 (y - mean) + shift */
static void linear_set(batchnorm *n, int c, double c1, double c2, double shift)
{
    n->c1[c] = (float)c1;
    n->c2[c] = (float)c2;
    n->c3[c] = (float)(shift - c2 * n->mean[c]);
}

void batchnorm_backward(batchnorm *n, const double *sum, const double *product, const float *weight,
                        float *dweight, float *dbias)
{
    for (int c = 0; c < n->channels; c++) {
        double rstd = n->rstd[c], gradient = rstd * product[c], c1 = weight[c] * rstd;
        dweight[c] += (float)gradient;
        dbias[c] += (float)sum[c];
        if (n->frozen)
            linear_set(n, c, c1, 0, 0);
        else
            linear_set(n, c, c1, -c1 * rstd * gradient / n->count, -c1 * sum[c] / n->count);
    }
    for (int c = n->channels; c < n->padded; c++) linear_set(n, c, 0, 0, 0);
}

void batchnorm_jvp(batchnorm *n, const double *sum, const double *product, const float *weight,
                   const float *tweight, const float *tbias)
{
    for (int c = 0; c < n->channels; c++) {
        double rstd = n->rstd[c], c1 = weight[c] * rstd;
        double c2 = rstd * tweight[c], shift = tbias[c];
        if (!n->frozen) {
            c2 -= c1 * rstd * rstd * product[c] / n->count;
            shift -= c1 * sum[c] / n->count;
        }
        linear_set(n, c, c1, c2, shift);
    }
    for (int c = n->channels; c < n->padded; c++) linear_set(n, c, 0, 0, 0);
}

void batchnorm_update(const batchnorm *n, float *running_mean, float *running_variance)
{
    double unbiased = n->count > 1 ? n->count / (n->count - 1) : 1;
    for (int c = 0; c < n->channels; c++) {
        running_mean[c] = (float)((1 - MOMENTUM) * running_mean[c] + MOMENTUM * n->mean[c]);
        running_variance[c] =
            (float)((1 - MOMENTUM) * running_variance[c] + MOMENTUM * unbiased * n->variance[c]);
    }
}

void batchnorm_fold(int channels, const float *running_mean, const float *running_variance,
                    const float *weight, const float *bias, float *scale, float *shift)
{
    for (int c = 0; c < channels; c++) {
        double a = weight[c] / sqrt((double)running_variance[c] + EPSILON);
        scale[c] = (float)a;
        shift[c] = (float)(bias[c] - running_mean[c] * a);
    }
}
