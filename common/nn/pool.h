/* Pooling: maxima over windows, and the average over an image. NHWC, channels padded. */
#ifndef BLADES_NN_POOL_H
#define BLADES_NN_POOL_H

#include "nn/workspace.h"

typedef struct pool_max {
    /* Set by the caller: */
    int height, width; /* of the input */
    int channels;      /* padded */
    int window[3];     /* size, stride, padding; at most 15 wide */
    /* Derived by pool_max_start: */
    int out_height, out_width;
} pool_max;

/* Derives sizes; raises `need` for up to n images. */
void pool_max_start(pool_max *p, int n, workspace_need *need);

/* y (n, out_height, out_width, C) = maxima of x; index (as y; may be NULL) says which place of the
   window won. */
void pool_max_forward(const pool_max *p, const workspace *w, const operand *x, void *y,
                      uint8_t *index, int n);
/* The gradient of x from g, that of y. The totals of dx are in w->totals afterwards. */
void pool_max_backward(const pool_max *p, const workspace *w, const void *g, const uint8_t *index,
                       const result *dx, int n);
/* ty = the tangent tx at the winning places. */
void pool_max_jvp(const pool_max *p, const workspace *w, const operand *tx, const uint8_t *index,
                  void *ty, int n);

/* y (n, C) floats = average over the `pixels` pixels of each image x (n, pixels, C). Linear: its
 * jvp is itself. */
void pool_average_forward(const workspace *w, float *y, const void *x, int pixels, int C, int n);
/* The gradient of x from dy (n, C). The totals of dx are in w->totals afterwards. */
void pool_average_backward(const workspace *w, const float *dy, int pixels, int C, const result *dx,
                           int n);
void pool_average_start(int pixels, int C, int n, workspace_need *need);

#endif
