/* Gradients of convolutions, of the weights and of the input. */
#include "nn/convolution.h"

#include "nn/convolution_parts.h"

#include <string.h>

/* Rows of output pixels are summed into the weights' gradient in lanes: each lane is a run of
   blocks whose sum one thread makes in its own memory; the lanes' sums are added in order. So the
   result does not depend on the threads, and no thread has to wait long. Few rows get few lanes,
   since each costs a pass over the weights. */
typedef struct lanes {
    long pixels;
    int rows;   /* of a block */
    int blocks; /* all of them */
    int count, blocks_each;
} lanes;

static lanes lanes_of(long pixels, int columns)
{
    int count = pixels > 16 * 512 ? 16 : maximum(4, (int)(pixels / 512));
    long lane = blocks_of(pixels, count), bound = block_rows(1L << 40, columns, BLOCK_BACKWARD);
    lanes l = {.pixels = pixels, .blocks_each = (int)blocks_of(lane, bound)};
    l.rows = (int)blocks_of(blocks_of(lane, l.blocks_each), 6) * 6;
    l.blocks = (int)blocks_of(pixels, l.rows);
    l.count = (int)blocks_of(l.blocks, l.blocks_each);
    return l;
}

/* One pass backward through the blocks. */
typedef struct pass {
    const convolution *c;
    const workspace *w;
    const operand *x, *dy;
    void *room;             /* where dy is kept; NULL: nowhere */
    const void *transposed; /* packed; NULL: no gradient of x here */
    const result *dx;
} pass;

/* One block: dense += windows^T dy, and for direct convolutions the gradient of x as well. */
static void block_backward(const pass *p, const lanes *l, int block, float *dense, arena buffer)
{
    const convolution *c = p->c;
    const workspace *w = p->w;
    size_t size = w->block->size;
    long first = (long)block * l->rows, ldx = stride_of(w, c->depth),
         ldd = stride_of(w, c->out_padded);
    int n = (int)(l->pixels - first < l->rows ? l->pixels - first : l->rows);
    void *a = arena_take(&buffer, (size_t)l->rows * (size_t)ldx * size);
    void *d = arena_take(&buffer, (size_t)l->rows * (size_t)ldd * size);
    w->block->load(d, ldd, p->dy, first, n, c->out_padded);
    if (p->room) {
        size_t row = (size_t)c->out_padded * size;
        for (int r = 0; r < n; r++)
            memcpy((char *)p->room + (size_t)(first + r) * row,
                   (char *)d + (size_t)(r * ldd) * size, row);
    }
    void *from = a;
    if (c->direct && p->x->kind == OPERAND_PLAIN) {
        from = (char *)p->x->x + (size_t)first * (size_t)c->in_padded * size;
        ldx = c->in_padded;
    } else {
        windows_gather(c, w, p->x, first, n, a, ldx);
    }
    windows_weights_backward(c, w, from, ldx, d, ldd, n, dense, buffer);
    if (!p->transposed) return;
    float *v = arena_take(&buffer, (size_t)l->rows * (size_t)c->in_padded * sizeof(float));
    w->matrix->nn(n, c->in_padded, c->out_padded, d, ldd, p->transposed, v, c->in_padded, false);
    w->block->store(p->dx, v, first, n, c->in_padded,
                    sums_of_block(w, p->dx->kind, block, c->in_padded, n));
}

static void lanes_backward(const pass *p, const lanes *l, float *dW)
{
    long ld = sums_row(p->c->out_padded);
    size_t dense_size = (size_t)(p->c->depth * ld) * sizeof(float);
    int threads = workspace_threads(p->w, (double)l->pixels * (double)dense_size / 64);
#pragma omp parallel for schedule(dynamic, 1) ordered num_threads(threads)
    for (int lane = 0; lane < l->count; lane++) {
        arena buffer = workspace_thread(p->w);
        float *dense = arena_take(&buffer, dense_size);
        memset(dense, 0, dense_size);
        int end = minimum(l->blocks, (lane + 1) * l->blocks_each);
        for (int b = lane * l->blocks_each; b < end; b++) block_backward(p, l, b, dense, buffer);
#pragma omp ordered
        weights_reduce(p->c, dense, ld, dW);
    }
}

/* v (height, width, in) += the gradients `from` (n, depth) of the windows of output pixels first..
   of one image. */
static void windows_scatter(const convolution *c, const float *from, int first, int n, float *v)
{
    for (int r = first; r < first + n; r++) {
        int top = r / c->out_width * c->stride - c->padding;
        int left = r % c->out_width * c->stride - c->padding;
        for (int i = 0; i < c->kernel_height; i++)
            for (int j = 0; j < c->kernel_width; j++, from += c->in_padded) {
                int h = top + i, k = left + j;
                if (h < 0 || k < 0 || h >= c->height || k >= c->width) continue;
                float *to = v + ((long)h * c->width + k) * c->in_padded;
                for (int channel = 0; channel < c->in_padded; channel++)
                    to[channel] += from[channel];
            }
    }
}

/* The gradient of x of one image from dy as it is in memory, via the windows' gradients. */
static void image_backward(const convolution *c, const workspace *w, const void *dy,
                           const void *transposed, const result *dx, int image)
{
    arena buffer = workspace_thread(w);
    int pixels = c->out_height * c->out_width, inputs = c->height * c->width;
    int rows = block_rows(1L << 40, c->depth + c->out_padded, BLOCK_FORWARD);
    float *v = arena_take(&buffer, (size_t)inputs * (size_t)c->in_padded * sizeof(float));
    float *windows = arena_take(&buffer, (size_t)rows * (size_t)c->depth * sizeof(float));
    memset(v, 0, (size_t)inputs * (size_t)c->in_padded * sizeof(float));
    for (int first = 0; first < pixels; first += rows) {
        int n = minimum(rows, pixels - first);
        const char *d = (const char *)dy + ((size_t)image * (size_t)pixels + (size_t)first) *
                                               (size_t)c->out_padded * w->block->size;
        windows_backward(c, w, d, c->out_padded, n, transposed, windows, buffer);
        windows_scatter(c, windows, first, n, v);
    }
    w->block->store(dx, v, (long)image * inputs, inputs, c->in_padded,
                    sums_of_block(w, dx->kind, image, c->in_padded, inputs));
}

/* The gradient of x from the kept dy, image by image. */
static void images_backward(const convolution *c, const workspace *w, const void *dy,
                            const void *transposed, const result *dx, int n)
{
    int threads = workspace_threads(w, (double)n * c->out_height * c->out_width * c->depth *
                                           c->out_padded / 16);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int i = 0; i < n; i++) image_backward(c, w, dy, transposed, dx, i);
}

static void result_total(const convolution *c, const workspace *w, const result *dx, int blocks)
{
    if (dx->kind == RESULT_MASKED || dx->kind == RESULT_JOIN)
        sums_total(w, dx->kind, blocks, c->in_padded);
}

static void transposed_pack(const convolution *c, const workspace *w, const float *W, void *packed)
{
    if (c->groups > 1) {
        groups_pack(c, w, W, true, packed);
        return;
    }
    float *room = (float *)w->shared;
    const float *dense = weights_dense(c, W, NULL, room);
    if (c->winograd)
        winograd_pack(w, dense, c->in_padded, c->out_padded, true, room + weights_dense_size(c),
                      packed);
    else
        w->matrix->pack(c->out_padded, c->depth, dense, 1, c->out_padded, packed);
}

/* The shared buffer holds dense weights, planes, packed planes, transformed tiles; the first two
   serve for the gradients once the weights are packed. */
static void winograd_backward(const convolution *c, const workspace *w, const operand *x,
                              const operand *dy, void *room, const float *W, float *dW,
                              const result *dx, int n)
{
    char *packed = w->shared + packed_offset(c), *buffer = packed + packed_transposed_size(c, w);
    float *dense = (float *)w->shared, *planes = dense + weights_dense_size(c);
    if (dx) transposed_pack(c, w, W, packed);
    winograd_weights_backward(w, x, dy, dx ? room : NULL, c->height, c->width, c->in_padded,
                              c->out_padded, n, dense, planes, buffer);
    weights_reduce(c, dense, c->out_padded, dW);
    if (!dx) return;
    operand plain = {.kind = OPERAND_PLAIN, .x = room};
    term t = {.x = &plain, .packed = packed};
    winograd_apply(w, &t, 1, c->height, c->width, c->out_padded, c->in_padded, dx, n);
    result_total(c, w, dx, winograd_blocks(c->height, c->width, c->out_padded, c->in_padded, n));
}

void convolution_backward(const convolution *c, const workspace *w, const operand *x,
                          const operand *dy, void *room, const float *W, float *dW,
                          const result *dx, int n)
{
    if (c->winograd) {
        winograd_backward(c, w, x, dy, room, W, dW, dx, n);
        return;
    }
    lanes l = lanes_of((long)n * c->out_height * c->out_width, c->depth + c->out_padded);
    pass p = {.c = c, .w = w, .x = x, .dy = dy};
    char *packed = w->shared + packed_offset(c);
    if (dx) transposed_pack(c, w, W, packed);
    if (dx && c->direct) {
        p.transposed = packed;
        p.dx = dx;
    }
    if (dx && !c->direct) p.room = room;
    lanes_backward(&p, &l, dW);
    if (!dx) return;
    int blocks = l.blocks;
    if (!c->direct) {
        images_backward(c, w, room, packed, dx, n);
        blocks = n;
    }
    result_total(c, w, dx, blocks);
}
