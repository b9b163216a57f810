/* Headers with provenance, records counted, trailers: a stream as it is written. */
#include "stream/writer.h"

#include "stream/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REASONS_MOST = 10 }; /* said on standard error, by one tool */
enum { RECORD_HEAD = 5 };   /* bytes of a finished record before its first key */

/* ---- Provenance ----------------------------------------------------------------------------- */

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

/* ---- Segments ------------------------------------------------------------------------------- */

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

/* The id of a record that cannot be read as a whole, unless it stands behind what makes it so.
   Caller frees; NULL: none found. */
static char *record_id(const char *bytes, size_t size)
{
    char *id = NULL;
    bool key = true, is_id = false;
    msgpack_unpacked part;
    msgpack_unpacked_init(&part);
    for (size_t at = RECORD_HEAD; id == NULL; key = !key) {
        if (msgpack_unpack_next(&part, bytes, size, &at) != MSGPACK_UNPACK_SUCCESS) break;
        bool text = part.data.type == MSGPACK_OBJECT_STR;
        const msgpack_object_str *s = &part.data.via.str;
        if (is_id && text) id = strndup(s->ptr, s->size);
        is_id = key && text && s->size == 2 && memcmp(s->ptr, "id", 2) == 0;
    }
    msgpack_unpacked_destroy(&part);
    return id;
}

bool stream_chunk_readable(const stream_chunk *k, error *e)
{
    const unsigned char *bytes = (const unsigned char *)k->bytes.data;
    for (size_t at = 0; at < k->bytes.size && !k->failed;) {
        stream_scan scan = {0};
        if (stream_scan_value(&scan, bytes + at, k->bytes.size - at) != SCAN_DONE) {
            char *id = record_id(k->bytes.data + at, k->bytes.size - at);
            error_set(e, STATUS_DATA,
                      "record '%.200s' is over what readers take: %d GiB, %d values, %d levels of "
                      "nesting",
                      id == NULL ? "" : id, (int)(SCAN_SIZE_MAX >> 30), SCAN_VALUES_MAX,
                      SCAN_DEPTH_MAX);
            free(id);
            return false;
        }
        at += scan.position;
    }
    return true;
}

bool stream_writer_put(stream_writer *w, stream_chunk *k, error *e)
{
    if (k->failed) return error_set(e, STATUS_SYSTEM, "out of memory, or a record over 4 GiB");
    if (!stream_chunk_readable(k, e)) return false;
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
