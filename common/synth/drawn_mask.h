/* The painted and lit surface of a head, seen from the front: a mask to be bent over the head. */
#ifndef BLADES_SYNTH_DRAWN_MASK_H
#define BLADES_SYNTH_DRAWN_MASK_H

#include "cli/error.h"
#include "synth/drawn_person.h"

/* Covers x in -MASK_HALF_WIDTH.. and y in MASK_TOP..MASK_BOTTOM of head coordinates. */
#define MASK_HALF_WIDTH 1.5f
#define MASK_TOP (-1.95f)
#define MASK_BOTTOM 1.55f

typedef struct mask_texel {
    float rgb[3]; /* albedo when painted, radiance once lit; linear light */
    float alpha;  /* coverage */
    float gloss;  /* strength of the highlight */
    float height; /* z */
} mask_texel;

typedef struct drawn_mask {
    int width, height;
    float scale; /* texels a unit */
    mask_texel *texel;
} drawn_mask;

/* Where the light comes from and what it is like, in head coordinates (towards the light, unit
 * length). */
typedef struct drawn_light {
    float direction[3];
    float key[3], fill[3]; /* colour of the direct and of the surrounding light, linear */
    float hardness;        /* 0: soft box, 1: sun or flash, with cast shadows */
} drawn_light;

/* Paints a person (albedo and height). The caller frees with drawn_mask_free. */
bool drawn_mask_paint(drawn_mask *m, const drawn_person *p, float scale, error *e);
/* Lights a painted mask in place. */
bool drawn_mask_light(drawn_mask *m, const drawn_person *p, const drawn_light *light, error *e);
void drawn_mask_free(drawn_mask *m);

/* Hair as a streaky colour: `across` runs over the strands, `along` along them. */
void drawn_hair_colour(const drawn_person *p, float across, float along, float rgb[3]);

#endif
