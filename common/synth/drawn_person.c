/* A drawn person: every feature a number, drawn at random; the shape of the head as a height map.
 */
#include "synth/drawn_person.h"

#include "synth/drawn_noise.h"

#include <math.h>
#include <string.h>

static const float PI = 3.14159265f;

static float between(random_state *r, float low, float high)
{
    return low + (high - low) * (float)random_uniform(r);
}

static bool chance(random_state *r, double probability)
{
    return random_uniform(r) < probability;
}

/* A colour between two neighbours of a palette that runs from light to dark. */
static void palette_between(const uint32_t *hex, int count, float position, float rgb[3])
{
    int i = (int)(position * (float)(count - 1));
    if (i > count - 2) i = count - 2;
    float a[3], b[3], t = position * (float)(count - 1) - (float)i;
    colour_from_hex(hex[i], a);
    colour_from_hex(hex[i + 1], b);
    for (int c = 0; c < 3; c++) rgb[c] = mix(a[c], b[c], t);
}

static void choose_colours(drawn_person *p, random_state *r)
{
    static const uint32_t skins[] = {0xf6dac8, 0xecc6a8, 0xdfae8b, 0xc98f69,
                                     0xa87250, 0x80523a, 0x563628};
    static const uint32_t dark_hair[] = {0x5a3d28, 0x3b2718, 0x20150e, 0x120d0a};
    static const uint32_t light_hair[] = {0xd8b878, 0xb08a50, 0x8a4f2a, 0x6b4a2c};
    static const uint32_t irises[] = {0x4b2f1d, 0x5f3f22, 0x6e5a32, 0x53704e, 0x5f7f98, 0x7d97a6};
    float tone = (float)random_uniform(r);
    palette_between(skins, 7, tone, p->skin);
    bool dark = tone > 0.55f || chance(r, 0.5);
    palette_between(dark ? dark_hair : light_hair, 4, (float)random_uniform(r), p->hair);
    float grey = p->age > 0.55f ? between(r, 0, 1) * (p->age - 0.4f) * 1.6f : 0;
    for (int c = 0; c < 3; c++) p->hair[c] = mix(p->hair[c], 0.42f, clamp01(grey));
    palette_between(irises, tone > 0.5f ? 3 : 6, (float)random_uniform(r), p->iris);
    for (int c = 0; c < 3; c++) p->brow[c] = 0.75f * p->hair[c] + 0.05f * p->skin[c];
    float red[3] = {0.95f, 0.42f, 0.44f}, strength = between(r, 0.6f, 1) * (1 - 0.25f * tone);
    for (int c = 0; c < 3; c++)
        p->lips[c] = p->skin[c] * mix(1, red[c] * mix(1.0f, 0.75f, p->makeup), strength) * 0.9f;
    float shade = between(r, 0.02f, 0.6f);
    for (int c = 0; c < 3; c++) p->shirt[c] = shade * between(r, 0.35f, 1);
    float rim = between(r, 0.01f, 0.2f);
    for (int c = 0; c < 3; c++) p->glasses_colour[c] = rim * between(r, 0.5f, 1);
}

static void choose_features(drawn_person *p, random_state *r, float soft)
{
    p->eye_x = between(r, 0.38f, 0.435f);
    p->eye_y = between(r, -0.14f, -0.06f);
    float eye_width = between(r, 0.165f, 0.205f), open = between(r, 0.33f, 0.47f) + 0.05f * soft;
    float brow = between(r, 0.21f, 0.29f) + 0.03f * soft;
    for (int side = 0; side < 2; side++) {
        p->eye_width[side] = eye_width * between(r, 0.98f, 1.02f);
        p->eye_open[side] = open * between(r, 0.96f, 1.04f);
        p->brow_y[side] = p->eye_y - brow * between(r, 0.97f, 1.03f);
    }
    p->eye_tilt = between(r, -0.10f, 0.20f);
    p->gaze_x = between(r, -0.25f, 0.25f);
    p->gaze_y = between(r, -0.12f, 0.15f);
    p->brow_arch = between(r, 0.02f, 0.08f) + 0.03f * soft;
    p->brow_thickness = between(r, 0.045f, 0.075f) - 0.022f * soft;
    p->brow_density = between(r, 0.6f, 1);
    p->nose_tip = between(r, 0.36f, 0.46f);
    p->nose_width = between(r, 0.16f, 0.23f) - 0.02f * soft;
    p->nose_height = between(r, 0.22f, 0.34f);
    p->mouth_y = p->nose_tip + between(r, 0.34f, 0.40f);
    p->mouth_width = between(r, 0.30f, 0.40f);
    p->lip_upper = between(r, 0.045f, 0.085f) + 0.015f * soft;
    p->lip_lower = between(r, 0.07f, 0.12f) + 0.015f * soft;
    p->smile = between(r, -0.015f, 0.06f);
    p->mouth_open = chance(r, 0.35) ? between(r, 0.02f, 0.10f) : 0;
    if (p->mouth_open > 0) p->smile = between(r, 0.03f, 0.08f);
}

static void choose_hair(drawn_person *p, random_state *r, float soft)
{
    double x = random_uniform(r) + 0.45 * (soft - 0.5);
    p->style = x < 0.05 ? HAIR_NONE : x < 0.48 ? HAIR_SHORT : x < 0.66 ? HAIR_MEDIUM : HAIR_LONG;
    p->hair_volume = between(r, 0.04f, 0.14f) + 0.06f * soft;
    p->hair_part = between(r, -0.5f, 0.5f);
    p->hairline = between(r, -1.02f, -0.82f);
    p->fringe = chance(r, 0.3) ? between(r, 0.1f, 0.3f) : 0;
}

void drawn_person_choose(drawn_person *p, random_state *r)
{
    memset(p, 0, sizeof *p);
    p->key = (uint32_t)random_bits(r);
    float soft = (float)random_uniform(r);
    p->width = between(r, 0.94f, 1.04f);
    p->chin = between(r, 1.17f, 1.30f) - 0.04f * soft;
    p->jaw_square = between(r, 0, 1) * (1 - 0.6f * soft);
    p->cheek = between(r, 0.04f, 0.10f);
    p->age = between(r, 0, 1);
    choose_features(p, r, soft);
    choose_hair(p, r, soft);
    p->blush = between(r, 0, 0.6f);
    p->freckles = chance(r, 0.2) ? between(r, 0.2f, 0.8f) : 0;
    p->beard = soft < 0.45f && chance(r, 0.5) ? between(r, 0.15f, 1) : 0;
    p->makeup = soft > 0.5f && chance(r, 0.5) ? between(r, 0.3f, 1) : 0;
    p->glasses = chance(r, 0.18);
    p->glasses_width = between(r, 0.016f, 0.032f);
    choose_colours(p, r);
}

float person_outline(const drawn_person *p, float x, float y)
{
    float down = smooth_step(-0.35f, 0.75f, y), taper = mix(0.21f, 0.10f, p->jaw_square);
    float u = fabsf(x) / (p->width * (1 - taper * smooth_step(-0.1f, 1.1f, y)));
    float across = powf(u, mix(2.5f, mix(1.9f, 2.5f, p->jaw_square), down));
    return across +
           (y < 0 ? powf(-y / 1.42f, 2.3f) : powf(y / p->chin, mix(2.3f, 2.9f, p->jaw_square)));
}

/* Of the face at height y. */
static float person_half_width(const drawn_person *p, float y)
{
    float low = 0, high = 1.5f;
    for (int i = 0; i < 24; i++) {
        float middle = 0.5f * (low + high);
        if (person_outline(p, middle, y) < 1)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static float nose_height(const drawn_person *p, float x, float y)
{
    float top = p->eye_y - 0.12f, t = (y - top) / (p->nose_tip - top), h = 0;
    float slope = clamp01(t), fall = y > p->nose_tip ? bell((y - p->nose_tip) / 0.075f) : 1;
    if (t > -0.3f) {
        float along = 0.16f + 0.84f * powf(slope, 1.25f);
        float across = p->nose_width * mix(0.40f, 0.52f, slope);
        h = p->nose_height * along * fall * smooth_step(-0.3f, 0.2f, t) * bell(x / across);
    }
    float wing_x = (fabsf(x) - 0.72f * p->nose_width) / (0.34f * p->nose_width);
    h += 0.36f * p->nose_height * bell(wing_x) * bell((y - p->nose_tip - 0.045f) / 0.07f);
    return h;
}

static float mouth_height(const drawn_person *p, float x, float y)
{
    float t = x / p->mouth_width;
    if (fabsf(t) > 3.4f || fabsf(y - p->mouth_y) > 0.8f) return 0;
    float line = person_lip(p, LIP_UPPER_INNER, fminf(fmaxf(t, -1.1f), 1.1f));
    float upper = bell((y - line + 0.5f * p->lip_upper) / (0.6f * p->lip_upper));
    float lower = bell((y - line - p->mouth_open - 0.5f * p->lip_lower) / (0.55f * p->lip_lower));
    float h = (0.035f * upper + 0.05f * lower) * bell(t / 0.75f);
    h += 0.10f * bell(t / 0.9f) * bell((y - p->mouth_y) / 0.22f);
    h -= 0.02f * bell(x / 0.035f) * bell((y - p->nose_tip - 0.19f) / 0.07f); /* philtrum */
    h -= 0.03f * bell((fabsf(t) - 1.06f) / 0.12f) * bell((y - line) / 0.05f);
    return h;
}

static float eye_height(const drawn_person *p, float x, float y)
{
    int side = x > 0;
    float dx = fabsf(x) - p->eye_x, dy = y - p->eye_y, w = p->eye_width[side];
    float h = -0.13f * bell(dx / (1.25f * w)) * bell(dy / 0.13f);
    float ball = 1 - (dx * dx + dy * dy * 1.6f) / (w * w);
    if (ball > 0) h += 0.085f * ball;
    h += 0.05f * bell((fabsf(x) - p->eye_x - 0.02f) / 0.26f) *
         bell((y - p->brow_y[side] + 0.01f) / 0.075f);
    h -= 0.010f * p->age * bell(dx / (0.9f * w)) * bell((dy - 0.5f * w - 0.06f) / 0.03f); /* bags */
    return h;
}

float person_height(const drawn_person *p, float x, float y)
{
    float f = person_outline(p, x, y);
    float h = f < 1 ? 0.92f * powf(1 - f, 0.46f) : 0.4f * (1 - f);
    h += nose_height(p, x, y) + mouth_height(p, x, y) + eye_height(p, x, y);
    h += p->cheek * bell((fabsf(x) - 0.56f) / 0.2f) * bell((y - 0.24f) / 0.2f);
    h += 0.09f * bell(x / 0.2f) * bell((y - p->chin + 0.2f) / 0.12f);
    h -= 0.05f * bell(x / 0.28f) *
         bell((y - p->mouth_y - p->lip_lower - p->mouth_open - 0.07f) / 0.055f);
    /* nasolabial folds, from the wing of the nose past the corner of the mouth */
    float s = (y - p->nose_tip) / (p->mouth_y + 0.12f - p->nose_tip);
    if (s > -0.2f && s < 1.2f) {
        float line = mix(p->nose_width + 0.05f, p->mouth_width + 0.10f, powf(clamp01(s), 0.8f));
        float depth = 0.012f + 0.030f * p->age + 0.25f * fmaxf(p->smile, 0);
        h -= depth * bell((fabsf(x) - line) / 0.035f) * smooth_step(-0.2f, 0.25f, s) *
             smooth_step(1.2f, 0.6f, s);
    }
    return h;
}

void person_eyelid(const drawn_person *p, int side, bool upper, float t, float *x, float *y)
{
    float w = p->eye_width[side], open = p->eye_open[side] * w;
    float bow = upper ? -1.15f * powf(1 - powf(fabsf(t), 2.2f), 0.75f) * (1 - 0.18f * t)
                      : 0.62f * powf(1 - t * t, 0.85f) * (1 + 0.15f * t);
    *x = (side ? 1.0f : -1.0f) * (p->eye_x + t * w);
    *y = p->eye_y + open * bow - p->eye_tilt * w * t;
}

void person_brow(const drawn_person *p, int side, float t, float *x, float *y)
{
    *x = (side ? 1.0f : -1.0f) * (p->eye_x + 0.025f + t * 0.26f);
    *y = p->brow_y[side] - p->brow_arch * (1 - (t - 0.25f) * (t - 0.25f)) + 0.02f * t -
         0.3f * p->eye_tilt * 0.2f * t;
}

float person_lip(const drawn_person *p, lip_edge edge, float t)
{
    float u = clamp01(1 - t * t), corner = p->mouth_y - p->smile * t * t;
    float bow =
        1 - 0.22f * bell(t / 0.10f) + 0.10f * bell((fabsf(t) - 0.22f) / 0.12f); /* Cupid's bow */
    float dip = 0.012f * bell(t / 0.18f);
    switch (edge) {
    case LIP_UPPER_OUTER:
        return corner - p->lip_upper * bow * powf(u, 0.8f);
    case LIP_UPPER_INNER:
        return corner + dip * u;
    case LIP_LOWER_INNER:
        return corner + dip * u + p->mouth_open * powf(u, 0.7f);
    default:
        return corner + p->mouth_open * powf(u, 0.7f) + p->lip_lower * powf(u, 0.6f);
    }
}

static void landmarks_of_mouth(const drawn_person *p, float point[][3])
{
    static const struct {
        int index;
        lip_edge edge;
        float t;
    } table[] = {
        {48, LIP_UPPER_INNER, -1},    {49, LIP_UPPER_OUTER, -0.64f}, {50, LIP_UPPER_OUTER, -0.24f},
        {51, LIP_UPPER_OUTER, 0},     {52, LIP_UPPER_OUTER, 0.24f},  {53, LIP_UPPER_OUTER, 0.64f},
        {54, LIP_UPPER_INNER, 1},     {55, LIP_LOWER_OUTER, 0.64f},  {56, LIP_LOWER_OUTER, 0.30f},
        {57, LIP_LOWER_OUTER, 0},     {58, LIP_LOWER_OUTER, -0.30f}, {59, LIP_LOWER_OUTER, -0.64f},
        {60, LIP_UPPER_INNER, -0.9f}, {61, LIP_UPPER_INNER, -0.3f},  {62, LIP_UPPER_INNER, 0},
        {63, LIP_UPPER_INNER, 0.3f},  {64, LIP_UPPER_INNER, 0.9f},   {65, LIP_LOWER_INNER, 0.3f},
        {66, LIP_LOWER_INNER, 0},     {67, LIP_LOWER_INNER, -0.3f},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        point[table[i].index][0] = table[i].t * p->mouth_width;
        point[table[i].index][1] = person_lip(p, table[i].edge, table[i].t);
    }
}

static void landmarks_of_eyes(const drawn_person *p, float point[][3])
{
    static const float lid[6] = {1,  0.38f,  -0.38f,
                                 -1, -0.38f, 0.38f}; /* of the left eye: outer corner first */
    for (int i = 0; i < 6; i++) {
        int mirror = i < 4 ? 45 - i : 51 - i; /* 36..39 <-> 45..42, 40, 41 <-> 47, 46 */
        person_eyelid(p, 0, i < 4, lid[i], &point[36 + i][0], &point[36 + i][1]);
        person_eyelid(p, 1, i < 4, lid[i], &point[mirror][0], &point[mirror][1]);
    }
    for (int i = 0; i < 5; i++) {
        float t = 1 - 0.5f * (float)i;
        person_brow(p, 0, t, &point[17 + i][0], &point[17 + i][1]);
        person_brow(p, 1, t, &point[26 - i][0], &point[26 - i][1]);
    }
}

void person_landmarks(const drawn_person *p, float points[LANDMARK_COUNT][3])
{
    for (int i = 0; i <= 16; i++) {
        float angle = PI * (float)i / 16,
              y = p->eye_y + 0.02f + (p->chin - p->eye_y - 0.05f) * sinf(angle);
        points[i][0] = (i < 8 ? -0.985f : i > 8 ? 0.985f : 0) * person_half_width(p, y);
        points[i][1] = y;
    }
    for (int i = 0; i < 4; i++) {
        points[27 + i][0] = 0;
        points[27 + i][1] = mix(p->eye_y, p->nose_tip, (float)i / 3);
    }
    for (int i = 0; i < 5; i++) {
        points[31 + i][0] = p->nose_width * 0.4f * (float)(i - 2);
        points[31 + i][1] = p->nose_tip + 0.125f - 0.02f * fabsf((float)(i - 2));
    }
    landmarks_of_eyes(p, points);
    landmarks_of_mouth(p, points);
    for (int i = 0; i < LANDMARK_COUNT; i++) {
        points[i][2] = person_height(p, points[i][0], points[i][1]);
    }
}
