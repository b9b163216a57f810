/* Painting a head's surface: skin, eyes, brows, mouth, beard, hair, glasses. */
#include "cli/memory.h"
#include "synth/drawn_mask.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <stdlib.h>

/* What one texel's painters share. */
typedef struct brush {
    const drawn_person *p;
    float x, y;
    float edge; /* half the width over which an edge is smoothed: one texel */
    mask_texel *t;
} brush;

/* Coverage of a shape from a signed distance, positive inside. */
static float inside(const brush *b, float distance)
{
    return smooth_step(-b->edge, b->edge, distance);
}

static void lay(const brush *b, const float rgb[3], float coverage)
{
    for (int c = 0; c < 3; c++) b->t->rgb[c] = mix(b->t->rgb[c], rgb[c], coverage);
}

static void darken(const brush *b, float factor, float coverage)
{
    for (int c = 0; c < 3; c++) b->t->rgb[c] *= mix(1, factor, coverage);
}

static void paint_skin(const brush *b)
{
    const drawn_person *p = b->p;
    float x = b->x, y = b->y, ax = fabsf(x);
    float pores = fractal_noise(p->key, x * 34, y * 34, 3),
          blotch = fractal_noise(p->key + 9, x * 3, y * 3, 3);
    float red = p->blush * (0.8f * bell((ax - 0.52f) / 0.2f) * bell((y - 0.27f) / 0.18f) +
                            0.5f * bell(x / 0.15f) * bell((y - p->nose_tip) / 0.12f)) +
                0.15f * blotch;
    float tired = (0.25f + 0.4f * p->age) * bell((ax - p->eye_x) / 0.2f) *
                  bell((y - p->eye_y - 0.16f) / 0.06f);
    float shade = 1 + 0.10f * pores + 0.10f * blotch - 0.30f * tired;
    static const float tint[3] = {0.06f, -0.22f, -0.18f};
    for (int c = 0; c < 3; c++) b->t->rgb[c] = p->skin[c] * shade * (1 + tint[c] * red);
    float spots =
        value_noise(p->key + 21, x * 30, y * 30) + 0.5f * value_noise(p->key + 22, x * 9, y * 9);
    darken(b, 0.62f, p->freckles * smooth_step(0.75f, 1.1f, spots) * bell((y - 0.2f) / 0.3f));
    float wrinkle = bell((fractal_noise(p->key + 5, x * 1.2f, y * 16, 2) - 0.05f) / 0.06f);
    darken(b, 0.86f,
           smooth_step(0.4f, 1, p->age) * wrinkle * smooth_step(-0.45f, -0.6f, y) *
               bell(x / 0.45f));
    b->t->gloss = 0.10f + 0.10f * bell(x / 0.3f) + 0.03f * pores;
    b->t->height += 0.0035f * pores;
    b->t->alpha = smooth_step(1 + 2 * b->edge, 1 - 2 * b->edge, person_outline(p, x, y));
}

static void paint_nostrils(const brush *b)
{
    const drawn_person *p = b->p;
    float dx = (fabsf(b->x) - 0.42f * p->nose_width) / (0.26f * p->nose_width);
    float dy = (b->y - p->nose_tip - 0.095f - 0.02f * dx) / 0.026f;
    darken(b, 0.16f, smooth_step(1.5f, 0.5f, dx * dx + dy * dy));
    darken(b, 0.75f,
           bell((b->y - p->nose_tip - 0.125f) / 0.03f) * bell(b->x / (0.8f * p->nose_width)));
}

static void paint_brow(const brush *b)
{
    const drawn_person *p = b->p;
    int side = b->x > 0;
    float t = (fabsf(b->x) - p->eye_x - 0.025f) / 0.26f, centre_x, centre_y;
    if (fabsf(t) > 1.15f || fabsf(b->y - p->brow_y[side]) > 0.3f) return;
    person_brow(p, side, t, &centre_x, &centre_y);
    float half = 0.75f * p->brow_thickness * (1 - 0.55f * smooth_step(-0.2f, 1, t)) *
                 smooth_step(1.15f, 0.6f, fabsf(t));
    float strands = value_noise(p->key + 31, b->x * 70 + b->y * (side ? 45.0f : -45.0f), b->y * 12);
    float distance = half - fabsf(b->y - centre_y) + 0.010f * strands;
    float coverage =
        smooth_step(-0.02f, 0.02f, distance) * p->brow_density * (0.80f + 0.2f * strands);
    lay(b, p->brow, clamp01(coverage));
}

static void paint_iris(const brush *b, float coverage, int side)
{
    const drawn_person *p = b->p;
    float w = p->eye_width[side], radius = 0.45f * w;
    float dx = b->x - (side ? 1.0f : -1.0f) * p->eye_x - 0.45f * p->gaze_x * w;
    float dy = b->y - p->eye_y + 0.10f * w - 0.4f * p->gaze_y * w;
    float r = sqrtf(dx * dx + dy * dy) / radius, angle = atan2f(dy, dx);
    float fibre = value_noise(p->key + 41, angle * 9, r * 3), colour[3];
    for (int c = 0; c < 3; c++) {
        colour[c] = p->iris[c] * (0.85f + 0.4f * fibre) * (1 - 0.75f * smooth_step(0.72f, 1, r));
        colour[c] *= 1 + 0.35f * smooth_step(-0.3f, 1, dy / radius);
    }
    static const float black[3] = {0.004f, 0.004f, 0.005f};
    float soft = b->edge / radius;
    for (int c = 0; c < 3; c++)
        colour[c] = mix(colour[c], black[c], smooth_step(0.42f + soft, 0.42f - soft, r));
    lay(b, colour, coverage * smooth_step(1 + soft, 1 - soft, r));
}

static void paint_eye(const brush *b)
{
    const drawn_person *p = b->p;
    int side = b->x > 0;
    float t = (fabsf(b->x) - p->eye_x) / p->eye_width[side], x, top, bottom;
    if (fabsf(t) > 1.25f || fabsf(b->y - p->eye_y) > 0.32f) return;
    float within = fminf(fmaxf(t, -1), 1), beyond = smooth_step(1.2f, 0.95f, fabsf(t));
    person_eyelid(p, side, true, within, &x, &top);
    person_eyelid(p, side, false, within, &x, &bottom);
    float shadow =
        smooth_step(top - 0.16f, top - 0.02f, b->y) * smooth_step(top + 0.02f, top, b->y);
    darken(b, 1 - 0.20f - 0.3f * p->makeup, shadow * beyond);
    darken(b, 0.60f, bell((b->y - top + 0.058f) / 0.013f) * smooth_step(1.1f, 0.6f, fabsf(t)));
    if (fabsf(t) < 1) {
        float coverage = inside(b, b->y - top) * inside(b, bottom - b->y);
        float white = 0.46f * (1 - 0.35f * smooth_step(0.5f, 1, fabsf(t)));
        float sclera[3] = {white, white * 0.93f, white * 0.9f};
        lay(b, sclera, coverage);
        paint_iris(b, coverage, side);
        darken(b, 0.45f, coverage * smooth_step(top + 0.055f, top, b->y));
        b->t->gloss = mix(b->t->gloss, 0.12f, coverage);
    }
    float lash = (0.011f + 0.012f * p->makeup) * (1 + 0.5f * within);
    float upper = inside(b, lash - fabsf(b->y - top + 0.4f * lash)) * beyond;
    float lower = inside(b, 0.4f * lash - fabsf(b->y - bottom)) * beyond;
    darken(b, 0.10f, upper);
    darken(b, 0.55f - 0.3f * p->makeup, lower);
}

static void paint_mouth(const brush *b)
{
    const drawn_person *p = b->p;
    float t = b->x / p->mouth_width;
    if (fabsf(t) > 1.1f || fabsf(b->y - p->mouth_y) > 0.35f) return;
    float u = fminf(fmaxf(t, -1), 1);
    float top = person_lip(p, LIP_UPPER_OUTER, u), upper = person_lip(p, LIP_UPPER_INNER, u);
    float lower = person_lip(p, LIP_LOWER_INNER, u), bottom = person_lip(p, LIP_LOWER_OUTER, u);
    float soft = 0.012f + b->edge, ends = smooth_step(1.02f, 0.95f, fabsf(t));
    float lips =
        smooth_step(-soft, soft, b->y - top) * smooth_step(-soft, soft, bottom - b->y) * ends;
    float crease = 1 + 0.10f * value_noise(p->key + 51, b->x * 60, b->y * 7), colour[3];
    for (int c = 0; c < 3; c++) colour[c] = p->lips[c] * crease * (b->y < upper ? 0.82f : 1);
    lay(b, colour, lips);
    b->t->gloss = mix(b->t->gloss, 0.22f + 0.25f * p->makeup, lips);
    float gap = inside(b, b->y - upper) * inside(b, lower - b->y) * ends;
    if (p->mouth_open > 0) {
        float tooth = fabsf(fmodf(fabsf(b->x) + 0.005f, 0.085f) - 0.0425f) / 0.0425f;
        float edge = upper + 0.75f * p->mouth_open;
        float white = 0.5f * (1 - 0.35f * smooth_step(0.85f, 1, tooth)) * (1 - 0.8f * t * t);
        float teeth[3] = {white, white * 0.95f, white * 0.86f}, dark[3] = {0.035f, 0.012f, 0.011f};
        lay(b, dark, gap);
        lay(b, teeth, gap * inside(b, edge - b->y) * smooth_step(0.9f, 0.7f, fabsf(t)));
    }
    darken(b, 0.22f, bell((b->y - upper) / 0.011f) * ends);
    darken(b, 0.55f, bell((fabsf(t) - 1) / 0.06f) * bell((b->y - p->mouth_y + p->smile) / 0.02f));
}

static void paint_beard(const brush *b)
{
    const drawn_person *p = b->p;
    if (p->beard <= 0 || b->y < 0.15f) return;
    float ax = fabsf(b->x), side = 0.62f + 0.25f * (0.9f - b->y);
    float cheek = smooth_step(side - 0.25f, side + 0.1f, ax) * smooth_step(0.2f, 0.45f, b->y);
    float jaw = smooth_step(p->mouth_y + 0.12f, p->mouth_y + 0.24f, b->y);
    float lip =
        bell((b->y - p->mouth_y + p->lip_upper + 0.06f) / 0.05f) * smooth_step(0.5f, 0.36f, ax);
    float area = fmaxf(fmaxf(cheek, jaw), lip);
    float hairs = value_noise(p->key + 61, b->x * 75, b->y * 40) +
                  0.6f * value_noise(p->key + 62, b->x * 130, b->y * 90);
    float coverage = area * p->beard * (0.55f + 0.35f * hairs);
    lay(b, p->brow, clamp01(coverage) * 0.9f);
    b->t->gloss *= 1 - 0.7f * clamp01(coverage);
}

void drawn_hair_colour(const drawn_person *p, float across, float along, float rgb[3])
{
    float wave = 0.5f * value_noise(p->key + 71, across * 2, along * 1.3f);
    float strands = fractal_noise(p->key + 72, across * 26 + wave * 6, along * 2.2f, 3);
    float lock = value_noise(p->key + 73, across * 5 + wave, along);
    float shade = 1 + 0.75f * strands + 0.28f * lock;
    for (int c = 0; c < 3; c++) rgb[c] = p->hair[c] * fmaxf(shade, 0.2f);
}

/* How far a point is inside the hair's outer outline, and how far outside the face's opening. */
static float hair_distance(const drawn_person *p, float x, float y, float *shell)
{
    static const float length[] = {-9, 0.02f, 0.55f, 1.35f};
    float ax = fabsf(x), outer = p->width + p->hair_volume, tall = 1.24f + p->hair_volume;
    float up = y < -0.25f ? (y + 0.25f) / tall : 0;
    *shell = x * x / (outer * outer) + up * up;
    float outline = (1 - sqrtf(*shell)) * 0.9f;
    float line = p->hairline + p->fringe * (0.5f + 0.5f * sinf(3 * x + 4 * p->hair_part));
    line += 0.10f * bell((x - p->hair_part) / 0.12f) * (p->fringe > 0 ? 0.0f : -1.0f);
    float rx = p->width * (p->style == HAIR_SHORT ? 0.95f : 0.90f), ry = 0.10f - line,
          v = (y - 0.10f) / ry;
    float open = y < 0.10f ? 1 - sqrtf(powf(ax / rx, 2.6f) + v * v) : 1 - ax / rx;
    if (p->style == HAIR_LONG && y > 0.1f) open += 0.10f * smooth_step(0.1f, 1.0f, y);
    float down = length[p->style] - y + (p->style == HAIR_SHORT ? 0.4f * (ax - 0.95f) : 0);
    return fminf(fminf(outline, -0.8f * open), down);
}

static void paint_hair(const brush *b)
{
    const drawn_person *p = b->p;
    if (p->style == HAIR_NONE) return;
    float shell, distance = hair_distance(p, b->x, b->y, &shell);
    if (distance < -0.2f) return;
    float dx = b->x - p->hair_part, dy = b->y + 1.75f;
    float across = 2.2f * atan2f(dx, dy), along = sqrtf(dx * dx + dy * dy), rgb[3];
    float ragged = fractal_noise(p->key + 81, across * 12, along * 1.5f, 3);
    float coverage = smooth_step(-0.035f, 0.035f, distance + 0.055f * ragged);
    drawn_hair_colour(p, across, along, rgb);
    darken(b, 0.65f, smooth_step(-0.16f, 0, distance));
    float alpha = b->t->alpha + coverage - b->t->alpha * coverage;
    lay(b, rgb, alpha > 0 ? coverage / alpha : 0);
    float relief = 0.03f * fractal_noise(p->key + 82, across * 16, along * 2, 2);
    float height = (shell < 1 ? 0.97f * powf(1 - shell, 0.5f) : 0) + 0.03f + relief;
    b->t->height = mix(b->t->height, height, coverage);
    b->t->gloss = mix(b->t->gloss, 0.30f, coverage);
    b->t->alpha = alpha;
}

static void paint_glasses(const brush *b)
{
    const drawn_person *p = b->p;
    if (!p->glasses || fabsf(b->y - p->eye_y) > 0.4f) return;
    float ax = fabsf(b->x), dx = fabsf(ax - p->eye_x - 0.03f) - 0.17f,
          dy = fabsf(b->y - p->eye_y - 0.04f) - 0.09f;
    float corner =
        sqrtf(fmaxf(dx, 0) * fmaxf(dx, 0) + fmaxf(dy, 0) * fmaxf(dy, 0)) + fminf(fmaxf(dx, dy), 0);
    float ring = fabsf(corner - 0.12f),
          arm = ax > p->eye_x + 0.3f ? fabsf(b->y - p->eye_y + 0.02f) : 1;
    float bridge = ax < p->eye_x - 0.24f ? fabsf(b->y - p->eye_y + 0.01f - 0.25f * ax * ax) : 1;
    float frame =
        fmaxf(inside(b, p->glasses_width - ring), inside(b, p->glasses_width - fminf(arm, bridge)));
    darken(b, 0.82f, bell((ring - 0.02f) / 0.03f));
    darken(b, 0.95f, inside(b, 0.12f - corner));
    lay(b, p->glasses_colour, frame);
    b->t->gloss = mix(b->t->gloss, 0.45f, frame);
}

static void paint_face(const brush *b)
{
    paint_skin(b);
    paint_beard(b);
    paint_nostrils(b);
    paint_mouth(b);
    paint_eye(b);
    paint_brow(b);
}

bool drawn_mask_paint(drawn_mask *m, const drawn_person *p, float scale, error *e)
{
    *m = (drawn_mask){.scale = scale};
    m->width = (int)(2 * MASK_HALF_WIDTH * scale) + 1;
    m->height = (int)((MASK_BOTTOM - MASK_TOP) * scale) + 1;
    m->texel = memory_zeroed((size_t)m->width * (size_t)m->height, sizeof *m->texel, e);
    if (!m->texel) return false;
    for (int j = 0; j < m->height; j++) {
        for (int i = 0; i < m->width; i++) {
            brush b = {.p = p, .edge = 1 / scale};
            b.x = (float)i / scale - MASK_HALF_WIDTH;
            b.y = (float)j / scale + MASK_TOP;
            b.t = &m->texel[(size_t)j * (size_t)m->width + (size_t)i];
            b.t->height = person_height(p, b.x, b.y);
            if (person_outline(p, b.x, b.y) < 1.2f) paint_face(&b);
            paint_hair(&b);
            paint_glasses(&b);
        }
    }
    return true;
}

void drawn_mask_free(drawn_mask *m)
{
    free(m->texel);
    m->texel = NULL;
}
