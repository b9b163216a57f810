/* Writing streams. */
#include "stream/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REASONS_MOST = 10 }; /* said on standard error, by one tool */

/* ---- Provenance ---------------------------------------------------------------------------------
 */

static void put_entry(stream_chunk *k, const cli *c)
{
    put_map_begin(k, NULL);
    put_text(k, "tool", c->tool->name);
    put_text(k, "version", BLADES_VERSION);
    put_array(k, "args", c->given.count);
    for (size_t i = 0; i < c->given.count; i++) put_text(k, NULL, c->given.item[i]);
    if (c->seed_given) put_integer(k, "seed", (int64_t)c->seed);
    put_map_end(k);
}

void put_provenance(stream_chunk *k, const cli *c, const msgpack_object *previous)
{
    if (!c->provenance) return;
    const msgpack_object *list = object_get(previous, "provenance");
    bool usable = list && list->type == MSGPACK_OBJECT_ARRAY;
    uint32_t before = usable ? list->via.array.size : 0;
    put_array(k, "provenance", before + 1);
    for (uint32_t i = 0; i < before; i++) put_object(k, NULL, &list->via.array.ptr[i]);
    put_entry(k, c);
}

/* ---- Segments -----------------------------------------------------------------------------------
 */

static bool write_bytes(stream_writer *w, const void *bytes, size_t size, error *e)
{
    if (size == 0 || fwrite(bytes, 1, size, w->out.file) == size) return true;
    return error_set(e, STATUS_IO, "%s: ", output_name(w->out.path));
}

bool stream_writer_open(stream_writer *w, cli *c, const char *kind, error *e)
{
    *w = (stream_writer){.c = c, .kind = kind};
    return output_open(&w->out, c->output, true, e);
}

static bool write_trailer(stream_writer *w, error *e)
{
    stream_chunk k = {0};
    record_begin(&k, "trailer");
    put_integer(&k, "records", w->records);
    put_integer(&k, "errors", w->errors);
    record_end(&k);
    bool written = !k.failed ? write_bytes(w, k.bytes.data, k.bytes.size, e)
                             : error_set(e, STATUS_SYSTEM, "out of memory");
    stream_chunk_free(&k);
    w->open = false;
    return written;
}

stream_chunk *stream_writer_header_begin(stream_writer *w, const msgpack_object *previous)
{
    stream_chunk_clear(&w->header);
    record_begin(&w->header, "header");
    put_integer(&w->header, "blades", 1);
    put_text(&w->header, "kind", w->kind);
    put_provenance(&w->header, w->c, previous);
    return &w->header;
}

bool stream_writer_header_end(stream_writer *w, error *e)
{
    record_end(&w->header);
    if (w->open && !write_trailer(w, e)) return false;
    if (w->header.failed) return error_set(e, STATUS_SYSTEM, "out of memory");
    w->records = w->errors = 0;
    w->open = true;
    return write_bytes(w, w->header.bytes.data, w->header.bytes.size, e);
}

bool stream_writer_put(stream_writer *w, stream_chunk *k, error *e)
{
    if (k->failed) return error_set(e, STATUS_SYSTEM, "out of memory, or a record over 4 GiB");
    note_error_records(w->c, k, REASONS_MOST - w->c->error_count);
    w->records += k->records;
    w->errors += k->errors;
    w->c->error_count += k->errors;
    bool written = write_bytes(w, k->bytes.data, k->bytes.size, e);
    stream_chunk_clear(k);
    return written;
}

bool stream_writer_pass(stream_writer *w, const stream_record *r, error *e)
{
    stream_chunk k = {0};
    msgpack_packer p;
    msgpack_packer_init(&p, &k.bytes, msgpack_sbuffer_write);
    k.failed = msgpack_pack_object(&p, r->object) != 0;
    if (r->is_error)
        w->errors++;
    else
        w->records++;
    bool written = !k.failed ? write_bytes(w, k.bytes.data, k.bytes.size, e)
                             : error_set(e, STATUS_SYSTEM, "out of memory");
    stream_chunk_free(&k);
    return written;
}

bool stream_writer_close(stream_writer *w, error *e)
{
    if (w->c && !e->status && w->c->error_count > REASONS_MOST)
        cli_note(w->c, "and %lld more; the error records have all",
                 (long long)(w->c->error_count - REASONS_MOST));
    if (w->open && !e->status) write_trailer(w, e);
    stream_chunk_free(&w->header);
    if (e->status) {
        output_discard(&w->out);
        return false;
    }
    return output_commit(&w->out, e);
}
