/* Flips under soft masks. */
#include "face/manipulate.h"

#include "cli/memory.h"
#include "image/filter.h"
#include "image/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const flip_names[] = {"rotate", "vertical", "horizontal", NULL};

static int odd_count(double radius)
{
    return 2 * (int)floor(radius + 0.5) + 1;
}

mask_constants mask_constants_for(face_region which, int size)
{
    double k = size / 224.0;
    bool nose = which == REGION_NOSE;
    return (mask_constants){
        .margin = (int)floor((nose ? 3 : 5) * k + 0.5),
        .first_count = odd_count((nose ? 7 : 45) * k),
        .first_sigma = (nose ? 2 : 7) * k,
        .fallback_sigma = k,
        .ellipse = odd_count(7 * k),
        .second_count = odd_count(25 * k),
        .second_sigma = 10 * k,
    };
}

/* The blur along one axis of ones at from..to-1 among n pixels. */
static bool profile_blur(int from, int to, int n, int count, double sigma, double *profile,
                         error *e)
{
    double *kernel = memory_allocate((size_t)count, sizeof *kernel, e);
    double *ones = memory_allocate((size_t)n + (size_t)count, sizeof *ones, e);
    if (kernel != NULL && ones != NULL) {
        gaussian_kernel(count, sigma, kernel);
        for (int i = 0; i < n + count; i++) {
            int at = border_reflect(i - count / 2, n);
            ones[i] = at >= from && at < to;
        }
        for (int i = 0; i < n; i++) profile[i] = 0;
        for (int j = 0; j < count; j++) {
            for (int i = 0; i < n; i++) profile[i] += kernel[j] * ones[i + j];
        }
    }
    bool done = kernel != NULL && ones != NULL;
    free(kernel);
    free(ones);
    return done;
}

/* The blur of a rectangle is a product of two profiles. */
typedef struct profiles {
    double *across, *down;
} profiles;

static double largest(const double *values, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++) most = values[i] > most ? values[i] : most;
    return most;
}

/* The positions *first..*end-1 of a profile that are at least 1/2 when multiplied with `most`, and
   one more at each end that is not the profile's. */
static void profile_span(const double *profile, double most, int n, int *first, int *end)
{
    *first = 0;
    *end = n;
    while (profile[*first] * most < 0.5) ++*first;
    while (profile[*end - 1] * most < 0.5) --*end;
    *first -= *first > 0;
    *end += *end < n;
}

/* The region where the blur can reach 1/2, with a one-pixel border below 1/2 wherever the image
   continues, so that eroding it equals eroding the whole mask. False if it never reaches 1/2. */
static bool profiles_reach(const profiles *p, int size, filter_part *part)
{
    double across_most = largest(p->across, size), down_most = largest(p->down, size);
    if (across_most * down_most < 0.5) return false;
    profile_span(p->across, down_most, size, &part->left, &part->right);
    profile_span(p->down, across_most, size, &part->top, &part->bottom);
    return true;
}

/* With *reached false: the blur is below 1/2 everywhere. */
static bool profiles_make(profiles *p, rectangle r, int size, const mask_constants *k,
                          filter_part *part, bool *reached, error *e)
{
    const double sigmas[] = {k->first_sigma, k->fallback_sigma};
    *reached = false;
    for (int i = 0; i < 2 && !*reached; i++) {
        if (!profile_blur(r.left, r.right, size, k->first_count, sigmas[i], p->across, e) ||
            !profile_blur(r.top, r.bottom, size, k->first_count, sigmas[i], p->down, e)) {
            return false;
        }
        *reached = profiles_reach(p, size, part);
    }
    return true;
}

/* A Gaussian's share within two sigma of its middle, squared, is well above 1/2. */
#define SURE_SIGMAS 4

bool soft_mask_possible(rectangle r, int size, const mask_constants *k, bool *possible, error *e)
{
    double sure = SURE_SIGMAS * k->fallback_sigma;
    *possible = r.right - r.left >= sure && r.bottom - r.top >= sure;
    if (*possible) return true;
    double *profile = memory_allocate((size_t)size, 2 * sizeof *profile, e);
    profiles p = {profile, profile + size};
    filter_part part;
    bool done = profile != NULL && profiles_make(&p, r, size, k, &part, possible, e);
    free(profile);
    return done;
}

/* What is kept of the part, ones and zeros, eroded unless that leaves nothing. */
static bool hard_mask(const profiles *p, filter_part part, int ellipse, float *hard, error *e)
{
    int width = part.right - part.left, height = part.bottom - part.top;
    size_t count = (size_t)width * (size_t)height;
    uint8_t *kept = memory_allocate(count, 2, e);
    if (kept == NULL) return false;
    uint8_t *eroded = kept + count;
    for (size_t i = 0, y = (size_t)part.top; y < (size_t)part.bottom; y++) {
        for (int x = part.left; x < part.right; x++) kept[i++] = p->across[x] * p->down[y] >= 0.5;
    }
    bool done = ellipse_erode(kept, width, height, ellipse, eroded, e);
    const uint8_t *from = done && memchr(eroded, 1, count) != NULL ? eroded : kept;
    for (size_t i = 0; i < count; i++) hard[i] = from[i];
    free(kept);
    return done;
}

static bool mask_reserve(soft_mask *mask, filter_part where, error *e)
{
    size_t count = (size_t)(where.right - where.left) * (size_t)(where.bottom - where.top);
    if (mask->capacity < count) {
        soft_mask_free(mask);
        mask->values = memory_allocate(count, sizeof *mask->values, e);
        if (mask->values == NULL) return false;
        mask->capacity = count;
    }
    mask->where = (rectangle){where.left, where.top, where.right, where.bottom};
    return true;
}

bool soft_mask_make(soft_mask *mask, rectangle r, int size, const mask_constants *k, error *e)
{
    filter_part part;
    float *hard = NULL;
    double *profile = memory_allocate((size_t)size, 2 * sizeof *profile, e);
    profiles p = {profile, profile + size};
    bool reached;
    bool done = profile != NULL && profiles_make(&p, r, size, k, &part, &reached, e);
    if (done && !reached) done = error_set(e, STATUS_DATA, "the region is too small for a mask");
    if (done) {
        size_t count = (size_t)(part.right - part.left) * (size_t)(part.bottom - part.top);
        hard = memory_allocate(count, sizeof *hard, e);
        done = hard != NULL && hard_mask(&p, part, k->ellipse, hard, e) &&
               mask_reserve(mask, blurred_part(part, k->second_count, size, size), e) &&
               gaussian_blur(hard, part, size, size, k->second_count, k->second_sigma, mask->values,
                             e);
    }
    if (done) {
        rectangle w = mask->where;
        size_t count = (size_t)(w.right - w.left) * (size_t)(w.bottom - w.top);
        image_kernels_get()->floats_normalise(mask->values, count);
    }
    free(profile);
    free(hard);
    return done;
}

void soft_mask_free(soft_mask *mask)
{
    free(mask->values);
    *mask = (soft_mask){.values = NULL};
}

void face_flip(const image *face, rectangle patch, flip how, const soft_mask *mask, double ratio,
               image *out)
{
    const image_kernels *kernels = image_kernels_get();
    size_t width = (size_t)face->width;
    memcpy(out->pixels, face->pixels, 3 * width * (size_t)face->height);
    rectangle m = mask->where, part = rectangle_common(patch, m);
    for (int y = part.top; y < part.bottom; y++) {
        size_t from_y = (size_t)(how == FLIP_HORIZONTAL ? y : patch.top + patch.bottom - 1 - y);
        size_t from_x =
            (size_t)(how == FLIP_VERTICAL ? part.left : patch.left + patch.right - 1 - part.left);
        size_t at = 3 * ((size_t)y * width + (size_t)part.left);
        const float *values =
            mask->values + (size_t)(y - m.top) * (size_t)(m.right - m.left) + (part.left - m.left);
        kernels->pixels_mix(out->pixels + at, face->pixels + 3 * (from_y * width + from_x),
                            face->pixels + at, values, ratio, part.right - part.left,
                            how != FLIP_VERTICAL);
    }
}
