/* The rectifier: y = max(x, 0); its derivative at 0 is 0. Convolutions fuse it into their loading
   and storing (nn/block.h). */
#ifndef BLADES_NN_RELU_H
#define BLADES_NN_RELU_H

#include <stddef.h>

/* y (count) from x (count); y may be x. NaN stays NaN. */
void relu_forward(float *y, const float *x, size_t count);
/* dx (count) = dy where x > 0, else 0; y serves as x. dx may be dy. */
void relu_backward(float *dx, const float *dy, const float *x, size_t count);
/* The same product: the derivative is diagonal. y_tangent may be x_tangent. */
void relu_jvp(float *y_tangent, const float *x_tangent, const float *x, size_t count);

#endif
