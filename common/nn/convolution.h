/* Convolutions of any size, stride, padding and number of groups, NHWC.

   Input and output tensors are (n, height, width, C) with C padded to CHANNEL_MULTIPLE; weights W
   are (kernel_height, kernel_width, in / groups, out), not padded. Operands and results say what is
   done on loading and storing (nn/block.h). Work is cut into blocks of output pixels whose sizes
   depend on shapes alone, and sums are reduced in block order, so results have the same bytes for
   any number of threads.

   Three ways are taken: products of the input itself for 1x1 windows; Winograd's F(2x2, 3x3) for
   3x3 windows with stride 1; rows of gathered windows otherwise, a product for each group. */
#ifndef BLADES_NN_CONVOLUTION_H
#define BLADES_NN_CONVOLUTION_H

#include "nn/workspace.h"

typedef struct convolution {
    /* Set by the caller. */
    int height, width; /* of the input, without padding */
    int in, out;       /* channels */
    int kernel_height, kernel_width, stride, padding;
    int groups;
    /* The input is (n, height + 2 padding, width + 2 padding, in): its borders are stored and its
       channels are not padded. For images; it has no gradient or tangent. Room for 32 more elements
       must follow it. */
    bool bordered;
    /* Derived by convolution_start. */
    int out_height, out_width;
    int in_padded, out_padded;
    int depth;   /* elements of a gathered window */
    bool direct; /* 1x1, stride 1, no padding */
    bool winograd;
} convolution;

/* Derives sizes; raises `need` to what passes of up to n images take (backward and jvp only when
   `training`). Of w the kernels are used. */
void convolution_start(convolution *c, int n, const workspace *w, bool training,
                       workspace_need *need);

/* y = x * W. With a result that has sums, totals are in w->totals afterwards. */
void convolution_forward(const convolution *c, const workspace *w, const operand *x, const float *W,
                         const result *y, int n);

/* The tangent of y: tx * W + x * tW; a NULL tx is zero. */
void convolution_jvp(const convolution *c, const workspace *w, const operand *x, const operand *tx,
                     const float *W, const float *tW, const result *y, int n);

/* dW += gradient of the weights and, unless dx is NULL, the gradient of x goes to the result dx,
   whose totals are in w->totals afterwards. dy is the gradient of y. Unless the convolution is
   direct, `room` (as large as y; may be dy->x) is filled with it on the way. */
void convolution_backward(const convolution *c, const workspace *w, const operand *x,
                          const operand *dy, void *room, const float *W, float *dW,
                          const result *dx, int n);

/* A packed convolution for inference: weights times `scale` (out floats), packed into
   convolution_packed_size bytes; workspace_need as for forward. */
size_t convolution_packed_size(const convolution *c, const workspace *w);
void convolution_pack(const convolution *c, const workspace *w, const float *W, const float *scale,
                      void *packed);
void convolution_forward_packed(const convolution *c, const workspace *w, const operand *x,
                                const void *packed, const result *y, int n);

#endif
