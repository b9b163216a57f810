/* The seam of all matrix products: pack, nn, tn. Behind it stand our own kernels (generic vectors,
   AVX2, AVX-512, AVX-512 with bfloat16) and OpenBLAS.

   nn and tn run on the calling thread: callers cut their rows into blocks (48-200 rows are best)
   and give each OpenMP worker a block. Element (i, j) of nn depends on row i of A alone and is
   summed in a fixed order.

   With MATRIX_BF16 the operands A, X, D are bfloat16 (the upper halves of floats, see nn/bf16.h)
   and sums and C are float. */
#ifndef BLADES_NN_MATRIX_H
#define BLADES_NN_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

typedef enum matrix_type { MATRIX_FLOAT32, MATRIX_BF16 } matrix_type;

typedef struct matrix_kernels {
    const char *name; /* "openblas", "avx512", ... */
    matrix_type type;

    /* Bytes of a packed K x N matrix. */
    size_t (*packed_size)(int K, int N);
    /* P (packed_size bytes, 64-byte aligned) = packed W, whose element (k, c) is
       W[k * row_stride + c * column_stride]; one of the strides is 1. Uses all threads when called
       outside a parallel region. */
    void (*pack)(int K, int N, const float *W, long row_stride, long column_stride, void *P);
    /* C (n, N; row stride ldc) = A (n, K; row stride lda) * W, or += with accumulate.
       bf16: A must have K rounded up to even elements in a row, the last one finite. */
    void (*nn)(int n, int N, int K, const void *A, long lda, const void *P, float *C, long ldc,
               bool accumulate);
    /* Bytes of scratch memory that tn needs; may be 0. */
    size_t (*tn_scratch)(int K, int N, int n);
    /* W (K, N; row stride ldw) += X^T * D with X (n, K; row stride ldx), D (n, N; row stride ldd).
     */
    void (*tn)(int K, int N, int n, const void *X, long ldx, const void *D, long ldd, float *W,
               long ldw, void *scratch);
} matrix_kernels;

/* The kernels for this processor (see cli/cpu.h). For float32 the environment variable BLADES_GEMM
   (own, openblas) overrides the choice. */
const matrix_kernels *matrix_kernels_get(matrix_type type);

#endif
