/* What lens, sensor and development of a simulated camera do to a drawn picture. */
#include "cli/memory.h"
#include "synth/camera.h"
#include "synth/camera_filters.h"
#include "synth/drawn_noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void picture_flatten(const drawn_picture *in, const float *background, float *rgb)
{
    size_t pixels = (size_t)in->size * (size_t)in->size;
    for (size_t i = 0; i < pixels; i++) {
        for (size_t c = 0; c < 3; c++) {
            rgb[3 * i + c] =
                in->subject[4 * i + c] + (1 - in->subject[4 * i + 3]) * background[3 * i + c];
        }
    }
}

/* Focus is on the face; the backdrop blurs by the pupil's width against the 0.26 m that the picture
 * shows. */
static bool defocus(const camera_shot *s, const drawn_picture *in, float *rgb, error *e)
{
    int size = in->size;
    size_t count = 3 * (size_t)size * (size_t)size;
    float *background = memory_allocate(count, sizeof *background, e);
    if (!background) return false;
    memcpy(background, in->background, count * sizeof *background);
    float pupil_mm = s->focal_length_mm / s->f_number,
          radius = 0.5f * (float)size * pupil_mm / 260 * 0.7f;
    bool done = filter_disc(background, size, 3, fminf(radius, 0.07f * (float)size), e);
    if (done) picture_flatten(in, background, rgb);
    free(background);
    return done;
}

/* Softness of the lens wide open, diffraction when stopped down, the smear of what moved, fall-off
 * to the corners. */
static bool optics(const camera_shot *s, float *rgb, int size, error *e)
{
    const camera_model *m = s->camera;
    float stops = 2 * log2f(s->f_number / m->f_number[0]), open = fmaxf(0, 1 - stops / 3);
    float diffraction = 0.04f * fmaxf(0, s->f_number * m->crop - 14);
    float sigma = m->softness * (1 + 0.6f * open) + fminf(diffraction, 0.5f);
    float smear =
        fminf(s->exposure_time_s * s->subject_speed * (float)size * 2.5f, 0.05f * (float)size);
    if (s->flash & 1) smear *= 0.3f;
    if (!filter_motion(rgb, size, 3, smear, s->motion_angle, e)) return false;
    if (!filter_gaussian(rgb, size, 3, sigma, e)) return false;
    float fall = m->vignetting * (0.35f + 0.65f * open);
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float u = 2 * ((float)x + 0.5f) / (float)size - 1,
                  v = 2 * ((float)y + 0.5f) / (float)size - 1;
            float light = 1 - fall * 0.5f * (u * u + v * v);
            for (int c = 0; c < 3; c++) rgb[3 * (y * size + x) + c] *= light;
        }
    }
    return true;
}

float camera_meter(metering_mode mode, const float *rgb, int size)
{
    double sum = 0, total = 0;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float u = 2 * ((float)x + 0.5f) / (float)size - 1,
                  v = 2 * ((float)y + 0.5f) / (float)size - 1, r = sqrtf(u * u + v * v);
            float weight = mode == METERING_SPOT      ? (r < 0.12f ? 1 : 0)
                           : mode == METERING_PARTIAL ? (r < 0.32f ? 1 : 0)
                           : mode == METERING_CENTRE  ? 0.2f + bell(r / 0.45f)
                           : mode == METERING_PATTERN ? 0.45f + 0.55f * bell(r / 0.6f)
                                                      : 1;
            const float *p = rgb + 3 * (y * size + x);
            float light = 0.2126f * p[0] + 0.7152f * p[1] + 0.0722f * p[2];
            if (mode == METERING_PATTERN)
                light = fminf(light, 1); /* lamps in the frame do not fool it */
            sum += (double)(weight * light);
            total += (double)weight;
        }
    }
    float mean = (float)(sum / total);
    return fminf(fmaxf(powf(0.19f / fmaxf(mean, 1e-3f), 0.75f), 0.3f), 4);
}

/* Which colour the Bayer filter passes at a pixel. */
static int filter_colour(int x, int y)
{
    return (x & 1) == (y & 1) ? 1 : (y & 1) ? 2 : 0;
}

/* Photons and electronics: one colour a pixel, clipped at the full well and quantised to 12 bits.
 */
static void expose_sensor(const camera_shot *s, const float *rgb, int size, float gain,
                          random_state *r, float *raw)
{
    float well = s->camera->full_well * 100 / s->iso;
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float light = fmaxf(0, rgb[3 * (y * size + x) + filter_colour(x, y)] * gain),
                  electrons = light * well;
            electrons += sqrtf(electrons) * (float)random_normal(r) +
                         s->camera->read_noise * (float)random_normal(r);
            float value = roundf(fminf(electrons / well, 1) * 4095) / 4095;
            raw[y * size + x] = value;
        }
    }
}

static float raw_at(const float *raw, int size, int x, int y)
{
    /* mirrored at the border, which keeps the colour filter's parity */
    x = x < 0 ? -x : x >= size ? 2 * size - 2 - x : x;
    y = y < 0 ? -y : y >= size ? 2 * size - 2 - y : y;
    return raw[y * size + x];
}

/* Green everywhere: along the edge, not across it, unless the camera is plain. */
static float green_at(const float *raw, int size, int x, int y, bool plain)
{
    if (filter_colour(x, y) == 1) return raw_at(raw, size, x, y);
    float left = raw_at(raw, size, x - 1, y), right = raw_at(raw, size, x + 1, y);
    float up = raw_at(raw, size, x, y - 1), down = raw_at(raw, size, x, y + 1),
          here = raw_at(raw, size, x, y);
    if (plain) return 0.25f * (left + right + up + down);
    float bend_x = 2 * here - raw_at(raw, size, x - 2, y) - raw_at(raw, size, x + 2, y);
    float bend_y = 2 * here - raw_at(raw, size, x, y - 2) - raw_at(raw, size, x, y + 2);
    float across = fabsf(left - right) + fabsf(bend_x), along = fabsf(up - down) + fabsf(bend_y);
    float horizontal = 0.5f * (left + right) + 0.25f * bend_x,
          vertical = 0.5f * (up + down) + 0.25f * bend_y;
    return across < along ? horizontal : across > along ? vertical : 0.5f * (horizontal + vertical);
}

/* Red and blue follow green: their difference to it is interpolated. */
static void demosaic(const float *raw, int size, bool plain, float *green, float *rgb)
{
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) green[y * size + x] = green_at(raw, size, x, y, plain);
    }
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            float *out = rgb + 3 * (y * size + x);
            for (int c = 0; c < 3; c++) {
                float sum = 0, count = 0;
                for (int j = -1; j <= 1 && c != 1; j++) {
                    for (int i = -1; i <= 1; i++) {
                        int sx = x + i, sy = y + j;
                        if (sx < 0 || sy < 0 || sx >= size || sy >= size ||
                            filter_colour(sx, sy) != c)
                            continue;
                        if (filter_colour(x, y) == c && (i || j)) continue;
                        sum += raw[sy * size + sx] - (plain ? 0 : green[sy * size + sx]);
                        count++;
                    }
                }
                out[c] =
                    c == 1 ? green[y * size + x] : sum / count + (plain ? 0 : green[y * size + x]);
            }
        }
    }
}

/* White balance, gamma, tone and colour of the make: linear to display values. */
static void develop_colour(const camera_shot *s, float *rgb, int size)
{
    const camera_model *m = s->camera;
    float gain[3];
    for (int c = 0; c < 3; c++) gain[c] = 1 / mix(s->illuminant[c], 1, s->balance_error);
    gain[0] *= 1 + m->warmth;
    gain[2] *= 1 - m->warmth;
    for (size_t i = 0; i < (size_t)size * (size_t)size; i++) {
        float *p = rgb + 3 * i;
        for (int c = 0; c < 3; c++) {
            float v = linear_to_srgb(fminf(p[c] * gain[c], 1));
            v = mix(v, v * v * (3 - 2 * v), m->contrast);
            p[c] = m->black + (1 - m->black) * v;
        }
        float luma = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
        for (int c = 0; c < 3; c++) p[c] = mix(luma, p[c], m->saturation);
    }
}

/* An unsharp mask on luminance, with the halo held in bounds. */
static bool sharpen(const camera_model *m, float *rgb, int size, error *e)
{
    size_t pixels = (size_t)size * (size_t)size;
    float *soft = memory_allocate(pixels, sizeof *soft, e);
    if (!soft) return false;
    for (size_t i = 0; i < pixels; i++)
        soft[i] = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
    bool done = filter_gaussian(soft, size, 1, m->sharpening_radius, e);
    for (size_t i = 0; done && i < pixels; i++) {
        float luma = 0.299f * rgb[3 * i] + 0.587f * rgb[3 * i + 1] + 0.114f * rgb[3 * i + 2];
        float halo = fminf(fmaxf(m->sharpening * (luma - soft[i]), -0.12f), 0.12f);
        for (size_t c = 0; c < 3; c++) rgb[3 * i + c] += halo;
    }
    free(soft);
    return done;
}

bool camera_shot_take(const camera_shot *s, const drawn_picture *in, random_state *r,
                      unsigned char *out, error *e)
{
    int size = in->size;
    size_t pixels = (size_t)size * (size_t)size;
    const camera_model *m = s->camera;
    bool done = false;
    float *rgb = memory_allocate(pixels, 3 * sizeof *rgb, e),
          *raw = memory_allocate(pixels, 2 * sizeof *raw, e);
    if (!rgb || !raw) goto end;
    if (!defocus(s, in, rgb, e) || !optics(s, rgb, size, e)) goto end;
    float gain = camera_meter(s->metering, rgb, size) *
                 exp2f(s->exposure_bias_ev + 0.15f * (float)random_normal(r));
    expose_sensor(s, rgb, size, gain, r, raw);
    demosaic(raw, size, m->plain_demosaic, raw + pixels, rgb);
    develop_colour(s, rgb, size);
    float noise = sqrtf(s->iso / (100 * m->full_well)); /* at white; more in the shadows */
    if (!filter_bilateral(rgb, size, noise > 0.05f ? 2 : 1, m->noise_reduction * 3 * noise, e))
        goto end;
    if (!sharpen(m, rgb, size, e)) goto end;
    for (size_t i = 0; i < 3 * pixels; i++) out[i] = (unsigned char)lrintf(255 * clamp01(rgb[i]));
    done = true;
end:
    free(rgb);
    free(raw);
    return done;
}
