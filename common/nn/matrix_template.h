/* Matrix kernels for one vector width and one type: a template. The including source defines
     KERNEL(name)  the name of this instance's functions
     BF16          1 for bfloat16 operands, 0 for float
     NN_ROWS, NN_VECTORS, TN_ROWS, TN_VECTORS   sizes of the register tiles
   Operands are read in units of 32 bits: one float, or two bfloat16 that are neighbours along the
   summed dimension. Packed matrices are panels of NN_VECTORS * LANES columns, each holding its rows
   of units one after the other; the last panel is as narrow as whole vectors allow and padded with
   zeros. */

#include "nn/matrix.h"
#include "nn/vector.h"

#ifndef PANEL
#define PANEL (NN_VECTORS * LANES)
#define DEPTH_BLOCK 512 /* units: a panel's part stays in the second-level cache */
#define LINE 16         /* units of a cache line */
typedef float unit __attribute__((may_alias));
#endif

#if BF16
#define UNITS(K) (((K) + 1) / 2)
#define MULTIPLY bf16_dot
#else
#define UNITS(K) (K)
#define MULTIPLY vf_fma
#endif

static size_t KERNEL(packed_size)(int K, int N)
{
    return (size_t)UNITS(K) * ((size_t)(N + LANES - 1) / LANES * LANES) * sizeof(unit);
}

static int KERNEL(panel_width)(int N, int column)
{
    int left = (N - column + LANES - 1) / LANES * LANES;
    return left < PANEL ? left : PANEL;
}

#if BF16
INLINE void KERNEL(pack_element)(unit *panel, int width, int k, int j, float value)
{
    vf v = vf_all(value);
    bf16 h[LANES];
    bf16_store(h, v);
    memcpy((bf16 *)(panel + (long)(k / 2) * width + j) + (k & 1), h, sizeof h[0]);
}
#else
INLINE void KERNEL(pack_element)(unit *panel, int width, int k, int j, float value)
{
    panel[(long)k * width + j] = value;
}
#endif

/* Rows k..k+15 of one panel. */
static void KERNEL(pack_rows)(int k, int K, int columns, const float *W, long row_stride,
                              long column_stride, unit *panel, int width)
{
    int end = k + 16 < K ? k + 16 : K;
    if (column_stride == 1) {
        for (; k < end; k++)
            for (int j = 0; j < columns; j++)
                KERNEL(pack_element)(panel, width, k, j, W[k * row_stride + j]);
    } else {
        for (int j = 0; j < columns; j++)
            for (int i = k; i < end; i++)
                KERNEL(pack_element)(panel, width, i, j, W[i * row_stride + j * column_stride]);
    }
}

static void KERNEL(pack)(int K, int N, const float *W, long row_stride, long column_stride, void *P)
{
#pragma omp parallel for schedule(static) if ((long)K * N > 100000)
    for (int column = 0; column < N; column += PANEL) {
        int width = KERNEL(panel_width)(N, column);
        int columns = N - column < width ? N - column : width;
        unit *panel = (unit *)P + (long)column * UNITS(K);
        if (columns < width || (BF16 && K % 2))
            memset(panel, 0, (size_t)UNITS(K) * width * sizeof(unit));
        for (int k = 0; k < K; k += 16) KERNEL(pack_rows)
        (k, K, columns, W + column * column_stride, row_stride, column_stride, panel, width);
    }
}

/* C (rows, vectors * LANES) = or += A (rows, K units) times a panel, fetching K lines from `next`
   on into the second-level cache. */
INLINE void KERNEL(nn_tile)(const int rows, const int vectors, int K, const unit *A, long lda,
                            const unit *P, const unit *next, float *C, long ldc, bool accumulate)
{
    vf sum[NN_ROWS][NN_VECTORS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = accumulate ? vf_load(C + i * ldc + j * LANES) : vf_zero();
    const unit *row[NN_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) row[i] = A + i * lda;
    for (int k = 0; k < K; k++, P += vectors * LANES) {
        vf w[NN_VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) w[j] = vf_load(P + j * LANES);
        __builtin_prefetch(next + k * LINE, 0, 2);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            vf a = vf_all(row[i][k]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++) sum[i][j] = MULTIPLY(a, w[j], sum[i][j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) vf_store(C + i * ldc + j * LANES, sum[i][j]);
}

INLINE void KERNEL(nn_panel)(const int vectors, int n, int K, const unit *A, long lda,
                             const unit *P, const unit *next, float *C, long ldc, bool accumulate)
{
    const unit *end = next + (long)K * vectors * LANES;
    int i = 0;
    for (; i + NN_ROWS <= n; i += NN_ROWS) {
        KERNEL(nn_tile)
        (NN_ROWS, vectors, K, A + i * lda, lda, P, next, C + i * ldc, ldc, accumulate);
        if (next < end) next += (long)K * LINE;
    }
    A += i * lda;
    C += i * ldc;
    switch (n - i) {
#if NN_ROWS > 5
    case 5:
        KERNEL(nn_tile)(5, vectors, K, A, lda, P, next, C, ldc, accumulate);
        break;
#endif
#if NN_ROWS > 4
    case 4:
        KERNEL(nn_tile)(4, vectors, K, A, lda, P, next, C, ldc, accumulate);
        break;
#endif
    case 3:
        KERNEL(nn_tile)(3, vectors, K, A, lda, P, next, C, ldc, accumulate);
        break;
    case 2:
        KERNEL(nn_tile)(2, vectors, K, A, lda, P, next, C, ldc, accumulate);
        break;
    case 1:
        KERNEL(nn_tile)(1, vectors, K, A, lda, P, next, C, ldc, accumulate);
        break;
    }
}

static void KERNEL(nn_vectors)(int vectors, int n, int K, const unit *A, long lda, const unit *P,
                               const unit *next, float *C, long ldc, bool accumulate)
{
    switch (vectors) {
    case 1:
        KERNEL(nn_panel)(1, n, K, A, lda, P, next, C, ldc, accumulate);
        break;
    case 2:
        KERNEL(nn_panel)(2, n, K, A, lda, P, next, C, ldc, accumulate);
        break;
#if NN_VECTORS > 2
    case 3:
        KERNEL(nn_panel)(3, n, K, A, lda, P, next, C, ldc, accumulate);
        break;
    case 4:
        KERNEL(nn_panel)(4, n, K, A, lda, P, next, C, ldc, accumulate);
        break;
#endif
    }
}

/* A panel whose last vector reaches beyond the columns of C: through a buffer, a few rows at a
 * time. */
static void KERNEL(nn_ragged)(int columns, int width, int n, int K, const unit *A, long lda,
                              const unit *P, const unit *next, float *C, long ldc, bool accumulate)
{
    float buffer[NN_ROWS * PANEL];
    for (int i = 0; i < n; i += NN_ROWS) {
        int rows = n - i < NN_ROWS ? n - i : NN_ROWS;
        KERNEL(nn_vectors)(width / LANES, rows, K, A + i * lda, lda, P, next, buffer, width, false);
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < columns; j++) {
                float *c = C + (i + r) * ldc + j;
                *c = accumulate ? *c + buffer[r * width + j] : buffer[r * width + j];
            }
    }
}

/* The part of the packed matrix from row k of the panel at `column`. */
static const unit *KERNEL(nn_part)(const void *P, int N, int depth, int k, int column)
{
    return (const unit *)P + (long)column * depth + (long)k * KERNEL(panel_width)(N, column);
}

static void KERNEL(nn)(int n, int N, int K, const void *A, long lda, const void *P, float *C,
                       long ldc, bool accumulate)
{
    int depth = UNITS(K);
    long stride = BF16 ? lda / 2 : lda;
    for (int k = 0; k < depth; k += DEPTH_BLOCK) {
        int part = depth - k < DEPTH_BLOCK ? depth - k : DEPTH_BLOCK;
        const unit *a = (const unit *)A + k;
        bool add = accumulate || k > 0;
        for (int column = 0; column < N; column += PANEL) {
            int width = KERNEL(panel_width)(N, column);
            const unit *p = KERNEL(nn_part)(P, N, depth, k, column), *next = p;
            if (column + PANEL < N)
                next = KERNEL(nn_part)(P, N, depth, k, column + PANEL);
            else if (k + part < depth)
                next = KERNEL(nn_part)(P, N, depth, k + part, 0);
            if (N - column < width) KERNEL(nn_ragged)
            (N - column, width, n, part, a, stride, p, next, C + column, ldc, add);
            else KERNEL(nn_vectors)(width / LANES, n, part, a, stride, p, next, C + column, ldc,
                                    add);
        }
    }
}

/* W (rows, vectors * LANES) += X^T D over n rows of units. */
INLINE void KERNEL(tn_tile)(const int rows, const int vectors, int n, const unit *X, long ldx,
                            const unit *D, long ldd, float *W, long ldw)
{
    vf sum[TN_ROWS][TN_VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) sum[i][j] = vf_load(W + i * ldw + j * LANES);
    for (int r = 0; r < n; r++, X += ldx, D += ldd) {
        vf d[TN_VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) d[j] = vf_load(D + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            vf x = vf_all(X[i]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++) sum[i][j] = MULTIPLY(x, d[j], sum[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) vf_store(W + i * ldw + j * LANES, sum[i][j]);
}

/* Tiles down the rows of W, each fetching the rows of the next. */
INLINE void KERNEL(tn_columns)(const int vectors, int K, int n, const unit *X, long ldx,
                               const unit *D, long ldd, float *W, long ldw)
{
    int k = 0;
    for (; k + TN_ROWS <= K; k += TN_ROWS) {
        int end = k + 2 * TN_ROWS < K ? k + 2 * TN_ROWS : K;
        for (int i = k + TN_ROWS; i < end; i++)
            for (int j = 0; j < vectors; j++) __builtin_prefetch(W + i * ldw + j * LANES, 1);
        KERNEL(tn_tile)(TN_ROWS, vectors, n, X + k, ldx, D, ldd, W + k * ldw, ldw);
    }
    for (; k + 4 <= K; k += 4) KERNEL(tn_tile)(4, vectors, n, X + k, ldx, D, ldd, W + k * ldw, ldw);
    for (; k < K; k++) KERNEL(tn_tile)(1, vectors, n, X + k, ldx, D, ldd, W + k * ldw, ldw);
}

/* The last columns, fewer than a vector: D is copied with zeros beside it, W goes through a buffer.
 */
static void KERNEL(tn_ragged)(int columns, int K, int n, const unit *X, long ldx, const unit *D,
                              long ldd, float *W, long ldw, unit *scratch)
{
    for (int r = 0; r < n; r++)
        for (int j = 0; j < LANES; j++) scratch[r * LANES + j] = j < columns ? D[r * ldd + j] : 0;
    for (int k = 0; k < K; k += TN_ROWS) {
        float buffer[TN_ROWS * LANES] = {0};
        int rows = K - k < TN_ROWS ? K - k : TN_ROWS;
        KERNEL(tn_columns)(1, rows, n, X + k, ldx, scratch, LANES, buffer, LANES);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) W[(k + i) * ldw + j] += buffer[i * LANES + j];
    }
}

#if BF16
/* Rows in pairs: unit (r, j) of P holds elements (2r, j) and (2r + 1, j) of S. */
static void KERNEL(pair_rows)(int n, int width, const bf16 *S, long ld, bf16 *P, long ldp)
{
    for (int r = 0; r < n; r += 2) {
        const bf16 *a = S + r * ld, *b = a + ld;
        bf16 *p = P + (long)(r / 2) * ldp * 2;
        int j = 0;
        for (; j + LANES <= width; j += LANES) {
            vf low = bf16_load(a + j), high = r + 1 < n ? bf16_load(b + j) : vf_zero();
            vf_store(p + 2 * j, (vf)(((vu)low >> 16) | (vu)high));
        }
        for (; j < width; j++) {
            p[2 * j] = a[j];
            p[2 * j + 1] = r + 1 < n ? b[j] : 0;
        }
    }
}
#endif

/* Row stride of paired rows: no power of two. */
#define PAIRED_STRIDE(width) (((width) + 15) / 16 * 16 + 16)

static size_t KERNEL(tn_scratch)(int K, int N, int n)
{
    size_t size = (size_t)UNITS(n) * LANES;
    if (BF16) size += (size_t)UNITS(n) * (PAIRED_STRIDE(K) + PAIRED_STRIDE(N));
    return size * sizeof(unit);
}

static void KERNEL(tn)(int K, int N, int n, const void *X, long ldx, const void *D, long ldd,
                       float *W, long ldw, void *scratch)
{
    const unit *x = X, *d = D;
    unit *ragged = scratch;
#if BF16
    bf16 *px = (bf16 *)(ragged + (size_t)UNITS(n) * LANES);
    bf16 *pd = px + 2 * (size_t)UNITS(n) * PAIRED_STRIDE(K);
    KERNEL(pair_rows)(n, K, X, ldx, px, PAIRED_STRIDE(K));
    KERNEL(pair_rows)(n, N, D, ldd, pd, PAIRED_STRIDE(N));
    x = (const unit *)px;
    d = (const unit *)pd;
    ldx = PAIRED_STRIDE(K);
    ldd = PAIRED_STRIDE(N);
#endif
    int rows = UNITS(n);
    /* Parts of the rows so short that a tile's columns stay in the first-level cache. */
    const int part = 192;
    for (int r = 0; r < rows; r += part, x += part * ldx, d += part * ldd) {
        int m = rows - r < part ? rows - r : part;
        for (int k = 0; k < K; k += 256) {
            int depth = K - k < 256 ? K - k : 256, column = 0;
            for (; column + TN_VECTORS * LANES <= N; column += TN_VECTORS * LANES)
                KERNEL(tn_columns)
            (TN_VECTORS, depth, m, x + k, ldx, d + column, ldd, W + (long)k * ldw + column, ldw);
            for (; column + LANES <= N; column += LANES) KERNEL(tn_columns)
            (1, depth, m, x + k, ldx, d + column, ldd, W + (long)k * ldw + column, ldw);
            if (column < N) KERNEL(tn_ragged)
            (N - column, depth, m, x + k, ldx, d + column, ldd, W + (long)k * ldw + column, ldw,
             ragged);
        }
    }
}

#undef UNITS
#undef MULTIPLY
#undef PAIRED_STRIDE
#undef BF16
#undef KERNEL
