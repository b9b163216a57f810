/* Convolutions: sizes, gathering of windows, forward and JVP. */
#include "nn/convolution.h"

#include "cli/memory.h"
#include "nn/convolution_parts.h"

#include <string.h>

/* Blocks have about `floats` of operand and result, but enough rows to make use of the weights
   passing by; and there are enough blocks to share among threads. */
int block_rows(long rows, int columns, long floats)
{
    long block = floats / columns / 6 * 6;
    if (block < 96) block = 96;
    if (block > 480) block = 480;
    long shared = blocks_of(blocks_of(rows, 28), 6) * 6;
    return (int)(shared < block ? (shared < 48 ? 48 : shared) : block);
}

size_t weights_dense_size(const convolution *c)
{
    return (size_t)c->depth * (size_t)c->out_padded;
}

size_t convolution_packed_size(const convolution *c, const workspace *w)
{
    if (c->groups > 1) return groups_packed_size(c, w, false);
    size_t size = c->winograd ? winograd_packed_size(w, c->in_padded, c->out_padded)
                              : w->matrix->packed_size(c->depth, c->out_padded);
    return (size + 63) / 64 * 64;
}

size_t packed_transposed_size(const convolution *c, const workspace *w)
{
    if (c->groups > 1) return groups_packed_size(c, w, true);
    size_t size = c->winograd ? winograd_packed_size(w, c->out_padded, c->in_padded)
                              : w->matrix->packed_size(c->out_padded, c->depth);
    return (size + 63) / 64 * 64;
}

size_t packed_offset(const convolution *c)
{
    size_t floats = weights_dense_size(c);
    if (c->winograd) floats += 16 * (size_t)c->in_padded * (size_t)sums_row(c->out_padded);
    return (floats * sizeof(float) + 63) / 64 * 64;
}

static bool weights_are_dense(const convolution *c)
{
    return c->in == c->in_padded && c->out == c->out_padded && !c->bordered;
}

/* What block_rows gives at most. */
static size_t rows_bound(int columns, long floats)
{
    return (size_t)block_rows(1L << 40, columns, floats);
}

static void need_training(const convolution *c, const workspace *w, int n, workspace_need *need)
{
    size_t rows = rows_bound(c->depth + c->out_padded, BLOCK_BACKWARD),
           columns = (size_t)(c->depth + c->out_padded + 64);
    size_t image = (size_t)c->height * (size_t)c->width * (size_t)c->in_padded;
    size_t scratch = groups_scratch_size(c, w, (int)rows);
    need_raise(&need->thread,
               rows * columns * (w->block->size + sizeof(float)) + scratch +
                   (image + (size_t)c->depth * (size_t)sums_row(c->out_padded)) * sizeof(float) +
                   65536);
    need_sums(need, (size_t)maximum(n, (int)blocks_of((long)n * c->height * c->width, 48)),
              c->in_padded);
    if (!c->winograd) return;
    need_raise(&need->thread,
               winograd_thread_size(c->height, c->width, c->out_padded, c->in_padded));
    need_raise(&need->thread,
               winograd_gradient_scratch(w, c->height, c->width, c->in_padded, c->out_padded) +
                   4096);
    need_sums(need, (size_t)winograd_blocks(c->height, c->width, c->out_padded, c->in_padded, n),
              c->in_padded);
}

void convolution_start(convolution *c, int n, const workspace *w, bool training,
                       workspace_need *need)
{
    c->out_height = (c->height + 2 * c->padding - c->kernel_height) / c->stride + 1;
    c->out_width = (c->width + 2 * c->padding - c->kernel_width) / c->stride + 1;
    c->in_padded = channels_padded(c->in);
    c->out_padded = channels_padded(c->out);
    int places = c->kernel_height * c->kernel_width;
    c->depth = c->bordered ? channels_padded(places * c->in) : places * c->in_padded;
    c->direct = places == 1 && c->stride == 1 && c->padding == 0 && c->groups == 1 && !c->bordered;
    int tiles = ((c->height + 1) / 2) * ((c->width + 1) / 2);
    c->winograd = c->kernel_height == 3 && c->kernel_width == 3 && c->stride == 1 &&
                  c->padding == 1 && c->groups == 1 && !c->bordered &&
                  c->height * c->width * 9 * 10 > tiles * 16 * 13;

    size_t packed = convolution_packed_size(c, w);
    if (training) /* packed one way or the other, and twice for jvp */
        packed = 2 * size_larger(packed, packed_transposed_size(c, w));
    need_raise(&need->shared, packed_offset(c) + packed);
    if (training && c->winograd)
        need_raise(&need->shared,
                   packed_offset(c) + packed_transposed_size(c, w) +
                       winograd_gradient_size(w, c->height, c->width, c->in_padded, c->out_padded));
    size_t rows = rows_bound(c->depth + c->out_padded, BLOCK_FORWARD);
    need_raise(&need->thread, rows * ((size_t)stride_of(w, c->depth) * w->block->size +
                                      (size_t)c->out_padded * sizeof(float)) +
                                  groups_scratch_size(c, w, (int)rows) + 65536);
    need_sums(need, (size_t)blocks_of((long)n * c->out_height * c->out_width, 48), c->out_padded);
    if (c->winograd) {
        need_raise(&need->thread,
                   winograd_thread_size(c->height, c->width, c->in_padded, c->out_padded));
        need_sums(need,
                  (size_t)winograd_blocks(c->height, c->width, c->in_padded, c->out_padded, n),
                  c->out_padded);
    }
    if (training) need_training(c, w, n, need);
}

const float *weights_dense(const convolution *c, const float *W, const float *scale, float *room)
{
    if (weights_are_dense(c) && !scale) return W;
    int places = c->kernel_height * c->kernel_width, channels = c->bordered ? c->in : c->in_padded;
    memset(room, 0, weights_dense_size(c) * sizeof *room);
    for (int p = 0; p < places; p++)
        for (int i = 0; i < c->in; i++) {
            const float *from = W + ((long)p * c->in + i) * c->out;
            float *to = room + ((long)p * channels + i) * c->out_padded;
            for (int o = 0; o < c->out; o++) to[o] = scale ? from[o] * scale[o] : from[o];
        }
    return room;
}

void weights_reduce(const convolution *c, const float *sums, long ld, float *dW)
{
    int places = c->kernel_height * c->kernel_width, rows = c->in / c->groups;
    int step = c->groups > 1 ? rows : c->bordered ? c->in : c->in_padded;
    for (int p = 0; p < places; p++)
        for (int i = 0; i < rows; i++) {
            const float *from = sums + ((long)p * step + i) * ld;
            float *to = dW + ((long)p * rows + i) * c->out;
            for (int o = 0; o < c->out; o++) to[o] += from[o];
        }
}

/* Windows of a bordered image: each window row is contiguous. Copies are whole 16s; what is copied
   too much is overwritten by the next row, or meets zero weights. */
static void bordered_gather(const convolution *c, size_t size, const char *image, int row,
                            int column, char *a)
{
    long width = c->width + 2 * c->padding, run = (long)c->kernel_width * c->in;
    for (int i = 0; i < c->kernel_height; i++) {
        const char *from =
            image +
            (((long)row * c->stride + i) * width + (long)column * c->stride) * c->in * (long)size;
        char *to = a + i * run * (long)size;
        for (long k = 0; k < run * (long)size; k += 32) memcpy(to + k, from + k, 32);
    }
    long used = c->kernel_height * run;
    memset(a + used * (long)size, 0, (size_t)(c->depth - used) * size);
}

static void window_gather(const convolution *c, const workspace *w, const operand *x, long image,
                          int row, int column, char *a)
{
    size_t pixel = (size_t)c->in_padded * w->block->size;
    int top = row * c->stride - c->padding, left = column * c->stride - c->padding;
    int begin = left < 0 ? minimum(-left, c->kernel_width) : 0;
    int end = maximum(begin, minimum(c->kernel_width, c->width - left));
    for (int i = 0; i < c->kernel_height; i++, a += pixel * (size_t)c->kernel_width) {
        int h = top + i;
        if (h < 0 || h >= c->height || begin == end) {
            memset(a, 0, pixel * (size_t)c->kernel_width);
            continue;
        }
        if (begin > 0) memset(a, 0, pixel * (size_t)begin);
        w->block->load(a + pixel * (size_t)begin, c->in_padded, x,
                       image * c->height * c->width + (long)h * c->width + left + begin,
                       end - begin, c->in_padded);
        if (end < c->kernel_width)
            memset(a + pixel * (size_t)end, 0, pixel * (size_t)(c->kernel_width - end));
    }
}

void windows_gather(const convolution *c, const workspace *w, const operand *x, long first, int n,
                    void *a, long ld)
{
    size_t size = w->block->size;
    if (c->direct) {
        w->block->load(a, ld, x, first, n, c->in_padded);
        return;
    }
    long pixels = (long)c->out_height * c->out_width;
    for (int r = 0; r < n; r++) {
        long image = (first + r) / pixels;
        int place = (int)((first + r) % pixels), row = place / c->out_width;
        char *to = (char *)a + (size_t)r * (size_t)ld * size;
        if (!c->bordered) {
            window_gather(c, w, x, image, row, place % c->out_width, to);
            continue;
        }
        size_t bytes = (size_t)(c->height + 2 * c->padding) * (size_t)(c->width + 2 * c->padding) *
                       (size_t)c->in * size;
        bordered_gather(c, size, (const char *)x->x + (size_t)image * bytes, row,
                        place % c->out_width, to);
    }
}

/* One block of output pixels: the sum over the terms, then the store. */
static void block_apply(const convolution *c, const workspace *w, const term *terms, int count,
                        const result *y, int block, int rows, long pixels)
{
    arena buffer = workspace_thread(w);
    size_t size = w->block->size;
    long first = (long)block * rows, ld = stride_of(w, c->depth);
    int n = (int)(pixels - first < rows ? pixels - first : rows);
    void *a = arena_take(&buffer, (size_t)rows * (size_t)ld * size);
    bool in_place =
        size == sizeof(float) && (y->kind == RESULT_RAW || y->kind == RESULT_STATISTICS) && !y->add;
    float *v = in_place ? (float *)y->to + first * c->out_padded
                        : arena_take(&buffer, (size_t)rows * (size_t)c->out_padded * sizeof(float));
    for (int t = 0; t < count; t++) {
        void *from = a;
        long stride = ld;
        if (c->direct && terms[t].x->kind == OPERAND_PLAIN) {
            from = (char *)terms[t].x->x + (size_t)first * (size_t)c->in_padded * size;
            stride = c->in_padded;
        } else {
            windows_gather(c, w, terms[t].x, first, n, a, ld);
        }
        windows_apply(c, w, from, stride, n, terms[t].packed, v, t > 0, buffer);
    }
    w->block->store(y, v, first, n, c->out_padded,
                    sums_of_block(w, y->kind, block, c->out_padded, n));
}

static void terms_apply(const convolution *c, const workspace *w, const term *terms, int count,
                        const result *y, int n)
{
    long pixels = (long)n * c->out_height * c->out_width;
    int blocks;
    if (c->winograd) {
        winograd_apply(w, terms, count, c->height, c->width, c->in_padded, c->out_padded, y, n);
        blocks = winograd_blocks(c->height, c->width, c->in_padded, c->out_padded, n);
    } else {
        int rows = block_rows(pixels, c->depth + c->out_padded, BLOCK_FORWARD);
        blocks = (int)blocks_of(pixels, rows);
        int threads = workspace_threads(w, (double)pixels * c->depth * c->out_padded / 16);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int b = 0; b < blocks; b++) block_apply(c, w, terms, count, y, b, rows, pixels);
    }
    if (y->kind == RESULT_STATISTICS || y->kind == RESULT_TANGENT)
        sums_total(w, y->kind, blocks, c->out_padded);
}

static const float *weights_scaled(const convolution *c, const float *W, const float *scale,
                                   float *room)
{
    long count = (long)c->kernel_height * c->kernel_width * (c->in / c->groups) * c->out;
    for (long k = 0; k < count; k++) room[k] = W[k] * scale[k % c->out];
    return room;
}

void convolution_pack(const convolution *c, const workspace *w, const float *W, const float *scale,
                      void *packed)
{
    float *room = (float *)w->shared;
    if (c->groups > 1) {
        groups_pack(c, w, scale ? weights_scaled(c, W, scale, room) : W, false, packed);
        return;
    }
    const float *dense = weights_dense(c, W, scale, room);
    if (c->winograd)
        winograd_pack(w, dense, c->in_padded, c->out_padded, false, room + weights_dense_size(c),
                      packed);
    else
        w->matrix->pack(c->depth, c->out_padded, dense, c->out_padded, 1, packed);
}

void convolution_forward_packed(const convolution *c, const workspace *w, const operand *x,
                                const void *packed, const result *y, int n)
{
    term t = {.x = x, .packed = packed};
    terms_apply(c, w, &t, 1, y, n);
}

void convolution_forward(const convolution *c, const workspace *w, const operand *x, const float *W,
                         const result *y, int n)
{
    char *packed = w->shared + packed_offset(c);
    convolution_pack(c, w, W, NULL, packed);
    convolution_forward_packed(c, w, x, packed, y, n);
}

void convolution_jvp(const convolution *c, const workspace *w, const operand *x, const operand *tx,
                     const float *W, const float *tW, const result *y, int n)
{
    char *packed = w->shared + packed_offset(c), *tangent = packed + convolution_packed_size(c, w);
    convolution_pack(c, w, tW, NULL, tangent);
    term terms[2] = {{.x = x, .packed = tangent}};
    if (tx) {
        convolution_pack(c, w, W, NULL, packed);
        terms[1] = (term){.x = tx, .packed = packed};
    }
    terms_apply(c, w, terms, tx ? 2 : 1, y, n);
}
