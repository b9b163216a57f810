/* Lighting a head's surface: normals from the height map, soft occlusion, cast shadows, highlights.
 */
#include "cli/memory.h"
#include "synth/drawn_mask.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <stdlib.h>

static float height_at(const drawn_mask *m, int x, int y)
{
    x = x < 0 ? 0 : x >= m->width ? m->width - 1 : x;
    y = y < 0 ? 0 : y >= m->height ? m->height - 1 : y;
    return m->texel[(size_t)y * (size_t)m->width + (size_t)x].height;
}

static void normal_at(const drawn_mask *m, int x, int y, float n[3])
{
    float dx = 0.5f * (height_at(m, x + 1, y) - height_at(m, x - 1, y)) * m->scale;
    float dy = 0.5f * (height_at(m, x, y + 1) - height_at(m, x, y - 1)) * m->scale;
    float length = 1 / sqrtf(dx * dx + dy * dy + 1);
    n[0] = -dx * length;
    n[1] = -dy * length;
    n[2] = length;
}

/* How much of the surroundings a point sees, from the heights around it: 1 open, less in hollows.
 */
static float openness_at(const drawn_mask *m, int x, int y)
{
    static const float ring[8][2] = {{1, 0},  {0.7f, 0.7f},   {0, 1},  {-0.7f, 0.7f},
                                     {-1, 0}, {-0.7f, -0.7f}, {0, -1}, {0.7f, -0.7f}};
    float h = height_at(m, x, y), hidden = 0;
    for (int i = 0; i < 16; i++) {
        float radius = (i < 8 ? 0.07f : 0.16f) * m->scale;
        float rise =
            height_at(m, x + (int)(ring[i & 7][0] * radius), y + (int)(ring[i & 7][1] * radius)) -
            h;
        hidden += clamp01(rise / (i < 8 ? 0.10f : 0.25f));
    }
    return 1 - 0.75f * hidden / 16;
}

/* Share of the key light that reaches a point: a walk over the height map towards the light. */
static float lit_at(const drawn_mask *m, int x, int y, const drawn_light *light)
{
    float h = height_at(m, x, y) + 0.01f, lit = 1, softness = mix(0.22f, 0.05f, light->hardness);
    for (int i = 1; i <= 14; i++) {
        float s = 0.045f * (float)i;
        int sx = x + (int)(light->direction[0] * s * m->scale),
            sy = y + (int)(light->direction[1] * s * m->scale);
        float over = height_at(m, sx, sy) - h - light->direction[2] * s;
        lit = fminf(lit, 1 - clamp01(over / (softness * (0.4f + s))));
    }
    return lit;
}

static void light_texel(const drawn_mask *m, int x, int y, const drawn_light *light,
                        const float tint[3], float lit, float open, mask_texel *t)
{
    float n[3], half[3] = {light->direction[0], light->direction[1], light->direction[2] + 1};
    normal_at(m, x, y, n);
    float facing =
        n[0] * light->direction[0] + n[1] * light->direction[1] + n[2] * light->direction[2];
    float length = 1 / sqrtf(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]);
    float shine = clamp01((n[0] * half[0] + n[1] * half[1] + n[2] * half[2]) * length);
    float highlight = t->gloss * (powf(shine, 28) + 0.3f * powf(shine, 7)) * lit;
    float sky = 0.75f - 0.25f * n[1], rim = 0.05f * powf(1 - n[2], 3);
    for (int c = 0; c < 3; c++) {
        float wrap = tint[c]; /* light that went through the skin: red goes farthest */
        float diffuse = clamp01((facing + wrap) / (1 + wrap)) * mix(lit, 1, 0.5f * wrap);
        float radiance =
            t->rgb[c] * (light->key[c] * diffuse + light->fill[c] * (sky * open + rim));
        t->rgb[c] = radiance + light->key[c] * highlight * 0.35f;
    }
}

/* The light mirrored in the eyes: what makes them look alive. */
static void catch_lights(drawn_mask *m, const drawn_person *p, const drawn_light *light)
{
    float radius = 0.020f * (1.4f - 0.6f * light->hardness);
    for (int side = 0; side < 2; side++) {
        float cx = (side ? p->eye_x : -p->eye_x) +
                   (0.45f * p->gaze_x + 0.24f * light->direction[0]) * p->eye_width[side];
        float cy = p->eye_y + (-0.12f + 0.22f * light->direction[1]) * p->eye_width[side];
        int x0 = (int)((cx - 0.1f + MASK_HALF_WIDTH) * m->scale),
            x1 = (int)((cx + 0.1f + MASK_HALF_WIDTH) * m->scale);
        int y0 = (int)((cy - 0.1f - MASK_TOP) * m->scale),
            y1 = (int)((cy + 0.1f - MASK_TOP) * m->scale);
        for (int y = y0; y <= y1; y++) {
            for (int x = x0; x <= x1; x++) {
                mask_texel *t = &m->texel[(size_t)y * (size_t)m->width + (size_t)x];
                float dx = (float)x / m->scale - MASK_HALF_WIDTH - cx,
                      dy = (float)y / m->scale + MASK_TOP - cy;
                float spot =
                    smooth_step(radius + 0.010f, radius - 0.006f, sqrtf(dx * dx + dy * dy));
                for (int c = 0; c < 3; c++)
                    t->rgb[c] =
                        mix(t->rgb[c], 0.7f * light->key[c] + 0.2f * light->fill[c], 0.8f * spot);
            }
        }
    }
}

bool drawn_mask_light(drawn_mask *m, const drawn_person *p, const drawn_light *light, error *e)
{
    /* Shadows and occlusion are soft: every second texel will do. */
    int half_width = (m->width + 1) / 2, half_height = (m->height + 1) / 2;
    float *soft = memory_allocate((size_t)half_width * (size_t)half_height, 2 * sizeof *soft, e);
    if (!soft) return false;
    for (int y = 0; y < half_height; y++) {
        for (int x = 0; x < half_width; x++) {
            float *s = soft + 2 * ((size_t)y * (size_t)half_width + (size_t)x);
            s[0] = lit_at(m, 2 * x, 2 * y, light);
            s[1] = openness_at(m, 2 * x, 2 * y);
        }
    }
    static const float tint[3] = {0.32f, 0.14f, 0.10f};
    for (int y = 0; y < m->height; y++) {
        for (int x = 0; x < m->width; x++) {
            mask_texel *t = &m->texel[(size_t)y * (size_t)m->width + (size_t)x];
            const float *s = soft + 2 * ((size_t)(y / 2) * (size_t)half_width + (size_t)(x / 2));
            if (t->alpha > 0) light_texel(m, x, y, light, tint, s[0], s[1], t);
        }
    }
    free(soft);
    catch_lights(m, p, light);
    return true;
}
