/* Pooling over images, a few rows or one image at a time. */
#include "nn/pool.h"

void pool_max_start(pool_max *p, int n, workspace_need *need)
{
    p->out_height = (p->height + 2 * p->window[2] - p->window[0]) / p->window[1] + 1;
    p->out_width = (p->width + 2 * p->window[2] - p->window[0]) / p->window[1] + 1;
    need_raise(&need->thread, (size_t)p->width * (size_t)p->channels * sizeof(float) + 4096);
    need_sums(need, (size_t)n * (size_t)p->height, p->channels);
}

void pool_max_forward(const pool_max *p, const workspace *w, const operand *x, void *y,
                      uint8_t *index, int n)
{
    size_t row = (size_t)p->out_width * (size_t)p->channels;
    int threads = workspace_threads(w, (double)row * p->out_height * n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int r = 0; r < n * p->out_height; r++)
        w->block->max_row((char *)y + (size_t)r * row * w->block->size,
                          index ? index + (size_t)r * row : NULL, x,
                          (long)(r / p->out_height) * p->height * p->width, p->window, p->height,
                          p->width, r % p->out_height, p->out_width, p->channels);
}

void pool_max_backward(const pool_max *p, const workspace *w, const void *g, const uint8_t *index,
                       const result *dx, int n)
{
    size_t image = (size_t)p->out_height * (size_t)p->out_width * (size_t)p->channels;
    int threads = workspace_threads(w, (double)image * n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int r = 0; r < n * p->height; r++) {
        arena buffer = workspace_thread(w);
        float *v = arena_take(&buffer, (size_t)p->width * (size_t)p->channels * sizeof(float));
        size_t first = (size_t)(r / p->height) * image;
        w->block->max_row_gradient(v, (const char *)g + first * w->block->size, index + first,
                                   p->window, r % p->height, p->width, p->out_height, p->out_width,
                                   p->channels);
        w->block->store(dx, v, (long)r * p->width, p->width, p->channels,
                        sums_of_block(w, dx->kind, r, p->channels, p->width));
    }
    if (dx->kind != RESULT_RAW) sums_total(w, dx->kind, n * p->height, p->channels);
}

void pool_max_jvp(const pool_max *p, const workspace *w, const operand *tx, const uint8_t *index,
                  void *ty, int n)
{
    size_t row = (size_t)p->out_width * (size_t)p->channels;
    int threads = workspace_threads(w, (double)row * p->out_height * n);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int r = 0; r < n * p->out_height; r++)
        w->block->max_row_select((char *)ty + (size_t)r * row * w->block->size,
                                 index + (size_t)r * row, tx,
                                 (long)(r / p->out_height) * p->height * p->width, p->window,
                                 p->height, p->width, r % p->out_height, p->out_width, p->channels);
}

/* Pixels in the buffer of an average at a time. */
#define PART 64

void pool_average_start(int pixels, int C, int n, workspace_need *need)
{
    need_raise(&need->thread, PART * (size_t)C * sizeof(float) + 4096);
    need_sums(need, (size_t)n * ((size_t)pixels / PART + 1), C);
}

void pool_average_forward(const workspace *w, float *y, const void *x, int pixels, int C, int n)
{
    int threads = workspace_threads(w, (double)n * pixels * C);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < n; i++) {
        arena buffer = workspace_thread(w);
        float *v = arena_take(&buffer, (size_t)C * sizeof(float)), *sum = y + (size_t)i * (size_t)C;
        for (int c = 0; c < C; c++) sum[c] = 0;
        for (int p = 0; p < pixels; p++) {
            size_t at = ((size_t)i * (size_t)pixels + (size_t)p) * (size_t)C;
            w->block->widen(v, (const char *)x + at * w->block->size, C);
            for (int c = 0; c < C; c++) sum[c] += v[c];
        }
        for (int c = 0; c < C; c++) sum[c] /= (float)pixels;
    }
}

void pool_average_backward(const workspace *w, const float *dy, int pixels, int C, const result *dx,
                           int n)
{
    int parts = (pixels + PART - 1) / PART;
    int threads = workspace_threads(w, (double)n * pixels * C);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int b = 0; b < n * parts; b++) {
        arena buffer = workspace_thread(w);
        float *v = arena_take(&buffer, PART * (size_t)C * sizeof(float));
        int first = b % parts * PART, count = pixels - first < PART ? pixels - first : PART;
        const float *g = dy + (size_t)(b / parts) * (size_t)C;
        for (int p = 0; p < count; p++)
            for (int c = 0; c < C; c++) v[(size_t)p * (size_t)C + (size_t)c] = g[c] / (float)pixels;
        w->block->store(dx, v, (long)(b / parts) * pixels + first, count, C,
                        sums_of_block(w, dx->kind, b, C, count));
    }
    if (dx->kind != RESULT_RAW) sums_total(w, dx->kind, n * parts, C);
}
