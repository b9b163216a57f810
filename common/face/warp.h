/* Warping a whole face: piecewise affine on a jittered grid, or one affine map (face-manipulate(1),
 * "Warps").
 */
#ifndef BLADES_FACE_WARP_H
#define BLADES_FACE_WARP_H

#include "cli/random.h"
#include "image/image.h"

enum { WARP_GRID_MOST = 4 };

/* A grid of rows x columns points over the image, (0, 0) to (width, height), row by row. The output
   at grid point `from` shows what the input has at `to`; in between, `to` is interpolated linearly
   in the triangles that a diagonal cuts each cell into. */
typedef struct warp_grid {
    int rows, columns;
    double spread;
    double from[WARP_GRID_MOST * WARP_GRID_MOST][2],
        to[WARP_GRID_MOST * WARP_GRID_MOST][2]; /* x, y */
    /* For each cell, row by row: '\\' (upper left to lower right) or '/'. */
    const char *diagonals;
} warp_grid;

/* Draws a grid: spread uniform in 0.04..0.05, rows and columns 2..4, then for each point row by row
   a move of normal(0, spread * width) across and of normal(0, spread * height) down, clipped to
   0..width-1 and 0..height-1. The diagonals are those that Qhull (so SciPy's Delaunay, and
   scikit-image's PiecewiseAffineTransform) gives such a grid over 224 x 224. */
warp_grid warp_grid_draw(random_state *r, int width, int height);

/* An affine map: input = {a b c; d e f} (x, y, 1) of the output position. */
typedef struct warp_affine {
    double spread;
    double matrix[6];
} warp_affine;

/* Draws a map: spread as above; the corners (0, 0), (width, 0) and (0, height) moved and clipped
   like grid points, and the map that takes them there. */
warp_affine warp_affine_draw(random_state *r, int width, int height);

/* Pixels at integer positions are interpolated bilinearly and rounded half up; what lies outside
   0..width-1, 0..height-1 is 0. `face` is an allocated image (IMAGE_PADDING) of at least 2 x 2
   pixels, `out` another of its size. */
void face_warp_grid(const image *face, const warp_grid *g, image *out);
void face_warp_affine(const image *face, const warp_affine *a, image *out);

#endif
