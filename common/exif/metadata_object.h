/* One object of a metadata file. */
#ifndef BLADES_EXIF_METADATA_OBJECT_H
#define BLADES_EXIF_METADATA_OBJECT_H

#include "exif/metadata.h"

#include <jansson.h>

struct metadata_object {
    json_t *json;
    char id[32]; /* text of a name that is a number */
};

/* The keys under which an object may name its photo, paths first; NULL-ended. */
extern const char *const metadata_name_keys[];

/* The name under one key: a text, or a whole number put into `buffer`; NULL when there is none. */
const char *metadata_name_value(const json_t *object, const char *key, char buffer[32]);

/* Options for jansson: whole numbers may exceed 64 bits, texts may hold NUL. */
enum { METADATA_JSON_FLAGS = JSON_DISABLE_EOF_CHECK | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL };

#endif
