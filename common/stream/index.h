/* Streams in regular files, mapped into memory: read once from the beginning to find the records,
   then record by record in any order. Pages are given back as they were used, so that memory does
   not grow with the file. */
#ifndef BLADES_STREAM_INDEX_H
#define BLADES_STREAM_INDEX_H

#include "stream/record.h"

typedef struct stream_index stream_index;

/* Where a record lies. */
typedef struct stream_place {
    uint64_t offset;
    uint32_t size, file; /* index into the inputs */
} stream_place;

/* Are all inputs regular files ("-": standard input may be one)? */
bool stream_index_possible(const cli_strings *inputs);

/* Maps the inputs and reads the first header. Errors as stream_reader_open's. A file that shrinks
   while it is mapped, or cannot be read, ends the program with STATUS_IO and a message. */
stream_index *stream_index_open(const cli_strings *inputs, const char *const *kinds, error *e);
/* The first header, valid until stream_index_close. */
const msgpack_object *stream_index_header(const stream_index *x);

/* The next record or error record from the beginning: 1 with its place and its map, valid until the
   next call; 0 at the end; -1 on error, as stream_reader_next. Text and binary values lie in the
   mapping: those that are not looked at are not read. */
int stream_index_next(stream_index *x, stream_place *place, msgpack_object *map, bool *is_error,
                      error *e);
/* Bytes done and their total: for progress. */
void stream_index_position(const stream_index *x, int64_t *done, int64_t *total);

/* Says that the record will be wanted soon: the system reads ahead. */
void stream_index_expect(const stream_index *x, stream_place place);
/* Builds the record's map in `zone` (the caller's msgpack_unpacked, initialised; reused from call
   to call). From any thread. False only when memory is out or the file was changed. */
bool stream_index_get(const stream_index *x, stream_place place, msgpack_unpacked *zone);
/* Says that the record is done with for now: its pages are given back, sooner or later. */
void stream_index_release(stream_index *x, stream_place place);

void stream_index_close(stream_index *x); /* NULL is fine */

#endif
