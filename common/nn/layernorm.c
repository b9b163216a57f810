/* Layer normalisation over rows. Moments are summed in double: rows are short and this costs
 * little. */
#include "nn/layernorm.h"

#include <math.h>
#include <stddef.h>

static const double epsilon = 1e-5;

static void row_moments(const float *x, int width, float *mean, float *scale)
{
    double sum = 0, squares = 0;
    for (int j = 0; j < width; j++) sum += x[j];
    double centre = sum / width;
    for (int j = 0; j < width; j++) squares += (x[j] - centre) * (x[j] - centre);
    *mean = (float)centre;
    *scale = (float)(1 / sqrt(squares / width + epsilon));
}

void layernorm_forward(float *y, const float *x, const float *gain, const float *bias, int n,
                       int width)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * width;
        float *out = y + (size_t)i * width, mean, scale;
        row_moments(row, width, &mean, &scale);
        for (int j = 0; j < width; j++) out[j] = (row[j] - mean) * scale * gain[j] + bias[j];
    }
}

void layernorm_backward(float *dx, float *dgain, float *dbias, const float *dy, const float *x,
                        const float *gain, int n, int width)
{
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * width, *from = dy + (size_t)i * width;
        float *to = dx + (size_t)i * width, mean, scale;
        double sum = 0, product = 0;
        row_moments(row, width, &mean, &scale);
        for (int j = 0; j < width; j++) {
            float normal = (row[j] - mean) * scale, d = from[j] * gain[j];
            dgain[j] += from[j] * normal;
            dbias[j] += from[j];
            sum += d;
            product += d * normal;
        }
        float average = (float)(sum / width), slope = (float)(product / width);
        for (int j = 0; j < width; j++) {
            float normal = (row[j] - mean) * scale;
            to[j] += scale * (from[j] * gain[j] - average - normal * slope);
        }
    }
}

void layernorm_jvp(float *y_tangent, const float *x_tangent, const float *x, const float *gain,
                   const float *gain_tangent, const float *bias_tangent, int n, int width)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++) {
        const float *row = x + (size_t)i * width, *tangent = x_tangent + (size_t)i * width;
        float *out = y_tangent + (size_t)i * width, mean, scale;
        double sum = 0, product = 0;
        row_moments(row, width, &mean, &scale);
        for (int j = 0; j < width; j++) {
            sum += tangent[j];
            product += (double)tangent[j] * ((row[j] - mean) * scale);
        }
        float average = (float)(sum / width), slope = (float)(product / width);
        for (int j = 0; j < width; j++) {
            float normal = (row[j] - mean) * scale;
            out[j] = gain[j] * scale * (tangent[j] - average - normal * slope) +
                     gain_tangent[j] * normal + bias_tangent[j];
        }
    }
}
