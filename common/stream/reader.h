/* Reading streams: segments of header, records, trailer, from files or pipes, nothing trusted.
   Once, from the beginning to the end, each record a copy that its taker keeps as long as it needs
   it, with no more of the input in memory than that: what every tool does but those that come back
   to records in another order, for which there is stream/index.h. */
#ifndef BLADES_STREAM_READER_H
#define BLADES_STREAM_READER_H

#include "stream/record.h"

typedef struct stream_reader stream_reader;

/* Opens the inputs ("-": standard input), read one after the other as if concatenated, and reads
   the first header. `kinds`: NULL-ended list of the kinds that can be used; NULL: any. Errors:
   as input_open's, and STATUS_DATA when it is no stream of these kinds.
   NULL on error. `inputs` is copied. */
stream_reader *stream_reader_open(const cli_strings *inputs, const char *const *kinds, error *e);

/* The same of one input that is open, from where its descriptor stands, which the reader takes (it
   is closed on errors, too). Messages call it `name` ("-": standard input). */
stream_reader *stream_reader_open_at(int descriptor, const char *name, const char *const *kinds,
                                     error *e);

/* The header of the current segment (a map), valid until a record of a later segment is read. */
const msgpack_object *stream_reader_header(const stream_reader *r);

/* The name of the input that the last record or header came from, for messages; valid until the
   reader is closed. */
const char *stream_reader_input(const stream_reader *r);

/* The next record, error records included: 1 with *out set (caller frees with stream_record_free),
   0 at the end, -1 on error. A segment that ends before its trailer, a wrong count, an unknown
   version, another kind, and bytes that are no msgpack are STATUS_DATA with input and record number
   in the text. */
int stream_reader_next(stream_reader *r, stream_record **out, error *e);

/* The share of the inputs' bytes that was read, 0 to 1, when all are regular files (else 0): for
   progress. */
double stream_reader_share(const stream_reader *r);

void stream_reader_close(stream_reader *r); /* NULL is fine */

/* Does this file begin like a stream (a msgpack map) rather than like an image? Two bytes are
 * enough. */
bool stream_looks_like(const unsigned char *head, size_t size);

#endif
