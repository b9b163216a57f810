/* CLIP's activation: y = x sigmoid(1.702 x). */
#ifndef BLADES_NN_QUICKGELU_H
#define BLADES_NN_QUICKGELU_H

#include <stddef.h>

/* y (count) from x (count); y may be x. */
void quickgelu_forward(float *y, const float *x, size_t count);
/* dx (count) = dy times the derivative at x; dx may be dy. */
void quickgelu_backward(float *dx, const float *dy, const float *x, size_t count);
/* The same product: the derivative is diagonal. y_tangent may be x_tangent. */
void quickgelu_jvp(float *y_tangent, const float *x_tangent, const float *x, size_t count);

#endif
