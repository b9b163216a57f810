/* The arena, thread buffers, and sums over blocks in a fixed order. */
#include "nn/workspace.h"

#include "cli/memory.h"

#include <omp.h>
#include <sys/mman.h>

bool arena_allocate(arena *a, error *e)
{
    size_t page = (size_t)2 << 20;
    a->capacity = (a->used + page - 1) / page * page;
    a->used = 0;
    void *base =
        mmap(NULL, a->capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return error_set(e, STATUS_SYSTEM, "cannot allocate %zu MiB: ", a->capacity >> 20);
    madvise(base, a->capacity, MADV_HUGEPAGE);
    a->base = base;
    return true;
}

void arena_free(arena *a)
{
    if (a->base) munmap(a->base, a->capacity);
    *a = (arena){0};
}

void *arena_take(arena *a, size_t size)
{
    size_t alignment = size >= 4096 ? 4096 : 64;
    a->used = (a->used + alignment - 1) / alignment * alignment;
    void *piece = a->base ? a->base + a->used : NULL;
    a->used += size;
    return piece;
}

void need_raise(size_t *need, size_t size)
{
    *need = size_larger(*need, size);
}

void need_sums(workspace_need *need, size_t blocks, int C)
{
    need_raise(&need->sums, blocks * sums_stride(C));
    if (need->channels < C) need->channels = C;
}

void workspace_start(workspace *w, matrix_type type)
{
    *w = (workspace){.matrix = matrix_kernels_get(type),
                     .block = block_kernels_get(type),
                     .threads = omp_get_max_threads()};
}

void workspace_take(workspace *w, arena *a)
{
    w->need.thread = (w->need.thread + 4095) / 4096 * 4096;
    w->thread = arena_take(a, w->need.thread * (size_t)w->threads);
    w->shared = arena_take(a, w->need.shared);
    w->sums = arena_take(a, w->need.sums * sizeof(float));
    w->totals = arena_take(a, RESULT_SUMS * (size_t)w->need.channels * sizeof(double));
}

int workspace_threads(const workspace *w, double work)
{
    return work < 1e5 ? 1 : w->threads;
}

arena workspace_thread(const workspace *w)
{
    return (arena){.base = w->thread + w->need.thread * (size_t)omp_get_thread_num(),
                   .capacity = w->need.thread};
}

size_t sums_stride(int C)
{
    return RESULT_SUMS * (size_t)C + CHANNEL_MULTIPLE;
}

float *sums_of_block(const workspace *w, result_kind kind, int block, int C, int pixels)
{
    if (kind == RESULT_RAW || kind == RESULT_FOLDED) return NULL;
    float *sums = w->sums + (size_t)block * sums_stride(C);
    sums[RESULT_SUMS * C] = (float)pixels;
    return sums;
}

/* Means and squared deviations of parts put together (Chan, Golub and LeVeque 1983). */
static void statistics_total(const float *sums, size_t stride, int blocks, int C, int c,
                             double *totals)
{
    double count = 0, mean = 0, deviation = 0;
    for (int b = 0; b < blocks; b++) {
        const float *s = sums + (size_t)b * stride;
        double n = s[RESULT_SUMS * C], difference = s[c] - mean;
        deviation += s[C + c] + difference * difference * count * n / (count + n);
        count += n;
        mean += difference * n / count;
    }
    totals[c] = mean;
    totals[C + c] = deviation / count;
}

void sums_total(const workspace *w, result_kind kind, int blocks, int C)
{
    size_t stride = sums_stride(C);
    int threads = workspace_threads(w, (double)blocks * C);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int c0 = 0; c0 < C; c0 += CHANNEL_MULTIPLE) {
        int end = c0 + CHANNEL_MULTIPLE;
        if (kind == RESULT_STATISTICS) {
            for (int c = c0; c < end; c++)
                statistics_total(w->sums, stride, blocks, C, c, w->totals);
            continue;
        }
        for (int row = 0; row < RESULT_SUMS; row++) {
            double total[CHANNEL_MULTIPLE] = {0};
            for (int b = 0; b < blocks; b++)
                for (int c = c0; c < end; c++)
                    total[c - c0] += w->sums[(size_t)b * stride + (size_t)row * C + c];
            for (int c = c0; c < end; c++) w->totals[(size_t)row * C + c] = total[c - c0];
        }
    }
}
