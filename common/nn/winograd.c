/* 3x3 convolutions with stride 1 by Winograd's F(2x2, 3x3): 16 products for 4 outputs in place
   of 36. Blocks are whole rows of tiles, so that the pixels of a block are contiguous. */
#include "nn/convolution_parts.h"

#include <string.h>

typedef struct tiling {
    int tiles;     /* in a row of tiles */
    int tile_rows; /* in an image */
    int block;     /* rows of tiles in a block */
} tiling;

static tiling tiling_of(int height, int width, int in, int out)
{
    tiling t = {.tiles = (width + 1) / 2, .tile_rows = (height + 1) / 2};
    int wanted = maximum(in, out) >= 256 ? 32 : 64;
    t.block = maximum(1, wanted / t.tiles);
    return t;
}

/* Elements of a plane of `rows` rows: planes do not start a multiple of a page apart. */
static long plane_size(long rows, long ld)
{
    return (rows * ld + 1023) / 1024 * 1024 + 64;
}

size_t winograd_thread_size(int height, int width, int in, int out)
{
    tiling t = tiling_of(height, width, in, out);
    long rows = (long)t.block * t.tiles;
    return (size_t)(16 * plane_size(rows, in + 32) + 16 * plane_size(rows, out) + 4 * rows * out) *
               4 +
           65536;
}

int winograd_blocks(int height, int width, int in, int out, int n)
{
    tiling t = tiling_of(height, width, in, out);
    return (int)blocks_of((long)n * t.tile_rows, t.block);
}

static size_t plane_packed_size(const workspace *w, int in, int out)
{
    return (w->matrix->packed_size(in, out) + 63) / 64 * 64;
}

size_t winograd_packed_size(const workspace *w, int in, int out)
{
    return 16 * plane_packed_size(w, in, out);
}

void winograd_pack(const workspace *w, const float *dense, int in, int out, bool flipped,
                   float *room, void *packed)
{
    long plane = (long)in * out;
    int threads = workspace_threads(w, 16.0 * (double)plane);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < in; i++)
        w->block->winograd_weights(room + (long)i * out, plane, dense + (long)i * out, plane, out);
    for (int p = 0; p < 16; p++) {
        /* Turning the window round exchanges the first and the last row and column of planes. */
        static const int turned[4] = {3, 1, 2, 0};
        int from = flipped ? 4 * turned[p / 4] + turned[p % 4] : p;
        char *to = (char *)packed +
                   (size_t)p * plane_packed_size(w, flipped ? out : in, flipped ? in : out);
        if (flipped)
            w->matrix->pack(out, in, room + from * plane, 1, out, to);
        else
            w->matrix->pack(in, out, room + from * plane, out, 1, to);
    }
}

/* The first output pixel of row `row` of tiles, counted over all images. */
static long pixel_of(const tiling *t, int height, int width, long row)
{
    return (row / t->tile_rows * height + row % t->tile_rows * 2) * width;
}

static void block_apply(const workspace *w, const tiling *t, const term *terms, int count,
                        int height, int width, int in, int out, const result *y, int block,
                        long rows)
{
    arena buffer = workspace_thread(w);
    size_t size = w->block->size;
    long begin = (long)block * t->block, end = begin + t->block < rows ? begin + t->block : rows;
    int tiles = (int)(end - begin) * t->tiles;
    long ld = in + (size == 2 ? 32 : 16), plane = plane_size(tiles, ld),
         product = plane_size(tiles, out);
    char *V = arena_take(&buffer, 16 * (size_t)plane * size);
    float *M = arena_take(&buffer, 16 * (size_t)product * sizeof(float));
    for (int k = 0; k < count; k++) {
        for (long r = begin; r < end; r++)
            w->block->winograd_input(V + (size_t)((r - begin) * t->tiles * ld) * size, plane, ld,
                                     terms[k].x, r / t->tile_rows * height * width, height, width,
                                     in, (int)(r % t->tile_rows));
        for (int p = 0; p < 16; p++)
            w->matrix->nn(tiles, out, in, V + (size_t)(p * plane) * size, ld,
                          (const char *)terms[k].packed + (size_t)p * plane_packed_size(w, in, out),
                          M + p * product, out, k > 0);
    }
    long first = pixel_of(t, height, width, begin);
    int n = (int)(pixel_of(t, height, width, end) - first);
    bool in_place =
        size == sizeof(float) && (y->kind == RESULT_RAW || y->kind == RESULT_STATISTICS) && !y->add;
    float *v = in_place ? (float *)y->to + first * out
                        : arena_take(&buffer, (size_t)n * (size_t)out * sizeof(float));
    for (long r = begin; r < end; r++)
        w->block->winograd_output(v + (pixel_of(t, height, width, r) - first) * out,
                                  M + (r - begin) * t->tiles * out, product, out, height, width,
                                  out, (int)(r % t->tile_rows));
    w->block->store(y, v, first, n, out, sums_of_block(w, y->kind, block, out, n));
}

void winograd_apply(const workspace *w, const term *terms, int count, int height, int width, int in,
                    int out, const result *y, int n)
{
    tiling t = tiling_of(height, width, in, out);
    long rows = (long)n * t.tile_rows;
    int blocks = (int)blocks_of(rows, t.block);
    int threads = workspace_threads(w, (double)rows * t.tiles * in * out);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int b = 0; b < blocks; b++)
        block_apply(w, &t, terms, count, height, width, in, out, y, b, rows);
}
