/* The records of a face stream, in files or in memory. */
#ifndef BLADES_PRETEXT_STORE_H
#define BLADES_PRETEXT_STORE_H

#include "stream/index.h"

/* A record in memory, as the stream has it: unpacked it would take 20 KB more. */
typedef struct stored_record {
    unsigned char *bytes;
    size_t size;
} stored_record;

/* Either an indexed stream, or records in memory whose place's offset is their number. */
typedef struct face_store {
    stream_index *index; /* NULL: records */
    stored_record *record;
    size_t count, capacity;
} face_store;

/* Adds a record of input number `file` (its bytes taken over, also on failure) and says where it
   is. */
bool face_store_add(face_store *s, stored_record record, uint32_t file, stream_place *place,
                    error *e);
/* Frees the record added last. */
void face_store_drop_last(face_store *s);
/* Gives a record in memory to the caller; its place is then empty. */
stored_record face_store_take(face_store *s, stream_place place);
/* The map at a place, valid until the next use of the caller's buffer. From any thread. NULL when
   memory is out, or the file was changed. */
const msgpack_object *face_store_get(const face_store *s, stream_place place,
                                     stream_buffer *buffer);
/* Says that a record will be wanted soon. */
void face_store_expect(const face_store *s, stream_place place);
/* Frees the records and closes the index. */
void face_store_close(face_store *s);

#endif
