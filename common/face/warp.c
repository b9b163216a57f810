/* Warping a whole face: grids, affine maps, and the pixels they make. */
#include "face/warp.h"

#include "image/kernels.h"

#include <math.h>

#define SPREAD_LEAST 0.04
#define SPREAD_MOST 0.05
#define EDGE 1e-6 /* rounding errors of positions on the image's edge do not put them outside */

/* By rows - 2 and columns - 2. */
static const char *const qhull_diagonals[3][3] = {
    {"\\", "/\\", "/\\/"},
    {"/\\", "/\\\\/", "/\\/\\\\/"},
    {"//\\", "/\\\\\\//", "/\\\\/\\\\\\//"},
};

static double spread_draw(random_state *r)
{
    return SPREAD_LEAST + (SPREAD_MOST - SPREAD_LEAST) * random_uniform(r);
}

static double clipped(double x, double most)
{
    return x < 0 ? 0 : x > most ? most : x;
}

static void point_move(random_state *r, const double from[2], double spread, int width, int height,
                       double to[2])
{
    double dx = spread * width * random_normal(r), dy = spread * height * random_normal(r);
    to[0] = clipped(from[0] + dx, width - 1);
    to[1] = clipped(from[1] + dy, height - 1);
}

warp_grid warp_grid_draw(random_state *r, int width, int height)
{
    warp_grid g = {.spread = spread_draw(r)};
    g.rows = 2 + (int)random_below(r, WARP_GRID_MOST - 1);
    g.columns = 2 + (int)random_below(r, WARP_GRID_MOST - 1);
    g.diagonals = qhull_diagonals[g.rows - 2][g.columns - 2];
    for (int i = 0; i < g.rows * g.columns; i++) {
        g.from[i][0] = (double)width * (i % g.columns) / (g.columns - 1);
        g.from[i][1] = (double)height * (i / g.columns) / (g.rows - 1);
        point_move(r, g.from[i], g.spread, width, height, g.to[i]);
    }
    return g;
}

/* The affine map {a b c; d e f} of a triangle: at the corner (x, y) it gives `at`, one step u
   across the cell adds du, one step v down adds dv. */
static void triangle_map(double x, double y, double width, double height, const double at[2],
                         const double du[2], const double dv[2], double map[6])
{
    for (int k = 0; k < 2; k++) {
        map[3 * k] = du[k] / width;
        map[3 * k + 1] = dv[k] / height;
        map[3 * k + 2] = at[k] - map[3 * k] * x - map[3 * k + 1] * y;
    }
}

/* Both triangles of a cell: first the one above the diagonal. */
static void cell_maps(const warp_grid *g, int row, int column, double maps[2][6])
{
    int i = row * g->columns + column;
    const double *corner = g->from[i], *opposite = g->from[i + g->columns + 1];
    double width = opposite[0] - corner[0], height = opposite[1] - corner[1];
    const double *a = g->to[i], *b = g->to[i + 1];                           /* upper left, right */
    const double *c = g->to[i + g->columns], *d = g->to[i + g->columns + 1]; /* lower left, right */
    double top[2] = {b[0] - a[0], b[1] - a[1]}, bottom[2] = {d[0] - c[0], d[1] - c[1]};
    double left[2] = {c[0] - a[0], c[1] - a[1]}, right[2] = {d[0] - b[0], d[1] - b[1]};
    if (g->diagonals[row * (g->columns - 1) + column] == '\\') {
        triangle_map(corner[0], corner[1], width, height, a, top, right, maps[0]);
        triangle_map(corner[0], corner[1], width, height, a, bottom, left, maps[1]);
    } else {
        triangle_map(corner[0], corner[1], width, height, a, top, left, maps[0]);
        triangle_map(opposite[0], opposite[1], width, height, d, bottom, right, maps[1]);
    }
}

warp_affine warp_affine_draw(random_state *r, int width, int height)
{
    warp_affine a = {.spread = spread_draw(r)};
    const double from[3][2] = {{0, 0}, {width, 0}, {0, height}};
    double to[3][2];
    for (int i = 0; i < 3; i++) point_move(r, from[i], a.spread, width, height, to[i]);
    for (int k = 0; k < 2; k++) {
        a.matrix[3 * k] = (to[1][k] - to[0][k]) / width;
        a.matrix[3 * k + 1] = (to[2][k] - to[0][k]) / height;
        a.matrix[3 * k + 2] = to[0][k];
    }
    return a;
}

static void segment_warp(const image_kernels *kernels, const image *face, const double map[6],
                         int y, int from, int to, image *out)
{
    affine_row row = {face->pixels, face->width, face->height, map, EDGE, y, from, to};
    size_t at = (size_t)y * (size_t)out->width + (size_t)from;
    if (from < to) kernels->row_sample(out->pixels + 3 * at, &row);
}

/* The pixels of one cell; each row crosses its diagonal once. */
static void cell_warp(const image_kernels *kernels, const image *face, const warp_grid *g, int row,
                      int column, image *out)
{
    double maps[2][6];
    cell_maps(g, row, column, maps);
    int i = row * g->columns + column;
    const double *corner = g->from[i], *opposite = g->from[i + g->columns + 1];
    double width = opposite[0] - corner[0], height = opposite[1] - corner[1];
    bool falling = g->diagonals[row * (g->columns - 1) + column] == '\\';
    int left = (int)ceil(corner[0]), right = (int)ceil(opposite[0]);
    for (int y = (int)ceil(corner[1]); y < opposite[1]; y++) {
        double v = (y - corner[1]) / height;
        int middle = (int)ceil(corner[0] + (falling ? v : 1 - v) * width);
        middle = middle < left ? left : middle > right ? right : middle;
        segment_warp(kernels, face, maps[falling], y, left, middle, out);
        segment_warp(kernels, face, maps[!falling], y, middle, right, out);
    }
}

void face_warp_grid(const image *face, const warp_grid *g, image *out)
{
    const image_kernels *kernels = image_kernels_get();
    for (int row = 0; row < g->rows - 1; row++) {
        for (int column = 0; column < g->columns - 1; column++) {
            cell_warp(kernels, face, g, row, column, out);
        }
    }
}

void face_warp_affine(const image *face, const warp_affine *a, image *out)
{
    const image_kernels *kernels = image_kernels_get();
    for (int y = 0; y < face->height; y++) {
        segment_warp(kernels, face, a->matrix, y, 0, face->width, out);
    }
}
