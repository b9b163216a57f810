/* The products of a block of gathered windows, and those of groups: each group's columns of the
   windows are brought together and multiplied by the group's own weights. */
#include "nn/convolution_parts.h"

#include <string.h>

/* Rows of a group's weights, and channels of one place in a window. */
static int group_depth(const convolution *c)
{
    return c->kernel_height * c->kernel_width * (c->in / c->groups);
}

static int place_channels(const convolution *c)
{
    return c->bordered ? c->in : c->in_padded;
}

static size_t aligned(size_t size)
{
    return (size + 63) / 64 * 64;
}

static size_t group_packed_size(const convolution *c, const workspace *w, bool transposed)
{
    int K = group_depth(c), out = c->out / c->groups;
    return aligned(transposed ? w->matrix->packed_size(out, K) : w->matrix->packed_size(K, out));
}

size_t groups_packed_size(const convolution *c, const workspace *w, bool transposed)
{
    return (size_t)c->groups * group_packed_size(c, w, transposed);
}

size_t groups_scratch_size(const convolution *c, const workspace *w, int rows)
{
    if (c->groups == 1) return aligned(w->matrix->tn_scratch(c->depth, c->out_padded, rows));
    int K = group_depth(c);
    int out = c->out / c->groups;
    return (size_t)rows * (size_t)(stride_of(w, K + 1) + stride_of(w, out + 1)) * sizeof(float) +
           aligned(w->matrix->tn_scratch(K, out, rows)) + 3 * 4096;
}

void groups_pack(const convolution *c, const workspace *w, const float *W, bool transposed,
                 void *packed)
{
    int K = group_depth(c), out = c->out / c->groups;
    size_t size = group_packed_size(c, w, transposed);
    for (int g = 0; g < c->groups; g++) {
        char *to = (char *)packed + (size_t)g * size;
        if (transposed)
            w->matrix->pack(out, K, W + g * out, 1, c->out, to);
        else
            w->matrix->pack(K, out, W + g * out, c->out, 1, to);
    }
}

/* Copies the columns of group g between whole windows (n, depth; row stride ld) and the group's own
   (n, group_depth; row stride own), in either direction. Rows of bfloat16 end with a zero. */
static void group_columns(const convolution *c, size_t size, int g, int n, char *windows, long ld,
                          char *columns, long own, bool gather)
{
    int places = c->kernel_height * c->kernel_width, channels = c->in / c->groups;
    size_t run = (size_t)channels * size, step = (size_t)place_channels(c) * size;
    for (int r = 0; r < n; r++) {
        char *whole = windows + (size_t)(r * ld) * size + (size_t)g * run;
        char *part = columns + (size_t)(r * own) * size;
        for (int p = 0; p < places; p++, whole += step, part += run)
            if (gather)
                memcpy(part, whole, run);
            else
                memcpy(whole, part, run);
        if (gather) memset(part, 0, size);
    }
}

void windows_apply(const convolution *c, const workspace *w, void *a, long ld, int n,
                   const void *packed, float *v, bool accumulate, arena buffer)
{
    if (c->groups == 1) {
        w->matrix->nn(n, c->out_padded, c->depth, a, ld, packed, v, c->out_padded, accumulate);
        return;
    }
    int K = group_depth(c), out = c->out / c->groups;
    long own = stride_of(w, K + K % 2);
    char *columns = arena_take(&buffer, (size_t)n * (size_t)own * w->block->size);
    if (!accumulate && c->out < c->out_padded)
        memset(v, 0, (size_t)n * (size_t)c->out_padded * sizeof *v);
    for (int g = 0; g < c->groups; g++) {
        group_columns(c, w->block->size, g, n, a, ld, columns, own, true);
        w->matrix->nn(n, out, K, columns, own,
                      (const char *)packed + (size_t)g * group_packed_size(c, w, false),
                      v + g * out, c->out_padded, accumulate);
    }
}

void windows_weights_backward(const convolution *c, const workspace *w, void *a, long lda,
                              const void *d, long ldd, int n, float *sums, arena buffer)
{
    long ld = sums_row(c->out_padded);
    if (c->groups == 1) {
        void *scratch = arena_take(&buffer, w->matrix->tn_scratch(c->depth, c->out_padded, n));
        w->matrix->tn(c->depth, c->out_padded, n, a, lda, d, ldd, sums, ld, scratch);
        return;
    }
    int K = group_depth(c), out = c->out / c->groups;
    long own = stride_of(w, K + K % 2);
    char *columns = arena_take(&buffer, (size_t)n * (size_t)own * w->block->size);
    void *scratch = arena_take(&buffer, w->matrix->tn_scratch(K, out, n));
    for (int g = 0; g < c->groups; g++) {
        group_columns(c, w->block->size, g, n, a, lda, columns, own, true);
        w->matrix->tn(K, out, n, columns, own, (const char *)d + (size_t)(g * out) * w->block->size,
                      ldd, sums + g * out, ld, scratch);
    }
}

void windows_backward(const convolution *c, const workspace *w, const void *d, long ldd, int n,
                      const void *transposed, float *windows, arena buffer)
{
    if (c->groups == 1) {
        w->matrix->nn(n, c->depth, c->out_padded, d, ldd, transposed, windows, c->depth, false);
        return;
    }
    int K = group_depth(c), out = c->out / c->groups;
    float *columns = arena_take(&buffer, (size_t)n * (size_t)K * sizeof(float));
    char *room = arena_take(&buffer, (size_t)n * (size_t)stride_of(w, out + 1) * w->block->size);
    memset(windows, 0, (size_t)n * (size_t)c->depth * sizeof *windows);
    for (int g = 0; g < c->groups; g++) {
        /* A group with an odd number of channels needs an element of its own behind them. */
        const char *from = (const char *)d + (size_t)(g * out) * w->block->size;
        long stride = ldd;
        if (out % 2) {
            stride = stride_of(w, out + 1);
            for (int r = 0; r < n; r++) {
                char *to = room + (size_t)(r * stride) * w->block->size;
                memcpy(to, from + (size_t)(r * ldd) * w->block->size, (size_t)out * w->block->size);
                memset(to + (size_t)out * w->block->size, 0, w->block->size);
            }
            from = room;
        }
        w->matrix->nn(n, K, out, from, stride,
                      (const char *)transposed + (size_t)g * group_packed_size(c, w, true), columns,
                      K, false);
        group_columns(c, sizeof(float), g, n, (char *)windows, c->depth, (char *)columns, K, false);
    }
}
