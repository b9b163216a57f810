/* Variants of faces. */
#include "face/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct manipulation_entry {
    const char *name;
    int region; /* -1: none; REGION_COUNT: all */
} manipulation_entry;

static const manipulation_entry table[MANIPULATION_COUNT] = {
    [PHOTOGRAPHIC] = {"photographic", -1},         [MOUTH_VFLIP] = {"mouth-vflip", REGION_MOUTH},
    [MOUTH_HFLIP] = {"mouth-hflip", REGION_MOUTH}, [EYE_HFLIP] = {"eye-hflip", REGION_EYE},
    [NOSE_FLIP] = {"nose-flip", REGION_NOSE},      [WARP] = {"warp", REGION_COUNT},
};

const char *manipulation_name(manipulation what, bool affine)
{
    return what == WARP && affine ? "affine" : table[what].name;
}

int manipulation_regions(manipulation what, face_region which[REGION_COUNT])
{
    int count = 0;
    for (int i = 0; i < REGION_COUNT; i++) {
        if (table[what].region == i || table[what].region == REGION_COUNT) {
            which[count++] = (face_region)i;
        }
    }
    return count;
}

static bool is_flip(manipulation what)
{
    return what != PHOTOGRAPHIC && what != WARP;
}

bool variant_regions(const double *landmarks, int points, int size, region regions[REGION_COUNT],
                     error *e)
{
    face_regions(landmarks, points, size, regions);
    for (int i = 0; i < REGION_COUNT; i++) {
        mask_constants k = mask_constants_for((face_region)i, size);
        if (!regions[i].known) continue;
        if (!soft_mask_possible(regions[i].box, size, &k, &regions[i].known, e)) return false;
        if (!regions[i].known) regions[i].lack = LACKS_SIZE;
    }
    return true;
}

bool manipulation_possible(manipulation what, const region regions[REGION_COUNT],
                           const variant_options *options)
{
    if (what == NOSE_FLIP && !options->nose) return false;
    return !is_flip(what) || regions[table[what].region].known;
}

manipulation variant_draw(const variant_options *options, const char *face_id, int64_t draw)
{
    manipulation wanted[MANIPULATION_COUNT];
    int count = 0;
    for (int i = PHOTOGRAPHIC + 1; i < MANIPULATION_COUNT; i++) {
        if (i != NOSE_FLIP || options->nose) wanted[count++] = (manipulation)i;
    }
    random_state r = random_keyed(options->seed, face_id, (uint64_t)draw);
    if (random_below(&r, 2) == 0) return PHOTOGRAPHIC;
    return wanted[random_below(&r, (uint64_t)count)];
}

variant variant_choose(const variant_options *options, const char *face_id, manipulation what,
                       int64_t draw, const region regions[REGION_COUNT], int size)
{
    static const double ratios[] = {0.75, 1, 1, 1};
    variant v = {.what = what, .draw = draw, .affine = options->affine};
    random_state r = random_keyed_of(options->seed, manipulation_name(what, options->affine),
                                     face_id, (uint64_t)draw);
    if (is_flip(what)) {
        face_region which = (face_region)table[what].region;
        v.region = regions[which];
        v.mask = mask_constants_for(which, size);
        v.patch = rectangle_grow(v.region.box, v.mask.margin, size);
        v.how = what == MOUTH_HFLIP || what == EYE_HFLIP ? FLIP_HORIZONTAL
                : options->axis_flip                     ? FLIP_VERTICAL
                                                         : FLIP_ROTATE;
        v.ratio = ratios[random_below(&r, sizeof ratios / sizeof *ratios)];
    } else if (what == WARP && options->affine) {
        v.map = warp_affine_draw(&r, size, size);
    } else if (what == WARP) {
        v.grid = warp_grid_draw(&r, size, size);
    }
    return v;
}

bool variant_has_mask(const variant *v)
{
    return is_flip(v->what);
}

void variant_render(const variant *v, const image *face, const soft_mask *mask, image *out)
{
    if (is_flip(v->what)) {
        face_flip(face, v->patch, v->how, mask, v->ratio, out);
    } else if (v->what == WARP && v->affine) {
        face_warp_affine(face, &v->map, out);
    } else if (v->what == WARP) {
        face_warp_grid(face, &v->grid, out);
    } else {
        memcpy(out->pixels, face->pixels, 3 * (size_t)face->width * (size_t)face->height);
    }
}
