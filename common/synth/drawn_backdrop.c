/* What surrounds a drawn face: the backdrop, the torso, ears, and hair that falls behind them. */
#include "synth/drawn_backdrop.h"

#include "synth/drawn_noise.h"

#include <math.h>

/* Light on a rounded surface: `side` and `up` are the sideways and downward parts of its normal. */
static void light_surface(const drawn_scene *s, float side, float down, float shadow,
                          const float albedo[3], float rgb[3])
{
    const drawn_light *l = &s->light;
    float front = sqrtf(fmaxf(0.05f, 1 - side * side - down * down));
    float facing = side * l->direction[0] + down * l->direction[1] + front * l->direction[2];
    for (int c = 0; c < 3; c++) {
        rgb[c] = albedo[c] * (l->key[c] * clamp01(facing + 0.1f) * shadow +
                              l->fill[c] * (0.72f - 0.25f * down) * shadow);
    }
}

float drawn_back_hair(const drawn_scene *s, float u, float v, float soft, float rgb[3])
{
    const drawn_person *p = &s->person;
    if (p->style < HAIR_MEDIUM) return 0;
    float reach = p->style == HAIR_LONG ? 9 : 0.75f, width = p->width + p->hair_volume + 0.05f;
    width += 0.10f * clamp01(v + 0.2f) +
             0.05f * fractal_noise(p->key + 91, v * 2.5f, u > 0 ? 0.0f : 7.0f, 3);
    if (v < -0.1f) width *= sqrtf(fmaxf(0, 1 - (v + 0.1f) * (v + 0.1f) / 1.7f));
    float end = reach + 0.12f * fractal_noise(p->key + 92, u * 14, 0, 3);
    float cover = smooth_step(-soft, soft, width - fabsf(u)) * smooth_step(end, end - 0.06f, v);
    if (cover <= 0) return 0;
    float albedo[3];
    drawn_hair_colour(p, u * 2.4f + 0.12f * sinf(3 * v), v * 0.6f, albedo);
    light_surface(s, 0.8f * u / width, 0, 0.62f, albedo, rgb);
    return cover;
}

float drawn_torso(const drawn_scene *s, float u, float v, float soft, float rgb[3])
{
    const drawn_person *p = &s->person;
    float neck = 0.54f * p->width + 0.5f * smooth_step(1.25f, 2.0f, v), au = fabsf(u);
    float shoulder = 1.50f + 0.48f * powf(clamp01((au - 0.4f) / 1.7f), 1.2f);
    float body = smooth_step(-soft, soft, v - shoulder) * smooth_step(2.4f, 2.3f, au);
    float column = smooth_step(-soft, soft, neck - au) * smooth_step(0.3f, 0.5f, v);
    float cover = fmaxf(body, column);
    if (cover <= 0) return 0;
    float depth = 1.78f + 0.25f * value_noise(p->key + 95, 3, 5),
          collar = depth - 0.55f * (au / 0.95f) * (au / 0.95f);
    float cloth = smooth_step(-soft, soft, v - fmaxf(collar, shoulder - 0.02f)) *
                  smooth_step(-soft, soft, v - 1.2f);
    float skin[3], shirt[3], chin = mix(0.42f, 1, smooth_step(p->chin - 0.1f, p->chin + 0.45f, v));
    float weave = 1 + 0.08f * value_noise(p->key + 96, u * 90, v * 90) +
                  0.25f * fractal_noise(p->key + 97, u * 2, v * 2.5f, 3);
    float albedo[3];
    for (int c = 0; c < 3; c++) albedo[c] = p->shirt[c] * weave;
    float tendon = 0.10f * bell((au - 0.25f) / 0.08f) * smooth_step(1.2f, 1.7f, v);
    light_surface(s, 0.85f * u / neck, 0.35f, chin * (1 - tendon), p->skin, skin);
    light_surface(s, 0.5f * u, -0.4f, 1 - 0.4f * bell((v - collar) / 0.03f), albedo, shirt);
    for (int c = 0; c < 3; c++) rgb[c] = mix(skin[c], shirt[c], cloth);
    return cover;
}

float drawn_ear(const drawn_scene *s, int side, float u, float v, float soft, float rgb[3])
{
    const drawn_person *p = &s->person;
    float out = side ? u : -u, du = (out - 0.02f - 0.05f * v) / 0.135f, dv = v / 0.30f;
    float r = sqrtf(du * du + dv * dv);
    float cover = smooth_step(1 + soft / 0.15f, 1 - soft / 0.15f, r);
    if (cover <= 0 || p->style >= HAIR_MEDIUM) return 0;
    float fold = 1 - 0.45f * bell((r - 0.62f) / 0.16f) * smooth_step(-0.6f, 0.2f, du), albedo[3];
    static const float tint[3] = {1.02f, 0.82f, 0.80f};
    for (int c = 0; c < 3; c++)
        albedo[c] = p->skin[c] * tint[c] * fold * mix(0.55f, 1, smooth_step(-0.5f, 0.5f, du));
    light_surface(s, side ? 0.5f : -0.5f, 0, 0.9f, albedo, rgb);
    return cover;
}

/* ---- Backdrops: colour at (u, v), about -1..1 over the picture ------------------------------ */

static void tone(uint32_t key, int index, float low, float high, float rgb[3])
{
    for (int c = 0; c < 3; c++) {
        rgb[c] =
            mix(low, high, 0.5f + 0.5f * value_noise(key + (uint32_t)c, 7.5f * (float)index, 0.5f));
    }
}

static void studio(uint32_t key, float u, float v, float rgb[3])
{
    float base[3];
    tone(key, 1, 0.03f, 0.45f, base);
    float glow =
        0.55f + 0.75f * bell((u - 0.3f * value_noise(key, 1, 9)) / 0.9f) * bell((v + 0.1f) / 1.0f);
    float mottle = 1 + 0.18f * fractal_noise(key + 5, u * 1.5f, v * 1.5f, 4);
    for (int c = 0; c < 3; c++) rgb[c] = base[c] * glow * mottle;
}

static void foliage(uint32_t key, float u, float v, float rgb[3])
{
    float leaf = fractal_noise(key, u * 4, v * 4, 5),
          gap = smooth_step(0.25f, 0.5f, fractal_noise(key + 8, u * 5, v * 5, 3));
    float autumn = 0.5f + 0.5f * value_noise(key + 3, 4, 4);
    float green[3] = {mix(0.05f, 0.20f, autumn), 0.12f, 0.03f}, sky[3] = {0.75f, 0.85f, 0.95f};
    for (int c = 0; c < 3; c++)
        rgb[c] = mix(green[c] * (1 + 1.5f * leaf), sky[c], gap * smooth_step(0.6f, -0.6f, v));
    for (int c = 0; c < 3; c++) rgb[c] = fmaxf(rgb[c], 0.006f);
}

static void lights(uint32_t key, float u, float v, float rgb[3])
{
    static const float ink[3] = {0.012f, 0.014f, 0.024f};
    for (int c = 0; c < 3; c++) rgb[c] = ink[c] * (1 + 0.5f * fractal_noise(key, u * 2, v * 2, 3));
    float cell = 3.5f, cu = floorf(u * cell), cv = floorf(v * cell);
    for (int i = 0; i < 9; i++) {
        float gu = cu + (float)(i % 3 - 1), gv = cv + (float)(i / 3 - 1);
        if (value_noise(key + 4, gu * 3 + 0.5f, gv * 3 + 0.5f) < 0.05f) continue;
        float du = u * cell - gu - 0.5f - 0.4f * value_noise(key + 5, gu * 5 + 0.5f, gv);
        float dv = v * cell - gv - 0.5f - 0.4f * value_noise(key + 6, gu, gv * 5 + 0.5f);
        float spot = smooth_step(0.16f, 0.08f, sqrtf(du * du + dv * dv));
        float warm = 0.5f + 0.5f * value_noise(key + 7, gu * 9, gv * 9);
        float lamp[3] = {1.6f, mix(0.6f, 1.3f, warm), mix(0.15f, 1.4f, warm * warm)};
        for (int c = 0; c < 3; c++) rgb[c] += spot * lamp[c];
    }
}

static void room(uint32_t key, float u, float v, float rgb[3])
{
    float wall[3], frame[3];
    tone(key, 2, 0.15f, 0.6f, wall);
    tone(key, 3, 0.03f, 0.4f, frame);
    float shade = 0.8f + 0.25f * u + 0.05f * fractal_noise(key, u * 8, v * 8, 3);
    float x = u - 0.8f * value_noise(key + 1, 2, 2), shelf = fabsf(fmodf(v + 4, 0.5f) - 0.25f);
    float books = smooth_step(-0.01f, 0.01f, 0.34f - fabsf(x)),
          board = smooth_step(0.03f, 0.02f, shelf);
    float volume = floorf((x + 2) * 22), row = floorf((v + 4) / 0.5f);
    for (int c = 0; c < 3; c++) {
        float book = 0.22f + 0.2f * value_noise(key + 11 + (uint32_t)c, volume * 3.7f, row * 3.1f);
        rgb[c] = mix(wall[c] * shade, mix(book, frame[c], board), books);
    }
    float window = smooth_step(0.02f, 0, fabsf(u + 0.9f * (x > u ? -1 : 1)) - 0.3f) *
                   smooth_step(0.45f, 0.42f, fabsf(v + 0.35f));
    for (int c = 0; c < 3; c++)
        rgb[c] = mix(rgb[c], 1.3f, window * (fabsf(fmodf(v + 4, 0.4f) - 0.2f) < 0.02f ? 0.3f : 1));
}

static void street(uint32_t key, float u, float v, float rgb[3])
{
    float horizon = 0.45f, sky[3] = {0.42f, 0.58f, 0.86f};
    float column = floorf((u + 3) * 2.2f),
          roof = -0.35f + 0.5f * value_noise(key, column * 3.3f, 1);
    float cloud = smooth_step(0, 0.4f, fractal_noise(key + 2, u * 1.6f, v * 3, 4)), wall[3];
    tone(key + 20, (int)column, 0.08f, 0.45f, wall);
    float pane = smooth_step(0.28f, 0.22f, fabsf(fmodf((u + 3) * 11, 1) - 0.5f)) *
                 smooth_step(0.3f, 0.24f, fabsf(fmodf((v + 4) * 7, 1) - 0.5f));
    float building = smooth_step(-0.01f, 0.01f, v - roof),
          ground = smooth_step(-0.01f, 0.01f, v - horizon);
    for (int c = 0; c < 3; c++) {
        float above = mix(sky[c], 0.9f, 0.7f * cloud) * (1 + 0.2f * v);
        float facade = wall[c] * (1 - 0.6f * pane);
        rgb[c] = mix(mix(above, facade, building),
                     0.18f + 0.04f * fractal_noise(key + 6, u * 9, v * 20, 3), ground);
    }
}

void drawn_backdrop(const drawn_scene *s, int size, float *rgb)
{
    static void (*const painter[BACKGROUND_COUNT])(uint32_t, float, float, float *) = {
        studio, foliage, lights, room, street};
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float u = (2 * ((float)x + 0.5f) / (float)size - 1) / s->background_zoom;
            float v = (2 * ((float)y + 0.5f) / (float)size - 1) / s->background_zoom;
            float *pixel = rgb + 3 * ((size_t)y * (size_t)size + (size_t)x);
            painter[s->background](s->key, u, v, pixel);
            for (int c = 0; c < 3; c++) pixel[c] *= s->background_light[c];
        }
    }
}
