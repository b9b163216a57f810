/* What the sources of the convolution share; not for others. */
#ifndef BLADES_NN_CONVOLUTION_PARTS_H
#define BLADES_NN_CONVOLUTION_PARTS_H

#include "nn/convolution.h"

/* One summand of a convolution: an operand and packed weights. */
typedef struct term {
    const operand *x;
    const void *packed;
} term;

static inline int minimum(int a, int b)
{
    return a < b ? a : b;
}

static inline int maximum(int a, int b)
{
    return a > b ? a : b;
}

static inline long blocks_of(long rows, long block)
{
    return (rows + block - 1) / block;
}

/* Row stride of a block in elements: never a power of two. */
static inline long stride_of(const workspace *w, int columns)
{
    return columns + (w->block->size == 2 ? 32 : 16);
}

/* Row stride of sums of `out` columns: rows of a power of two would share cache sets. */
static inline long sums_row(int out)
{
    return out + 16;
}

/* Floats of operand and result in a block. Forward: the second-level cache. Backward more, since
   each block goes over the gradient of all weights. */
#define BLOCK_FORWARD (1L << 18)
#define BLOCK_BACKWARD (1L << 20)

/* Rows of one block, when a row takes `columns` floats and there are `rows` of them. */
int block_rows(long rows, int columns, long floats);

/* Gathers the windows of output pixels first..first+n-1 into a (n, depth; row stride ld). */
void windows_gather(const convolution *c, const workspace *w, const operand *x, long first, int n,
                    void *a, long ld);

/* Products of a block of gathered windows a (n, depth; row stride lda), one for each group; packed
   weights are convolution_pack's or, transposed, packed for the gradient of the input. `buffer` has
   groups_scratch_size bytes left.
   v (n, out_padded) = or += a W. */
void windows_apply(const convolution *c, const workspace *w, void *a, long lda, int n,
                   const void *packed, float *v, bool accumulate, arena buffer);
/* sums (rows of the weights, out; row stride sums_row) += a^T d, d (n, out_padded; row stride ldd).
 */
void windows_weights_backward(const convolution *c, const workspace *w, void *a, long lda,
                              const void *d, long ldd, int n, float *sums, arena buffer);
/* windows (n, depth) = d W^T. */
void windows_backward(const convolution *c, const workspace *w, const void *d, long ldd, int n,
                      const void *transposed, float *windows, arena buffer);
/* Weights of more than one group, packed for windows_apply or windows_backward. */
void groups_pack(const convolution *c, const workspace *w, const float *W, bool transposed,
                 void *packed);
size_t groups_packed_size(const convolution *c, const workspace *w, bool transposed);
size_t groups_scratch_size(const convolution *c, const workspace *w, int rows);

/* Of one group: W as a dense matrix (kernel places * in_padded, out_padded): W itself if it is one,
   else written to `room`. `scale` (out) multiplies the columns; NULL: 1. */
const float *weights_dense(const convolution *c, const float *W, const float *scale, float *room);
size_t weights_dense_size(const convolution *c);
/* dW (places, in / groups, out) += the elements of sums whose rows are `ld` apart: of a dense
   matrix, or with groups of one as W is. */
void weights_reduce(const convolution *c, const float *sums, long ld, float *dW);

/* The shared buffer: first room for dense weights (and Winograd's planes), at this offset packed
 * ones. */
size_t packed_offset(const convolution *c);
/* Bytes of the packed transposed weights, for the gradient of the input. */
size_t packed_transposed_size(const convolution *c, const workspace *w);

/* Winograd's way. The packed planes of dense weights, of the transposed convolution with `flipped`;
   `room` holds 16 planes of floats. */
size_t winograd_packed_size(const workspace *w, int in, int out);
void winograd_pack(const workspace *w, const float *dense, int in, int out, bool flipped,
                   float *room, void *packed);
/* Sums the terms: (n, height, width, in) to (n, height, width, out), both padded. */
void winograd_apply(const workspace *w, const term *terms, int count, int height, int width, int in,
                    int out, const result *y, int n);
/* dense (9 places, in, out) = the gradient of dense weights; dy is kept in `room` (as operand dy;
   may be its x). dU: room for 16 planes of in *
   sums_row(out) floats; `buffer`: winograd_gradient_size bytes,
   64-byte aligned. */
void winograd_weights_backward(const workspace *w, const operand *x, const operand *dy, void *room,
                               int height, int width, int in, int out, int n, float *dense,
                               float *dU, void *buffer);
size_t winograd_gradient_size(const workspace *w, int height, int width, int in, int out);
/* Bytes of scratch a thread needs for it. */
size_t winograd_gradient_scratch(const workspace *w, int height, int width, int in, int out);
size_t winograd_thread_size(int height, int width, int in, int out);
int winograd_blocks(int height, int width, int in, int out, int n);

#endif
