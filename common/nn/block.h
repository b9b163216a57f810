/* Blocks of pixels on their way into and out of matrix products: what is applied while loading an
   operand (normalisation, ReLU, their derivatives) and while storing a result (masks, sums of
   statistics).

   Tensors are (pixels, C), pixels in NHWC order, C padded with zeros to a multiple of
   CHANNEL_MULTIPLE; elements are float or bfloat16, by the type of the kernels. Coefficients are
   (C) floats, zero where channels are padded. */
#ifndef BLADES_NN_BLOCK_H
#define BLADES_NN_BLOCK_H

#include "nn/matrix.h"

#include <stdint.h>

#define CHANNEL_MULTIPLE 16

static inline int channels_padded(int channels)
{
    return (channels + CHANNEL_MULTIPLE - 1) / CHANNEL_MULTIPLE * CHANNEL_MULTIPLE;
}

typedef enum operand_kind {
    OPERAND_PLAIN,   /* x */
    OPERAND_AFFINE,  /* a x + b */
    OPERAND_RELU,    /* max(a x + b, 0): normalised and rectified */
    OPERAND_LINEAR,  /* c1 x + c2 y + c3: the gradient or tangent of a normalisation */
    OPERAND_TANGENT, /* [a y + b > 0] (c1 x + c2 y + c3): the tangent of RELU */
} operand_kind;

/* A tensor as a product sees it. */
typedef struct operand {
    operand_kind kind;
    const void *x, *y;
    const float *a, *b, *c1, *c2, *c3;
} operand;

typedef enum result_kind {
    RESULT_RAW,        /* to = v, or v + add */
    RESULT_STATISTICS, /* to = v; sums: mean of the block, squared deviations from it */
    RESULT_TANGENT,    /* to = v; sums: v, v (y - mean) */
    RESULT_MASKED,     /* to = g = [a y + b > 0] v; sums: g, g (y - mean) */
    RESULT_JOIN,       /* to = g = [z > 0] (v + add); sums: g, g (y - mean), g (y2 - mean2) */
    RESULT_FOLDED,     /* to = v + b (+ add), rectified with `relu` */
} result_kind;

/* What becomes of a product v. `add` may be NULL, or be `to`; y2 may be NULL. */
typedef struct result {
    result_kind kind;
    void *to;
    const void *add, *y, *y2, *z;
    const float *a, *b, *mean, *mean2;
    bool relu;
} result;

/* Sums of one block: RESULT_SUMS rows of C floats. */
#define RESULT_SUMS 3

/* Kernels of one type for one instruction set; all run on the calling thread. */
typedef struct block_kernels {
    matrix_type type;
    size_t size; /* bytes of an element */

    /* to (n, C; row stride ld) = pixels first..first+n-1 of the operand. */
    void (*load)(void *to, long ld, const operand *o, long first, int n, int C);
    /* Pixels first..first+n-1 of the result from v (n, C; row stride C), which may be r->to itself
       when elements are floats. `sums` may be NULL for kinds without any. */
    void (*store)(const result *r, const float *v, long first, int n, int C, float *sums);
    /* to = max(p + q, 0), or [z > 0] (p + q) when z is given; p AFFINE or LINEAR, q PLAIN, AFFINE
       or LINEAR. */
    void (*join)(void *to, const operand *p, const operand *q, const void *z, long first, int n,
                 int C);
    /* Conversion of n elements, a multiple of CHANNEL_MULTIPLE. */
    void (*widen)(float *to, const void *from, long n);
    void (*narrow)(void *to, const float *from, long n);

    /* Max pooling of one output row (width out_width): `to` and `index` (place in the window) point
       at that row; x is an operand whose pixel `first` is the image's first. */
    void (*max_row)(void *to, uint8_t *index, const operand *x, long first, const int window[3],
                    int height, int width, int out_row, int out_width, int C);
    /* to (width, C) = gradient of one input row from the image's gradient g and index (out pixels,
     * C). */
    void (*max_row_gradient)(float *to, const void *g, const uint8_t *index, const int window[3],
                             int row, int width, int out_height, int out_width, int C);
    /* to (out_width, C) = the operand where index says. */
    void (*max_row_select)(void *to, const uint8_t *index, const operand *x, long first,
                           const int window[3], int height, int width, int out_row, int out_width,
                           int C);

    /* Winograd F(2x2, 3x3), Lavin and Gray 2016; padding 1. Planes are 16 matrices (tiles,
       channels). One row of tiles of the image whose first pixel is `first`: V (tiles, ld), planes
       `plane` elements apart. */
    void (*winograd_input)(void *V, long plane, long ld, const operand *o, long first, int height,
                           int width, int C, int tile_row);
    /* The outputs of one row of tiles, to (1 or 2 rows of pixels, C). */
    void (*winograd_output)(float *to, const float *M, long plane, long ld, int height, int width,
                            int C, int tile_row);
    /* The outputs' gradient dy, for the gradient of the weights: E as V, from one row of tiles.
       What the operand gives is written to `room` as well unless that is NULL. */
    void (*winograd_gradient)(void *E, long plane, long ld, const operand *dy, void *room,
                              long first, int height, int width, int C, int tile_row);
    /* U (16 planes of `plane` floats) at elements c..c+n-1 from w (9 places, `place` floats apart).
     */
    void (*winograd_weights)(float *U, long plane, const float *w, long place, long n);
    /* Its transpose: dw from the planes' gradients. */
    void (*winograd_weights_gradient)(float *dw, long place, const float *dU, long plane, long n);
} block_kernels;

const block_kernels *block_kernels_get(matrix_type type);

#endif
