/* The transforms of Winograd's F(2x2, 3x3) for 3x3 windows with stride 1 and padding 1: part of
   block_template.h. Tile (r, t) reads input rows 2r-1..2r+2 and columns 2t-1..2t+2. */

/* B^T d for one column of the tile: 4 rows in, 4 out. */
INLINE void KERNEL(winograd_column)(const operand_kind kind, const operand *o, long first,
                                    int height, int width, int C, int c, int top, int column,
                                    vf out[4])
{
    vf d[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        int h = top + i;
        bool outside = h < 0 || h >= height || column < 0 || column >= width;
        long pixel = first + (long)h * width + column;
        d[i] = outside ? vf_zero() : KERNEL(operand_vector)(kind, o, pixel * C + c, c);
    }
    out[0] = d[0] - d[2];
    out[1] = d[1] + d[2];
    out[2] = d[2] - d[1];
    out[3] = d[1] - d[3];
}

INLINE void KERNEL(winograd_input_kind)(const operand_kind kind, REAL *V, long plane, long ld,
                                        const operand *o, long first, int height, int width, int C,
                                        int tile_row)
{
    int top = 2 * tile_row - 1, tiles = (width + 1) / 2;
    for (int c = 0; c < C; c += LANES) {
        vf column[4][4];
        KERNEL(winograd_column)(kind, o, first, height, width, C, c, top, -1, column[0]);
        KERNEL(winograd_column)(kind, o, first, height, width, C, c, top, 0, column[1]);
        for (int t = 0; t < tiles; t++) {
            KERNEL(winograd_column)(kind, o, first, height, width, C, c, top, 2 * t + 1, column[2]);
            KERNEL(winograd_column)(kind, o, first, height, width, C, c, top, 2 * t + 2, column[3]);
            REAL *v = V + t * ld + c;
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++, v += 4 * plane) {
                STORE(v, column[0][i] - column[2][i]);
                STORE(v + plane, column[1][i] + column[2][i]);
                STORE(v + 2 * plane, column[2][i] - column[1][i]);
                STORE(v + 3 * plane, column[1][i] - column[3][i]);
                column[0][i] = column[2][i];
                column[1][i] = column[3][i];
            }
        }
    }
}

static void KERNEL(winograd_input)(void *V, long plane, long ld, const operand *o, long first,
                                   int height, int width, int C, int tile_row)
{
    FOR_KIND(o,
             KERNEL(winograd_input_kind)(KIND, V, plane, ld, o, first, height, width, C, tile_row))
}

static void KERNEL(winograd_output)(float *to, const float *M, long plane, long ld, int height,
                                    int width, int C, int tile_row)
{
    int tiles = (width + 1) / 2, rows = height - 2 * tile_row < 2 ? 1 : 2;
    for (int t = 0; t < tiles; t++)
        for (int c = 0; c < C; c += LANES) {
            const float *m = M + t * ld + c;
            vf even[4], odd[4];
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                vf x0 = vf_load(m + j * plane), x1 = vf_load(m + (4 + j) * plane);
                vf x2 = vf_load(m + (8 + j) * plane), x3 = vf_load(m + (12 + j) * plane);
                even[j] = x0 + x1 + x2;
                odd[j] = x1 - x2 - x3;
            }
            bool right = 2 * t + 1 < width;
            float *p = to + (long)(2 * t) * C + c;
            vf_store(p, even[0] + even[1] + even[2]);
            if (right) vf_store(p + C, even[1] - even[2] - even[3]);
            if (rows < 2) continue;
            p += (long)width * C;
            vf_store(p, odd[0] + odd[1] + odd[2]);
            if (right) vf_store(p + C, odd[1] - odd[2] - odd[3]);
        }
}

/* G g G^T for the elements of one vector, along one dimension: 3 in, 4 out. */
INLINE void KERNEL(winograd_expand)(const vf g[3], vf h[4])
{
    vf half = vf_all(0.5f);
    h[0] = g[0];
    h[1] = half * (g[0] + g[1] + g[2]);
    h[2] = half * (g[0] - g[1] + g[2]);
    h[3] = g[2];
}

static void KERNEL(winograd_weights)(float *U, long plane, const float *w, long place, long n)
{
    for (long c = 0; c < n; c += LANES) {
        vf h[3][4];
        for (int j = 0; j < 3; j++) {
            vf g[3] = {vf_load(w + j * place + c), vf_load(w + (3 + j) * place + c),
                       vf_load(w + (6 + j) * place + c)};
            KERNEL(winograd_expand)(g, h[j]);
        }
        for (int i = 0; i < 4; i++) {
            vf g[3] = {h[0][i], h[1][i], h[2][i]}, u[4];
            KERNEL(winograd_expand)(g, u);
            for (int j = 0; j < 4; j++) vf_store(U + (4 * i + j) * plane + c, u[j]);
        }
    }
}

/* A y along one dimension: 2 in, 4 out. */
INLINE void KERNEL(winograd_spread)(vf y0, vf y1, vf out[4])
{
    out[0] = y0;
    out[1] = y0 + y1;
    out[2] = y0 - y1;
    out[3] = -y1;
}

/* One output's gradient, zero outside of the image; kept in `room`. */
INLINE vf KERNEL(gradient_at)(const operand_kind kind, const operand *o, REAL *room, long first,
                              int height, int width, int C, int c, int h, int w)
{
    if (h >= height || w >= width) return vf_zero();
    long i = (first + (long)h * width + w) * C + c;
    vf v = KERNEL(operand_vector)(kind, o, i, c);
    if (room) STORE(room + i, v);
    return v;
}

INLINE void KERNEL(winograd_gradient_kind)(const operand_kind kind, REAL *E, long plane, long ld,
                                           const operand *o, REAL *room, long first, int height,
                                           int width, int C, int tile_row)
{
    int h = 2 * tile_row, tiles = (width + 1) / 2;
    for (int t = 0; t < tiles; t++)
        for (int c = 0; c < C; c += LANES) {
            vf left[4], right[4], row[4];
            vf y00 = KERNEL(gradient_at)(kind, o, room, first, height, width, C, c, h, 2 * t);
            vf y01 = KERNEL(gradient_at)(kind, o, room, first, height, width, C, c, h, 2 * t + 1);
            vf y10 = KERNEL(gradient_at)(kind, o, room, first, height, width, C, c, h + 1, 2 * t);
            vf y11 =
                KERNEL(gradient_at)(kind, o, room, first, height, width, C, c, h + 1, 2 * t + 1);
            KERNEL(winograd_spread)(y00, y10, left);
            KERNEL(winograd_spread)(y01, y11, right);
            REAL *e = E + t * ld + c;
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                KERNEL(winograd_spread)(left[i], right[i], row);
#pragma GCC unroll 4
                for (int j = 0; j < 4; j++) STORE(e + (4 * i + j) * plane, row[j]);
            }
        }
}

static void KERNEL(winograd_gradient)(void *E, long plane, long ld, const operand *dy, void *room,
                                      long first, int height, int width, int C, int tile_row){
    FOR_KIND(dy, KERNEL(winograd_gradient_kind)(KIND, E, plane, ld, dy, room, first, height, width,
                                                C, tile_row))}

/* G^T u along one dimension: 4 in, 3 out. */
INLINE void KERNEL(winograd_collapse)(const vf u[4], vf g[3])
{
    vf half = vf_all(0.5f), sum = half * (u[1] + u[2]);
    g[0] = u[0] + sum;
    g[1] = half * (u[1] - u[2]);
    g[2] = sum + u[3];
}

static void KERNEL(winograd_weights_gradient)(float *dw, long place, const float *dU, long plane,
                                              long n)
{
    for (long c = 0; c < n; c += LANES) {
        vf h[4][3];
        for (int i = 0; i < 4; i++) {
            vf u[4];
            for (int j = 0; j < 4; j++) u[j] = vf_load(dU + (4 * i + j) * plane + c);
            KERNEL(winograd_collapse)(u, h[i]);
        }
        for (int j = 0; j < 3; j++) {
            vf u[4] = {h[0][j], h[1][j], h[2][j], h[3][j]}, g[3];
            KERNEL(winograd_collapse)(u, g);
            for (int i = 0; i < 3; i++) vf_store(dw + (3 * i + j) * place + c, g[i]);
        }
    }
}
