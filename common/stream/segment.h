/* The order of maps that makes a stream: header, records, trailer, any number of times. Checks it
   map by map; readers of files and of pipes share it. */
#ifndef BLADES_STREAM_SEGMENT_H
#define BLADES_STREAM_SEGMENT_H

#include "stream/record.h"

typedef enum segment_part { PART_HEADER, PART_RECORD, PART_ERROR, PART_TRAILER } segment_part;

/* Start from `stream_segment s = {0}`. */
typedef struct stream_segment {
    char *kind;              /* of the whole stream; NULL before the first header */
    bool open;               /* between header and trailer */
    int64_t records, errors; /* of the segment, as met */
    int64_t number;          /* records and errors of the whole stream so far */
    int64_t count;           /* segments begun */
} stream_segment;

/* Takes the next map of the stream and says what it is. STATUS_DATA, with `input` and the record's
   number, when it is out of place: an unknown version, another kind, a wrong count. */
bool stream_segment_take(stream_segment *s, const char *input, const msgpack_object *map,
                         segment_part *part, error *e);

/* Does the stream have one of these kinds (NULL-terminated; NULL: any)? STATUS_DATA when not. */
bool stream_segment_usable(const stream_segment *s, const char *input, const char *const *kinds,
                           error *e);

/* Sets STATUS_DATA: "input: record N: what". Always false. */
bool stream_segment_error(const stream_segment *s, const char *input, const char *what, error *e);

void stream_segment_free(stream_segment *s);

#endif
