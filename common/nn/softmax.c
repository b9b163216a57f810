/* Softmax of rows. */
#include "nn/softmax.h"

#include <math.h>

void softmax_forward(float *p, const float *z, int n, int classes)
{
    for (int i = 0; i < n; i++, p += classes, z += classes) {
        float largest = z[0], sum = 0;
        for (int k = 1; k < classes; k++) largest = z[k] > largest ? z[k] : largest;
        for (int k = 0; k < classes; k++) sum += p[k] = expf(z[k] - largest);
        for (int k = 0; k < classes; k++) p[k] /= sum;
    }
}

void softmax_forward_double(double *p, const double *z, int n, int classes)
{
    for (int i = 0; i < n; i++, p += classes, z += classes) {
        double largest = z[0], sum = 0;
        for (int k = 1; k < classes; k++) largest = z[k] > largest ? z[k] : largest;
        for (int k = 0; k < classes; k++) sum += p[k] = exp(z[k] - largest);
        for (int k = 0; k < classes; k++) p[k] /= sum;
    }
}

void softmax_backward(float *dz, const float *dp, const float *p, int n, int classes)
{
    for (int i = 0; i < n; i++, dz += classes, dp += classes, p += classes) {
        float mean = 0;
        for (int k = 0; k < classes; k++) mean += p[k] * dp[k];
        for (int k = 0; k < classes; k++) dz[k] = p[k] * (dp[k] - mean);
    }
}

void softmax_jvp(float *p_tangent, const float *z_tangent, const float *p, int n, int classes)
{
    softmax_backward(p_tangent, z_tangent, p, n, classes);
}
