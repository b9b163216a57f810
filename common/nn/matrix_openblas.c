/* Matrix products by OpenBLAS, single-threaded within each worker: portable, and fast nearly
 * everywhere. */
#include "nn/matrix_instances.h"

#include <cblas.h>
#include <string.h>

static size_t packed_size(int K, int N)
{
    return (size_t)K * (size_t)N * sizeof(float);
}

static void pack(int K, int N, const float *W, long row_stride, long column_stride, void *P)
{
    float *to = P;
#pragma omp parallel for schedule(static) if ((long)K * N > 100000)
    for (int k = 0; k < K; k++)
        for (int c = 0; c < N; c++) to[(long)k * N + c] = W[k * row_stride + c * column_stride];
}

static void nn(int n, int N, int K, const void *A, long lda, const void *P, float *C, long ldc,
               bool accumulate)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, N, K, 1, A, (int)lda, P, N,
                accumulate ? 1 : 0, C, (int)ldc);
}

static size_t tn_scratch(int K, int N, int n)
{
    return 0;
}

static void tn(int K, int N, int n, const void *X, long ldx, const void *D, long ldd, float *W,
               long ldw, void *scratch)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, K, N, n, 1, X, (int)ldx, D, (int)ldd, 1, W,
                (int)ldw);
}

const matrix_kernels matrix_kernels_openblas = {
    .name = "openblas",
    .type = MATRIX_FLOAT32,
    .packed_size = packed_size,
    .pack = pack,
    .nn = nn,
    .tn_scratch = tn_scratch,
    .tn = tn,
};
