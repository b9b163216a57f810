/* Separable resampling: rows first, then columns, in float32. */
#include "image/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const resampling_names[] = {"antialias", "bilinear", NULL};

/* For every output position its first source pixel and `most` weights (those not used are 0). */
typedef struct taps {
    int most;
    int *first, *count;
    float *weight; /* (n, most) */
} taps;

static void taps_free(taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}

static void taps_set(taps *t, int i, double centre, double support, int low, int high)
{
    int first = (int)floor(centre - support + 0.5), last = (int)floor(centre + support + 0.5);
    if (first < low) first = low;
    if (last > high) last = high;
    if (first > high - 1) first = high - 1;
    if (last <= first) last = first + 1;
    float *weight = t->weight + (size_t)i * (size_t)t->most;
    double sum = 0;
    for (int j = first; j < last; j++) {
        double w = 1 - fabs(j + 0.5 - centre) / support;
        sum += w > 0 ? w : 0;
    }
    for (int j = first; j < last; j++) {
        double w = 1 - fabs(j + 0.5 - centre) / support;
        /* A rectangle thinner than a pixel can leave a single pixel just out of reach. */
        weight[j - first] = sum > 0 ? (float)((w > 0 ? w : 0) / sum) : 1.0f / (float)(last - first);
    }
    t->first[i] = first;
    t->count[i] = last - first;
}

/* The span a..b to n positions, reading pixels floor(a)..ceil(b)-1. Without antialias the support
   is one pixel; dropping the pixel beyond an edge and dividing by the sum is the same as repeating
   the edge. */
static bool taps_make(taps *t, double a, double b, int n, resampling how, error *e)
{
    double step = (b - a) / n, support = how == RESAMPLE_ANTIALIAS && step > 1 ? step : 1;
    *t = (taps){.most = (int)ceil(2 * support) + 2};
    t->first = memory_allocate((size_t)n, sizeof *t->first, e);
    t->count = memory_allocate((size_t)n, sizeof *t->count, e);
    t->weight = memory_zeroed((size_t)n * (size_t)t->most, sizeof *t->weight, e);
    if (t->first == NULL || t->count == NULL || t->weight == NULL) return false;
    int low = (int)floor(a), high = (int)ceil(b);
    for (int i = 0; i < n; i++) taps_set(t, i, a + (i + 0.5) * step, support, low, high);
    return true;
}

static void row_add(float *restrict sum, const uint8_t *restrict row, float weight, size_t count)
{
    for (size_t i = 0; i < count; i++) sum[i] += weight * (float)row[i];
}

/* One output row from a row of sums whose first pixel is source column `left`. */
static void columns_gather(const float *row, const taps *across, int left, int width, uint8_t *out)
{
    for (int x = 0; x < width; x++, out += 3) {
        const float *weight = across->weight + (size_t)x * (size_t)across->most;
        const float *from = row + (size_t)(across->first[x] - left) * 3;
        float red = 0.5f, green = 0.5f, blue = 0.5f;
        for (int j = 0; j < across->count[x]; j++, from += 3) {
            red += weight[j] * from[0];
            green += weight[j] * from[1];
            blue += weight[j] * from[2];
        }
        out[0] = red < 255 ? (uint8_t)red : 255;
        out[1] = green < 255 ? (uint8_t)green : 255;
        out[2] = blue < 255 ? (uint8_t)blue : 255;
    }
}

static bool resample_run(const image *from, const double rectangle[4], const taps *across,
                         const taps *down, image *out, error *e)
{
    int left = (int)floor(rectangle[0]), right = (int)ceil(rectangle[2]);
    size_t count = (size_t)(right - left) * 3;
    float *sum = memory_allocate(count, sizeof *sum, e);
    if (sum == NULL) return false;
    for (int y = 0; y < out->height; y++) {
        const float *weight = down->weight + (size_t)y * (size_t)down->most;
        memset(sum, 0, count * sizeof *sum);
        for (int j = 0; j < down->count[y]; j++) {
            size_t row = (size_t)(down->first[y] + j) * (size_t)from->width + (size_t)left;
            row_add(sum, from->pixels + 3 * row, weight[j], count);
        }
        columns_gather(sum, across, left, out->width,
                       out->pixels + 3 * (size_t)y * (size_t)out->width);
    }
    free(sum);
    return true;
}

bool image_resample(const image *from, const double rectangle[4], resampling how, int width,
                    int height, image *out, error *e)
{
    const double *r = rectangle;
    if (!(r[0] >= 0 && r[1] >= 0 && r[0] < r[2] && r[1] < r[3] && r[2] <= from->width &&
          r[3] <= from->height)) {
        return error_set(e, STATUS_DATA, "rectangle %g,%g,%g,%g is not within %d x %d pixels", r[0],
                         r[1], r[2], r[3], from->width, from->height);
    }
    taps across = {0}, down = {0};
    bool done = image_allocate(out, width, height, e) &&
                taps_make(&across, r[0], r[2], width, how, e) &&
                taps_make(&down, r[1], r[3], height, how, e) &&
                resample_run(from, rectangle, &across, &down, out, e);
    taps_free(&across);
    taps_free(&down);
    if (!done) image_free(out);
    return done;
}
