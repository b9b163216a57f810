/* Building and reading msgpack maps, the records of a stream. */
#ifndef BLADES_STREAM_RECORD_H
#define BLADES_STREAM_RECORD_H

#include "cli/cli.h"

#include <msgpack.h>

/* ---- Reading -------------------------------------------------------------------------------- */

/* One record as read; owns its bytes. Everything found in it is valid until stream_record_free. */
typedef struct stream_record {
    const char *id;        /* "" when the record has none; never holds a NUL byte inside */
    bool is_error;         /* an error record, to be passed on */
    int64_t number;        /* 1-based position in the input, over all segments */
    int64_t segment;       /* 0-based segment it came from */
    msgpack_object object; /* a map with string keys */
    void *owned;
} stream_record;

void stream_record_free(stream_record *r);
/* The bytes it was read from, for the caller to free; `object` lies in them until the record is
   freed, which it still has to be. */
unsigned char *stream_record_take_bytes(stream_record *r, size_t *size);

/* Do these `length` bytes spell the string? */
bool text_is(const char *text, size_t length, const char *string);

/* The value of a key of a map; NULL when absent (or when `map` is NULL or no map). The first of
   equal keys counts. */
const msgpack_object *object_get(const msgpack_object *map, const char *key);

/* Typed look-ups: true and the value set when the key is there with that type, else false and the
   value untouched. Numbers accept integers and floats and must be finite. Text may not be
   NUL-terminated. */
bool object_text(const msgpack_object *map, const char *key, const char **text, size_t *length);
bool object_number(const msgpack_object *map, const char *key, double *number);
/* The value itself: true when it is a number, finite or not. */
bool object_as_number(const msgpack_object *o, double *number);
bool object_integer(const msgpack_object *map, const char *key, int64_t *integer);
bool object_boolean(const msgpack_object *map, const char *key, bool *boolean);
bool object_binary(const msgpack_object *map, const char *key, const void **bytes, size_t *size);
/* True when the key holds exactly this text. */
bool object_text_is(const msgpack_object *map, const char *key, const char *text);
/* A NUL-terminated copy of a text (caller frees); NULL when absent, holding NUL bytes, or out of
 * memory. */
char *object_text_copy(const msgpack_object *map, const char *key);

/* A deep copy of an object. Start from `object_copy c = {0}`; object_copy_free also after failure.
 */
typedef struct object_copy {
    msgpack_object object;
    msgpack_unpacked unpacked;
    char *bytes;
} object_copy;

bool object_copy_make(object_copy *c, const msgpack_object *from, error *e);
void object_copy_free(object_copy *c);

/* ---- Building ------------------------------------------------------------------------------- */

/* Finished records one after the other, ready to be written. Start from `stream_chunk k = {0}`.
   Running out of memory sticks (`failed`) and is reported by whoever writes the chunk. */
typedef struct stream_chunk {
    msgpack_sbuffer bytes;
    int64_t records, errors; /* finished ones */
    bool failed;
    /* of the record or map being built: */
    size_t start[8];
    uint32_t keys[8];
    int depth;
} stream_chunk;

void stream_chunk_clear(stream_chunk *k); /* forgets the records, keeps the memory */
void stream_chunk_free(stream_chunk *k);

/* record_begin ... put_* ... record_end builds {"type": type, ...}. */
void record_begin(stream_chunk *k, const char *type);
void record_end(stream_chunk *k);
void record_abandon(stream_chunk *k); /* instead of record_end: as if it had not begun */
void put_text(stream_chunk *k, const char *key, const char *text);
void put_text_n(stream_chunk *k, const char *key, const char *text, size_t length);
void put_integer(stream_chunk *k, const char *key, int64_t value);
void put_number(stream_chunk *k, const char *key, double value);
void put_boolean(stream_chunk *k, const char *key, bool value);
void put_binary(stream_chunk *k, const char *key, const void *bytes, size_t size);
/* A binary of `size` bytes that the caller fills before the next put; NULL when out of
   memory. */
void *put_binary_room(stream_chunk *k, const char *key, size_t size);
void put_object(stream_chunk *k, const char *key, const msgpack_object *value);
/* A nested map: put_map_begin(k, "exif"); put_...; put_map_end(k). Key NULL: an element of an
 * array. */
void put_map_begin(stream_chunk *k, const char *key);
void put_map_end(stream_chunk *k);
/* An array of `count` elements, which the caller adds with a NULL key each. */
void put_array(stream_chunk *k, const char *key, size_t count);

/* Copies every key of `from` but "type", those in `own` (NULL-ended; may be NULL) and those --set
   gives anew (c may be NULL: none). Then adds the --set pairs. Call it once, before record_end. */
void put_rest(stream_chunk *k, const cli *c, const msgpack_object *from, const char *const *own);
/* Only the --set pairs: for tools whose records come from no other. */
void put_sets(stream_chunk *k, const cli *c);

/* A whole error record: {"type":"error","id","stage","reason"} and from `from` (may be NULL) every
   key with text, number or boolean value, so that label and source survive. `stage` is the tool's
   name. */
void put_error_record(stream_chunk *k, const cli *c, const char *id, const char *reason,
                      const msgpack_object *from);
/* Says on standard error, "tool: id: reason", what became an error record: the first `most` of the
   chunk's. Silent under -q. stream_writer_put calls it. */
void note_error_records(const cli *c, const stream_chunk *k, int64_t most);
/* The reason without the id, or the path of the id's photo, where it begins with one. Points into
   `reason`. */
const char *error_reason(const char *id, const char *reason);

#endif
