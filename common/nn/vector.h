/* Vectors of floats, as wide as the instructions this file is compiled for; bfloat16 in memory.
   Included only by the sources that hold kernels. */
#ifndef BLADES_NN_VECTOR_H
#define BLADES_NN_VECTOR_H

#include "cli/lanes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef uint16_t vh __attribute__((vector_size(2 * LANES)));
typedef uint8_t vb __attribute__((vector_size(LANES)));
typedef uint16_t bf16;

INLINE vf vf_zero(void)
{
    return (vf){0};
}

INLINE vf vf_all(float x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_set1_ps(x);
#elif defined(__AVX2__)
    return (vf)_mm256_set1_ps(x);
#else
    return (vf){x, x, x, x};
#endif
}

INLINE vf vf_load(const void *p)
{
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void vf_store(void *p, vf v)
{
    memcpy(p, &v, sizeof v);
}

/* a * b + c, rounded once where the processor can */
INLINE vf vf_fma(vf a, vf b, vf c)
{
#if defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* max(v, 0); NaN stays NaN */
INLINE vf vf_relu(vf v)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps(_mm512_setzero_ps(), (__m512)v);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps(_mm256_setzero_ps(), (__m256)v);
#else
    return (vf)((vi)v & ~(v <= vf_zero()));
#endif
}

/* v where x > 0, else 0 */
INLINE vf vf_where_positive(vf x, vf v)
{
#if defined(__AVX512F__)
    return (vf)_mm512_maskz_mov_ps(_mm512_cmp_ps_mask((__m512)x, _mm512_setzero_ps(), _CMP_GT_OQ),
                                   (__m512)v);
#else
    return (vf)((vi)v & (x > vf_zero()));
#endif
}

/* v where mask is set (all bits), else w */
INLINE vf vf_select(vi mask, vf v, vf w)
{
    return (vf)(((vi)v & mask) | ((vi)w & ~mask));
}

INLINE vf bf16_load(const bf16 *p)
{
    vh h;
    memcpy(&h, p, sizeof h);
    return (vf)(__builtin_convertvector(h, vu) << 16);
}

/* Rounds to nearest even; NaN stays NaN. */
INLINE void bf16_store(bf16 *p, vf v)
{
#if defined(__AVX512BF16__)
    __m256bh h = _mm512_cvtneps_pbh((__m512)v);
    memcpy(p, &h, sizeof h);
#else
    vu u = (vu)v;
    vu rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    vu nan = (vu)(v != v);
    vh h = __builtin_convertvector((rounded & ~nan) | ((u >> 16 | 0x40) & nan), vh);
    memcpy(p, &h, sizeof h);
#endif
}

/* c + products of the two bfloat16 that each lane of a and b holds */
INLINE vf bf16_dot(vf a, vf b, vf c)
{
#if defined(__AVX512BF16__)
    return (vf)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
#else
    vu x = (vu)a, y = (vu)b;
    c = vf_fma((vf)(x << 16), (vf)(y << 16), c);
    return vf_fma((vf)(x & 0xffff0000u), (vf)(y & 0xffff0000u), c);
#endif
}

#endif
