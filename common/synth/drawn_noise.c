/* Smooth random textures and the small functions that drawing is made of. */
#include "synth/drawn_noise.h"

#include <math.h>

float clamp01(float x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

float smooth_step(float a, float b, float x)
{
    float t = clamp01((x - a) / (b - a));
    return t * t * (3 - 2 * t);
}

float mix(float a, float b, float t)
{
    return a + (b - a) * t;
}

float bell(float x)
{
    return fabsf(x) > 4 ? 0 : expf(-0.5f * x * x);
}

static float lattice(uint32_t key, int32_t x, int32_t y)
{
    uint32_t h = key ^ (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    h ^= h >> 15;
    return (float)(h >> 8) * (2.0f / 16777216.0f) - 1;
}

float value_noise(uint32_t key, float x, float y)
{
    float fx = floorf(x), fy = floorf(y);
    int32_t ix = (int32_t)fx, iy = (int32_t)fy;
    float u = x - fx, v = y - fy;
    u = u * u * (3 - 2 * u);
    v = v * v * (3 - 2 * v);
    return mix(mix(lattice(key, ix, iy), lattice(key, ix + 1, iy), u),
               mix(lattice(key, ix, iy + 1), lattice(key, ix + 1, iy + 1), u), v);
}

float fractal_noise(uint32_t key, float x, float y, int octaves)
{
    float sum = 0, weight = 0.5f;
    for (int i = 0; i < octaves; i++) {
        sum += weight * value_noise(key + (uint32_t)i, x, y);
        x *= 2.03f;
        y *= 2.03f;
        weight *= 0.5f;
    }
    return sum;
}

static float srgb_to_linear(float v)
{
    return v <= 0.04045f ? v / 12.92f : powf((v + 0.055f) / 1.055f, 2.4f);
}

float linear_to_srgb(float v)
{
    if (v <= 0) return 0;
    return v <= 0.0031308f ? v * 12.92f : 1.055f * powf(v, 1 / 2.4f) - 0.055f;
}

void colour_from_hex(uint32_t hex, float rgb[3])
{
    for (int c = 0; c < 3; c++) rgb[c] = srgb_to_linear((float)(hex >> (16 - 8 * c) & 255) / 255);
}
