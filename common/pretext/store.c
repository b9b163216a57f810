/* The records of a face stream, in files or in memory. */
#include "pretext/store.h"

#include "cli/memory.h"

#include <stdlib.h>

bool face_store_add(face_store *s, stored_record record, uint32_t file, stream_place *place,
                    error *e)
{
    stored_record *grown = array_grow(s->record, s->count + 1, &s->capacity, sizeof *grown, e);
    if (!grown) {
        free(record.bytes);
        return false;
    }
    s->record = grown;
    *place = (stream_place){.offset = s->count, .file = file};
    s->record[s->count++] = record;
    return true;
}

void face_store_drop_last(face_store *s)
{
    free(s->record[--s->count].bytes);
}

stored_record face_store_take(face_store *s, stream_place place)
{
    stored_record record = s->record[place.offset];
    s->record[place.offset] = (stored_record){0};
    return record;
}

const msgpack_object *face_store_get(const face_store *s, stream_place place, stream_buffer *buffer)
{
    if (s->index) return stream_index_get(s->index, place, buffer);
    const stored_record *record = &s->record[place.offset];
    size_t used = 0;
    bool unpacked = msgpack_unpack_next(&buffer->zone, (const char *)record->bytes, record->size,
                                        &used) == MSGPACK_UNPACK_SUCCESS;
    return unpacked ? &buffer->zone.data : NULL;
}

void face_store_expect(const face_store *s, stream_place place)
{
    if (s->index) stream_index_expect(s->index, place);
}

void face_store_close(face_store *s)
{
    for (size_t i = 0; i < s->count; i++) free(s->record[i].bytes);
    free(s->record);
    stream_index_close(s->index);
    *s = (face_store){0};
}
