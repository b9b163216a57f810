/* A scatter plot as SVG: a colour a group, filled for photographic, hollow for generated, with a
 * legend. */
#ifndef BLADES_DETECT_SCATTER_SVG_H
#define BLADES_DETECT_SCATTER_SVG_H

#include "detect/embeddings.h"

#include <stdio.h>

/* positions (count, 2) of s's faces. Groups are pairs of source and label, in the order of their
 * names. */
bool scatter_svg_write(const embeddings *s, const double *positions, const char *title, FILE *to,
                       error *e);

#endif
