/* Records as JSON, for people and scripts. */
#ifndef BLADES_STREAM_JSON_H
#define BLADES_STREAM_JSON_H

#include "stream/record.h"

#include <jansson.h>
#include <stdio.h>

/* Prints a map as one line of JSON. Binary fields that the stream format defines as numbers
   (vector, landmarks, and labels by the kinds of the tasks in `header`) are arrays, NaN as null;
   others are {"bytes": N}; with `base64` all are {"base64": "..."}. Text that is not UTF-8 has its
   wrong bytes replaced by U+FFFD. `name` is that of the output, for messages. STATUS_SYSTEM,
   STATUS_IO. */
bool json_print_record(const msgpack_object *map, const msgpack_object *header, bool base64,
                       FILE *to, const char *name, error *e);

/* A text as JSON, with `instead` (UTF-8) for each byte that is no UTF-8. Caller json_decrefs; NULL
   when out of memory. */
json_t *json_from_text(const char *text, size_t length, const char *instead);

/* A value as JSON, like json_print_record's without base64 and header. Caller json_decrefs; NULL
   when out of memory. */
json_t *json_from_object(const msgpack_object *o);

/* What put_provenance writes for what a tool makes (with provenance not left out), as the text of a
   JSON array; the caller frees. NULL and STATUS_SYSTEM when out of memory. */
char *json_provenance(const cli *c, const msgpack_object *previous, error *e);
/* The same after what such a text says already (NULL or no array: nothing). */
char *json_provenance_after(const cli *c, const char *previous, error *e);

/* The JSON in a file (caller json_decrefs), whose objects must not repeat a key. NULL on error:
   STATUS_NO_INPUT, STATUS_IO, or STATUS_DATA with the line. */
json_t *json_file_read(const char *path, error *e);

/* Adds a JSON value of any depth under a key to the map being built, or to an array with key NULL.
 */
void put_json(stream_chunk *k, const char *key, const json_t *value);

#endif
