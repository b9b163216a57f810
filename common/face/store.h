/* The records of a face stream, in a mapped file or in memory. */
#ifndef BLADES_FACE_STORE_H
#define BLADES_FACE_STORE_H

#include "stream/index.h"

/* Either a mapped stream, or records in memory whose place's offset is their number. */
typedef struct face_store {
    stream_index *index; /* NULL: records */
    stream_record **record;
    size_t count, capacity;
} face_store;

/* Adds a record (taken over, also on failure) and says where it is. */
bool face_store_add(face_store *s, stream_record *record, stream_place *place, error *e);
/* The map at a place; `zone` is the caller's own, initialised, and holds the map until its next
   use. From any thread. NULL when memory is out. */
const msgpack_object *face_store_get(const face_store *s, stream_place place,
                                     msgpack_unpacked *zone);
/* Says that a record will be wanted soon, and that it is done with for now. */
void face_store_expect(const face_store *s, stream_place place);
void face_store_release(const face_store *s, stream_place place);
/* Frees the records and closes the index. */
void face_store_close(face_store *s);

#endif
