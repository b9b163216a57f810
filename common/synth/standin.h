/* Stand-ins for generated faces: drawn faces that never passed a camera, each kind with the traces
   that one family of generators is known for. */
#ifndef BLADES_SYNTH_STANDIN_H
#define BLADES_SYNTH_STANDIN_H

#include "synth/drawn_scene.h"

typedef enum standin_kind {
    STANDIN_UPSAMPLER, /* a decoder's periodic pattern: uneven transposed convolutions at several
                          scales */
    STANDIN_SMOOTHER,  /* texture smoothed away, edges crisp, no sensor noise */
    STANDIN_BLENDER, /* a photograph whose inner face comes from another drawing, not quite in place
                      */
    STANDIN_QUANTISER, /* blocks rebuilt from a small codebook */
    STANDIN_COUNT
} standin_kind;

extern const char *const standin_names[]; /* of the kinds, NULL-ended */

/* Draws stand-in number `index`: (size, size, 3) RGB8 into `out`, its landmarks and box into *place
   (whose images are NULL). The same arguments give the same bytes. */
bool standin_draw(standin_kind kind, uint64_t seed, uint64_t index, int size, unsigned char *out,
                  drawn_picture *place, error *e);

#endif
