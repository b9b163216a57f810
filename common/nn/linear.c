/* Linear layers on the matrix seam. */
#include "nn/linear.h"

#include "cli/memory.h"
#include "nn/matrix.h"

#include <omp.h>
#include <stdlib.h>

enum {
    ROW_BLOCK = 32, /* rows of one call of nn, whatever the threads: OpenBLAS rounds by the shape */
    WEIGHT_BLOCK = 64, /* rows of a weight gradient of one call of tn */
};

static size_t aligned(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

void linear_workspace_add(linear_workspace *w, linear_shape s)
{
    const matrix_kernels *m = matrix_kernels_get(MATRIX_FLOAT32);
    int rows = s.input_major ? s.in : s.out, columns = s.input_major ? s.out : s.in;
    w->packed_size = size_larger(w->packed_size, aligned(m->packed_size(s.in, s.out)));
    w->packed_size = size_larger(w->packed_size, aligned(m->packed_size(s.out, s.in)));
    for (int block = 0; block < rows; block += WEIGHT_BLOCK) {
        int height = rows - block < WEIGHT_BLOCK ? rows - block : WEIGHT_BLOCK;
        w->scratch_size =
            size_larger(w->scratch_size, aligned(m->tn_scratch(height, columns, s.n)));
    }
}

bool linear_workspace_allocate(linear_workspace *w, error *e)
{
    w->threads = omp_get_max_threads();
    w->packed = aligned_alloc(64, size_larger(w->packed_size, 64));
    w->scratch = aligned_alloc(64, size_larger(w->scratch_size * (size_t)w->threads, 64));
    if (w->packed && w->scratch) return true;
    linear_workspace_free(w);
    return error_set(e, STATUS_SYSTEM, "out of memory");
}

void linear_workspace_free(linear_workspace *w)
{
    free(w->packed);
    free(w->scratch);
    *w = (linear_workspace){0};
}

/* C (n, N) = or += A (n, K) B, with B's element (k, c) at B[k * row_stride + c * column_stride]. */
static void product(float *C, const float *A, const float *B, int n, int K, int N, long row_stride,
                    long column_stride, bool accumulate, linear_workspace *w)
{
    const matrix_kernels *m = matrix_kernels_get(MATRIX_FLOAT32);
    int blocks = (n + ROW_BLOCK - 1) / ROW_BLOCK;
    m->pack(K, N, B, row_stride, column_stride, w->packed);
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (int b = 0; b < blocks; b++) {
        int first = b * ROW_BLOCK, rows = n - first < ROW_BLOCK ? n - first : ROW_BLOCK;
        m->nn(rows, N, K, A + (size_t)first * K, K, w->packed, C + (size_t)first * N, N,
              accumulate);
    }
}

static void add_bias(float *y, const float *bias, int n, int out, bool accumulate)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < out; j++)
            y[(size_t)i * out + j] = (accumulate ? y[(size_t)i * out + j] : 0) + bias[j];
    }
}

static void forward_product(float *y, const float *x, const float *weight, linear_shape s,
                            bool accumulate, linear_workspace *w)
{
    long row_stride = s.input_major ? s.out : 1, column_stride = s.input_major ? 1 : s.in;
    product(y, x, weight, s.n, s.in, s.out, row_stride, column_stride, accumulate, w);
}

void linear_forward(float *y, const float *x, const float *weight, const float *bias,
                    linear_shape s, bool accumulate, linear_workspace *w)
{
    if (bias) add_bias(y, bias, s.n, s.out, accumulate);
    forward_product(y, x, weight, s, accumulate || bias, w);
}

static void weight_gradient(float *dweight, const float *dy, const float *x, linear_shape s,
                            linear_workspace *w)
{
    const matrix_kernels *m = matrix_kernels_get(MATRIX_FLOAT32);
    int rows = s.input_major ? s.in : s.out, columns = s.input_major ? s.out : s.in;
    const float *left = s.input_major ? x : dy, *right = s.input_major ? dy : x;
    int blocks = (rows + WEIGHT_BLOCK - 1) / WEIGHT_BLOCK;
#pragma omp parallel for schedule(static) num_threads(w->threads)
    for (int b = 0; b < blocks; b++) {
        int first = b * WEIGHT_BLOCK,
            height = rows - first < WEIGHT_BLOCK ? rows - first : WEIGHT_BLOCK;
        m->tn(height, columns, s.n, left + first, rows, right, columns,
              dweight + (size_t)first * columns, columns,
              w->scratch + w->scratch_size * (size_t)omp_get_thread_num());
    }
}

void linear_backward(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                     const float *weight, linear_shape s, linear_workspace *w)
{
    if (dbias) {
        for (int i = 0; i < s.n; i++) {
            for (int j = 0; j < s.out; j++) dbias[j] += dy[(size_t)i * s.out + j];
        }
    }
    weight_gradient(dweight, dy, x, s, w);
    if (!dx) return;
    long row_stride = s.input_major ? 1 : s.in, column_stride = s.input_major ? s.out : 1;
    product(dx, dy, weight, s.n, s.out, s.in, row_stride, column_stride, false, w);
}

void linear_jvp(float *y_tangent, const float *x_tangent, const float *x, const float *weight,
                const float *weight_tangent, const float *bias_tangent, linear_shape s,
                bool accumulate, linear_workspace *w)
{
    linear_forward(y_tangent, x, weight_tangent, bias_tangent, s, accumulate, w);
    if (x_tangent) forward_product(y_tangent, x_tangent, weight, s, true, w);
}
