/* The gradient of 3x3 weights by Winograd's F(2x2, 3x3): with U = G w G^T, dU = V * A dy A^T plane
   by plane, and dw = G^T dU G. Tiles are taken in chunks: all threads transform a chunk, then each
   takes whole planes, so that every sum is made by one thread in the order of the tiles. */
#include "nn/convolution_parts.h"

#include <string.h>

typedef struct chunk {
    int tiles;     /* in a row of tiles */
    int tile_rows; /* in an image */
    int rows;      /* of tiles in a chunk */
    long ldv, lde, plane_v, plane_e;
} chunk;

static chunk chunk_of(const workspace *w, int height, int width, int in, int out)
{
    chunk k = {.tiles = (width + 1) / 2, .tile_rows = (height + 1) / 2};
    k.ldv = stride_of(w, in);
    k.lde = stride_of(w, out);
    /* About 12 MB of transformed tiles, and no fewer than pay for going over dU. */
    long wanted = (12L << 20) / (64 * (k.ldv + k.lde));
    if (wanted < 192) wanted = 192;
    k.rows = maximum(1, (int)(wanted / k.tiles));
    k.plane_v = (k.rows * k.tiles * k.ldv + 1023) / 1024 * 1024 + 64;
    k.plane_e = (k.rows * k.tiles * k.lde + 1023) / 1024 * 1024 + 64;
    return k;
}

size_t winograd_gradient_size(const workspace *w, int height, int width, int in, int out)
{
    chunk k = chunk_of(w, height, width, in, out);
    return 16 * (size_t)(k.plane_v + k.plane_e) * w->block->size;
}

size_t winograd_gradient_scratch(const workspace *w, int height, int width, int in, int out)
{
    chunk k = chunk_of(w, height, width, in, out);
    return w->matrix->tn_scratch(in, out, k.rows * k.tiles);
}

void winograd_weights_backward(const workspace *w, const operand *x, const operand *dy, void *room,
                               int height, int width, int in, int out, int n, float *dense,
                               float *dU, void *buffer)
{
    chunk k = chunk_of(w, height, width, in, out);
    size_t size = w->block->size;
    char *V = buffer, *E = V + 16 * (size_t)k.plane_v * size;
    long ld = sums_row(out), plane = in * ld, rows = (long)n * k.tile_rows;
    int threads = workspace_threads(w, (double)rows * k.tiles * in * out);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static)
        for (int p = 0; p < 16; p++) memset(dU + p * plane, 0, (size_t)plane * sizeof *dU);
        for (long begin = 0; begin < rows; begin += k.rows) {
            int count = (int)(rows - begin < k.rows ? rows - begin : k.rows);
#pragma omp for schedule(dynamic, 1)
            for (int i = 0; i < count; i++) {
                long first = (begin + i) / k.tile_rows * height * width;
                int row = (int)((begin + i) % k.tile_rows);
                w->block->winograd_input(V + (size_t)(i * k.tiles * k.ldv) * size, k.plane_v, k.ldv,
                                         x, first, height, width, in, row);
                w->block->winograd_gradient(E + (size_t)(i * k.tiles * k.lde) * size, k.plane_e,
                                            k.lde, dy, room, first, height, width, out, row);
            }
#pragma omp for schedule(dynamic, 1)
            for (int p = 0; p < 16; p++)
                w->matrix->tn(in, out, count * k.tiles, V + (size_t)(p * k.plane_v) * size, k.ldv,
                              E + (size_t)(p * k.plane_e) * size, k.lde, dU + p * plane, ld,
                              workspace_thread(w).base);
        }
#pragma omp for schedule(static)
        for (int i = 0; i < in; i++)
            w->block->winograd_weights_gradient(dense + (long)i * out, (long)in * out, dU + i * ld,
                                                plane, out);
    }
}
