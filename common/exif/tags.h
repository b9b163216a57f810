/* The tags of the method: which they are, and their values as a file or a metadata table stores
   them. Numbers and names of tags are those of Exif 2.32 (CIPA DC-008). */
#ifndef BLADES_EXIF_TAGS_H
#define BLADES_EXIF_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum photo_key {
    KEY_MAKE,
    KEY_MODEL,
    KEY_FLASH,
    KEY_METERING_MODE,
    KEY_SCENE_CAPTURE_TYPE,
    KEY_EXPOSURE_MODE,
    KEY_WHITE_BALANCE,
    KEY_EXPOSURE_PROGRAM,
    KEY_APERTURE,
    KEY_F_NUMBER,
    KEY_EXPOSURE_BIAS,
    KEY_EXPOSURE_TIME,
    KEY_SHUTTER_SPEED,
    KEY_FOCAL_LENGTH,
    KEY_ISO,
    KEY_DATETIME_ORIGINAL,
    KEY_FOCAL_LENGTH_35MM,
    KEY_LENS_MODEL,
    KEY_NORMALISED, /* the keys above are those of a record's `exif` map */
    /* What stands behind them or beside them in a record: */
    KEY_ORIENTATION = KEY_NORMALISED,
    KEY_STANDARD_OUTPUT_SENSITIVITY,
    KEY_RECOMMENDED_EXPOSURE_INDEX,
    KEY_ISO_SPEED,
    KEY_IMAGE_WIDTH,
    KEY_IMAGE_HEIGHT,
    KEY_COUNT
} photo_key;

typedef struct photo_tag {
    uint16_t number;     /* in the TIFF directory */
    const char *key;     /* in `exif`; NULL: not there */
    const char *name;    /* in `exif_raw`: the standard's name */
    bool main_directory; /* its place is IFD0; else the Exif IFD */
    bool text;
    bool is_signed;  /* APEX values that some cameras write with the unsigned type */
    bool first_wins; /* of several values the first counts (as in exiftool), else the last */
} photo_tag;

/* Indexed by photo_key. */
extern const photo_tag photo_tag_table[KEY_COUNT];

/* The key of a tag number; KEY_COUNT if it is not one of ours. */
photo_key photo_key_of(unsigned number);

typedef enum value_kind {
    VALUE_ABSENT,
    VALUE_TEXT,
    VALUE_INTEGER,
    VALUE_RATIONAL,
    VALUE_REAL
} value_kind;

enum { VALUE_ITEMS = 8, VALUE_TEXT_BYTES = 1000 };

/* A value as stored. Numbers keep at most VALUE_ITEMS items. */
typedef struct tag_value {
    value_kind kind;
    bool apex; /* the number is an APEX value (as in a file, not as exiftool or Flickr show it) */
    int count; /* of items */
    union {
        const char *text; /* UTF-8, no trailing blanks, NUL-terminated */
        int64_t integer[VALUE_ITEMS];
        struct {
            int64_t numerator, denominator;
        } rational[VALUE_ITEMS];
        double real[VALUE_ITEMS];
    };
} tag_value;

/* All tags of one photo. Not to be copied: texts point into the struct. Start with
 * photo_tags_clear. */
typedef struct photo_tags {
    tag_value value[KEY_COUNT];
    char text[KEY_COUNT][VALUE_TEXT_BYTES + 1];
} photo_tags;

void photo_tags_clear(photo_tags *t);

/* Sets a text: cut at the first NUL byte and at VALUE_TEXT_BYTES, bytes that are no UTF-8 become
   '?', trailing blanks go. */
void photo_tags_set_text(photo_tags *t, photo_key key, const char *bytes, size_t length);

/* Is there a value? */
bool photo_tags_any(const photo_tags *t);

void photo_tags_copy(photo_tags *t, photo_key key, const photo_tags *from);

/* Item `i` as a number; false for text, a missing item, a zero denominator, what is not finite, and
   the standard's "unknown" (numerator 0xffffffff). */
bool tag_value_number(const tag_value *v, int i, double *number);

#endif
