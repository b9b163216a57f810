/* The variants of a face: which ones, their random choices, their pixels (face-manipulate(1)). */
#ifndef BLADES_FACE_VARIANT_H
#define BLADES_FACE_VARIANT_H

#include "face/manipulate.h"
#include "face/warp.h"

typedef enum manipulation {
    PHOTOGRAPHIC,
    MOUTH_VFLIP,
    MOUTH_HFLIP,
    EYE_HFLIP,
    NOSE_FLIP,
    WARP,
    MANIPULATION_COUNT
} manipulation;

typedef struct variant_options {
    uint64_t seed;
    bool nose;      /* the nose flip takes part */
    bool axis_flip; /* mouth-vflip and nose-flip mirror vertically instead of turning by 180 degrees
                     */
    bool affine;    /* one affine map instead of the piecewise affine warp */
} variant_options;

/* "photographic", "mouth-vflip", "mouth-hflip", "eye-hflip", "nose-flip", "warp" or "affine". */
const char *manipulation_name(manipulation what, bool affine);
/* The regions it changes, as labels: how many, and which. */
int manipulation_regions(manipulation what, face_region which[REGION_COUNT]);

/* The regions of a face of size x size, as face_regions has them; those too small for a soft mask
   are also unknown. */
bool variant_regions(const double *landmarks, int points, int size, region regions[REGION_COUNT],
                     error *e);

/* Can this face have it? Flips need their region; the nose flip its option. */
bool manipulation_possible(manipulation what, const region regions[REGION_COUNT],
                           const variant_options *options);

/* The manipulation of one draw for a face, from the key (seed, face id, draw): photographic with
   probability 1/2, else one of mouth-vflip, mouth-hflip, eye-hflip, warp (and nose-flip, if it
   takes part) alike, whether the face can have it or not. */
manipulation variant_draw(const variant_options *options, const char *face_id, int64_t draw);

/* One variant with everything that was chosen for it. */
typedef struct variant {
    manipulation what;
    int64_t draw;
    bool affine;
    /* flips */
    region region;
    rectangle patch;
    flip how;
    double ratio;
    mask_constants mask;
    /* warps */
    warp_grid grid;
    warp_affine map;
} variant;

/* Makes the variant's choices from the key (seed, "<face id>/<manipulation>", draw). */
variant variant_choose(const variant_options *options, const char *face_id, manipulation what,
                       int64_t draw, const region regions[REGION_COUNT], int size);

/* Is it the flip of a region, under a mask? */
bool variant_has_mask(const variant *v);

/* The variant of a square face, an allocated image; for flips under `mask`, the soft mask of
   v->region.box. `out` is another image of its size. */
void variant_render(const variant *v, const image *face, const soft_mask *mask, image *out);

#endif
