/* What surrounds a drawn face: the backdrop, the torso, ears, and hair that falls behind them. */
#ifndef BLADES_SYNTH_DRAWN_BACKDROP_H
#define BLADES_SYNTH_DRAWN_BACKDROP_H

#include "synth/drawn_scene.h"

/* Fills (size, size, 3) with the scene's backdrop, linear light. */
void drawn_backdrop(const drawn_scene *s, int size, float *rgb);

/* Coverage and colour of a part of the body at (u, v): half face widths from the head's origin, v
   down; edges are smoothed over `soft`. */
float drawn_back_hair(const drawn_scene *s, float u, float v, float soft, float rgb[3]);
float drawn_torso(const drawn_scene *s, float u, float v, float soft, float rgb[3]);
float drawn_ear(const drawn_scene *s, int side, float u, float v, float soft, float rgb[3]);

#endif
