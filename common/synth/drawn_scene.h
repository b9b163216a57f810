/* A drawn portrait: a person in a pose, in a light, before a background, seen from a distance. */
#ifndef BLADES_SYNTH_DRAWN_SCENE_H
#define BLADES_SYNTH_DRAWN_SCENE_H

#include "synth/drawn_mask.h"

typedef enum background_kind {
    BACKGROUND_STUDIO,
    BACKGROUND_FOLIAGE,
    BACKGROUND_LIGHTS,
    BACKGROUND_ROOM,
    BACKGROUND_STREET,
    BACKGROUND_COUNT
} background_kind;

typedef struct drawn_scene {
    drawn_person person;
    float yaw, pitch, roll;   /* radians */
    float centre_x, centre_y; /* of the head's origin, in shares of the picture's side */
    float size;               /* of half a face width, likewise */
    float distance;    /* from the viewer, in half face widths: how strong the perspective is */
    drawn_light light; /* in the viewer's coordinates */
    background_kind background;
    float background_zoom;     /* longer lenses show less of it, larger */
    float background_light[3]; /* how it is lit, linear */
    uint32_t key;
} drawn_scene;

/* Pose, position and background; the light and the distance are the photographer's business and set
   to a soft daylight portrait here. */
void drawn_scene_choose(drawn_scene *s, const drawn_person *p, random_state *r);

/* Linear light, square. The background and the subject stay apart so that a lens can blur one
 * alone. */
typedef struct drawn_picture {
    int size;
    float *background;                  /* (size, size, 3) */
    float *subject;                     /* (size, size, 4): r, g, b times alpha, alpha */
    float landmarks[LANDMARK_COUNT][2]; /* pixels */
    float box[4]; /* x0, y0, x1, y1 around the landmarks and part of the forehead */
} drawn_picture;

/* Draws the scene. The caller frees with drawn_picture_free. */
bool drawn_scene_render(const drawn_scene *s, int size, drawn_picture *out, error *e);
void drawn_picture_free(drawn_picture *p);

#endif
