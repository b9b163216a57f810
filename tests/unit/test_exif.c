/* Tags: brands, quantities in words, classes, normalised values, UTF-8. */
#include "exif/aliases.h"
#include "exif/brand.h"
#include "exif/classes.h"
#include "exif/normalise.h"
#include "exif/quantity.h"
#include "near.h"
#include "unit.h"

#include <math.h>
#include <string.h>

static void test_brands(void **state)
{
    static const char *const cases[][2] = {
        {"NIKON CORPORATION", "Nikon"},
        {"NIKON", "Nikon"},
        {"Canon", "Canon"},
        {"GECO", "GECO"},
        {"Palmco", "Palmco"},
        {"GE CO., LTD", "GE"},
        {"OLYMPUS IMAGING CORP.", "Olympus"},
        {"OLYMPUS OPTICAL CO.,LTD", "Olympus"},
        {"OLYMPUS CORPORATION", "Olympus"},
        {"CASIO COMPUTER CO.,LTD.", "Casio"},
        {"FUJI PHOTO FILM CO., LTD.", "FUJIFILM"},
        {"EASTMAN KODAK COMPANY", "Kodak"},
        {"SAMSUNG TECHWIN CO., LTD.", "Samsung"},
        {"Samsung Electronics", "Samsung"},
        {"Research In Motion", "BlackBerry"},
        {"Asahi Optical Co.,Ltd.", "Pentax"},
        {"Konica Minolta Camera, Inc.", "Konica Minolta"},
        {"Minolta Co., Ltd.", "Minolta"},
        {"Hewlett-Packard Company", "HP"},
        {"LG Electronics Inc.", "LG"},
        {"Leica Camera AG", "Leica"},
        {"HMD Global", "Nokia"},
        {"Sony Ericsson", "Sony Ericsson"},
        {"SONY", "Sony"},
        {"Acme", "Acme"},
        {"Corporation", "Corporation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(make_brand(cases[i][0], NULL), cases[i][1]);
    assert_string_equal(make_brand("RICOH IMAGING COMPANY, LTD.", "PENTAX K-3"), "Pentax");
    assert_string_equal(make_brand("RICOH IMAGING COMPANY, LTD.", "GR III"), "Ricoh");
}

static void test_quantities(void **state)
{
    static const struct {
        const char *text;
        quantity kind;
        double number;
    } cases[] = {
        {"1/60 sec", QUANTITY_TIME, 1.0 / 60},
        {"1/60s", QUANTITY_TIME, 1.0 / 60},
        {"1/60 sec.", QUANTITY_TIME, 1.0 / 60},
        {"2 sec", QUANTITY_TIME, 2},
        {"1/2 sec", QUANTITY_TIME, 0.5},
        {"0.5", QUANTITY_TIME, 0.5},
        {"1 1/2 s", QUANTITY_TIME, 1.5},
        {"2.5\"", QUANTITY_TIME, 2.5},
        {"0.017 sec (1/60)", QUANTITY_TIME, 1.0 / 60},
        {"0.017 sec (note)", QUANTITY_TIME, 0.017},
        {"2 sec (1/60)", QUANTITY_TIME, 2},
        {"1e-05", QUANTITY_TIME, 1e-5},
        {"10/600", QUANTITY_TIME, 1.0 / 60},
        {"F2.8", QUANTITY_APERTURE, 2.8},
        {"f/2.8", QUANTITY_APERTURE, 2.8},
        {"f / 2.8", QUANTITY_APERTURE, 2.8},
        {"1/60 (0.0167)", QUANTITY_TIME, 1.0 / 60},
        {" f 4", QUANTITY_APERTURE, 4},
        {"\xc6\x92/1.4", QUANTITY_APERTURE, 1.4},
        {"2,8", QUANTITY_APERTURE, 2.8},
        {"28/10", QUANTITY_APERTURE, 2.8},
        {"0 EV", QUANTITY_BIAS, 0},
        {"+2/3 EV", QUANTITY_BIAS, 2.0 / 3},
        {"-1 1/3 EV", QUANTITY_BIAS, -4.0 / 3},
        {"\xe2\x88\x92"
         "0.3",
         QUANTITY_BIAS, -0.3},
        {"35 mm", QUANTITY_LENGTH, 35},
        {"35.0mm", QUANTITY_LENGTH, 35},
        {"35.0 mm (35 mm equivalent: 52.0 mm)", QUANTITY_LENGTH, 35},
        {"ISO 400", QUANTITY_ISO, 400},
        {"ISO400", QUANTITY_ISO, 400},
        {"400/27\xc2\xb0", QUANTITY_ISO, 400},
        {"1,600", QUANTITY_ISO, 1600},
        {"100, 200", QUANTITY_ISO, 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double number = NAN;
        if (!quantity_parse(cases[i].text, cases[i].kind, &number)) fail_msg("%s", cases[i].text);
        assert_true(near(number, cases[i].number, 1e-12));
    }
}

static void test_no_quantities(void **state)
{
    static const char *const cases[] = {
        "",    "inf",  "undef",   "Bulb",     "1/0",   "1/", "/2", "sec", "-",    "1/2/3",
        "nan", "0x10", "1/60 mm", "3 apples", "1e999", ".",  ",",  "--1", "1 2 3"};
    double number = 7;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (quantity_parse(cases[i], QUANTITY_TIME, &number))
            fail_msg("%s is %g", cases[i], number);
    assert_true(number == 7);
    char digits[400];
    memset(digits, '9', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    assert_false(quantity_parse(digits, QUANTITY_TIME, &number));
}

static void test_flash_texts(void **state)
{
    static const char *const cases[][2] = {
        {"No Flash", "not fired"},
        {"Fired", "fired"},
        {"Fired, Return not detected", "fired"},
        {"On, Did not fire", "not fired"},
        {"On, Return detected", "fired"},
        {"Off, Did not fire", "not fired"},
        {"Auto, Did not fire", "not fired in auto mode"},
        {"Auto, Fired, Red-eye reduction", "fired in auto mode"},
        {"No flash function", "not fired"},
        {"Off, Red-eye reduction", "not fired"},
        {"On, Red-eye reduction", "fired"},
        {"Flash did not fire, compulsory flash mode", "not fired"},
        {"Flash fired, auto mode", "fired in auto mode"},
        {"true", "fired"},
        {"false", "not fired"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(class_of_text(KEY_FLASH, cases[i][0]), cases[i][1]);
    assert_null(class_of_text(KEY_FLASH, "Unknown"));
    assert_null(class_of_code(KEY_FLASH, -1));
}

static void test_class_texts(void **state)
{
    static const struct {
        photo_key key;
        const char *text, *name;
    } cases[] = {
        {KEY_METERING_MODE, "Multi-segment", "multi-segment"},
        {KEY_METERING_MODE, "Pattern", "multi-segment"},
        {KEY_METERING_MODE, "Evaluative", "evaluative"},
        {KEY_METERING_MODE, "Center-weighted average", "centerweighted"},
        {KEY_METERING_MODE, "Multi-spot", "multi-spot"},
        {KEY_METERING_MODE, "Other", "others"},
        {KEY_METERING_MODE, "Unknown", NULL},
        {KEY_EXPOSURE_MODE, "Auto bracket", "auto-bracketing"},
        {KEY_EXPOSURE_MODE, "Aperture-priority AE", "aperture-priority"},
        {KEY_EXPOSURE_PROGRAM, "Program AE", "normal program"},
        {KEY_EXPOSURE_PROGRAM, "Not Defined", NULL},
        {KEY_EXPOSURE_PROGRAM, "Action (High speed)", "action program"},
        {KEY_EXPOSURE_PROGRAM, "Landscape", "landscape mode"},
        {KEY_SCENE_CAPTURE_TYPE, "Night", "night scene"},
        {KEY_WHITE_BALANCE, "Auto", "auto"},
        {KEY_WHITE_BALANCE, "Cloudy", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = class_of_text(cases[i].key, cases[i].text);
        if (cases[i].name)
            assert_string_equal(name, cases[i].name);
        else
            assert_null(name);
    }
    assert_int_equal(orientation_of_text("Rotate 270 CW"), 8);
    assert_int_equal(orientation_of_text("Horizontal (normal)"), 1);
    assert_int_equal(orientation_of_text("upside down"), 0);
}

static photo_tags tags;

static bool set_rational(photo_key key, int64_t n, int64_t d, bool apex, double *number)
{
    photo_setting setting;
    photo_tags_clear(&tags);
    tags.value[key] =
        (tag_value){.kind = VALUE_RATIONAL, .apex = apex, .count = 1, .rational = {{n, d}}};
    if (!photo_normalise(&tags, key, &setting) || setting.text) return false;
    *number = setting.number;
    return true;
}

static void test_numbers(void **state)
{
    double x;
    assert_true(set_rational(KEY_APERTURE, 5, 1, true, &x) && near(x, sqrt(32), 1e-12));
    assert_true(set_rational(KEY_APERTURE, 5, 1, false, &x) && near(x, 5, 0));
    assert_true(set_rational(KEY_SHUTTER_SPEED, 13, 2, true, &x) && near(x, 1 / sqrt(8192), 1e-12));
    assert_true(set_rational(KEY_EXPOSURE_BIAS, -3, 10, false, &x) && near(x, -0.3, 1e-15));
    assert_true(set_rational(KEY_EXPOSURE_BIAS, 0, 10, false, &x) && x == 0);
    assert_false(set_rational(KEY_EXPOSURE_BIAS, 0, 0, false, &x));
    assert_false(set_rational(KEY_EXPOSURE_BIAS, 100, 1, false, &x));
    assert_false(set_rational(KEY_EXPOSURE_TIME, -1, 60, false, &x));
    assert_false(set_rational(KEY_EXPOSURE_TIME, 0, 60, false, &x));
    assert_false(set_rational(KEY_F_NUMBER, UINT32_MAX, 1, false, &x));
    assert_false(set_rational(KEY_FOCAL_LENGTH, 35, 0, false, &x));
}

static const char *class_of_stored_text(photo_key key, const char *text)
{
    photo_setting setting;
    photo_tags_clear(&tags);
    photo_tags_set_text(&tags, key, text, strlen(text));
    return photo_normalise(&tags, key, &setting) ? setting.text : NULL;
}

static void test_codes_as_text(void **state)
{
    assert_string_equal(class_of_stored_text(KEY_FLASH, "Unknown (0x2)"), "not fired");
    assert_string_equal(class_of_stored_text(KEY_FLASH, "0x19"), "fired in auto mode");
    assert_string_equal(class_of_stored_text(KEY_METERING_MODE, "5"), "multi-segment");
    assert_null(class_of_stored_text(KEY_METERING_MODE, "Unknown (77)"));
    assert_null(class_of_stored_text(KEY_METERING_MODE, "5 apples"));
    assert_null(class_of_stored_text(KEY_METERING_MODE, "Unknown"));
}

static void test_texts(void **state)
{
    static const char *const cases[][2] = {
        {"caf\xc3\xa9 ", "caf\xc3\xa9"},
        {"caf\xe9", "caf?"},
        {"\xc0\xaf", "??"},           /* overlong */
        {"\xed\xa0\x80", "???"},      /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
        {"\xe2\x82", "??"},           /* cut off */
        {"   ", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        photo_tags_clear(&tags);
        photo_tags_set_text(&tags, KEY_MODEL, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(tags.value[KEY_MODEL].text, cases[i][1]);
    }
    char large[5000];
    memset(large, 'x', sizeof large);
    photo_tags_set_text(&tags, KEY_MODEL, large, sizeof large);
    assert_int_equal(strlen(tags.value[KEY_MODEL].text), VALUE_TEXT_BYTES);
}

static void test_tag_numbers(void **state)
{
    for (photo_key key = 0; key < KEY_COUNT; key++)
        assert_int_equal(photo_key_of(photo_tag_table[key].number), key);
    assert_int_equal(photo_key_of(0x927c), KEY_COUNT);
    assert_int_equal(photo_key_of(0), KEY_COUNT);
    assert_int_equal(photo_key_of(0xffff), KEY_COUNT);
}

static void test_aliases(void **state)
{
    assert_int_equal(alias_find("EXIF:ExposureTime", NULL)->key, KEY_EXPOSURE_TIME);
    assert_int_equal(alias_find("exposure_time", NULL)->key, KEY_EXPOSURE_TIME);
    assert_int_equal(alias_find("ISO Speed", NULL)->key, KEY_ISO);
    assert_int_equal(alias_find("ISOSpeed", alias_find("ISOSpeed", NULL))->key, KEY_ISO_SPEED);
    assert_null(alias_find("MakerNotes:WhiteBalance", NULL));
    assert_null(alias_find("EXIF:IFD1:Make", NULL));
    assert_null(alias_find("MaxApertureValue", NULL));
    assert_null(alias_find("", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brands),        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_no_quantities), cmocka_unit_test(test_flash_texts),
        cmocka_unit_test(test_class_texts),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_codes_as_text), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_tag_numbers),   cmocka_unit_test(test_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
