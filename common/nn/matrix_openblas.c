/* Matrix products by OpenBLAS, single-threaded within each worker: portable, and fast nearly
 * everywhere. */
#include "nn/matrix_instances.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

/* cblas_sgemm on the calling thread alone. OpenBLAS built on OpenMP takes OpenMP's number of
   threads for its own outside parallel regions, those of a single worker included, and rounds by
   it. */
static void sgemm(CBLAS_TRANSPOSE transposed, int rows, int columns, int depth, const float *A,
                  long lda, const float *B, long ldb, bool accumulate, float *C, long ldc)
{
    int threads = omp_get_max_threads();
    bool alone = !omp_in_parallel() && threads > 1;
    if (alone) omp_set_num_threads(1);
    cblas_sgemm(CblasRowMajor, transposed, CblasNoTrans, rows, columns, depth, 1, A, (int)lda, B,
                (int)ldb, accumulate, C, (int)ldc);
    if (alone) omp_set_num_threads(threads);
}

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
    sgemm(CblasNoTrans, n, N, K, A, lda, P, N, accumulate, C, ldc);
}

static size_t tn_scratch(int K, int N, int n)
{
    return 0;
}

static void tn(int K, int N, int n, const void *X, long ldx, const void *D, long ldd, float *W,
               long ldw, void *scratch)
{
    sgemm(CblasTrans, K, N, n, X, ldx, D, ldd, true, W, ldw);
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
