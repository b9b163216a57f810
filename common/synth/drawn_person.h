/* A drawn person: every feature a number, drawn at random; the shape of the head as a height map.

   Head coordinates: x to the right of the picture, y down, z towards the viewer; unit: half a face
   width (about 7 cm); origin between the eyes and the ears' axis. The chin is near y = 1.25, the
   crown near -1.45. */
#ifndef BLADES_SYNTH_DRAWN_PERSON_H
#define BLADES_SYNTH_DRAWN_PERSON_H

#include "cli/random.h"

#include <stdbool.h>

#define LANDMARK_COUNT 68

typedef enum hair_style { HAIR_NONE, HAIR_SHORT, HAIR_MEDIUM, HAIR_LONG } hair_style;

typedef struct drawn_person {
    uint32_t key; /* of textures */
    /* head */
    float width, chin, jaw_square, cheek;
    float age; /* 0 young .. 1 old */
    /* eyes: [0] left in the picture, [1] right */
    float eye_x, eye_y, eye_width[2], eye_open[2], eye_tilt, gaze_x, gaze_y;
    float brow_y[2], brow_arch, brow_thickness, brow_density;
    float nose_tip, nose_width, nose_height;
    float mouth_y, mouth_width, lip_upper, lip_lower, smile, mouth_open;
    /* colours, linear light */
    float skin[3], lips[3], hair[3], brow[3], iris[3], shirt[3];
    float blush, freckles, beard, makeup;
    hair_style style;
    float hair_volume, hair_part, hairline, fringe;
    bool glasses;
    float glasses_width, glasses_colour[3];
} drawn_person;

void drawn_person_choose(drawn_person *p, random_state *r);

/* Inside the head's outline: < 1; 1 on it. */
float person_outline(const drawn_person *p, float x, float y);
float person_height(const drawn_person *p, float x, float y);

/* Curves of the features, over t in -1..1. Eye lids and brows: side 0 or 1, t from the inner to the
   outer corner; *x and *y in head coordinates. */
void person_eyelid(const drawn_person *p, int side, bool upper, float t, float *x, float *y);
void person_brow(const drawn_person *p, int side, float t, float *x, float *y);
/* Height of a lip's edge over t from the left to the right corner of the mouth. */
typedef enum lip_edge {
    LIP_UPPER_OUTER,
    LIP_UPPER_INNER,
    LIP_LOWER_INNER,
    LIP_LOWER_OUTER
} lip_edge;
float person_lip(const drawn_person *p, lip_edge edge, float t);

/* The 68 points of the iBUG scheme on the head's surface: (68, 3). */
void person_landmarks(const drawn_person *p, float points[LANDMARK_COUNT][3]);

#endif
