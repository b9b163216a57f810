/* The table of the method's tags, and their values as stored. */
#include "exif/tags.h"

#include "cli/text.h"

#include <math.h>
#include <string.h>

const photo_tag photo_tag_table[KEY_COUNT] = {
    [KEY_MAKE] = {0x010f, "make", "Make", .main_directory = true, .text = true},
    [KEY_MODEL] = {0x0110, "model", "Model", .main_directory = true, .text = true},
    [KEY_FLASH] = {0x9209, "flash", "Flash"},
    [KEY_METERING_MODE] = {0x9207, "metering_mode", "MeteringMode"},
    [KEY_SCENE_CAPTURE_TYPE] = {0xa406, "scene_capture_type", "SceneCaptureType"},
    [KEY_EXPOSURE_MODE] = {0xa402, "exposure_mode", "ExposureMode"},
    [KEY_WHITE_BALANCE] = {0xa403, "white_balance", "WhiteBalance", .first_wins = true},
    [KEY_EXPOSURE_PROGRAM] = {0x8822, "exposure_program", "ExposureProgram"},
    [KEY_APERTURE] = {0x9202, "aperture", "ApertureValue"},
    [KEY_F_NUMBER] = {0x829d, "f_number", "FNumber"},
    [KEY_EXPOSURE_BIAS] = {0x9204, "exposure_bias", "ExposureBiasValue", .is_signed = true},
    [KEY_EXPOSURE_TIME] = {0x829a, "exposure_time", "ExposureTime"},
    [KEY_SHUTTER_SPEED] = {0x9201, "shutter_speed", "ShutterSpeedValue", .is_signed = true},
    [KEY_FOCAL_LENGTH] = {0x920a, "focal_length", "FocalLength"},
    [KEY_ISO] = {0x8827, "iso", "ISOSpeedRatings"},
    [KEY_DATETIME_ORIGINAL] = {0x9003, "datetime_original", "DateTimeOriginal", .text = true},
    [KEY_FOCAL_LENGTH_35MM] = {0xa405, "focal_length_35mm", "FocalLengthIn35mmFilm"},
    [KEY_LENS_MODEL] = {0xa434, "lens_model", "LensModel", .text = true},
    [KEY_ORIENTATION] = {0x0112, NULL, "Orientation", .main_directory = true, .first_wins = true},
    [KEY_STANDARD_OUTPUT_SENSITIVITY] = {0x8831, NULL, "StandardOutputSensitivity"},
    [KEY_RECOMMENDED_EXPOSURE_INDEX] = {0x8832, NULL, "RecommendedExposureIndex"},
    [KEY_ISO_SPEED] = {0x8833, NULL, "ISOSpeed"},
    [KEY_IMAGE_WIDTH] = {0x0100, NULL, "ImageWidth", .main_directory = true, .first_wins = true},
    [KEY_IMAGE_HEIGHT] = {0x0101, NULL, "ImageLength", .main_directory = true, .first_wins = true},
};

/* The keys by tag number: directories hold many tags that are none of ours. */
static const unsigned char key_by_number[KEY_COUNT] = {
    KEY_IMAGE_WIDTH,
    KEY_IMAGE_HEIGHT,
    KEY_MAKE,
    KEY_MODEL,
    KEY_ORIENTATION,
    KEY_EXPOSURE_TIME,
    KEY_F_NUMBER,
    KEY_EXPOSURE_PROGRAM,
    KEY_ISO,
    KEY_STANDARD_OUTPUT_SENSITIVITY,
    KEY_RECOMMENDED_EXPOSURE_INDEX,
    KEY_ISO_SPEED,
    KEY_DATETIME_ORIGINAL,
    KEY_SHUTTER_SPEED,
    KEY_APERTURE,
    KEY_EXPOSURE_BIAS,
    KEY_METERING_MODE,
    KEY_FLASH,
    KEY_FOCAL_LENGTH,
    KEY_EXPOSURE_MODE,
    KEY_WHITE_BALANCE,
    KEY_FOCAL_LENGTH_35MM,
    KEY_SCENE_CAPTURE_TYPE,
    KEY_LENS_MODEL,
};

photo_key photo_key_of(unsigned number)
{
    int low = 0, high = KEY_COUNT;
    while (low < high) {
        int middle = (low + high) / 2;
        photo_key key = key_by_number[middle];
        if (photo_tag_table[key].number == number) return key;
        if (photo_tag_table[key].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return KEY_COUNT;
}

void photo_tags_clear(photo_tags *t)
{
    for (int i = 0; i < KEY_COUNT; i++) {
        t->value[i].kind = VALUE_ABSENT;
        t->value[i].count = 0;
    }
}

void photo_tags_set_text(photo_tags *t, photo_key key, const char *bytes, size_t length)
{
    char *out = t->text[key];
    length = strnlen(bytes, length < VALUE_TEXT_BYTES ? length : VALUE_TEXT_BYTES);
    size_t n = utf8_mend(out, bytes, length, "?");
    while (n > 0 && strchr(" \t\r\n\v\f", out[n - 1])) n--;
    out[n] = '\0';
    t->value[key] = (tag_value){.kind = VALUE_TEXT, .count = 1, .text = out};
}

bool photo_tags_any(const photo_tags *t)
{
    for (photo_key key = 0; key < KEY_COUNT; key++)
        if (t->value[key].kind != VALUE_ABSENT) return true;
    return false;
}

void photo_tags_copy(photo_tags *t, photo_key key, const photo_tags *from)
{
    const tag_value *v = &from->value[key];
    if (v->kind == VALUE_TEXT)
        photo_tags_set_text(t, key, v->text, strlen(v->text));
    else
        t->value[key] = *v;
}

bool tag_value_number(const tag_value *v, int i, double *number)
{
    if (i >= v->count) return false;
    double x = NAN;
    switch (v->kind) {
    case VALUE_INTEGER:
        x = (double)v->integer[i];
        break;
    case VALUE_RATIONAL:
        if (v->rational[i].denominator == 0 || v->rational[i].numerator == UINT32_MAX) return false;
        x = (double)v->rational[i].numerator / (double)v->rational[i].denominator;
        break;
    case VALUE_REAL:
        x = v->real[i];
        break;
    case VALUE_TEXT:
    case VALUE_ABSENT:
        return false;
    }
    if (!isfinite(x)) return false;
    *number = x;
    return true;
}
