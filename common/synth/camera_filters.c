/* Blurs and other filters on float pictures, edges repeated. */
#include "synth/camera_filters.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int clamp_index(int i, int size)
{
    return i < 0 ? 0 : i >= size ? size - 1 : i;
}

static float *copy_image(const float *image, int size, int channels, error *e)
{
    size_t count = (size_t)size * (size_t)size * (size_t)channels;
    float *copy = memory_allocate(count, sizeof *copy, e);
    if (copy) memcpy(copy, image, count * sizeof *copy);
    return copy;
}

/* One pass of a gaussian from `in` to `out`, over rows or over columns. */
static void gaussian_pass(const float *in, float *out, int size, int channels, const float *kernel,
                          int reach, bool rows)
{
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            for (int c = 0; c < channels; c++) {
                float sum = 0;
                for (int i = -reach; i <= reach; i++) {
                    int sx = rows ? clamp_index(x + i, size) : x,
                        sy = rows ? y : clamp_index(y + i, size);
                    sum += kernel[i + reach] * in[(sy * size + sx) * channels + c];
                }
                out[(y * size + x) * channels + c] = sum;
            }
        }
    }
}

bool filter_gaussian(float *image, int size, int channels, float sigma, error *e)
{
    enum { LONGEST = 24 };
    if (sigma < 0.15f) return true;
    int reach = (int)ceilf(3 * sigma);
    if (reach > LONGEST) reach = LONGEST;
    float kernel[2 * LONGEST + 1], sum = 0;
    for (int i = -reach; i <= reach; i++)
        sum += kernel[i + reach] = expf(-0.5f * (float)(i * i) / (sigma * sigma));
    for (int i = 0; i <= 2 * reach; i++) kernel[i] /= sum;
    float *copy = copy_image(image, size, channels, e);
    if (!copy) return false;
    gaussian_pass(image, copy, size, channels, kernel, reach, true);
    gaussian_pass(copy, image, size, channels, kernel, reach, false);
    free(copy);
    return true;
}

bool filter_disc(float *image, int size, int channels, float radius, error *e)
{
    if (radius < 0.5f) return true;
    /* Sums along rows make a row of the disc one subtraction. */
    int reach = (int)radius, stride = size + 1;
    double *sums =
        memory_allocate((size_t)size * (size_t)stride * (size_t)channels, sizeof *sums, e);
    if (!sums) return false;
    for (int y = 0; y < size; y++) {
        for (int c = 0; c < channels; c++) {
            double sum = 0;
            for (int x = 0; x <= size; x++) {
                sums[(y * stride + x) * channels + c] = sum;
                if (x < size) sum += (double)image[(y * size + x) * channels + c];
            }
        }
    }
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            double total[4] = {0}, count = 0;
            for (int i = -reach; i <= reach; i++) {
                int half = (int)(sqrtf(radius * radius - (float)(i * i)) + 0.5f),
                    row = clamp_index(y + i, size);
                int from = clamp_index(x - half, size), to = clamp_index(x + half, size) + 1;
                const double *low = sums + (row * stride + from) * channels,
                             *high = sums + (row * stride + to) * channels;
                for (int c = 0; c < channels; c++) total[c] += high[c] - low[c];
                count += to - from;
            }
            for (int c = 0; c < channels; c++)
                image[(y * size + x) * channels + c] = (float)(total[c] / count);
        }
    }
    free(sums);
    return true;
}

bool filter_motion(float *image, int size, int channels, float length, float angle, error *e)
{
    if (length < 0.3f) return true;
    float *in = copy_image(image, size, channels, e);
    if (!in) return false;
    int taps = 2 * (int)ceilf(length) + 1;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float *out = image + (y * size + x) * channels;
            memset(out, 0, (size_t)channels * sizeof *out);
            for (int i = 0; i < taps; i++) {
                float s = length * ((float)i / (float)(taps - 1) - 0.5f);
                float px = (float)x + s * cosf(angle), py = (float)y + s * sinf(angle),
                      fx = floorf(px), fy = floorf(py);
                int x0 = clamp_index((int)fx, size), x1 = clamp_index((int)fx + 1, size);
                int y0 = clamp_index((int)fy, size), y1 = clamp_index((int)fy + 1, size);
                float u = px - fx, v = py - fy;
                for (int c = 0; c < channels; c++) {
                    float top = (1 - u) * in[(y0 * size + x0) * channels + c] +
                                u * in[(y0 * size + x1) * channels + c];
                    float low = (1 - u) * in[(y1 * size + x0) * channels + c] +
                                u * in[(y1 * size + x1) * channels + c];
                    out[c] += ((1 - v) * top + v * low) / (float)taps;
                }
            }
        }
    }
    free(in);
    return true;
}

static float luminance(const float *rgb)
{
    return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
}

bool filter_bilateral(float *rgb, int size, int radius, float tolerance, error *e)
{
    if (tolerance <= 1e-4f || radius < 1) return true;
    float *in = copy_image(rgb, size, 3, e);
    if (!in) return false;
    float scale = 1 / (tolerance * tolerance);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float *out = rgb + 3 * (y * size + x), sum[3] = {0}, total = 0,
                  here = luminance(in + 3 * (y * size + x));
            for (int j = -radius; j <= radius; j++) {
                for (int i = -radius; i <= radius; i++) {
                    const float *s =
                        in + 3 * (clamp_index(y + j, size) * size + clamp_index(x + i, size));
                    float difference = luminance(s) - here,
                          weight = 1 / (1 + scale * difference * difference);
                    weight *= weight;
                    for (int c = 0; c < 3; c++) sum[c] += weight * s[c];
                    total += weight;
                }
            }
            for (int c = 0; c < 3; c++) out[c] = sum[c] / total;
        }
    }
    free(in);
    return true;
}
