/* Pixel kernels for one instruction set: a template. The including source defines KERNEL(name), the
   name of this instance's functions. */

#include "cli/lanes.h"
#include "image/kernels.h"

#include <stdbool.h>
#include <string.h>

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint8_t bytes __attribute__((vector_size(LANES)));
typedef float float4 __attribute__((vector_size(16))); /* a pixel; the last is not used */
typedef int32_t int4 __attribute__((vector_size(16)));
typedef double double4 __attribute__((vector_size(32)));
typedef uint8_t byte4 __attribute__((vector_size(4)));

/* ---- Loading and storing (compilers convert short vectors of bytes one by one) -------------- */

INLINE floats KERNEL(floats_load)(const float *p)
{
    floats v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE floats KERNEL(bytes_load)(const uint8_t *p)
{
#if defined(__AVX512F__)
    return (floats)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
#elif defined(__AVX2__)
    return (floats)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
#elif defined(__SSE2__)
    int32_t word;
    memcpy(&word, p, sizeof word);
    __m128i zero = _mm_setzero_si128(), v = _mm_unpacklo_epi8(_mm_cvtsi32_si128(word), zero);
    return (floats)_mm_cvtepi32_ps(_mm_unpacklo_epi16(v, zero));
#else
    bytes b;
    memcpy(&b, p, sizeof b);
    return __builtin_convertvector(b, floats);
#endif
}

INLINE int4 KERNEL(pixel_load)(const uint8_t *p)
{
#if defined(__SSE2__)
    int32_t word;
    memcpy(&word, p, sizeof word);
    __m128i v = _mm_cvtsi32_si128(word);
#if defined(__SSE4_1__)
    return (int4)_mm_cvtepu8_epi32(v);
#else
    __m128i zero = _mm_setzero_si128();
    return (int4)_mm_unpacklo_epi16(_mm_unpacklo_epi8(v, zero), zero);
#endif
#else
    byte4 b;
    memcpy(&b, p, sizeof b);
    return __builtin_convertvector(b, int4);
#endif
}

INLINE float4 KERNEL(pixel_floats)(const uint8_t *p)
{
    return __builtin_convertvector(KERNEL(pixel_load)(p), float4);
}

/* Values 0 and above; those beyond 255 become 255. */
INLINE void KERNEL(pixel_store)(uint8_t *p, int4 v)
{
#if defined(__SSE2__)
    __m128i words = _mm_packs_epi32((__m128i)v, (__m128i)v);
    uint32_t packed = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(p, &packed, 2);
    p[2] = (uint8_t)(packed >> 16);
#else
    for (int i = 0; i < 3; i++) p[i] = (uint8_t)(v[i] < 255 ? v[i] : 255);
#endif
}

/* ---- Sums of rows --------------------------------------------------------------------------- */

#define TOGETHER 4 /* vectors of sums that stay in registers */

static void KERNEL(bytes_weigh)(float *restrict out, const uint8_t *const *rows,
                                const float *weight, int count, size_t width)
{
    size_t x = 0;
    for (; x + TOGETHER * LANES <= width; x += TOGETHER * LANES) {
        floats sum[TOGETHER] = {{0}};
        for (int j = 0; j < count; j++) {
            for (int k = 0; k < TOGETHER; k++) {
                sum[k] += weight[j] * KERNEL(bytes_load)(rows[j] + x + k * LANES);
            }
        }
        memcpy(out + x, sum, sizeof sum);
    }
    for (; x < width; x++) {
        float sum = 0;
        for (int j = 0; j < count; j++) sum += weight[j] * (float)rows[j][x];
        out[x] = sum;
    }
}

static void KERNEL(floats_weigh)(float *restrict out, const float *const *rows, const float *weight,
                                 int count, size_t width)
{
    size_t x = 0;
    for (; x + TOGETHER * LANES <= width; x += TOGETHER * LANES) {
        floats sum[TOGETHER] = {{0}};
        for (int j = 0; j < count; j++) {
            for (int k = 0; k < TOGETHER; k++) {
                sum[k] += weight[j] * KERNEL(floats_load)(rows[j] + x + k * LANES);
            }
        }
        memcpy(out + x, sum, sizeof sum);
    }
    for (; x + LANES <= width; x += LANES) {
        floats sum = {0};
        for (int j = 0; j < count; j++) sum += weight[j] * KERNEL(floats_load)(rows[j] + x);
        memcpy(out + x, &sum, sizeof sum);
    }
    for (; x < width; x++) {
        float sum = 0;
        for (int j = 0; j < count; j++) sum += weight[j] * rows[j][x];
        out[x] = sum;
    }
}

static void KERNEL(floats_normalise)(float *values, size_t count)
{
    floats most = {0};
    float largest = 0;
    size_t x = 0;
    for (; x + LANES <= count; x += LANES) {
        floats v = KERNEL(floats_load)(values + x);
        ints larger = v > most;
        most = (floats)(((ints)v & larger) | ((ints)most & ~larger));
    }
    for (; x < count; x++) largest = values[x] > largest ? values[x] : largest;
    for (int i = 0; i < LANES; i++) largest = most[i] > largest ? most[i] : largest;
    for (x = 0; x < count; x++) values[x] /= largest;
}

/* ---- Pixels --------------------------------------------------------------------------------- */

INLINE void KERNEL(triples_weigh_taps)(uint8_t *restrict out, const float *restrict row,
                                       const int *first, const float *weight, int taps, int width)
{
    for (int x = 0; x < width; x++, weight += taps, out += 3) {
        const float *from = row + (size_t)first[x] * 3;
        float4 sum = {0.5f, 0.5f, 0.5f, 0.5f};
        for (int j = 0; j < taps; j++) {
            float4 triple;
            memcpy(&triple, from + 3 * j, sizeof triple);
            sum += weight[j] * triple;
        }
        KERNEL(pixel_store)(out, __builtin_convertvector(sum, int4));
    }
}

static void KERNEL(triples_weigh)(uint8_t *restrict out, const float *restrict row,
                                  const int *first, const float *weight, int taps, int width)
{
    switch (taps) { /* loops of known length for reductions up to 2 */
    case 2:
        KERNEL(triples_weigh_taps)(out, row, first, weight, 2, width);
        break;
    case 3:
        KERNEL(triples_weigh_taps)(out, row, first, weight, 3, width);
        break;
    case 4:
        KERNEL(triples_weigh_taps)(out, row, first, weight, 4, width);
        break;
    default:
        KERNEL(triples_weigh_taps)(out, row, first, weight, taps, width);
    }
}

static void KERNEL(pixels_mix)(uint8_t *restrict out, const uint8_t *changed, const uint8_t *kept,
                               const float *mask, double ratio, int width, int backwards)
{
    ptrdiff_t step = backwards ? -3 : 3;
    for (int x = 0; x < width; x++, out += 3, kept += 3, changed += step) {
        double m = ratio * mask[x];
        double4 a = __builtin_convertvector(KERNEL(pixel_load)(changed), double4);
        double4 b = __builtin_convertvector(KERNEL(pixel_load)(kept), double4);
        KERNEL(pixel_store)(out, __builtin_convertvector(m * a + (1 - m) * b + 0.5, int4));
    }
}

#define POSITIONS 64

/* Where pixels look at the input: byte offsets of the upper left neighbour, -1 for the outside, and
   the parts of a pixel beyond it. On the right and lower edge the part is 1. */
static void KERNEL(positions_find)(const affine_row *r, int first, int count, int32_t *offset,
                                   float *across, float *down)
{
    const double *m = r->map, right = r->width - 1, bottom = r->height - 1, slack = r->slack;
    const double row_x = m[1] * r->y, row_y = m[4] * r->y;
    const int32_t left_most = r->width - 2, top_most = r->height - 2, width = r->width;
    for (int i = 0; i < count; i++) {
        double from_x = m[0] * (first + i) + row_x + m[2];
        double from_y = m[3] * (first + i) + row_y + m[5];
        bool inside = (from_x >= -slack) & (from_y >= -slack) & (from_x <= right + slack) &
                      (from_y <= bottom + slack);
        from_x = from_x < 0 ? 0 : from_x > right ? right : from_x;
        from_y = from_y < 0 ? 0 : from_y > bottom ? bottom : from_y;
        int32_t left = (int32_t)from_x, top = (int32_t)from_y;
        left = left < left_most ? left : left_most;
        top = top < top_most ? top : top_most;
        across[i] = (float)(from_x - left);
        down[i] = (float)(from_y - top);
        offset[i] = inside ? 3 * (top * width + left) : -1;
    }
}

static void KERNEL(row_sample)(uint8_t *restrict out, const affine_row *r)
{
    int32_t offset[POSITIONS];
    float across[POSITIONS], down[POSITIONS];
    size_t stride = 3 * (size_t)r->width;
    for (int first = r->from; first < r->to; first += POSITIONS) {
        int count = r->to - first < POSITIONS ? r->to - first : POSITIONS;
        KERNEL(positions_find)(r, first, count, offset, across, down);
        for (int i = 0; i < count; i++, out += 3) {
            if (offset[i] < 0) {
                memset(out, 0, 3);
                continue;
            }
            const uint8_t *p = r->pixels + offset[i];
            float4 a = KERNEL(pixel_floats)(p), b = KERNEL(pixel_floats)(p + 3);
            float4 c = KERNEL(pixel_floats)(p + stride), d = KERNEL(pixel_floats)(p + stride + 3);
            float4 upper = a + across[i] * (b - a), lower = c + across[i] * (d - c);
            float4 mixed = upper + down[i] * (lower - upper) + 0.5f;
            KERNEL(pixel_store)(out, __builtin_convertvector(mixed, int4));
        }
    }
}

const image_kernels KERNEL(image_kernels) = {
    .bytes_weigh = KERNEL(bytes_weigh),
    .floats_weigh = KERNEL(floats_weigh),
    .triples_weigh = KERNEL(triples_weigh),
    .pixels_mix = KERNEL(pixels_mix),
    .row_sample = KERNEL(row_sample),
    .floats_normalise = KERNEL(floats_normalise),
};
