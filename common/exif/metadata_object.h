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

/* What holds an object's names: itself, or its `photo` if it has none, as in Flickr's replies. */
const json_t *metadata_names(const json_t *object);

/* The name under one key: a text, or a whole number put into `buffer`; NULL when there is none. */
const char *metadata_name_value(const json_t *object, const char *key, char buffer[32]);

/* Reads the object that the text begins with. Texts may hold NUL; whole numbers beyond 64 bits are
   read as real ones. */
json_t *metadata_json_load(const char *text, size_t size, json_error_t *problem);

#endif
