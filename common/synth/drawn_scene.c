/* A drawn portrait: the head's surface bent, turned and projected, shoulders below, a background
 * behind. */
#include "synth/drawn_scene.h"

#include "cli/memory.h"
#include "synth/drawn_backdrop.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OVERSAMPLING = 2 };

/* The picture while it is drawn, larger than it will be. */
typedef struct canvas {
    const drawn_scene *scene;
    int size;
    float centre_x, centre_y, unit; /* of head coordinates, in pixels */
    float turn[3][3];               /* head to viewer */
    float *subject;                 /* (size, size, 4) */
    float *depth;
} canvas;

void drawn_scene_choose(drawn_scene *s, const drawn_person *p, random_state *r)
{
    memset(s, 0, sizeof *s);
    s->person = *p;
    s->yaw = 0.13f * (float)random_normal(r);
    s->yaw = fminf(fmaxf(s->yaw, -0.34f), 0.34f);
    s->pitch = fminf(fmaxf(0.07f * (float)random_normal(r), -0.18f), 0.18f);
    s->roll = fminf(fmaxf(0.06f * (float)random_normal(r), -0.2f), 0.2f);
    s->centre_x = 0.5f + 0.02f * (float)random_normal(r);
    s->centre_y = 0.46f + 0.015f * (float)random_normal(r);
    s->size = 0.285f + 0.03f * (float)random_uniform(r);
    s->distance = 14;
    s->background = (background_kind)random_below(r, BACKGROUND_COUNT);
    s->background_zoom = 1;
    s->key = (uint32_t)random_bits(r);
    s->light = (drawn_light){{-0.4f, -0.5f, 0.77f}, {1.1f, 1.1f, 1.1f}, {0.5f, 0.5f, 0.5f}, 0.3f};
    for (int c = 0; c < 3; c++) s->background_light[c] = 1;
}

static void turn_matrix(const drawn_scene *s, float m[3][3])
{
    float cy = cosf(s->yaw), sy = sinf(s->yaw), cp = cosf(s->pitch), sp = sinf(s->pitch);
    float cr = cosf(s->roll), sr = sinf(s->roll);
    /* roll * pitch * yaw */
    float a[3][3] = {{cy, 0, sy}, {sp * sy, cp, -sp * cy}, {-cp * sy, sp, cp * cy}};
    for (int j = 0; j < 3; j++) {
        m[0][j] = cr * a[0][j] - sr * a[1][j];
        m[1][j] = sr * a[0][j] + cr * a[1][j];
        m[2][j] = a[2][j];
    }
}

/* A point of the head in pixels; out[2] is its nearness. */
static void project(const canvas *k, const float point[3], float out[3])
{
    float v[3];
    for (int i = 0; i < 3; i++) {
        v[i] = k->turn[i][0] * point[0] + k->turn[i][1] * point[1] + k->turn[i][2] * point[2];
    }
    float distance = k->scene->distance, shrink = distance / (distance + 0.6f - v[2]);
    out[0] = k->centre_x + k->unit * v[0] * shrink;
    out[1] = k->centre_y + k->unit * v[1] * shrink;
    out[2] = v[2];
}

static void blend(float *pixel, const float rgb[3], float alpha)
{
    for (int c = 0; c < 3; c++) pixel[c] = pixel[c] * (1 - alpha) + rgb[c] * alpha;
    pixel[3] = pixel[3] * (1 - alpha) + alpha;
}

/* The texture between four texels, premultiplied; alpha in out[3]. */
static void mask_sample(const drawn_mask *m, float u, float v, float out[4])
{
    int x = (int)u, y = (int)v;
    if (x < 0 || y < 0 || x >= m->width - 1 || y >= m->height - 1) {
        memset(out, 0, 4 * sizeof *out);
        return;
    }
    float fx = u - (float)x, fy = v - (float)y, sum[4] = {0};
    const mask_texel *t = &m->texel[(size_t)y * (size_t)m->width + (size_t)x];
    const float weight[4] = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
    for (int i = 0; i < 4; i++) {
        const mask_texel *s = t + (i & 1) + (i >> 1) * m->width;
        for (int c = 0; c < 3; c++) sum[c] += weight[i] * s->alpha * s->rgb[c];
        sum[3] += weight[i] * s->alpha;
    }
    memcpy(out, sum, sizeof sum);
}

typedef struct vertex {
    float screen[3]; /* x, y, nearness */
    float u, v;      /* in the mask */
} vertex;

static void draw_triangle(canvas *k, const drawn_mask *m, const vertex *a, const vertex *b,
                          const vertex *c)
{
    float ax = a->screen[0], ay = a->screen[1], bx = b->screen[0] - ax, by = b->screen[1] - ay;
    float cx = c->screen[0] - ax, cy = c->screen[1] - ay, area = bx * cy - by * cx;
    if (area <= 1e-6f) return; /* seen from behind */
    int x0 = (int)floorf(fminf(ax, ax + fminf(bx, cx))),
        x1 = (int)ceilf(fmaxf(ax, ax + fmaxf(bx, cx)));
    int y0 = (int)floorf(fminf(ay, ay + fminf(by, cy))),
        y1 = (int)ceilf(fmaxf(ay, ay + fmaxf(by, cy)));
    for (int y = y0 < 0 ? 0 : y0; y <= y1 && y < k->size; y++) {
        for (int x = x0 < 0 ? 0 : x0; x <= x1 && x < k->size; x++) {
            float px = (float)x + 0.5f - ax, py = (float)y + 0.5f - ay;
            float s = (px * cy - py * cx) / area, t = (bx * py - by * px) / area;
            if (s < -1e-4f || t < -1e-4f || s + t > 1 + 2e-4f) continue;
            float near = a->screen[2] + s * (b->screen[2] - a->screen[2]) +
                         t * (c->screen[2] - a->screen[2]);
            size_t at = (size_t)y * (size_t)k->size + (size_t)x;
            if (near <= k->depth[at]) continue;
            float texel[4];
            mask_sample(m, a->u + s * (b->u - a->u) + t * (c->u - a->u),
                        a->v + s * (b->v - a->v) + t * (c->v - a->v), texel);
            if (texel[3] < 0.01f) continue;
            if (texel[3] > 0.5f) k->depth[at] = near;
            for (int i = 0; i < 4; i++)
                k->subject[4 * at + i] = k->subject[4 * at + i] * (1 - texel[3]) + texel[i];
        }
    }
}

static bool draw_head(canvas *k, const drawn_mask *m, error *e)
{
    enum { STEP = 3 };
    int columns = (m->width - 1) / STEP + 1, rows = (m->height - 1) / STEP + 1;
    vertex *grid = memory_allocate((size_t)columns * (size_t)rows, sizeof *grid, e);
    if (!grid) return false;
    for (int j = 0; j < rows; j++) {
        for (int i = 0; i < columns; i++) {
            vertex *v = &grid[j * columns + i];
            *v = (vertex){.u = (float)(i * STEP), .v = (float)(j * STEP)};
            const mask_texel *t =
                &m->texel[(size_t)(j * STEP) * (size_t)m->width + (size_t)(i * STEP)];
            float point[3] = {v->u / m->scale - MASK_HALF_WIDTH, v->v / m->scale + MASK_TOP,
                              t->height};
            project(k, point, v->screen);
        }
    }
    for (int j = 0; j + 1 < rows; j++) {
        for (int i = 0; i + 1 < columns; i++) {
            const vertex *v = &grid[j * columns + i];
            draw_triangle(k, m, v, v + 1, v + columns);
            draw_triangle(k, m, v + 1, v + columns + 1, v + columns);
        }
    }
    free(grid);
    return true;
}

/* Shoulders, neck, ears and the hair behind them, in coordinates of the head that follow its roll
 * only partly. */
static void draw_body(canvas *k)
{
    const drawn_scene *s = k->scene;
    float pivot[3] = {0, 0.6f, -0.5f}, base[3], ear[2][3];
    project(k, pivot, base);
    for (int side = 0; side < 2; side++) {
        float point[3] = {(side ? 1.0f : -1.0f) * s->person.width * 1.0f, 0.08f, -0.12f};
        project(k, point, ear[side]);
    }
    for (int y = 0; y < k->size; y++) {
        for (int x = 0; x < k->size; x++) {
            float u = ((float)x + 0.5f - base[0]) / k->unit,
                  v = ((float)y + 0.5f - base[1]) / k->unit + 0.6f;
            float *pixel = k->subject + 4 * ((size_t)y * (size_t)k->size + (size_t)x), rgb[3];
            float soft = 0.7f / k->unit, lean = 0.5f * s->roll * (v - 0.6f);
            float cover = drawn_back_hair(s, u + lean, v, soft, rgb);
            if (cover > 0) blend(pixel, rgb, cover);
            cover = drawn_torso(s, u - 0.25f * lean, v, soft, rgb);
            if (cover > 0) blend(pixel, rgb, cover);
            for (int side = 0; side < 2; side++) {
                float du = ((float)x + 0.5f - ear[side][0]) / k->unit,
                      dv = ((float)y + 0.5f - ear[side][1]) / k->unit;
                cover = drawn_ear(s, side, du, dv, soft, rgb);
                if (cover > 0) blend(pixel, rgb, cover);
            }
        }
    }
}

/* The mean of every OVERSAMPLING x OVERSAMPLING pixels. */
static void shrink(const canvas *k, drawn_picture *out)
{
    for (int y = 0; y < out->size; y++) {
        for (int x = 0; x < out->size; x++) {
            float sum[4] = {0};
            for (int j = 0; j < OVERSAMPLING; j++) {
                size_t row =
                    (size_t)(y * OVERSAMPLING + j) * (size_t)k->size + (size_t)(x * OVERSAMPLING);
                for (int i = 0; i < 4 * OVERSAMPLING; i++)
                    sum[i & 3] += k->subject[4 * row + (size_t)i];
            }
            float *pixel = out->subject + 4 * ((size_t)y * (size_t)out->size + (size_t)x);
            for (int i = 0; i < 4; i++) pixel[i] = sum[i] / (OVERSAMPLING * OVERSAMPLING);
        }
    }
}

static void place_landmarks(const canvas *k, drawn_picture *out)
{
    float points[LANDMARK_COUNT][3], low[2] = {1e9f, 1e9f}, high[2] = {-1e9f, -1e9f};
    person_landmarks(&k->scene->person, points);
    for (int i = 0; i < LANDMARK_COUNT; i++) {
        float screen[3];
        project(k, points[i], screen);
        for (int c = 0; c < 2; c++) {
            out->landmarks[i][c] = screen[c] / OVERSAMPLING;
            low[c] = fminf(low[c], out->landmarks[i][c]);
            high[c] = fmaxf(high[c], out->landmarks[i][c]);
        }
    }
    low[1] -= 0.16f * (high[1] - low[1]);
    for (int c = 0; c < 2; c++) {
        out->box[c] = fmaxf(low[c], 0);
        out->box[2 + c] = fminf(high[c], (float)out->size);
    }
}

bool drawn_scene_render(const drawn_scene *s, int size, drawn_picture *out, error *e)
{
    int large = size * OVERSAMPLING;
    size_t area = (size_t)large * (size_t)large, pixels = (size_t)size * (size_t)size;
    canvas k = {.scene = s, .size = large, .centre_x = s->centre_x * (float)large};
    k.centre_y = s->centre_y * (float)large;
    k.unit = s->size * (float)large;
    turn_matrix(s, k.turn);
    *out = (drawn_picture){.size = size};
    drawn_mask mask = {0};
    bool done = false;
    k.subject = memory_zeroed(area, 4 * sizeof(float), e);
    k.depth = memory_allocate(area, sizeof(float), e);
    out->subject = memory_allocate(pixels, 4 * sizeof(float), e);
    out->background = memory_allocate(pixels, 3 * sizeof(float), e);
    if (!k.subject || !k.depth || !out->subject || !out->background) goto end;
    for (size_t i = 0; i < area; i++) k.depth[i] = -1e9f;
    drawn_light light = s->light;
    for (int i = 0; i < 3; i++) {
        light.direction[i] = 0;
        for (int j = 0; j < 3; j++) light.direction[i] += k.turn[j][i] * s->light.direction[j];
    }
    if (!drawn_mask_paint(&mask, &s->person, k.unit, e)) goto end;
    if (!drawn_mask_light(&mask, &s->person, &light, e)) goto end;
    draw_body(&k);
    if (!draw_head(&k, &mask, e)) goto end;
    shrink(&k, out);
    drawn_backdrop(s, size, out->background);
    place_landmarks(&k, out);
    done = true;
end:
    drawn_mask_free(&mask);
    free(k.subject);
    free(k.depth);
    if (!done) drawn_picture_free(out);
    return done;
}

void drawn_picture_free(drawn_picture *p)
{
    free(p->background);
    free(p->subject);
    p->background = p->subject = NULL;
}
