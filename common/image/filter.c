/* Filters on masks. */
#include "image/filter.h"

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

static void row_scale_add(float *restrict sum, const float *restrict row, float weight, int width)
{
    for (int x = 0; x < width; x++) sum[x] += weight * row[x];
}

/* Blurs one row in place; `padded` has room for width + count - 1. */
static void row_blur(float *row, int width, const float *kernel, int count, float *padded)
{
    int radius = count / 2;
    for (int x = -radius; x < width + radius; x++) {
        padded[x + radius] = row[border_reflect(x, width)];
    }
    memset(row, 0, (size_t)width * sizeof *row);
    for (int i = 0; i < count; i++) row_scale_add(row, padded + i, kernel[i], width);
}

static bool row_is_zero(const float *row, int width)
{
    for (int x = 0; x < width; x++) {
        if (row[x] != 0) return false;
    }
    return true;
}

typedef struct blur_room {
    double *wide;
    float *kernel, *padded, *rows;
    bool *zero;
} blur_room;

static void blur_rows(float *pixels, int width, int height, const blur_room *room, int count)
{
    for (int y = 0; y < height; y++) {
        float *row = pixels + (size_t)y * (size_t)width;
        room->zero[y] = row_is_zero(row, width);
        if (!room->zero[y]) row_blur(row, width, room->kernel, count, room->padded);
    }
}

static void blur_columns(float *pixels, int width, int height, const blur_room *room, int count)
{
    size_t size = (size_t)width * (size_t)height;
    memset(room->rows, 0, size * sizeof *room->rows);
    for (int y = 0; y < height; y++) {
        float *row = room->rows + (size_t)y * (size_t)width;
        for (int i = 0; i < count; i++) {
            int from = border_reflect(y + i - count / 2, height);
            if (room->zero[from]) continue;
            row_scale_add(row, pixels + (size_t)from * (size_t)width, room->kernel[i], width);
        }
    }
    memcpy(pixels, room->rows, size * sizeof *pixels);
}

bool gaussian_blur(float *pixels, int width, int height, int count, double sigma, error *e)
{
    blur_room room = {
        .wide = memory_allocate((size_t)count, sizeof(double), e),
        .kernel = memory_allocate((size_t)count, sizeof(float), e),
        .padded = memory_allocate((size_t)width + (size_t)count, sizeof(float), e),
        .rows = memory_allocate((size_t)width * (size_t)height, sizeof(float), e),
        .zero = memory_allocate((size_t)height, sizeof(bool), e),
    };
    bool done = room.wide && room.kernel && room.padded && room.rows && room.zero;
    if (done) {
        gaussian_kernel(count, sigma, room.wide);
        for (int i = 0; i < count; i++) room.kernel[i] = (float)room.wide[i];
        blur_rows(pixels, width, height, &room, count);
        blur_columns(pixels, width, height, &room, count);
    }
    free(room.wide);
    free(room.kernel);
    free(room.padded);
    free(room.rows);
    free(room.zero);
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
