/* The simulated cameras, and how a photographer chooses settings in a given light. */
#include "synth/camera.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <string.h>

/* clang-format off */
const camera_model camera_models[] = {
    /* make, model, crop, focal, f-number, ISO, full well, read, plain, contrast, saturation, warmth, black,
       sharpening, radius, noise reduction, softness, vignetting, quality, 4:2:0, pattern metering */
    {"NIKON CORPORATION", "NIKON SIM-D10", 1.5f, {18, 140}, {1.8f, 16}, {100, 6400}, 9000, 5, false, 0.30f, 1.08f, 0.01f, 0.00f, 0.55f, 0.9f, 0.35f, 0.50f, 0.25f, 95, false, 0.7f},
    {"NIKON CORPORATION", "NIKON SIM-D90", 1.0f, {35, 135}, {1.4f, 16}, {100, 12800}, 20000, 4, false, 0.22f, 1.02f, 0.00f, 0.00f, 0.40f, 0.8f, 0.30f, 0.42f, 0.35f, 96, false, 0.6f},
    {"Canon", "Canon EOS SIM 20D", 1.6f, {17, 135}, {1.8f, 16}, {100, 6400}, 8000, 7, false, 0.42f, 1.15f, 0.05f, 0.00f, 0.75f, 1.2f, 0.45f, 0.55f, 0.30f, 93, true, 0.5f},
    {"Canon", "Canon EOS SIM 5", 1.0f, {24, 135}, {1.4f, 16}, {100, 12800}, 18000, 6, false, 0.38f, 1.12f, 0.04f, 0.00f, 0.65f, 1.1f, 0.40f, 0.48f, 0.40f, 94, false, 0.5f},
    {"FUJIFILM", "FUJIFILM SIM-X4", 1.5f, {18, 90}, {1.4f, 16}, {200, 6400}, 10000, 5, false, 0.55f, 1.25f, -0.04f, 0.02f, 0.30f, 0.7f, 0.75f, 0.45f, 0.20f, 94, false, 0.8f},
    {"FUJIFILM", "FUJIFILM SIM-F30", 4.8f, {8, 24}, {2.8f, 8}, {100, 1600}, 3500, 7, true, 0.50f, 1.22f, -0.03f, 0.02f, 0.45f, 1.0f, 0.85f, 0.65f, 0.30f, 90, true, 0.8f},
    {"SONY", "SIM-A7", 1.0f, {24, 105}, {1.8f, 16}, {100, 12800}, 22000, 3, false, 0.20f, 0.95f, -0.02f, 0.01f, 0.85f, 0.7f, 0.55f, 0.45f, 0.45f, 95, false, 0.9f},
    {"SONY", "DSC-SIM1", 2.7f, {9, 26}, {1.8f, 11}, {125, 3200}, 5500, 5, true, 0.28f, 0.98f, -0.02f, 0.01f, 1.00f, 0.8f, 0.70f, 0.60f, 0.35f, 92, true, 0.9f},
    {"Panasonic", "DMC-SIM7", 2.0f, {14, 70}, {1.7f, 11}, {160, 3200}, 6500, 6, true, 0.35f, 1.00f, -0.06f, 0.00f, 0.90f, 1.4f, 0.60f, 0.60f, 0.20f, 91, true, 0.7f},
    {"PENTAX", "PENTAX SIM-K3", 1.5f, {21, 100}, {1.9f, 16}, {100, 6400}, 9000, 6, false, 0.45f, 1.20f, 0.02f, 0.00f, 1.15f, 1.5f, 0.20f, 0.50f, 0.25f, 95, false, 0.5f},
    {"Apple", "SIM Phone 6", 7.2f, {4.2f, 4.2f}, {2.2f, 2.2f}, {32, 1600}, 2600, 5, true, 0.25f, 1.06f, 0.03f, 0.03f, 1.30f, 0.8f, 0.80f, 0.62f, 0.15f, 92, true, 1.0f},
    {"Apple", "SIM Phone 12", 5.6f, {4.2f, 6.0f}, {1.6f, 2.0f}, {32, 2500}, 4200, 4, true, 0.18f, 1.10f, 0.03f, 0.04f, 1.50f, 0.8f, 0.90f, 0.58f, 0.10f, 93, true, 1.0f},
    {"samsung", "SIM-G900", 6.2f, {4.3f, 4.8f}, {1.7f, 2.2f}, {40, 2000}, 3000, 5, true, 0.48f, 1.35f, 0.00f, 0.01f, 1.90f, 1.3f, 0.95f, 0.62f, 0.12f, 90, true, 0.6f},
    {"samsung", "SIM-A300", 7.5f, {3.3f, 3.3f}, {2.4f, 2.4f}, {50, 1200}, 1800, 7, true, 0.44f, 1.30f, 0.01f, 0.01f, 1.70f, 1.4f, 0.85f, 0.75f, 0.25f, 88, true, 0.6f},
};
/* clang-format on */
const int camera_model_count = sizeof camera_models / sizeof camera_models[0];

typedef struct place {
    float ev[2];         /* exposure value at ISO 100 */
    float illuminant[3]; /* linear, green 1 */
    float key_share[2], hardness[2];
    background_kind backgrounds[2];
    bool night, lamp_lit;
    double weight;
} place;

/* clang-format off */
static const place places[] = {
    {{13.5f, 15.2f}, {1.06f, 1, 0.88f}, {0.70f, 0.85f}, {0.6f, 1.0f}, {BACKGROUND_FOLIAGE, BACKGROUND_STREET}, false, false, 0.20},
    {{11.0f, 13.0f}, {0.94f, 1, 1.10f}, {0.30f, 0.50f}, {0.0f, 0.2f}, {BACKGROUND_FOLIAGE, BACKGROUND_STREET}, false, false, 0.22},
    {{7.0f, 10.0f}, {1.00f, 1, 0.98f}, {0.60f, 0.80f}, {0.1f, 0.4f}, {BACKGROUND_ROOM, BACKGROUND_STUDIO}, false, false, 0.20},
    {{9.0f, 11.0f}, {1.02f, 1, 0.94f}, {0.55f, 0.75f}, {0.2f, 0.6f}, {BACKGROUND_STUDIO, BACKGROUND_STUDIO}, false, false, 0.12},
    {{4.5f, 7.0f}, {1.45f, 1, 0.52f}, {0.45f, 0.65f}, {0.2f, 0.5f}, {BACKGROUND_ROOM, BACKGROUND_STUDIO}, false, true, 0.16},
    {{2.0f, 4.5f}, {1.30f, 1, 0.62f}, {0.60f, 0.80f}, {0.4f, 0.8f}, {BACKGROUND_LIGHTS, BACKGROUND_LIGHTS}, true, true, 0.10},
};
/* clang-format on */

static float between(random_state *r, const float range[2])
{
    return range[0] + (range[1] - range[0]) * (float)random_uniform(r);
}

static bool chance(random_state *r, double probability)
{
    return random_uniform(r) < probability;
}

/* The nearest value of the scale of full stops divided in three, as dials have it. */
static float third_of_stop(float value, float base)
{
    return base * exp2f(roundf(3 * log2f(value / base)) / 3);
}

static float clamp(float x, float low, float high)
{
    return fminf(fmaxf(x, low), high);
}

static float round_f_number(float n)
{
    n = sqrtf(third_of_stop(n * n, 1));
    return n < 10 ? roundf(n * 10) / 10 : roundf(n);
}

/* The nearest marked time. */
static float round_time(float t)
{
    static const short marked[] = {8000, 6400, 5000, 4000, 3200, 2500, 2000, 1600, 1250,
                                   1000, 800,  640,  500,  400,  320,  250,  200,  160,
                                   125,  100,  80,   60,   50,   40,   30,   25,   20,
                                   15,   13,   10,   8,    6,    5,    4,    3,    2};
    float best = 1;
    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++) {
        float time = 1 / (float)marked[i];
        if (fabsf(log2f(time / t)) < fabsf(log2f(best / t))) best = time;
    }
    return best;
}

static float round_iso(float iso)
{
    iso = third_of_stop(iso, 100);
    float unit = iso >= 1000 ? 100 : iso >= 100 ? 10 : 1;
    return roundf(iso / unit) * unit;
}

static bool is_telephone(const camera_model *m)
{
    return m->crop > 5;
}

static void choose_modes(camera_shot *s, random_state *r, bool night)
{
    const camera_model *m = s->camera;
    s->metering = chance(r, m->clever_metering) ? METERING_PATTERN
                  : chance(r, 0.5)              ? METERING_CENTRE
                  : chance(r, 0.5)              ? METERING_SPOT
                  : chance(r, 0.5)              ? METERING_AVERAGE
                                                : METERING_PARTIAL;
    double x = random_uniform(r);
    s->program = is_telephone(m) ? PROGRAM_NORMAL
                 : x < 0.34      ? PROGRAM_NORMAL
                 : x < 0.60      ? PROGRAM_APERTURE
                 : x < 0.72      ? PROGRAM_SHUTTER
                 : x < 0.84      ? PROGRAM_MANUAL
                 : x < 0.96      ? PROGRAM_PORTRAIT
                                 : PROGRAM_LANDSCAPE;
    s->capture = s->program == PROGRAM_PORTRAIT    ? CAPTURE_PORTRAIT
                 : s->program == PROGRAM_LANDSCAPE ? CAPTURE_LANDSCAPE
                 : night && chance(r, 0.5)         ? CAPTURE_NIGHT
                                                   : CAPTURE_STANDARD;
    s->bracketing = !is_telephone(m) && chance(r, 0.05);
    s->manual_white_balance = !is_telephone(m) && chance(r, 0.25);
    s->exposure_bias_ev = chance(r, 0.3) ? roundf((float)random_normal(r) * 2) / 3 : 0;
    s->exposure_bias_ev = clamp(s->exposure_bias_ev, -2, 2);
}

/* The longest time that a careful photographer holds: 1/focal length, never above 1/30 s. */
static float longest_time(const camera_shot *s)
{
    return fminf(1 / (s->focal_length_mm * s->camera->crop),
                 is_telephone(s->camera) ? 1 / 24.0f : 1 / 30.0f);
}

/* Aperture, time and ISO for a light of `ev` (at ISO 100), in the order in which the program gives
 * them up. */
static void expose(camera_shot *s, random_state *r, float ev)
{
    const camera_model *m = s->camera;
    float wide = m->f_number[0], narrow = m->f_number[1], stops = 2 * log2f(narrow / wide);
    float open = s->program == PROGRAM_LANDSCAPE  ? 0.3f * (float)random_uniform(r)
                 : s->program == PROGRAM_PORTRAIT ? 0.8f + 0.2f * (float)random_uniform(r)
                 : s->program == PROGRAM_APERTURE ? 0.45f + 0.55f * (float)random_uniform(r)
                                                  : clamp(1.15f - ev / 16, 0.15f, 1);
    s->f_number = clamp(round_f_number(narrow / exp2f(0.5f * stops * open)), wide, narrow);
    s->iso = m->iso[0];
    float limit = longest_time(s);
    if (s->program == PROGRAM_SHUTTER)
        limit = fminf(limit, 1 / exp2f(6 + 3 * (float)random_uniform(r)));
    float time = s->f_number * s->f_number / exp2f(ev) * 100 / s->iso;
    if (time > limit) {
        float patience = chance(r, 0.3) ? 4 : 1; /* some hold longer than they should */
        s->iso = clamp(round_iso(s->iso * time / (limit * patience)), m->iso[0], m->iso[1]);
        time = s->f_number * s->f_number / exp2f(ev) * 100 / s->iso;
    }
    if (time < 1 / 4000.0f) { /* too bright: close the lens */
        s->f_number = clamp(round_f_number(s->f_number * sqrtf(1 / (4000 * time))), wide, narrow);
        time = s->f_number * s->f_number / exp2f(ev) * 100 / s->iso;
    }
    s->exposure_time_s = round_time(clamp(time, 1 / 8000.0f, 0.5f));
}

static void fire_flash(camera_shot *s, random_state *r)
{
    s->exposure_time_s = chance(r, 0.5) ? 1 / 60.0f : 1 / 125.0f;
    s->iso = clamp(round_iso(100 * exp2f(3 * (float)random_uniform(r))), s->camera->iso[0],
                   s->camera->iso[1]);
    s->hardness = 0.9f;
    s->key_share = 0.88f;
    for (int c = 0; c < 3; c++) s->illuminant[c] = mix(s->illuminant[c], 1, 0.8f);
}

static const place *choose_place(random_state *r)
{
    double x = random_uniform(r);
    for (size_t i = 0; i + 1 < sizeof places / sizeof places[0]; i++) {
        if (x < places[i].weight) return &places[i];
        x -= places[i].weight;
    }
    return &places[sizeof places / sizeof places[0] - 1];
}

static float choose_focal_length(const camera_model *m, random_state *r)
{
    float u = (float)random_uniform(r),
          focal = m->focal_mm[0] * powf(m->focal_mm[1] / m->focal_mm[0], u);
    return focal < 10 ? roundf(focal * 10) / 10 : roundf(focal);
}

void camera_shot_choose(camera_shot *s, random_state *r)
{
    memset(s, 0, sizeof *s);
    s->camera = &camera_models[random_below(r, (uint64_t)camera_model_count)];
    const place *where = choose_place(r);
    float ev = between(r, where->ev);
    memcpy(s->illuminant, where->illuminant, sizeof s->illuminant);
    s->key_share = between(r, where->key_share);
    s->hardness = between(r, where->hardness);
    s->background = where->backgrounds[random_below(r, 2)];
    s->focal_length_mm = choose_focal_length(s->camera, r);
    s->fill = 0.30f + 0.25f * (float)random_uniform(r);
    choose_modes(s, r, where->night);
    expose(s, r, ev);
    bool fires = ev < 8 && chance(r, where->lamp_lit ? 0.5 : 0.3), automatic = chance(r, 0.6);
    s->flash = (fires ? 1 : 0) | (automatic ? 3 << 3 : (fires ? 1 : 2) << 3);
    if (fires) fire_flash(s, r);
    s->balance_error = s->manual_white_balance ? 0.1f + 0.5f * (float)random_uniform(r) : 0.12f;
    s->subject_speed = 0.10f * expf(0.8f * (float)random_normal(r));
    s->motion_angle = 6.2831853f * (float)random_uniform(r);
    s->minute = (int)random_below(r, 366 * 1440);
    s->orientation = chance(r, 0.9) ? 1 : chance(r, 0.5) ? 6 : 8;
}

void camera_shot_arrange(const camera_shot *s, drawn_scene *scene, random_state *r)
{
    float focal_35mm = s->focal_length_mm * s->camera->crop;
    /* A head of 0.2 m fills the given share of a frame 24 mm high; the unit is 0.075 m. */
    scene->distance = clamp(focal_35mm * 0.2f / (s->fill * 24) / 0.075f, 5, 45);
    scene->background_zoom = clamp(focal_35mm / 40, 0.7f, 2.5f);
    scene->background = s->background;
    bool flashed = s->flash & 1;
    float azimuth = flashed ? 0.1f * (float)random_normal(r) : 2.0f * (float)random_uniform(r) - 1;
    float elevation = flashed ? 0.15f : 0.15f + 0.65f * (float)random_uniform(r);
    float *d = scene->light.direction;
    d[0] = cosf(elevation) * sinf(azimuth);
    d[1] = -sinf(elevation);
    d[2] = cosf(elevation) * cosf(azimuth);
    scene->light.hardness = s->hardness;
    float backdrop =
        flashed ? 0.25f + 0.3f * (float)random_uniform(r) : 0.7f + 0.6f * (float)random_uniform(r);
    for (int c = 0; c < 3; c++) {
        scene->light.key[c] = 2.0f * s->key_share * s->illuminant[c];
        scene->light.fill[c] = 1.3f * (1 - s->key_share) * s->illuminant[c];
        scene->background_light[c] = backdrop * s->illuminant[c];
    }
}
