/* CLIP's activation, written without branches so that compilers vectorise it. */
#include "nn/quickgelu.h"

#include <stdint.h>
#include <string.h>

static const float steepness = 1.702f;

/* e^x within 2 units in the last place for |x| <= 87; farther out it stays at the ends. Cody-Waite
   reduction to |r| <= ln(2)/2 and the polynomial of Cephes' expf. */
static inline float exponential(float x)
{
    x = x > 87.0f ? 87.0f : x;
    x = x < -87.0f ? -87.0f : x;
    float shifted = x * 1.44269504f + 12582912.0f; /* adding 1.5 * 2^23 rounds to a whole number */
    float whole = shifted - 12582912.0f;
    float r = x - whole * 0.693359375f + whole * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    int32_t power;
    memcpy(&power, &shifted, sizeof power);
    power = (int32_t)((uint32_t)power << 23) +
            0x3f800000; /* the low bits of `shifted` are the whole number */
    float scale;
    memcpy(&scale, &power, sizeof scale);
    return p * scale;
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential(-steepness * x));
}

enum { BLOCK = 4096 };

void quickgelu_forward(float *y, const float *x, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < count; block += BLOCK) {
        size_t end = count - block < BLOCK ? count : block + BLOCK;
        for (size_t i = block; i < end; i++) y[i] = x[i] * sigmoid(x[i]);
    }
}

void quickgelu_backward(float *dx, const float *dy, const float *x, size_t count)
{
#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < count; block += BLOCK) {
        size_t end = count - block < BLOCK ? count : block + BLOCK;
        for (size_t i = block; i < end; i++) {
            float s = sigmoid(x[i]);
            dx[i] = dy[i] * s * (1.0f + steepness * x[i] * (1.0f - s));
        }
    }
}

void quickgelu_jvp(float *y_tangent, const float *x_tangent, const float *x, size_t count)
{
    quickgelu_backward(y_tangent, x_tangent, x, count);
}
