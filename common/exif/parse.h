/* From a well-formed EXIF block to values, by libexif. */
#ifndef BLADES_EXIF_PARSE_H
#define BLADES_EXIF_PARSE_H

#include "exif/tags.h"

/* Room for all tags of the method at their kept sizes: prefix, directories, texts or 8 doubles
 * each. */
enum { SMALL_BLOCK_BYTES = 64 + KEY_COUNT * (12 + VALUE_TEXT_BYTES) };

/* Parses a block ("Exif\0\0", TIFF header, IFD0, Exif IFD) that was checked before and adds its
 * values. */
void exif_small_block_parse(const unsigned char *bytes, unsigned size, photo_tags *t);

#endif
