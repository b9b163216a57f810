/* The rectifier. */
#include "nn/relu.h"

void relu_forward(float *y, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] = x[i] <= 0 ? 0 : x[i];
}

void relu_backward(float *dx, const float *dy, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) dx[i] = x[i] > 0 ? dy[i] : 0;
}

void relu_jvp(float *y_tangent, const float *x_tangent, const float *x, size_t count)
{
    relu_backward(y_tangent, x_tangent, x, count);
}
