/* From values as stored to those of the method. */
#include "exif/normalise.h"

#include "exif/brand.h"
#include "exif/classes.h"
#include "exif/quantity.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "5", "0x19", and exiftool's "Unknown (0x53)" for a code it has no words for. */
static bool parse_code(const char *text, int64_t *code)
{
    bool unknown = !strncmp(text, "Unknown (", 9);
    if (unknown) text += 9;
    char *end;
    *code = strtol(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
    return end != text && !strcmp(end, unknown ? ")" : "");
}

/* A code: an integer, also when it comes as a real number or as text. */
static bool get_code(const tag_value *v, int64_t *code)
{
    double number;
    if (v->kind == VALUE_TEXT) return parse_code(v->text, code);
    if (!tag_value_number(v, 0, &number) || number != floor(number) || fabs(number) > INT32_MAX)
        return false;
    *code = (int64_t)number;
    return true;
}

static bool normalise_class(const photo_tags *t, photo_key key, photo_setting *out)
{
    const tag_value *v = &t->value[key];
    int64_t code;
    if (get_code(v, &code))
        out->text = class_of_code(key, code);
    else
        out->text = v->kind == VALUE_TEXT ? class_of_text(key, v->text) : NULL;
    return out->text != NULL;
}

static bool normalise_text(const photo_tags *t, photo_key key, photo_setting *out)
{
    const tag_value *v = &t->value[key];
    if (v->kind != VALUE_TEXT) return false;
    const char *text = v->text;
    while (isspace((unsigned char)*text)) text++;
    out->text = text;
    return *text != '\0';
}

static bool normalise_make(const photo_tags *t, photo_key key, photo_setting *out)
{
    photo_setting model = {NULL, 0};
    if (!normalise_text(t, key, out)) return false;
    normalise_text(t, KEY_MODEL, &model);
    out->text = make_brand(out->text, model.text);
    return true;
}

/* "0000:00:00 00:00:00" and "    :  :     :  :  " stand for an unknown time. */
static bool normalise_time(const photo_tags *t, photo_key key, photo_setting *out)
{
    return normalise_text(t, key, out) && strpbrk(out->text, "123456789");
}

/* How texts of numbers are read; QUANTITY_PLAIN where nothing stands. */
static const quantity quantities[KEY_COUNT] = {
    [KEY_APERTURE] = QUANTITY_APERTURE,        [KEY_F_NUMBER] = QUANTITY_APERTURE,
    [KEY_EXPOSURE_BIAS] = QUANTITY_BIAS,       [KEY_EXPOSURE_TIME] = QUANTITY_TIME,
    [KEY_SHUTTER_SPEED] = QUANTITY_TIME,       [KEY_FOCAL_LENGTH] = QUANTITY_LENGTH,
    [KEY_FOCAL_LENGTH_35MM] = QUANTITY_LENGTH, [KEY_ISO] = QUANTITY_ISO,
};

static bool get_number(const tag_value *v, photo_key key, double *number)
{
    if (v->kind == VALUE_TEXT) return quantity_parse(v->text, quantities[key], number);
    return tag_value_number(v, 0, number);
}

/* Exposure time, f-number, focal lengths: above zero. */
static bool normalise_positive(const photo_tags *t, photo_key key, photo_setting *out)
{
    return get_number(&t->value[key], key, &out->number) && out->number > 0;
}

/* Av = 2 log2 N, Tv = -log2 t (Exif 2.32, annex C); the largest meaningful ones are far below 100.
 */
static bool normalise_apex(const photo_tags *t, photo_key key, photo_setting *out)
{
    const tag_value *v = &t->value[key];
    double x;
    if (!get_number(v, key, &x)) return false;
    if (v->apex) {
        if (fabs(x) >= 100) return false;
        x = key == KEY_APERTURE ? exp2(x / 2) : exp2(-x);
    }
    out->number = x;
    return x > 0;
}

/* The standard writes -99.99 to 99.99 EV. */
static bool normalise_bias(const photo_tags *t, photo_key key, photo_setting *out)
{
    return get_number(&t->value[key], key, &out->number) && fabs(out->number) < 100;
}

/* ISOSpeed, RecommendedExposureIndex or StandardOutputSensitivity: the first above zero; else 0. */
static double other_sensitivity(const photo_tags *t)
{
    static const photo_key others[] = {KEY_ISO_SPEED, KEY_RECOMMENDED_EXPOSURE_INDEX,
                                       KEY_STANDARD_OUTPUT_SENSITIVITY};
    double iso;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (get_number(&t->value[others[i]], KEY_ISO, &iso) && iso > 0) return iso;
    return 0;
}

/* The first item above zero ("0 200" has one). 65535 means that 16 bits were not enough, and that
   another tag has the value (Exif 2.32, 4.6.5: PhotographicSensitivity). */
static bool normalise_iso(const photo_tags *t, photo_key key, photo_setting *out)
{
    const tag_value *v = &t->value[key];
    double iso = 0;
    if (v->kind == VALUE_TEXT) {
        const char *text = v->text;
        while (quantity_parse(text, QUANTITY_ISO, &iso) && iso == 0 && (text = strchr(text, ' ')))
            text++;
    } else {
        for (int i = 0; i < v->count && iso <= 0; i++) tag_value_number(v, i, &iso);
    }
    if (iso == 65535) iso = other_sensitivity(t);
    out->number = iso;
    return iso > 0;
}

typedef bool normaliser(const photo_tags *t, photo_key key, photo_setting *out);

static normaliser *const normalisers[KEY_NORMALISED] = {
    [KEY_MAKE] = normalise_make,
    [KEY_MODEL] = normalise_text,
    [KEY_FLASH] = normalise_class,
    [KEY_METERING_MODE] = normalise_class,
    [KEY_SCENE_CAPTURE_TYPE] = normalise_class,
    [KEY_EXPOSURE_MODE] = normalise_class,
    [KEY_WHITE_BALANCE] = normalise_class,
    [KEY_EXPOSURE_PROGRAM] = normalise_class,
    [KEY_APERTURE] = normalise_apex,
    [KEY_F_NUMBER] = normalise_positive,
    [KEY_EXPOSURE_BIAS] = normalise_bias,
    [KEY_EXPOSURE_TIME] = normalise_positive,
    [KEY_SHUTTER_SPEED] = normalise_apex,
    [KEY_FOCAL_LENGTH] = normalise_positive,
    [KEY_ISO] = normalise_iso,
    [KEY_DATETIME_ORIGINAL] = normalise_time,
    [KEY_FOCAL_LENGTH_35MM] = normalise_positive,
    [KEY_LENS_MODEL] = normalise_text,
};

bool photo_normalise(const photo_tags *t, photo_key key, photo_setting *out)
{
    *out = (photo_setting){NULL, 0};
    return t->value[key].kind != VALUE_ABSENT && normalisers[key](t, key, out);
}

void photo_tags_complete(photo_tags *t, const photo_tags *from)
{
    photo_setting setting;
    for (photo_key key = 0; key < KEY_COUNT; key++) {
        bool has = key < KEY_NORMALISED ? photo_normalise(t, key, &setting)
                                        : t->value[key].kind != VALUE_ABSENT;
        if (!has && from->value[key].kind != VALUE_ABSENT) photo_tags_copy(t, key, from);
    }
}

int photo_orientation(const photo_tags *t)
{
    const tag_value *v = &t->value[KEY_ORIENTATION];
    int64_t code;
    if (!get_code(v, &code)) code = v->kind == VALUE_TEXT ? orientation_of_text(v->text) : 0;
    return code >= 1 && code <= 8 ? (int)code : 0;
}
