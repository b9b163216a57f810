/* The classes of the categorical tags: codes of the standard, and the names others print for them.
 */
#ifndef BLADES_EXIF_CLASSES_H
#define BLADES_EXIF_CLASSES_H

#include "exif/tags.h"

/* The class of a code; NULL when the code has none (unknown, not defined, reserved). */
const char *class_of_code(photo_key key, int64_t code);

/* The class a text names; NULL when it names none. Case, blanks and punctuation do not matter. */
const char *class_of_text(photo_key key, const char *text);

/* Orientation 1..8 from exiftool's words ("Rotate 90 CW"); 0 for others. */
int orientation_of_text(const char *text);

#endif
