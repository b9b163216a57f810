/* Separable resampling: rows first, then columns, in float32. */
#include "image/resample.h"

#include "cli/memory.h"
#include "image/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const resampling_names[] = {"antialias", "bilinear", NULL};

/* For every output position its first source pixel and as many weights as any of them needs; those
   not needed are 0. */
typedef struct taps {
    int count;
    int *first;
    float *weight; /* (n, count) */
} taps;

static void taps_free(taps *t)
{
    free(t->first);
    free(t->weight);
}

/* The source pixels first..*last-1 that count for the position `centre`, among low..high-1. */
static int taps_span(double centre, double support, int low, int high, int *last)
{
    int first = (int)floor(centre - support + 0.5);
    *last = (int)floor(centre + support + 0.5);
    if (first < low) first = low;
    if (*last > high) *last = high;
    if (first > high - 1) first = high - 1;
    if (*last <= first) *last = first + 1;
    return first;
}

static void weights_set(float *weight, double centre, double support, int first, int last)
{
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
}

/* The span a..b to n positions, reading pixels floor(a)..ceil(b)-1. Without antialias the support
   is one pixel; dropping the pixel beyond an edge and dividing by the sum is the same as repeating
   the edge. */
static bool taps_make(taps *t, double a, double b, int n, resampling how, error *e)
{
    double step = (b - a) / n, support = how == RESAMPLE_ANTIALIAS && step > 1 ? step : 1;
    int low = (int)floor(a), high = (int)ceil(b), last;
    t->first = memory_allocate((size_t)n, sizeof *t->first, e);
    if (t->first == NULL) return false;
    t->count = 0;
    for (int i = 0; i < n; i++) {
        t->first[i] = taps_span(a + (i + 0.5) * step, support, low, high, &last);
        if (last - t->first[i] > t->count) t->count = last - t->first[i];
    }
    t->weight = memory_zeroed((size_t)n * (size_t)t->count, sizeof *t->weight, e);
    if (t->weight == NULL) return false;
    for (int i = 0; i < n; i++) {
        double centre = a + (i + 0.5) * step;
        int first = taps_span(centre, support, low, high, &last);
        weights_set(t->weight + (size_t)i * (size_t)t->count, centre, support, first, last);
    }
    return true;
}

/* The rows that weigh in for one output row, the last again and again where there are no more. */
static void rows_point(const image *from, int left, int first, int count, const uint8_t **rows)
{
    for (int j = 0; j < count; j++) {
        int y = first + j < from->height ? first + j : from->height - 1;
        rows[j] = from->pixels + 3 * ((size_t)y * (size_t)from->width + (size_t)left);
    }
}

static bool resample_run(const image *from, const double rectangle[4], const taps *across,
                         const taps *down, image *out, error *e)
{
    const image_kernels *kernels = image_kernels_get();
    int left = (int)floor(rectangle[0]), right = (int)ceil(rectangle[2]);
    size_t count = (size_t)(right - left) * 3, beyond = 3 * (size_t)across->count + 1;
    /* Triples beyond the rectangle have a weight of 0. */
    float *sum = memory_zeroed(count + beyond, sizeof *sum, e);
    const uint8_t **rows = memory_allocate((size_t)down->count, sizeof *rows, e);
    bool done = sum != NULL && rows != NULL;
    for (int y = 0; done && y < out->height; y++) {
        rows_point(from, left, down->first[y], down->count, rows);
        kernels->bytes_weigh(sum, rows, down->weight + (size_t)y * (size_t)down->count, down->count,
                             count);
        kernels->triples_weigh(out->pixels + 3 * (size_t)y * (size_t)out->width, sum, across->first,
                               across->weight, across->count, out->width);
    }
    free(sum);
    free(rows);
    return done;
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
                taps_make(&down, r[1], r[3], height, how, e);
    if (done) {
        /* The sums of a row begin at the rectangle's left. */
        for (int i = 0; i < width; i++) across.first[i] -= (int)floor(r[0]);
        done = resample_run(from, rectangle, &across, &down, out, e);
    }
    taps_free(&across);
    taps_free(&down);
    if (!done) image_free(out);
    return done;
}
