/* Flips under soft masks. */
#include "face/manipulate.h"

#include "image/filter.h"

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

/* The blur of a rectangle is a product of two profiles. *any: is a pixel at least 1/2? */
static bool blurred_threshold(rectangle r, int size, int count, double sigma, uint8_t *out,
                              bool *any, error *e)
{
    double *across = memory_allocate((size_t)size, 2 * sizeof *across, e);
    if (across == NULL) return false;
    double *down = across + size;
    bool done = profile_blur(r.left, r.right, size, count, sigma, across, e) &&
                profile_blur(r.top, r.bottom, size, count, sigma, down, e);
    *any = false;
    if (done) memset(out, 0, (size_t)size * (size_t)size);
    for (int y = 0; done && y < size; y++) {
        if (down[y] < 0.5) continue; /* a profile is at most 1 */
        for (int x = 0; x < size; x++) {
            bool kept = across[x] * down[y] >= 0.5;
            *any |= kept;
            out[(size_t)y * (size_t)size + (size_t)x] = kept;
        }
    }
    free(across);
    return done;
}

static bool mask_eroded(rectangle r, int size, const mask_constants *k, uint8_t *kept,
                        uint8_t *eroded, error *e)
{
    size_t count = (size_t)size * (size_t)size;
    bool any;
    if (!blurred_threshold(r, size, k->first_count, k->first_sigma, kept, &any, e)) return false;
    if (!any && !blurred_threshold(r, size, k->first_count, k->fallback_sigma, kept, &any, e)) {
        return false;
    }
    if (!ellipse_erode(kept, size, size, k->ellipse, eroded, e)) return false;
    if (memchr(eroded, 1, count) == NULL) memcpy(eroded, kept, count);
    return true;
}

bool soft_mask(rectangle r, int size, const mask_constants *constants, float *mask, error *e)
{
    size_t count = (size_t)size * (size_t)size;
    uint8_t *kept = memory_allocate(count, 2, e);
    bool done = kept != NULL && mask_eroded(r, size, constants, kept, kept + count, e);
    for (size_t i = 0; done && i < count; i++) mask[i] = kept[count + i];
    free(kept);
    if (!done ||
        !gaussian_blur(mask, size, size, constants->second_count, constants->second_sigma, e)) {
        return false;
    }
    float most = 0;
    for (size_t i = 0; i < count; i++) most = mask[i] > most ? mask[i] : most;
    if (!(most > 0)) return error_set(e, STATUS_DATA, "the region is too small for a mask");
    for (size_t i = 0; i < count; i++) mask[i] /= most;
    return true;
}

bool face_flip(const image *face, rectangle patch, flip how, const float *mask, double ratio,
               image *out, error *e)
{
    if (!image_allocate(out, face->width, face->height, e)) return false;
    size_t width = (size_t)face->width;
    memcpy(out->pixels, face->pixels, 3 * width * (size_t)face->height);
    for (int y = patch.top; y < patch.bottom; y++) {
        int from_y = how == FLIP_HORIZONTAL ? y : patch.top + patch.bottom - 1 - y;
        for (int x = patch.left; x < patch.right; x++) {
            int from_x = how == FLIP_VERTICAL ? x : patch.left + patch.right - 1 - x;
            size_t at = (size_t)y * width + (size_t)x;
            size_t from = (size_t)from_y * width + (size_t)from_x;
            double m = ratio * mask[at];
            for (int i = 0; i < 3; i++) {
                double mixed = m * face->pixels[3 * from + i] + (1 - m) * face->pixels[3 * at + i];
                out->pixels[3 * at + i] = (uint8_t)(mixed + 0.5);
            }
        }
    }
    return true;
}
