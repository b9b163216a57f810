/* Blurring and eroding masks as OpenCV does. */
#include "image/filter.h"

#include "cli/memory.h"
#include "image/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void gaussian_kernel(int count, double sigma, double *kernel)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double d = i - (count - 1) / 2.0;
        kernel[i] = exp(-d * d / (2 * sigma * sigma));
        sum += kernel[i];
    }
    for (int i = 0; i < count; i++) kernel[i] /= sum;
}

int border_reflect(int i, int n)
{
    if (n == 1) return 0;
    int period = 2 * (n - 1);
    i %= period;
    if (i < 0) i += period;
    return i < n ? i : period - i;
}

filter_part blurred_part(filter_part part, int count, int width, int height)
{
    int radius = count / 2;
    return (filter_part){part.left > radius ? part.left - radius : 0,
                         part.top > radius ? part.top - radius : 0,
                         part.right < width - radius ? part.right + radius : width,
                         part.bottom < height - radius ? part.bottom + radius : height};
}

/* A part and what its blur reaches, the weights, and room for as many rows. */
typedef struct blur {
    filter_part in, out;
    int width, height, count; /* of the image; of the weights */
    const image_kernels *kernels;
    float *weight;
    const float **rows;
} blur;

/* Blurs the rows of the part along themselves; `padded` has room for a row and the weights. */
static void rows_blur(const blur *b, const float *pixels, float *padded, float *blurred)
{
    size_t across = (size_t)(b->out.right - b->out.left);
    int first = b->out.left - b->count / 2, beyond = b->out.right + b->count / 2;
    for (int i = 0; i < b->count; i++) b->rows[i] = padded + i;
    for (int y = b->in.top; y < b->in.bottom; y++, blurred += across) {
        for (int x = first; x < beyond; x++) {
            int from = border_reflect(x, b->width);
            bool known = from >= b->in.left && from < b->in.right;
            padded[x - first] = known ? pixels[from - b->in.left] : 0;
        }
        b->kernels->floats_weigh(blurred, b->rows, b->weight, b->count, across);
        pixels += b->in.right - b->in.left;
    }
}

/* `weight` has room for the weights. */
static void columns_blur(const blur *b, const float *blurred, float *weight, float *out)
{
    size_t across = (size_t)(b->out.right - b->out.left);
    for (int y = b->out.top; y < b->out.bottom; y++, out += across) {
        int count = 0;
        for (int i = 0; i < b->count; i++) {
            int from = border_reflect(y + i - b->count / 2, b->height);
            if (from < b->in.top || from >= b->in.bottom) continue;
            b->rows[count] = blurred + (size_t)(from - b->in.top) * across;
            weight[count++] = b->weight[i];
        }
        b->kernels->floats_weigh(out, b->rows, weight, count, across);
    }
}

bool gaussian_blur(const float *pixels, filter_part part, int width, int height, int count,
                   double sigma, float *out, error *e)
{
    size_t weights = (size_t)count;
    blur b = {part,
              blurred_part(part, count, width, height),
              width,
              height,
              count,
              .kernels = image_kernels_get(),
              .weight = memory_allocate(weights, sizeof(float), e),
              .rows = memory_allocate(weights, sizeof(float *), e)};
    size_t across = (size_t)(b.out.right - b.out.left);
    double *wide = memory_allocate(weights, sizeof *wide, e);
    float *padded = memory_allocate(across + weights, sizeof *padded, e);
    float *rows = memory_allocate(across * (size_t)(part.bottom - part.top), sizeof *rows, e);
    bool done = b.weight && b.rows && wide && padded && rows;
    if (done) {
        gaussian_kernel(count, sigma, wide);
        for (int i = 0; i < count; i++) b.weight[i] = (float)wide[i];
        rows_blur(&b, pixels, padded, rows);
        columns_blur(&b, rows, padded, out);
    }
    free(wide);
    free(b.weight);
    free(b.rows);
    free(padded);
    free(rows);
    return done;
}

/* How far ones reach without a gap to both sides of each pixel of a row: n when the n - 1 pixels to
   its left and right and itself are ones, 0 for a zero. The outside counts as ones. False for a row
   of zeros. */
static bool reach_find(const uint8_t *row, int width, uint16_t *reach)
{
    int run = width, any = 0;
    for (int x = 0; x < width; x++) {
        run = row[x] ? run + 1 : 0;
        any |= row[x];
        reach[x] = (uint16_t)(run < UINT16_MAX ? run : UINT16_MAX);
    }
    run = width;
    for (int x = width - 1; x >= 0; x--) {
        run = row[x] ? run + 1 : 0;
        if (run < reach[x]) reach[x] = (uint16_t)run;
    }
    return any != 0;
}

/* The half width of the ellipse's row `dy`, as OpenCV rounds it. */
static int ellipse_half_width(int radius, int dy)
{
    if (radius == 0) return 0;
    double square = radius * radius;
    return (int)lrint(radius * sqrt((square - dy * dy) / square));
}

static void row_narrow(uint8_t *restrict row, const uint16_t *restrict reach, int width, int half)
{
    for (int x = 0; x < width; x++) row[x] &= reach[x] > half;
}

bool ellipse_erode(const uint8_t *mask, int width, int height, int count, uint8_t *out, error *e)
{
    size_t across = (size_t)width;
    int radius = count / 2;
    uint16_t *reach = memory_allocate(across * (size_t)height, sizeof *reach, e);
    bool *any = memory_allocate((size_t)height, sizeof *any, e);
    bool done = reach != NULL && any != NULL;
    for (int y = 0; done && y < height; y++) {
        any[y] = reach_find(mask + (size_t)y * across, width, reach + (size_t)y * across);
    }
    if (done) memcpy(out, mask, across * (size_t)height);
    for (int dy = -radius; done && dy <= radius; dy++) {
        int half = ellipse_half_width(radius, dy);
        for (int y = 0; y < height; y++) {
            if (!any[y] || y + dy < 0 || y + dy >= height) continue;
            row_narrow(out + (size_t)y * across, reach + (size_t)(y + dy) * across, width, half);
        }
    }
    free(reach);
    free(any);
    return done;
}
