/* What becomes of face crops, and how models and headers say it. */
#include "unit.h"

#include "face/preprocessing.h"
#include "model/model_json.h"

#include <stdlib.h>
#include <string.h>

/* A square in which red is the column and green the row. */
static image ruled_square(int side)
{
    error e = {0};
    image i = {0};
    assert_true(image_allocate(&i, side, side, &e));
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            uint8_t *pixel = i.pixels + 3 * (y * side + x);
            pixel[0] = (uint8_t)x;
            pixel[1] = (uint8_t)y;
            pixel[2] = 9;
        }
    return i;
}

static void the_middle_is_that_of_batches(void **state)
{
    for (int play = 0; play < 6; play++) {
        preprocessing p = {.step = {{20, RESAMPLE_ANTIALIAS}}, .step_count = 1, .size = 20 - play};
        image square = ruled_square(20), out = {0};
        error e = {0};
        assert_true(preprocessing_continue(&p, &square, &out, &e));
        assert_int_equal(out.width, 20 - play);
        assert_int_equal(out.height, 20 - play);
        const uint8_t *last = out.pixels + 3 * (out.width * out.height - 1);
        int begin = (play + 1) / 2; /* floor(play / 2 + 1/2) */
        assert_int_equal(out.pixels[0], begin);
        assert_int_equal(out.pixels[1], begin);
        assert_int_equal(last[0], begin + out.width - 1);
        assert_int_equal(last[1], begin + out.width - 1);
        image_free(&square);
        image_free(&out);
    }
}

static void faces_go_on_where_they_are(void **state)
{
    preprocessing p = {.scale = 1};
    error e = {0};
    assert_true(preprocessing_add_step(&p, 40, RESAMPLE_BILINEAR));
    assert_true(preprocessing_add_step(&p, 40, RESAMPLE_ANTIALIAS)); /* is that large already */
    assert_true(preprocessing_add_step(&p, 20, RESAMPLE_ANTIALIAS));
    assert_int_equal(p.step_count, 2);
    preprocessing full = p;
    assert_true(preprocessing_add_step(&full, 30, RESAMPLE_ANTIALIAS));
    assert_true(preprocessing_add_step(&full, 10, RESAMPLE_ANTIALIAS));
    assert_false(preprocessing_add_step(&full, 20, RESAMPLE_ANTIALIAS));
    assert_int_equal(p.step[0].how, RESAMPLE_BILINEAR);
    p.size = 20;
    image stored = ruled_square(20), whole = ruled_square(40), other = ruled_square(30), out = {0};
    assert_true(preprocessing_continue(&p, &stored, &out, &e));
    assert_memory_equal(out.pixels, stored.pixels, 3 * 20 * 20);
    assert_true(preprocessing_continue(&p, &whole, &out, &e));
    assert_int_equal(out.pixels[3 * (20 * 10 + 10)], 21); /* between columns 20 and 21 */
    assert_true(preprocessing_continue(&p, &other, &out, &e));
    assert_int_equal(out.width, 20);
    image_free(&stored);
    image_free(&whole);
    image_free(&other);
    image_free(&out);
}

static bool parsed(const char *members, preprocessing *p)
{
    char text[400];
    error e = {0};
    *p = (preprocessing){0};
    snprintf(text, sizeof text, "{\"scale\":1.5,\"mean\":[0,0,0],\"std\":[1,1,1],%s}", members);
    bool good = preprocessing_parse(p, text, "m", &e);
    if (!good) assert_string_equal(e.text, "m: metadata 'preprocessing' makes no sense");
    return good;
}

static void wrong_scales_are_refused(void **state)
{
    const double wrong[] = {-1, 101, 1e300};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error e = {0};
        preprocessing p = {.scale = wrong[i]};
        preprocessing_set_size(&p, 32, RESAMPLE_ANTIALIAS);
        assert_false(preprocessing_check(&p, &e));
        assert_int_equal(e.status, STATUS_DATA);
        p.scale = 1.3;
        e = (error){0};
        assert_true(preprocessing_check(&p, &e));
    }
}

static void models_say_it_in_steps_or_one_resampling(void **state)
{
#define STEP(side) "{\"side\":" #side ",\"resampling\":\"antialias\"}"
    static const char *const wrong[] = {
        "\"size\":32",
        "\"size\":32,\"resampling\":\"nearest\"",
        "\"size\":32,\"steps\":[]",
        "\"size\":32,\"steps\":[" STEP(31) "]",
        "\"size\":32,\"steps\":[" STEP(0) "," STEP(32) "]",
        "\"size\":32,\"steps\":[" STEP(5121) "," STEP(32) "]",
        "\"size\":0,\"steps\":[" STEP(32) "]",
        "\"size\":32,\"steps\":[{\"side\":32}]",
        "\"size\":32,\"steps\":[{\"side\":32,\"resampling\":\"nearest\"}]",
        "\"size\":2,\"steps\":[" STEP(6) "," STEP(5) "," STEP(4) "," STEP(3) "," STEP(2) "]",
    };
    preprocessing p, again;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (parsed(wrong[i], &p)) fail_msg("accepted: %s", wrong[i]);
    assert_true(parsed("\"size\":32,\"resampling\":\"bilinear\"", &p));
    assert_int_equal(p.step_count, 1);
    assert_int_equal(p.step[0].side, 32);
    assert_int_equal(p.step[0].how, RESAMPLE_BILINEAR);
    assert_true(parsed("\"size\":30,\"steps\":[" STEP(224) "," STEP(32) "]", &p));
    error e = {0};
    char *text = preprocessing_text(&p, &e);
    assert_true(preprocessing_parse(&again, text, "m", &e));
    assert_int_equal(again.step_count, 2);
    assert_memory_equal(again.step, p.step, 2 * sizeof *p.step);
    assert_int_equal(again.size, 30);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_is_that_of_batches),
        cmocka_unit_test(faces_go_on_where_they_are),
        cmocka_unit_test(wrong_scales_are_refused),
        cmocka_unit_test(models_say_it_in_steps_or_one_resampling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
