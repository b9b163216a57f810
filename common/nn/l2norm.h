/* Rows scaled to unit length: y = x / max(|x|, 1e-12), as PyTorch's normalize. Computed in double:
   cosines are differences of nearly equal numbers where embeddings agree. */
#ifndef BLADES_NN_L2NORM_H
#define BLADES_NN_L2NORM_H

#include <stddef.h>

/* y (n, width) and length (n), what the rows were divided by, from x (n, width). */
void l2norm_forward(double *y, double *length, const float *x, int n, int width);
/* dx (n, width) = (dy - (dy . y) y) / length: the part of dy across y; a row too short to be scaled
   has been divided by a constant. dx may be dy. */
void l2norm_backward(double *dx, const double *dy, const double *y, const double *length, int n,
                     int width);
/* The same product: the Jacobian is symmetric. y_tangent may be x_tangent. */
void l2norm_jvp(double *y_tangent, const double *x_tangent, const double *y, const double *length,
                int n, int width);

/* One row in float32, as embeddings are stored; a row of zeros stays. Returns the length that it
   had: not finite where one of its values is not. `to` may be `from`. */
double l2norm_row(float *to, const float *from, size_t width);

#endif
