/* Stand-ins for generated faces: drawn faces that never passed a camera. */
#include "synth/standin.h"

#include "cli/memory.h"
#include "synth/camera.h"
#include "synth/camera_filters.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const standin_names[] = {"upsampler", "smoother", "blender", "quantiser", NULL};

/* A linear picture as a generator would have learnt to show it: metered, with the tone curve of
 * many cameras. */
static void tone_map(float *rgb, int size)
{
    float gain = camera_meter(METERING_PATTERN, rgb, size);
    for (size_t i = 0; i < 3 * (size_t)size * (size_t)size; i++) {
        float v = linear_to_srgb(fminf(rgb[i] * gain, 1));
        rgb[i] = mix(v, v * v * (3 - 2 * v), 0.35f);
    }
}

/* ---- Upsampler ------------------------------------------------------------------------------ */

static float mean_of_four(const float *rgb, int size, int x, int y, int c)
{
    int x1 = x + 1 < size ? x + 1 : x, y1 = y + 1 < size ? y + 1 : y;
    return 0.25f * (rgb[3 * (y * size + x) + c] + rgb[3 * (y * size + x1) + c] +
                    rgb[3 * (y1 * size + x) + c] + rgb[3 * (y1 * size + x1) + c]);
}

/* Halves the picture and brings it back by a transposed convolution whose kernel overlaps unevenly;
   coarser layers leave their pattern at 4 and 8 pixels. */
static bool upsampler(float *rgb, int size, random_state *r, error *e)
{
    int half = (size + 1) / 2;
    float *small = memory_allocate((size_t)half * (size_t)half, 3 * sizeof *small, e),
          uneven[3][8][8];
    if (!small) return false;
    for (int y = 0; y < half; y++) {
        for (int x = 0; x < half; x++) {
            for (int c = 0; c < 3; c++)
                small[3 * (y * half + x) + c] = mean_of_four(rgb, size, 2 * x, 2 * y, c);
        }
    }
    for (int level = 0; level < 3; level++) {
        float strength = level == 0 ? 0.07f : 0.05f;
        for (int i = 0; i < 64; i++)
            uneven[level][i >> 3][i & 7] = strength * (float)random_normal(r);
    }
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            int x0 = x / 2, y0 = y / 2, x1 = x0 + 1 < half ? x0 + 1 : x0,
                y1 = y0 + 1 < half ? y0 + 1 : y0;
            float u = x & 1 ? 0.55f : 0.1f, v = y & 1 ? 0.55f : 0.1f;
            float gain =
                1 + uneven[0][y & 1][x & 1] + uneven[1][y & 3][x & 3] + uneven[2][y & 7][x & 7];
            for (int c = 0; c < 3; c++) {
                float top =
                    mix(small[3 * (y0 * half + x0) + c], small[3 * (y0 * half + x1) + c], u);
                float low =
                    mix(small[3 * (y1 * half + x0) + c], small[3 * (y1 * half + x1) + c], u);
                rgb[3 * (y * size + x) + c] = mix(top, low, v) * gain;
            }
        }
    }
    free(small);
    return true;
}

/* ---- Smoother ------------------------------------------------------------------------------- */

static bool smoother(float *rgb, int size, random_state *r, error *e)
{
    float tolerance = 0.09f + 0.06f * (float)random_uniform(r);
    for (int i = 0; i < 3; i++) {
        if (!filter_bilateral(rgb, size, 4, tolerance, e)) return false;
    }
    /* what is left of structure is drawn crisply */
    size_t count = 3 * (size_t)size * (size_t)size;
    float *soft = memory_allocate(count, sizeof *soft, e);
    if (!soft) return false;
    memcpy(soft, rgb, count * sizeof *soft);
    bool done = filter_gaussian(soft, size, 3, 1.2f, e);
    for (size_t i = 0; done && i < count; i++) rgb[i] += 1.2f * (rgb[i] - soft[i]);
    free(soft);
    return done;
}

/* ---- Quantiser ------------------------------------------------------------------------------ */

enum { BLOCK = 8, KEPT = 3, CODES = 24 };

/* The cosine transform of a block, there (forward) or back. */
static void transform(float block[BLOCK][BLOCK], bool forward)
{
    float basis[BLOCK][BLOCK], rows[BLOCK][BLOCK] = {{0}}, out[BLOCK][BLOCK] = {{0}};
    for (int k = 0; k < BLOCK; k++) {
        for (int i = 0; i < BLOCK; i++) {
            float b = sqrtf((k ? 2.0f : 1.0f) / BLOCK) *
                      cosf(3.14159265f * (float)k * ((float)i + 0.5f) / BLOCK);
            if (forward)
                basis[k][i] = b;
            else
                basis[i][k] = b;
        }
    }
    for (int y = 0; y < BLOCK; y++) {
        for (int k = 0; k < BLOCK; k++) {
            for (int i = 0; i < BLOCK; i++) rows[y][k] += basis[k][i] * block[y][i];
        }
    }
    for (int k = 0; k < BLOCK; k++) {
        for (int x = 0; x < BLOCK; x++) {
            for (int i = 0; i < BLOCK; i++) out[k][x] += basis[k][i] * rows[i][x];
        }
    }
    memcpy(block, out, sizeof out);
}

/* Keeps a block's coarse part, quantised, and takes the rest from the codebook at the block's own
 * strength. */
static void rebuild(float block[BLOCK][BLOCK], float code[BLOCK][BLOCK], float step)
{
    transform(block, true);
    float energy = 0;
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        int y = i / BLOCK, x = i % BLOCK;
        if (x + y < KEPT)
            block[y][x] = roundf(block[y][x] / step) * step;
        else
            energy += block[y][x] * block[y][x];
    }
    float strength = sqrtf(energy);
    for (int i = 0; i < BLOCK * BLOCK; i++) {
        int y = i / BLOCK, x = i % BLOCK;
        if (x + y >= KEPT) block[y][x] = 0.5f * block[y][x] + 0.75f * strength * code[y][x];
    }
    transform(block, false);
}

static void make_codebook(random_state *r, float code[CODES][BLOCK][BLOCK])
{
    for (int k = 0; k < CODES; k++) {
        float energy = 0;
        for (int i = 0; i < BLOCK * BLOCK; i++) {
            int y = i / BLOCK, x = i % BLOCK;
            float v = x + y < KEPT ? 0 : (float)random_normal(r) / (float)((x + y) * (x + y));
            code[k][y][x] = v;
            energy += v * v;
        }
        for (int i = 0; i < BLOCK * BLOCK; i++) code[k][i / BLOCK][i % BLOCK] /= sqrtf(energy);
    }
}

static void quantise(float *rgb, int size, random_state *r)
{
    float code[CODES][BLOCK][BLOCK], step = 0.16f + 0.10f * (float)random_uniform(r);
    random_state book = random_keyed(7, "codebook", 0); /* one generator, one codebook */
    make_codebook(&book, code);
    for (int y0 = 0; y0 < size; y0 += BLOCK) {
        for (int x0 = 0; x0 < size; x0 += BLOCK) {
            int chosen = (int)random_below(r, CODES);
            for (int c = 0; c < 3; c++) {
                float block[BLOCK][BLOCK];
                for (int i = 0; i < BLOCK * BLOCK; i++) {
                    int y = y0 + i / BLOCK, x = x0 + i % BLOCK;
                    y = y < size ? y : size - 1;
                    x = x < size ? x : size - 1;
                    block[i / BLOCK][i % BLOCK] = rgb[3 * (y * size + x) + c];
                }
                rebuild(block, code[chosen], step);
                for (int i = 0; i < BLOCK * BLOCK; i++) {
                    int y = y0 + i / BLOCK, x = x0 + i % BLOCK;
                    if (y < size && x < size)
                        rgb[3 * (y * size + x) + c] = block[i / BLOCK][i % BLOCK];
                }
            }
        }
    }
}

/* ---- Blender -------------------------------------------------------------------------------- */

/* How much of the inserted face shows at a point: an ellipse from the brows to below the mouth. */
static float insert_share(const drawn_picture *place, float x, float y)
{
    float cx = place->landmarks[30][0],
          cy = 0.5f * (place->landmarks[27][1] + place->landmarks[57][1]);
    float rx = 0.36f * (place->landmarks[16][0] - place->landmarks[0][0]);
    float ry = 0.72f * (place->landmarks[57][1] - place->landmarks[27][1]);
    float dx = (x - cx) / rx, dy = (y - cy) / ry;
    return smooth_step(1.10f, 0.88f, sqrtf(dx * dx + dy * dy));
}

static float sample(const float *rgb, int size, float x, float y, int c)
{
    x = fminf(fmaxf(x, 0), (float)size - 1.001f);
    y = fminf(fmaxf(y, 0), (float)size - 1.001f);
    int x0 = (int)x, y0 = (int)y;
    const float *p = rgb + 3 * (y0 * size + x0) + c;
    float u = x - (float)x0, v = y - (float)y0;
    return mix(mix(p[0], p[3], u), mix(p[3 * size], p[3 * size + 3], u), v);
}

/* Takes a photograph in `rgb` (0..1) and lays the inner face of another drawing over it, shifted
 * and scaled a little. */
static bool blender(const drawn_scene *scene, const drawn_picture *place, float *rgb, int size,
                    random_state *r, error *e)
{
    drawn_scene other = *scene;
    drawn_person_choose(&other.person, r);
    memcpy(other.person.skin, scene->person.skin, sizeof other.person.skin);
    other.yaw += 0.12f * (float)random_normal(r);
    drawn_picture face;
    if (!drawn_scene_render(&other, size, &face, e)) return false;
    float *inner = memory_allocate((size_t)size * (size_t)size, 3 * sizeof *inner, e);
    if (inner) {
        picture_flatten(&face, face.background, inner);
        tone_map(inner, size);
        float unit = 0.01f * (float)size, shift_x = 3.0f * unit * (float)random_normal(r);
        float shift_y = 1.6f * unit * (float)random_normal(r),
              zoom = 1 + 0.07f * (float)random_normal(r);
        for (int y = 0; y < size; y++) {
            for (int x = 0; x < size; x++) {
                float share = insert_share(place, (float)x, (float)y);
                float sx =
                    place->landmarks[30][0] + ((float)x - place->landmarks[30][0]) * zoom + shift_x;
                float sy =
                    place->landmarks[30][1] + ((float)y - place->landmarks[30][1]) * zoom + shift_y;
                for (int c = 0; c < 3 && share > 0; c++) {
                    float *p = &rgb[3 * (y * size + x) + c];
                    *p = mix(*p, sample(inner, size, sx, sy, c), share);
                }
            }
        }
    }
    free(inner);
    drawn_picture_free(&face);
    return inner != NULL;
}

/* ---- All kinds ------------------------------------------------------------------------------ */

static bool draw_clean(standin_kind kind, const drawn_picture *in, float blur, float *rgb,
                       random_state *r, error *e)
{
    int size = in->size;
    if (!filter_disc(in->background, size, 3, blur, e)) return false;
    picture_flatten(in, in->background, rgb);
    tone_map(rgb, size);
    if (!filter_gaussian(rgb, size, 3, 0.5f, e)) return false;
    if (kind == STANDIN_UPSAMPLER) return upsampler(rgb, size, r, e);
    if (kind == STANDIN_SMOOTHER) return smoother(rgb, size, r, e);
    quantise(rgb, size, r);
    return true;
}

bool standin_draw(standin_kind kind, uint64_t seed, uint64_t index, int size, unsigned char *out,
                  drawn_picture *place, error *e)
{
    random_state r = random_keyed(seed, standin_names[kind], index);
    size_t count = 3 * (size_t)size * (size_t)size;
    drawn_person person;
    drawn_scene scene;
    camera_shot shot; /* for a photographer's choice of light and framing */
    drawn_person_choose(&person, &r);
    drawn_scene_choose(&scene, &person, &r);
    camera_shot_choose(&shot, &r);
    camera_shot_arrange(&shot, &scene, &r);
    bool photographed = kind == STANDIN_BLENDER, done = false;
    for (int c = 0; c < 3 && !photographed;
         c++) { /* a generator shows light as cameras balance it */
        float balance = 1 / mix(shot.illuminant[c], 1, shot.balance_error);
        scene.light.key[c] *= balance;
        scene.light.fill[c] *= balance;
        scene.background_light[c] *= balance;
    }
    float *rgb = memory_allocate(count, sizeof *rgb, e);
    *place = (drawn_picture){0};
    if (!rgb || !drawn_scene_render(&scene, size, place, e)) goto end;
    if (photographed) {
        if (!camera_shot_take(&shot, place, &r, out, e)) goto end;
        for (size_t i = 0; i < count; i++) rgb[i] = (float)out[i] / 255;
        done = blender(&scene, place, rgb, size, &r, e);
    } else {
        float blur = 0.05f * (float)size * (float)random_uniform(&r);
        done = draw_clean(kind, place, blur, rgb, &r, e);
    }
    for (size_t i = 0; done && i < count; i++)
        out[i] = (unsigned char)lrintf(255 * clamp01(rgb[i]));
end:
    drawn_picture_free(place);
    free(rgb);
    return done;
}
