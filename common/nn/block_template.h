/* Block kernels for one vector width and one type: a template. The including source defines
     KERNEL(name)  the name of this instance's functions
     BF16          1 for bfloat16 elements, 0 for float */

#include "nn/block.h"
#include "nn/vector.h"

#if BF16
#define REAL bf16
#define LOAD bf16_load
#define STORE bf16_store
#else
#define REAL float
#define LOAD vf_load
#define STORE vf_store
#endif

/* One vector of an operand: element i, channel c. */
INLINE vf KERNEL(operand_vector)(const operand_kind kind, const operand *o, long i, int c)
{
    vf x = LOAD((const REAL *)o->x + i);
    if (kind == OPERAND_PLAIN) return x;
    if (kind == OPERAND_AFFINE) return vf_fma(vf_load(o->a + c), x, vf_load(o->b + c));
    if (kind == OPERAND_RELU) return vf_relu(vf_fma(vf_load(o->a + c), x, vf_load(o->b + c)));
    vf y = LOAD((const REAL *)o->y + i);
    vf v = vf_fma(vf_load(o->c1 + c), x, vf_fma(vf_load(o->c2 + c), y, vf_load(o->c3 + c)));
    if (kind == OPERAND_LINEAR) return v;
    return vf_where_positive(vf_fma(vf_load(o->a + c), y, vf_load(o->b + c)), v);
}

/* Runs `statement` with KIND a constant, so that each kind gets a loop of its own. */
#define FOR_KIND(o, statement)                                                                     \
    switch ((o)->kind) {                                                                           \
        KIND_CASE(OPERAND_PLAIN, statement)                                                        \
        KIND_CASE(OPERAND_AFFINE, statement)                                                       \
        KIND_CASE(OPERAND_RELU, statement)                                                         \
        KIND_CASE(OPERAND_LINEAR, statement)                                                       \
        KIND_CASE(OPERAND_TANGENT, statement)                                                      \
    }
#define KIND_CASE(kind, statement)                                                                 \
    case kind: {                                                                                   \
        const operand_kind KIND = kind;                                                            \
        statement;                                                                                 \
    } break;

INLINE void KERNEL(load_kind)(const operand_kind kind, REAL *to, long ld, const operand *o,
                              long first, int n, int C)
{
    for (int r = 0; r < n; r++)
        for (int c = 0; c < C; c += LANES)
            STORE(to + r * ld + c, KERNEL(operand_vector)(kind, o, (first + r) * C + c, c));
}

static void KERNEL(load)(void *to, long ld, const operand *o, long first, int n,
                         int C){FOR_KIND(o, KERNEL(load_kind)(KIND, to, ld, o, first, n, C))}

/* Vectors taken together along the channels, so that whole cache lines are used. */
#if LANES == 16
#define TOGETHER 4
#else
#define TOGETHER 2
#endif

INLINE void KERNEL(store_statistics)(const int vectors, const result *r, const float *v, long first,
                                     int n, int C, int c, float *sums)
{
    vf shift[TOGETHER], sum[TOGETHER], square[TOGETHER];
    for (int j = 0; j < vectors; j++) {
        shift[j] = vf_load(v + c + j * LANES);
        sum[j] = square[j] = vf_zero();
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < vectors; j++) {
            long k = (long)i * C + c + j * LANES;
            vf x = vf_load(v + k);
            REAL *to = (REAL *)r->to + first * C + k;
            if ((const void *)to != (const void *)(v + k)) STORE(to, x);
            x -= shift[j];
            sum[j] += x;
            square[j] = vf_fma(x, x, square[j]);
        }
    vf scale = vf_all(1.0f / (float)n);
    for (int j = 0; j < vectors; j++) {
        vf mean = sum[j] * scale;
        vf_store(sums + c + j * LANES, shift[j] + mean);
        vf_store(sums + C + c + j * LANES, square[j] - mean * sum[j]);
    }
}

/* TANGENT, MASKED and JOIN: a gradient or tangent with its sums. */
INLINE void KERNEL(store_sums)(const int vectors, const result_kind kind, const bool second,
                               const result *r, const float *v, long first, int n, int C, int c,
                               float *sums)
{
    vf sum[TOGETHER], product[TOGETHER], product2[TOGETHER], mean[TOGETHER], mean2[TOGETHER];
    for (int j = 0; j < vectors; j++) {
        sum[j] = product[j] = product2[j] = vf_zero();
        mean[j] = vf_load(r->mean + c + j * LANES);
        mean2[j] = second ? vf_load(r->mean2 + c + j * LANES) : vf_zero();
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < vectors; j++) {
            long k = (long)i * C + c + j * LANES, g = first * C + k;
            vf x = vf_load(v + k), y = LOAD((const REAL *)r->y + g);
            if (kind == RESULT_MASKED) {
                vf map = vf_fma(vf_load(r->a + c + j * LANES), y, vf_load(r->b + c + j * LANES));
                x = vf_where_positive(map, x);
            } else if (kind == RESULT_JOIN) {
                if (r->add) x += LOAD((const REAL *)r->add + g);
                x = vf_where_positive(LOAD((const REAL *)r->z + g), x);
            }
            STORE((REAL *)r->to + g, x);
            sum[j] += x;
            product[j] = vf_fma(x, y - mean[j], product[j]);
            if (second) {
                vf y2 = LOAD((const REAL *)r->y2 + g);
                product2[j] = vf_fma(x, y2 - mean2[j], product2[j]);
            }
        }
    for (int j = 0; j < vectors; j++) {
        vf_store(sums + c + j * LANES, sum[j]);
        vf_store(sums + C + c + j * LANES, product[j]);
        if (second) vf_store(sums + 2 * C + c + j * LANES, product2[j]);
    }
}

INLINE void KERNEL(store_columns)(const int vectors, const result *r, const float *v, long first,
                                  int n, int C, int c, float *sums)
{
    if (r->kind == RESULT_STATISTICS)
        KERNEL(store_statistics)(vectors, r, v, first, n, C, c, sums);
    else if (r->kind == RESULT_TANGENT)
        KERNEL(store_sums)(vectors, RESULT_TANGENT, false, r, v, first, n, C, c, sums);
    else if (r->kind == RESULT_MASKED)
        KERNEL(store_sums)(vectors, RESULT_MASKED, false, r, v, first, n, C, c, sums);
    else if (r->y2)
        KERNEL(store_sums)(vectors, RESULT_JOIN, true, r, v, first, n, C, c, sums);
    else
        KERNEL(store_sums)(vectors, RESULT_JOIN, false, r, v, first, n, C, c, sums);
}

static void KERNEL(store_folded)(const result *r, const float *v, long first, int n, int C)
{
    for (int i = 0; i < n; i++)
        for (int c = 0; c < C; c += LANES) {
            long k = (long)i * C + c, g = first * C + k;
            vf x = vf_load(v + k) + vf_load(r->b + c);
            if (r->add) x += LOAD((const REAL *)r->add + g);
            STORE((REAL *)r->to + g, r->relu ? vf_relu(x) : x);
        }
}

static void KERNEL(store_raw)(const result *r, const float *v, long first, int n, int C)
{
    REAL *to = (REAL *)r->to + first * C;
    const REAL *add = r->add ? (const REAL *)r->add + first * C : NULL;
    if ((const void *)to == (const void *)v && !add) return;
    for (long k = 0; k < (long)n * C; k += LANES)
        STORE(to + k, add ? vf_load(v + k) + LOAD(add + k) : vf_load(v + k));
}

static void KERNEL(store)(const result *r, const float *v, long first, int n, int C, float *sums)
{
    if (r->kind == RESULT_RAW) {
        KERNEL(store_raw)(r, v, first, n, C);
    } else if (r->kind == RESULT_FOLDED) {
        KERNEL(store_folded)(r, v, first, n, C);
    } else {
        int c = 0;
        for (; c + TOGETHER * LANES <= C; c += TOGETHER * LANES)
            KERNEL(store_columns)(TOGETHER, r, v, first, n, C, c, sums);
        for (; c < C; c += LANES) KERNEL(store_columns)(1, r, v, first, n, C, c, sums);
    }
}

INLINE void KERNEL(join_kinds)(const operand_kind p_kind, const operand_kind q_kind, REAL *to,
                               const operand *p, const operand *q, const REAL *z, long first, int n,
                               int C)
{
    for (long r = first; r < first + n; r++)
        for (int c = 0; c < C; c += LANES) {
            vf v = KERNEL(operand_vector)(p_kind, p, r * C + c, c) +
                   KERNEL(operand_vector)(q_kind, q, r * C + c, c);
            STORE(to + r * C + c, z ? vf_where_positive(LOAD(z + r * C + c), v) : vf_relu(v));
        }
}

static void KERNEL(join)(void *to, const operand *p, const operand *q, const void *z, long first,
                         int n, int C)
{
    if (p->kind == OPERAND_AFFINE)
        FOR_KIND(q, KERNEL(join_kinds)(OPERAND_AFFINE, KIND, to, p, q, z, first, n, C))
    else
        FOR_KIND(q, KERNEL(join_kinds)(OPERAND_LINEAR, KIND, to, p, q, z, first, n, C))
}

static void KERNEL(widen)(float *to, const void *from, long n)
{
    for (long i = 0; i < n; i += LANES) vf_store(to + i, LOAD((const REAL *)from + i));
}

static void KERNEL(narrow)(void *to, const float *from, long n)
{
    for (long i = 0; i < n; i += LANES) STORE((REAL *)to + i, vf_load(from + i));
}

#include "nn/pool_template.h"
#include "nn/winograd_template.h"

const block_kernels KERNEL(block_kernels) = {
    .type = BF16 ? MATRIX_BF16 : MATRIX_FLOAT32,
    .size = sizeof(REAL),
    .load = KERNEL(load),
    .store = KERNEL(store),
    .join = KERNEL(join),
    .widen = KERNEL(widen),
    .narrow = KERNEL(narrow),
    .max_row = KERNEL(max_row),
    .max_row_gradient = KERNEL(max_row_gradient),
    .max_row_select = KERNEL(max_row_select),
    .winograd_input = KERNEL(winograd_input),
    .winograd_output = KERNEL(winograd_output),
    .winograd_gradient = KERNEL(winograd_gradient),
    .winograd_weights = KERNEL(winograd_weights),
    .winograd_weights_gradient = KERNEL(winograd_weights_gradient),
};

#undef REAL
#undef LOAD
#undef STORE
#undef FOR_KIND
#undef KIND_CASE
#undef TOGETHER
#undef BF16
#undef KERNEL
