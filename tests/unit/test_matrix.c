/* The matrix seam against naive products: every kernel this processor can run, ragged sizes
 * included. */
#include "cli/cpu.h"
#include "nn/bf16.h"
#include "nn/matrix_instances.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROOM (1 << 16)

static const int sizes[][3] = {{1, 1, 1},    {7, 16, 9},     {13, 64, 32},   {48, 80, 147},
                               {6, 100, 33}, {25, 37, 1100}, {200, 128, 64}, {5, 70, 515}};

static float noise(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

/* Kernels in order of cpu_level; a level's kernels need that level. */
static size_t kernels_list(const matrix_kernels *list[8])
{
    size_t count = 0;
    list[count++] = &matrix_kernels_openblas;
    list[count++] = &matrix_kernels_generic_float32;
    list[count++] = &matrix_kernels_generic_bf16;
#if defined(__x86_64__)
    cpu_level level = cpu_level_get();
    if (level >= CPU_AVX2) {
        list[count++] = &matrix_kernels_avx2_float32;
        list[count++] = &matrix_kernels_avx2_bf16;
    }
    if (level >= CPU_AVX512) {
        list[count++] = &matrix_kernels_avx512_float32;
        list[count++] = &matrix_kernels_avx512_bf16;
    }
    if (level >= CPU_AVX512BF16) list[count++] = &matrix_kernels_avx512bf16_bf16;
#endif
    return count;
}

/* A matrix of noise as floats that both types can hold, and as the kernels' operand with row stride
 * ld. */
static void operand_fill(matrix_type type, int rows, int columns, int ld, float *plain,
                         void *packed, unsigned *state)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < ld; c++) {
            uint16_t h = bf16_from_float(c < columns ? noise(state) : 0);
            if (c < columns) plain[r * columns + c] = bf16_to_float(h);
            if (type == MATRIX_BF16)
                ((uint16_t *)packed)[r * ld + c] = h;
            else
                ((float *)packed)[r * ld + c] = bf16_to_float(h);
        }
}

static void assert_close(float got, double want, int depth)
{
    double tolerance = 2e-6 * sqrt(depth) + 1e-6;
    if (!(fabs(got - want) <= tolerance * 4)) fail_msg("got %.9g, want %.9g", got, want);
}

static void nn_check(const matrix_kernels *m, int n, int N, int K, bool transposed, bool accumulate)
{
    unsigned state = 1;
    int lda = K + K % 2 + 2, ldc = N + 3;
    float *A = test_malloc(ROOM * 4), *a = test_malloc(ROOM * 8), *W = test_malloc(ROOM * 4),
          *w = test_malloc(ROOM * 8), *C = test_malloc(ROOM * 4);
    operand_fill(m->type, n, K, lda, A, a, &state);
    operand_fill(MATRIX_FLOAT32, K, N, N, W, w, &state);
    if (transposed)
        for (int k = 0; k < K; k++)
            for (int c = 0; c < N; c++) w[c * K + k] = W[k * N + c];
    void *P = aligned_alloc(64, (m->packed_size(K, N) + 63) / 64 * 64);
    m->pack(K, N, w, transposed ? 1 : N, transposed ? K : 1, P);
    for (int i = 0; i < n * ldc; i++) C[i] = 0.5f;
    m->nn(n, N, K, a, lda, P, C, ldc, accumulate);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < ldc; j++) {
            double sum = accumulate ? 0.5 : 0;
            for (int k = 0; k < K && j < N; k++) sum += (double)A[i * K + k] * W[k * N + j];
            if (j < N)
                assert_close(C[i * ldc + j], sum, K);
            else
                assert_true(C[i * ldc + j] == 0.5f);
        }
    free(P);
    test_free(A), test_free(a), test_free(W), test_free(w), test_free(C);
}

static void tn_check(const matrix_kernels *m, int n, int N, int K)
{
    unsigned state = 2;
    int ldx = K + 2, ldd = N + 4, ldw = N + 1;
    float *X = test_malloc(ROOM * 4), *x = test_malloc(ROOM * 8), *D = test_malloc(ROOM * 4),
          *d = test_malloc(ROOM * 8), *W = test_malloc(ROOM * 4);
    operand_fill(m->type, n, K, ldx, X, x, &state);
    operand_fill(m->type, n, N, ldd, D, d, &state);
    for (int i = 0; i < K * ldw; i++) W[i] = 0.25f;
    void *scratch = aligned_alloc(64, m->tn_scratch(K, N, n) / 64 * 64 + 64);
    m->tn(K, N, n, x, ldx, d, ldd, W, ldw, scratch);
    for (int k = 0; k < K; k++)
        for (int j = 0; j < ldw; j++) {
            double sum = 0.25;
            for (int i = 0; i < n && j < N; i++) sum += (double)X[i * K + k] * D[i * N + j];
            assert_close(W[k * ldw + j], sum, n);
        }
    free(scratch);
    test_free(X), test_free(x), test_free(D), test_free(d), test_free(W);
}

static void test_nn(void **unused)
{
    const matrix_kernels *list[8];
    size_t count = kernels_list(list);
    for (size_t k = 0; k < count; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int variant = 0; variant < 4; variant++)
                nn_check(list[k], sizes[s][0], sizes[s][1], sizes[s][2], variant & 1, variant & 2);
}

static void test_tn(void **unused)
{
    const matrix_kernels *list[8];
    size_t count = kernels_list(list);
    for (size_t k = 0; k < count; k++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            tn_check(list[k], sizes[s][2], sizes[s][1], sizes[s][0]);
}

/* A row's result does not depend on the rows beside it: blocks of any size give the same bytes. */
static void test_rows_are_independent(void **unused)
{
    const matrix_kernels *m = matrix_kernels_get(MATRIX_FLOAT32);
    static float A[50 * 70], W[70 * 90], whole[50 * 90], parts[50 * 90];
    unsigned state = 3;
    for (int i = 0; i < 50 * 70; i++) A[i] = noise(&state);
    for (int i = 0; i < 70 * 90; i++) W[i] = noise(&state);
    void *P = aligned_alloc(64, (m->packed_size(70, 90) + 63) / 64 * 64);
    m->pack(70, 90, W, 90, 1, P);
    m->nn(50, 90, 70, A, 70, P, whole, 90, false);
    for (int i = 0; i < 50; i += 10)
        m->nn(10, 90, 70, A + i * 70, 70, P, parts + i * 90, 90, false);
    if (m != &matrix_kernels_openblas) assert_memory_equal(whole, parts, sizeof whole);
    free(P);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nn),
        cmocka_unit_test(test_tn),
        cmocka_unit_test(test_rows_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
