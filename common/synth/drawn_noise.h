/* Smooth random textures and the small functions that drawing is made of. */
#ifndef BLADES_SYNTH_DRAWN_NOISE_H
#define BLADES_SYNTH_DRAWN_NOISE_H

#include <stdint.h>

/* 0 below a, 1 above b, smooth between (a > b falls instead of rising). */
float smooth_step(float a, float b, float x);
float clamp01(float x);
float mix(float a, float b, float t);
/* exp(-x^2/2) */
float bell(float x);

/* Value noise on the unit lattice and its fractal sum; both about -1..1, the same for equal (key,
 * x, y). */
float value_noise(uint32_t key, float x, float y);
float fractal_noise(uint32_t key, float x, float y, int octaves);

/* The sRGB transfer function, and a linear-light colour from 0xRRGGBB. */
float linear_to_srgb(float v);
void colour_from_hex(uint32_t hex, float rgb[3]);

#endif
