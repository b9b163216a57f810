/* Streams in regular files, memory-mapped. A first pass finds the records and releases pages behind
   it, so memory does not grow with the file; afterwards any record can be read in any order. For
   callers that revisit records, as pretext-batch does; read-once streams and pipes use
   stream/reader.h. */
#ifndef BLADES_STREAM_INDEX_H
#define BLADES_STREAM_INDEX_H

#include "stream/record.h"

typedef struct stream_index stream_index;

/* Where a record lies. */
typedef struct stream_place {
    uint64_t offset;
    uint32_t size, file; /* index into the inputs */
} stream_place;

/* One record's bytes, and its map, whose texts and binary values lie in them. Starts as zeros. */
typedef struct stream_buffer {
    msgpack_unpacked zone;
    char *bytes;
    size_t capacity;
} stream_buffer;
void stream_buffer_free(stream_buffer *b);

/* Are all inputs regular files ("-": standard input may be one)? */
bool stream_index_possible(const cli_strings *inputs);

/* Maps the inputs, whose list must outlive the index, and reads the first header. Errors as
   stream_reader_open's. A file that shrinks
   while it is mapped, or cannot be read, ends the program with STATUS_IO and a message. */
stream_index *stream_index_open(const cli_strings *inputs, const char *const *kinds, error *e);
/* The first header, valid until stream_index_close. */
const msgpack_object *stream_index_header(const stream_index *x);
/* That of the last record's segment, valid until a record of a later one is read. */
const msgpack_object *stream_index_segment_header(const stream_index *x);
/* The number of that segment, the first being 0. */
int64_t stream_index_segment(const stream_index *x);

/* The next record or error record from the beginning: 1 with its place and its map, valid until the
   next call; 0 at the end; -1 on error, as stream_reader_next. Text and binary values lie in the
   mapping: those that nobody uses are not read. */
int stream_index_next(stream_index *x, stream_place *place, msgpack_object *map, bool *is_error,
                      error *e);

/* Says that the record will be wanted soon: the system reads ahead. */
void stream_index_expect(const stream_index *x, stream_place place);
/* Reads a record: its map, valid until the buffer's next use. From any thread. NULL: memory is out,
   or the file cannot be read or was changed. */
const msgpack_object *stream_index_get(const stream_index *x, stream_place place, stream_buffer *b);

void stream_index_close(stream_index *x); /* NULL is fine */

#endif
