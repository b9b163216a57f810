/* Linear layers: y = x W^T + b, with W (out, in) as PyTorch's nn.Linear, or y = x W, with W (in,
   out) as CLIP's projections. Rows are spread over the threads; results do not depend on their
   number. */
#ifndef BLADES_NN_LINEAR_H
#define BLADES_NN_LINEAR_H

#include "cli/error.h"

#include <stddef.h>

typedef struct linear_shape {
    int n, in, out;
    bool input_major; /* W is (in, out) */
} linear_shape;

/* Memory that the functions work in, enough for the largest shape added. Start from
   `linear_workspace w = {0}`, add all shapes, allocate. */
typedef struct linear_workspace {
    size_t packed_size, scratch_size;
    int threads;
    unsigned char *packed, *scratch; /* 64-byte aligned */
} linear_workspace;

void linear_workspace_add(linear_workspace *w, linear_shape s);
bool linear_workspace_allocate(linear_workspace *w, error *e);
void linear_workspace_free(linear_workspace *w);

/* y (n, out) = x (n, in) W + bias (out, or NULL); with accumulate y += that. */
void linear_forward(float *y, const float *x, const float *weight, const float *bias,
                    linear_shape s, bool accumulate, linear_workspace *w);
/* dx (n, in, or NULL) = dy W^T; dweight += x^T dy in the weight's own order; dbias (or NULL) += the
   sum of dy's rows. */
void linear_backward(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                     const float *weight, linear_shape s, linear_workspace *w);
/* y_tangent (n, out) = x_tangent W + x weight_tangent + bias_tangent; a NULL x_tangent is zero.
   With accumulate +=. */
void linear_jvp(float *y_tangent, const float *x_tangent, const float *x, const float *weight,
                const float *weight_tangent, const float *bias_tangent, linear_shape s,
                bool accumulate, linear_workspace *w);

#endif
