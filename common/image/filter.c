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

/* For each pixel, how many ones there are in a row to its left and to its right, itself included;
   the outside counts as ones without end. */
static void runs_find(const uint8_t *row, int width, int *left, int *right)
{
    int endless = width + 1;
    for (int x = 0, run = endless; x < width; x++) {
        run = row[x] ? run + 1 : 0;
        left[x] = run;
    }
    for (int x = width - 1, run = endless; x >= 0; x--) {
        run = row[x] ? run + 1 : 0;
        right[x] = run;
    }
}

bool ellipse_erode(const uint8_t *mask, int width, int height, int count, uint8_t *out, error *e)
{
    int radius = count / 2;
    int *left = memory_allocate((size_t)width, sizeof *left, e);
    int *right = memory_allocate((size_t)width, sizeof *right, e);
    bool done = left != NULL && right != NULL;
    if (done) memset(out, 1, (size_t)width * (size_t)height);
    for (int y = 0; done && y < height; y++) {
        runs_find(mask + (size_t)y * (size_t)width, width, left, right);
        for (int dy = -radius; dy <= radius; dy++) {
            int to = y - dy;
            if (to < 0 || to >= height) continue;
            int half = radius == 0 ? 0
                                   : (int)lrint(radius * sqrt((radius * radius - dy * dy) /
                                                              (double)(radius * radius)));
            uint8_t *row = out + (size_t)to * (size_t)width;
            for (int x = 0; x < width; x++) row[x] &= left[x] > half && right[x] > half;
        }
    }
    free(left);
    free(right);
    return done;
}
