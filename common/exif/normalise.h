/* From values as stored to those of the method (exif-extract(1)): class names, and numbers in
   seconds, f-numbers, mm, EV, ISO. */
#ifndef BLADES_EXIF_NORMALISE_H
#define BLADES_EXIF_NORMALISE_H

#include "exif/tags.h"

typedef struct photo_setting {
    const char *text; /* a name; NULL: `number` counts. Valid as long as the tags are. */
    double number;
} photo_setting;

/* The normalised value of a key below KEY_NORMALISED; false when the tag is missing or means
   nothing: zero denominators, times, lengths and apertures that are not above zero, ISO 65535
   (unless another sensitivity tag has the real value), codes of no class, blank texts. Numbers that
   are codes and texts that name a class, as exiftool, Flickr or libexif print it, both do. */
bool photo_normalise(const photo_tags *t, photo_key key, photo_setting *out);

/* Takes from `from` what `t` does not have, or has without meaning. */
void photo_tags_complete(photo_tags *t, const photo_tags *from);

/* 1..8 as the standard defines them, or 0 when missing or invalid. */
int photo_orientation(const photo_tags *t);

#endif
