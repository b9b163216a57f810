/* Writing streams: header with provenance, records, trailer. */
#ifndef BLADES_STREAM_WRITER_H
#define BLADES_STREAM_WRITER_H

#include "cli/output.h"
#include "stream/reader.h"

typedef struct stream_writer {
    cli *c;
    const char *kind;
    output out;
    stream_chunk header;
    int64_t records, errors; /* of the current segment */
    bool open;               /* a segment is open */
} stream_writer;

/* Opens c->output for a stream of `kind`. Refuses a terminal. */
bool stream_writer_open(stream_writer *w, cli *c, const char *kind, error *e);

/* Begins a segment (ending one that is open): header_begin, put_* of what the kind's header holds
   beside kind and provenance, header_end. `previous` is the input's header (NULL for the first tool
   of a chain); its provenance is copied and this tool's entry appended. header_begin returns the
   chunk to put into. */
stream_chunk *stream_writer_header_begin(stream_writer *w, const msgpack_object *previous);
bool stream_writer_header_end(stream_writer *w, error *e);

/* Are the finished records within what readers take (stream/scan.h)? Else STATUS_DATA with the id
   of the first that is not. stream_writer_put refuses such a chunk. */
bool stream_chunk_readable(const stream_chunk *k, error *e);

/* Writes the finished records of a chunk and clears it. Of the error records in it, all of a tool's
   together, the first few are said on standard error; the rest is counted at the end. */
bool stream_writer_put(stream_writer *w, stream_chunk *k, error *e);
/* Passes a record on as it is (an error record of an earlier stage, say). */
bool stream_writer_pass(stream_writer *w, const stream_record *r, error *e);

/* Writes the trailer and makes the file appear; with e already set, discards everything. */
bool stream_writer_close(stream_writer *w, error *e);

/* The provenance entry of a tool as a map: {"tool","version","args","seed"}; for model files too.
 */
void put_provenance(stream_chunk *k, const cli *c, const msgpack_object *previous);

#endif
