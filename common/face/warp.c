/* Warps. */
#include "face/warp.h"

#include <math.h>

#define SPREAD_LEAST 0.04
#define SPREAD_MOST 0.05

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

/* The cell along one axis that holds x, 0..count-2. */
static int cell_of(double x, double length, int count)
{
    int cell = (int)floor(x / length * (count - 1));
    return cell < 0 ? 0 : cell > count - 2 ? count - 2 : cell;
}

void warp_grid_map(const warp_grid *g, double x, double y, double *from_x, double *from_y)
{
    int last = g->rows * g->columns - 1;
    int column = cell_of(x, g->from[last][0], g->columns);
    int row = cell_of(y, g->from[last][1], g->rows);
    int i = row * g->columns + column;
    const double *corner = g->from[i], *opposite = g->from[i + g->columns + 1];
    double u = (x - corner[0]) / (opposite[0] - corner[0]);
    double v = (y - corner[1]) / (opposite[1] - corner[1]);
    const double *a = g->to[i], *b = g->to[i + 1];                           /* upper left, right */
    const double *c = g->to[i + g->columns], *d = g->to[i + g->columns + 1]; /* lower left, right */
    double out[2];
    for (int k = 0; k < 2; k++) {
        if (g->diagonals[row * (g->columns - 1) + column] == '\\') {
            out[k] = u >= v ? a[k] + u * (b[k] - a[k]) + v * (d[k] - b[k])
                            : a[k] + u * (d[k] - c[k]) + v * (c[k] - a[k]);
        } else {
            out[k] = u + v <= 1 ? a[k] + u * (b[k] - a[k]) + v * (c[k] - a[k])
                                : d[k] + (1 - u) * (c[k] - d[k]) + (1 - v) * (b[k] - d[k]);
        }
    }
    *from_x = out[0];
    *from_y = out[1];
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

static void pixel_sample(const image *face, double x, double y, uint8_t *to)
{
    int width = face->width, height = face->height;
    if (!(x >= 0 && y >= 0 && x <= width - 1 && y <= height - 1)) {
        to[0] = to[1] = to[2] = 0;
        return;
    }
    int left = (int)x, top = (int)y;
    double u = x - left, v = y - top;
    size_t right = left + 1 < width ? 3 : 0, below = top + 1 < height ? 3 * (size_t)width : 0;
    const uint8_t *p = face->pixels + 3 * ((size_t)top * (size_t)width + (size_t)left);
    for (int i = 0; i < 3; i++, p++) {
        double upper = p[0] + u * (p[right] - p[0]);
        double lower = p[below] + u * (p[below + right] - p[below]);
        to[i] = (uint8_t)(upper + v * (lower - upper) + 0.5);
    }
}

bool face_warp_grid(const image *face, const warp_grid *g, image *out, error *e)
{
    if (!image_allocate(out, face->width, face->height, e)) return false;
    uint8_t *to = out->pixels;
    for (int y = 0; y < face->height; y++) {
        for (int x = 0; x < face->width; x++, to += 3) {
            double from_x, from_y;
            warp_grid_map(g, x, y, &from_x, &from_y);
            pixel_sample(face, from_x, from_y, to);
        }
    }
    return true;
}

bool face_warp_affine(const image *face, const warp_affine *a, image *out, error *e)
{
    if (!image_allocate(out, face->width, face->height, e)) return false;
    const double *m = a->matrix;
    uint8_t *to = out->pixels;
    for (int y = 0; y < face->height; y++) {
        for (int x = 0; x < face->width; x++, to += 3) {
            pixel_sample(face, m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5], to);
        }
    }
    return true;
}
