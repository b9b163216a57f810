/* Simulated cameras: their settings act in the direction that physics says. */
#include "unit.h"

#include "exif/normalise.h"
#include "exif/parse.h"
#include "synth/camera.h"
#include "synth/standin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 64, PIXELS = SIZE * SIZE };

/* A picture without a face: the subject covers the left half, evenly grey; the backdrop is striped.
 */
static drawn_picture half_and_half(void)
{
    drawn_picture p = {.size = SIZE};
    p.background = calloc(PIXELS, 3 * sizeof(float));
    p.subject = calloc(PIXELS, 4 * sizeof(float));
    assert_non_null(p.background);
    assert_non_null(p.subject);
    for (int i = 0; i < PIXELS; i++) {
        int x = i % SIZE;
        for (int c = 0; c < 3; c++) {
            p.background[3 * i + c] = (i / SIZE / 8) & 1 ? 0.35f : 0.05f;
            p.subject[4 * i + c] = x < SIZE / 2 ? 0.19f : 0;
        }
        p.subject[4 * i + 3] = x < SIZE / 2;
    }
    return p;
}

static camera_shot plain_shot(void)
{
    static camera_model model;
    model = camera_models[1];
    model.noise_reduction = model.sharpening = 0;
    camera_shot s = {.camera = &model,
                     .f_number = 8,
                     .exposure_time_s = 1 / 500.0f,
                     .focal_length_mm = 50,
                     .iso = 100};
    s.metering = METERING_AVERAGE;
    for (int c = 0; c < 3; c++) s.illuminant[c] = 1;
    s.subject_speed = 0.3f;
    s.orientation = 1;
    return s;
}

static unsigned char *take(const camera_shot *s)
{
    static unsigned char out[3 * PIXELS];
    drawn_picture p = half_and_half();
    random_state r = random_keyed(1, "test", 0);
    error e = {0};
    assert_true(camera_shot_take(s, &p, &r, out, &e));
    drawn_picture_free(&p);
    return out;
}

/* Standard deviation of green in columns from..to-1, along rows or over everything. */
static double deviation(const unsigned char *rgb, int from, int to)
{
    double sum = 0, squares = 0;
    int count = 0;
    for (int y = 4; y < SIZE - 4; y++) {
        for (int x = from; x < to; x++, count++) {
            double v = rgb[3 * (y * SIZE + x) + 1];
            sum += v;
            squares += v * v;
        }
    }
    return sqrt(squares / count - sum / count * (sum / count));
}

static double mean(const unsigned char *rgb)
{
    double sum = 0;
    for (int i = 0; i < 3 * PIXELS; i++) sum += rgb[i];
    return sum / (3 * PIXELS);
}

static void noise_grows_with_iso(void **state)
{
    camera_shot s = plain_shot();
    double quiet = deviation(take(&s), 6, 26);
    s.iso = 6400;
    double loud = deviation(take(&s), 6, 26);
    assert_true(loud > 3 * quiet);
}

static void an_open_aperture_blurs_the_backdrop_alone(void **state)
{
    camera_shot s = plain_shot();
    s.focal_length_mm = 85;
    double sharp = deviation(take(&s), 38, 60);
    s.f_number = 1.4f;
    const unsigned char *rgb = take(&s);
    assert_true(deviation(rgb, 38, 60) < 0.7 * sharp);
    /* the subject's edge stays where it was */
    int row = 3 * 12 * SIZE;
    assert_true(abs(rgb[row + 3 * 27 + 1] - rgb[row + 3 * 36 + 1]) > 20);
}

static void a_long_exposure_smears(void **state)
{
    camera_shot s = plain_shot();
    s.motion_angle = 1.5707963f;
    double sharp = deviation(take(&s), 38, 60);
    s.exposure_time_s = 0.2f;
    assert_true(deviation(take(&s), 38, 60) < 0.9 * sharp);
}

static void exposure_bias_brightens(void **state)
{
    camera_shot s = plain_shot();
    double even = mean(take(&s));
    s.exposure_bias_ev = 1;
    assert_true(mean(take(&s)) > even + 20);
}

static void sharpening_makes_edges_steeper(void **state)
{
    camera_shot s = plain_shot();
    double plain = deviation(take(&s), 38, 60);
    camera_model sharp = *s.camera;
    sharp.sharpening = 1.5f;
    s.camera = &sharp;
    assert_true(deviation(take(&s), 38, 60) > 1.02 * plain);
}

static void white_balance_leaves_its_error(void **state)
{
    camera_shot s = plain_shot();
    s.illuminant[0] = 1.5f;
    s.illuminant[2] = 0.5f;
    drawn_picture p = half_and_half();
    for (int i = 0; i < PIXELS; i++) {
        for (int c = 0; c < 3; c++) {
            p.subject[4 * i + c] *= s.illuminant[c];
            p.background[3 * i + c] *= s.illuminant[c];
        }
    }
    unsigned char rgb[2][3 * PIXELS];
    for (int i = 0; i < 2; i++) {
        random_state r = random_keyed(1, "test", 0);
        error e = {0};
        s.balance_error = i ? 0.6f : 0;
        assert_true(camera_shot_take(&s, &p, &r, rgb[i], &e));
    }
    drawn_picture_free(&p);
    int at = 3 * (32 * SIZE + 16);
    assert_true(abs(rgb[0][at] - rgb[0][at + 2]) < 20);
    assert_true(rgb[1][at] - rgb[1][at + 2] > 30);
}

static void settings_obey_the_light(void **state)
{
    double sum = 0;
    int outside = 0;
    for (int i = 0; i < 300; i++) {
        random_state r = random_keyed(3, "shot", (uint64_t)i);
        camera_shot s;
        camera_shot_choose(&s, &r);
        const camera_model *m = s.camera;
        assert_in_range((int)(s.iso + 0.5f), (int)m->iso[0], (int)m->iso[1]);
        assert_true(s.f_number >= m->f_number[0] - 0.06f && s.f_number <= m->f_number[1] + 0.06f);
        assert_true(s.exposure_time_s >= 1 / 8001.0f && s.exposure_time_s <= 1);
        if (s.background == BACKGROUND_STREET || s.background == BACKGROUND_FOLIAGE) {
            float ev = log2f(s.f_number * s.f_number / s.exposure_time_s * 100 / s.iso);
            assert_true(ev > 9.5f && ev < 17);
            sum += (double)ev;
            outside++;
        }
    }
    /* sun at 13.5 to 15.2 and shade at 11 to 13 are about as frequent */
    assert_true(outside > 80);
    assert_true(fabs(sum / outside - 13.15) < 0.4);
}

static void contrast_spreads_light_and_dark(void **state)
{
    camera_shot s = plain_shot();
    camera_model flat = *s.camera;
    s.camera = &flat;
    flat.contrast = 0;
    double plain = deviation(take(&s), 38, 60);
    flat.contrast = 0.6f;
    assert_true(deviation(take(&s), 38, 60) > 1.1 * plain);
}

static void a_light_centre_darkens_by_the_weight_that_it_has(void **state)
{
    static const metering_mode modes[] = {METERING_SPOT, METERING_PARTIAL, METERING_CENTRE,
                                          METERING_AVERAGE};
    static float rgb[3 * PIXELS];
    float last = 0;
    for (int i = 0; i < PIXELS; i++) {
        float u = ((float)(i % SIZE) + 0.5f) / (SIZE / 2) - 1,
              v = ((float)(i / SIZE) + 0.5f) / (SIZE / 2) - 1;
        for (int c = 0; c < 3; c++) rgb[3 * i + c] = sqrtf(u * u + v * v) < 0.2f ? 0.5f : 0.05f;
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        float gain = camera_meter(modes[i], rgb, SIZE);
        assert_true(gain > 1.05f * last);
        last = gain;
    }
}

static void assert_close(double is, double wanted)
{
    assert_true(fabs(is - wanted) <= 0.02 * fabs(wanted));
}

static void the_exif_block_says_what_was_set(void **state)
{
    for (int i = 0; i < 100; i++) {
        random_state r = random_keyed(4, "shot", (uint64_t)i);
        camera_shot s;
        error e = {0};
        photo_tags tags = {0};
        size_t size = 0;
        camera_shot_choose(&s, &r);
        unsigned char *block = camera_shot_exif(&s, SIZE, &size, &e);
        assert_non_null(block);
        exif_small_block_parse(block, (unsigned)size, &tags);
        const struct {
            photo_key key;
            float is;
        } numbers[] = {{KEY_ISO, s.iso},
                       {KEY_F_NUMBER, s.f_number},
                       {KEY_APERTURE, s.f_number},
                       {KEY_EXPOSURE_TIME, s.exposure_time_s},
                       {KEY_SHUTTER_SPEED, s.exposure_time_s},
                       {KEY_EXPOSURE_BIAS, s.exposure_bias_ev},
                       {KEY_FOCAL_LENGTH, s.focal_length_mm}};
        photo_setting setting;
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            assert_true(photo_normalise(&tags, numbers[k].key, &setting));
            assert_close(setting.number, (double)numbers[k].is);
        }
        assert_true(photo_normalise(&tags, KEY_MODEL, &setting));
        assert_string_equal(setting.text, s.camera->model);
        assert_int_equal(photo_orientation(&tags), s.orientation);
        free(block);
    }
}

/* Spread of the mean high-pass of green over the 8 by 8 places of a period. */
static double pattern_of(standin_kind kind)
{
    enum { SIDE = 128, PICTURES = 4 };
    static unsigned char rgb[3 * SIDE * SIDE];
    double total = 0;
    for (uint64_t i = 0; i < PICTURES; i++) {
        drawn_picture place;
        error e = {0};
        double sum[64] = {0}, count[64] = {0}, square = 0;
        assert_true(standin_draw(kind, 1, i, SIDE, rgb, &place, &e));
        for (int y = 1; y < SIDE - 1; y++) {
            for (int x = 1; x < SIDE - 1; x++) {
                const unsigned char *p = rgb + 3 * (y * SIDE + x) + 1;
                int at = (y & 7) * 8 + (x & 7);
                sum[at] += p[0] - 0.25 * (p[3] + p[-3] + p[3 * SIDE] + p[-3 * SIDE]);
                count[at]++;
            }
        }
        for (int k = 0; k < 64; k++) square += sum[k] / count[k] * sum[k] / count[k] / 64;
        total += sqrt(square) / PICTURES;
    }
    return total;
}

static void the_upsampler_leaves_a_periodic_pattern(void **state)
{
    double pattern = pattern_of(STANDIN_UPSAMPLER);
    assert_true(pattern > 4 * pattern_of(STANDIN_SMOOTHER));
    assert_true(pattern > 4 * pattern_of(STANDIN_BLENDER)); /* that passed a camera */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_grows_with_iso),
        cmocka_unit_test(an_open_aperture_blurs_the_backdrop_alone),
        cmocka_unit_test(a_long_exposure_smears),
        cmocka_unit_test(exposure_bias_brightens),
        cmocka_unit_test(white_balance_leaves_its_error),
        cmocka_unit_test(settings_obey_the_light),
        cmocka_unit_test(contrast_spreads_light_and_dark),
        cmocka_unit_test(a_light_centre_darkens_by_the_weight_that_it_has),
        cmocka_unit_test(sharpening_makes_edges_steeper),
        cmocka_unit_test(the_exif_block_says_what_was_set),
        cmocka_unit_test(the_upsampler_leaves_a_periodic_pattern),
    };
    return RUN_TESTS(tests);
}
