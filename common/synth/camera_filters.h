/* Blurs and other filters on float pictures, edges repeated. */
#ifndef BLADES_SYNTH_CAMERA_FILTERS_H
#define BLADES_SYNTH_CAMERA_FILTERS_H

#include "cli/error.h"

/* In place on (size, size, channels); sigma and radius in pixels; nothing happens below a visible
 * amount. */
bool filter_gaussian(float *image, int size, int channels, float sigma, error *e);
/* A disc, as an open aperture blurs what is out of focus. */
bool filter_disc(float *image, int size, int channels, float radius, error *e);
/* A straight smear of `length` pixels at `angle` radians. */
bool filter_motion(float *image, int size, int channels, float length, float angle, error *e);
/* Averages neighbours within `radius` whose luminance (Rec. 601 of 3 channels) is within about
 * `tolerance`. */
bool filter_bilateral(float *rgb, int size, int radius, float tolerance, error *e);

#endif
