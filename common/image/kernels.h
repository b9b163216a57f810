/* Inner loops over pixels, compiled for each level of processor features. Every level gives the
   same bytes: the operations and their order are the same, and nothing is contracted. */
#ifndef BLADES_IMAGE_KERNELS_H
#define BLADES_IMAGE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* A row of RGB8 pixels to be sampled bilinearly along a straight line: pixel x shows the input at
   (m0 x + m1 y + m2, m3 x + m4 y + m5). */
typedef struct affine_row {
    const uint8_t *pixels; /* RGB8, width x height, at least 2 x 2 */
    int width, height;
    const double *map; /* m0..m5 */
    double slack;      /* positions outside by no more than this are moved to the edge */
    int y, from, to;   /* pixels from..to-1 */
} affine_row;

typedef struct image_kernels {
    /* out[x] = the sum over j < count, in this order, of weight[j] * rows[j][x] */
    void (*bytes_weigh)(float *out, const uint8_t *const *rows, const float *weight, int count,
                        size_t width);
    void (*floats_weigh)(float *out, const float *const *rows, const float *weight, int count,
                         size_t width);
    /* RGB pixel x becomes the sum over j < taps, in this order, of weight[x * taps + j] times the
       RGB triple first[x] + j of `row`, rounded half up, at most 255. A float after the last triple
       is read too. */
    void (*triples_weigh)(uint8_t *out, const float *row, const int *first, const float *weight,
                          int taps, int width);
    /* RGB pixel x becomes r m changed[x] + (1 - r m) kept[x] with m = mask[x], in double, rounded
       half up; changed[-x] instead of changed[x] where `backwards`. */
    void (*pixels_mix)(uint8_t *out, const uint8_t *changed, const uint8_t *kept, const float *mask,
                       double ratio, int width, int backwards);
    /* Pixels from..to-1 go to `out`; positions outside the input give 0. */
    void (*row_sample)(uint8_t *out, const affine_row *r);
    /* Divides all by the largest, which is above 0. */
    void (*floats_normalise)(float *values, size_t count);
} image_kernels;

/* Those for cpu_level_get(). */
const image_kernels *image_kernels_get(void);

#endif
