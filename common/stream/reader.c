/* Bytes of inputs to values, values to records, checked segment by segment. */
#include "stream/reader.h"
#include "cli/input.h"
#include "cli/memory.h"
#include "stream/foreign.h"
#include "stream/scan.h"
#include "stream/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 16, HEAD_SIZE = 16 };

struct stream_reader {
    cli_strings inputs; /* copies */
    size_t input;       /* index of the one being read */
    int descriptor;
    unsigned char *bytes; /* bytes[begin..end) are read and not used yet */
    size_t begin, end, capacity;
    bool at_end;  /* of the current input */
    bool counted; /* a segment of the current input was read */
    stream_record *header;
    stream_segment segment;
    int64_t done, total; /* bytes */
};

/* ---- Bytes ---------------------------------------------------------------------------------- */

const char *stream_reader_input(const stream_reader *r)
{
    size_t i = r->input < r->inputs.count ? r->input : r->inputs.count - 1;
    return cli_input_name(r->inputs.item[i]);
}

static void close_input(stream_reader *r)
{
    if (r->descriptor >= 0) close(r->descriptor);
    r->descriptor = -1;
}

/* Reads more of the current input; memory grows only as bytes arrive. */
static bool fill_bytes(stream_reader *r, error *e)
{
    if (r->begin > 0 && r->end == r->capacity) {
        memmove(r->bytes, r->bytes + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    if (r->end == r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : READ_SIZE;
        unsigned char *bytes = memory_resize(r->bytes, capacity, 1, e);
        if (!bytes) return false;
        r->bytes = bytes;
        r->capacity = capacity;
    }
    ssize_t got;
    do got = read(r->descriptor, r->bytes + r->end, r->capacity - r->end);
    while (got < 0 && errno == EINTR);
    if (got < 0) return error_set(e, STATUS_IO, "%s: ", stream_reader_input(r));
    r->at_end = got == 0;
    r->end += (size_t)got;
    r->done += got;
    return true;
}

/* Looks at the first bytes of an input that is open. */
static bool begin_input(stream_reader *r, error *e)
{
    r->at_end = r->counted = false;
    while (r->end < HEAD_SIZE && !r->at_end)
        if (!fill_bytes(r, e)) return false;
    return stream_foreign_check(stream_reader_input(r), r->bytes, r->end, e);
}

static bool open_input(stream_reader *r, error *e)
{
    struct stat status;
    r->descriptor = input_open(r->inputs.item[r->input], &status, e);
    return r->descriptor >= 0 && begin_input(r, e);
}

/* ---- Values --------------------------------------------------------------------------------- */

typedef struct owned_value {
    msgpack_unpacked unpacked;
    unsigned char *bytes;
    size_t size;
    char *id;
} owned_value;

void stream_record_free(stream_record *record)
{
    if (!record) return;
    owned_value *value = record->owned;
    if (value) {
        msgpack_unpacked_destroy(&value->unpacked);
        free(value->bytes);
        free(value->id);
        free(value);
    }
    free(record);
}

unsigned char *stream_record_take_bytes(stream_record *record, size_t *size)
{
    owned_value *value = record->owned;
    unsigned char *bytes = value->bytes;
    *size = value->size;
    value->bytes = NULL;
    return bytes;
}

static bool data_error(const stream_reader *r, error *e, const char *what)
{
    return stream_segment_error(&r->segment, stream_reader_input(r), what, e);
}

/* Finds the end of the next value: 1, 0 at a clean end of the input, -1 on error. */
static int find_value(stream_reader *r, size_t *size, error *e)
{
    stream_scan scan = {0};
    for (;;) {
        scan_result found = stream_scan_value(&scan, r->bytes + r->begin, r->end - r->begin);
        if (found == SCAN_DONE) {
            *size = scan.position;
            return 1;
        }
        if (found == SCAN_MORE && r->at_end && r->begin == r->end) return 0;
        if (found != SCAN_MORE || r->at_end) {
            data_error(r, e, scan_complaint(found));
            return -1;
        }
        if (!fill_bytes(r, e)) return -1;
    }
}

/* Takes `size` bytes out of the buffer as a record of its own. */
static stream_record *take_value(stream_reader *r, size_t size, error *e)
{
    stream_record *record = memory_zeroed(1, sizeof *record, e);
    owned_value *value = memory_zeroed(1, sizeof *value, e);
    if (record) record->owned = value;
    if (!record || !value || !(value->bytes = memory_allocate(size, 1, e))) {
        if (!record) free(value);
        goto fail;
    }
    value->size = size;
    memcpy(value->bytes, r->bytes + r->begin, size);
    r->begin += size;
    if (r->begin == r->end) r->begin = r->end = 0;
    msgpack_unpacked_init(&value->unpacked);
    size_t offset = 0;
    msgpack_unpack_return result =
        msgpack_unpack_next(&value->unpacked, (const char *)value->bytes, size, &offset);
    if (result != MSGPACK_UNPACK_SUCCESS) {
        data_error(r, e, "not msgpack");
        goto fail;
    }
    record->object = value->unpacked.data;
    value->id = object_text_copy(&record->object, "id");
    record->id = value->id ? value->id : "";
    return record;
fail:
    stream_record_free(record);
    return NULL;
}

/* ---- Segments ------------------------------------------------------------------------------- */

/* Begins the next segment: 1, 0 after the last one, -1 on error. */
static int begin_segment(stream_reader *r, error *e)
{
    size_t size = 0;
    int found;
    while ((found = find_value(r, &size, e)) == 0) {
        if (!r->counted) {
            data_error(r, e, "the input is empty, a header is missing");
            return -1;
        }
        close_input(r);
        if (++r->input == r->inputs.count) return 0;
        if (!open_input(r, e)) return -1;
    }
    if (found < 0) return -1;
    segment_part part;
    stream_record *header = take_value(r, size, e);
    if (!header ||
        !stream_segment_take(&r->segment, stream_reader_input(r), &header->object, &part, e)) {
        stream_record_free(header);
        return -1;
    }
    stream_record_free(r->header);
    r->header = header;
    r->counted = true;
    return 1;
}

/* The next record of the open segment: 1, 0 at its trailer, -1 on error. */
static int read_record(stream_reader *r, stream_record **out, error *e)
{
    size_t size = 0;
    int found = find_value(r, &size, e);
    if (found == 0) data_error(r, e, "the input ends before the trailer (truncated?)");
    if (found <= 0) return -1;
    segment_part part;
    stream_record *record = take_value(r, size, e);
    if (!record) return -1;
    bool good = stream_segment_take(&r->segment, stream_reader_input(r), &record->object, &part, e);
    if (!good || part == PART_TRAILER) {
        stream_record_free(record);
        return good ? 0 : -1;
    }
    record->is_error = part == PART_ERROR;
    record->number = r->segment.number;
    record->segment = r->segment.count - 1;
    *out = record;
    return 1;
}

/* ---- Public --------------------------------------------------------------------------------- */

static void find_total(stream_reader *r)
{
    for (size_t i = 0; i < r->inputs.count; i++) {
        struct stat status;
        if (!input_describe(r->inputs.item[i], &status) || !S_ISREG(status.st_mode)) {
            r->total = 0;
            return;
        }
        r->total += status.st_size;
    }
}

static bool copy_inputs(stream_reader *r, const cli_strings *inputs, error *e)
{
    for (size_t i = 0; i < inputs->count; i++) {
        char *copy = strdup(inputs->item[i]);
        if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
        if (cli_strings_add(&r->inputs, copy, e)) continue;
        free(copy);
        return false;
    }
    return true;
}

static stream_reader *reader_new(const cli_strings *inputs, error *e)
{
    stream_reader *r = memory_zeroed(1, sizeof *r, e);
    if (!r) return NULL;
    r->descriptor = -1;
    if (copy_inputs(r, inputs, e)) return r;
    stream_reader_close(r);
    return NULL;
}

/* The reader, its first header read, if the first input is `open`; else closes it. */
static stream_reader *reader_begun(stream_reader *r, bool open, const char *const *kinds, error *e)
{
    if (open && begin_segment(r, e) > 0 &&
        stream_segment_usable(&r->segment, stream_reader_input(r), kinds, e))
        return r;
    stream_reader_close(r);
    return NULL;
}

stream_reader *stream_reader_open(const cli_strings *inputs, const char *const *kinds, error *e)
{
    stream_reader *r = reader_new(inputs, e);
    if (!r) return NULL;
    find_total(r);
    return reader_begun(r, open_input(r, e), kinds, e);
}

stream_reader *stream_reader_open_at(int descriptor, const char *name, const char *const *kinds,
                                     error *e)
{
    stream_reader *r = reader_new(&(cli_strings){&name, 1, 1}, e);
    if (!r) {
        close(descriptor);
        return NULL;
    }
    r->descriptor = descriptor;
    return reader_begun(r, begin_input(r, e), kinds, e);
}

const msgpack_object *stream_reader_header(const stream_reader *r)
{
    return &r->header->object;
}

int stream_reader_next(stream_reader *r, stream_record **out, error *e)
{
    for (;;) {
        if (!r->segment.open) {
            if (r->input == r->inputs.count) return 0;
            int begun = begin_segment(r, e);
            if (begun <= 0) return begun;
        }
        int read = read_record(r, out, e);
        if (read != 0) return read;
    }
}

double stream_reader_share(const stream_reader *r)
{
    return r->total > 0 ? (double)r->done / (double)r->total : 0;
}

void stream_reader_close(stream_reader *r)
{
    if (!r) return;
    close_input(r);
    stream_record_free(r->header);
    stream_segment_free(&r->segment);
    free(r->bytes);
    for (size_t i = 0; i < r->inputs.count; i++) free((char *)r->inputs.item[i]);
    cli_strings_free(&r->inputs);
    free(r);
}

bool stream_looks_like(const unsigned char *head, size_t size)
{
    if (size > 1 && head[0] == 0x89 && head[1] == 'P') return false; /* PNG */
    return size > 0 && ((head[0] & 0xf0) == 0x80 || head[0] == 0xde || head[0] == 0xdf);
}
