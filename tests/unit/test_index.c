/* The mapped index against the reader of pipes. */
#include "unit.h"

#include "stream/index.h"
#include "stream/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put_record(stream_chunk *k, const char *type, const char *id, size_t pixels)
{
    char *bytes = calloc(pixels + 1, 1);
    record_begin(k, type);
    put_text(k, "id", id);
    if (pixels) put_binary(k, "pixels", bytes, pixels);
    record_end(k);
    free(bytes);
}

static void put_trailer(stream_chunk *k, int records, int errors)
{
    record_begin(k, "trailer");
    put_integer(k, "records", records);
    put_integer(k, "errors", errors);
    record_end(k);
}

static void put_header(stream_chunk *k, const char *kind)
{
    record_begin(k, "header");
    put_integer(k, "blades", 1);
    put_text(k, "kind", kind);
    record_end(k);
}

/* Two segments of three records and an error, then cut to `size` bytes (0: whole). */
static size_t write_stream(char path[], size_t size)
{
    stream_chunk k = {0};
    put_header(&k, "face");
    put_record(&k, "face", "a", 10);
    put_record(&k, "error", "b", 0);
    put_record(&k, "face", "c", 300000);
    put_trailer(&k, 2, 1);
    put_header(&k, "face");
    put_record(&k, "face", "d", 0);
    put_trailer(&k, 1, 0);
    strcpy(path, "/tmp/test_index.XXXXXX");
    int file = mkstemp(path);
    size_t whole = k.bytes.size, cut = size ? size : whole;
    assert_true(file >= 0 && write(file, k.bytes.data, cut) == (ssize_t)cut);
    close(file);
    stream_chunk_free(&k);
    return whole;
}

static void records_are_found_and_found_again(void **state)
{
    static const char *const kinds[] = {"face", NULL};
    char path[64];
    write_stream(path, 0);
    const char *names[] = {path, path};
    cli_strings inputs = {names, 2, 2};
    error e = {0};
    assert_true(stream_index_possible(&inputs));
    stream_index *x = stream_index_open(&inputs, kinds, &e);
    assert_non_null(x);
    assert_true(object_text_is(stream_index_header(x), "kind", "face"));
    stream_place place[8];
    msgpack_object map;
    bool is_error;
    int n = 0, errors = 0, found;
    while ((found = stream_index_next(x, &place[n], &map, &is_error, &e)) > 0) {
        errors += is_error;
        n++;
    }
    assert_int_equal(found, 0);
    assert_int_equal(n, 8);
    assert_int_equal(errors, 2);
    stream_buffer buffer = {0};
    for (int i = 7; i >= 0; i--) {
        const char id[] = {"abcd"[i % 4], 0};
        stream_index_expect(x, place[i]);
        const msgpack_object *record = stream_index_get(x, place[i], &buffer);
        assert_non_null(record);
        assert_true(object_text_is(record, "id", id));
    }
    assert_non_null(stream_index_get(x, place[3], &buffer));
    assert_int_equal(truncate(path, (off_t)place[3].offset + 1), 0);
    assert_null(stream_index_get(x, place[3], &buffer));
    assert_non_null(stream_index_get(x, place[2], &buffer));
    stream_buffer_free(&buffer);
    stream_index_close(x);
    unlink(path);
}

/* The message of reading a file to its end. */
static int read_indexed(const cli_strings *inputs, error *e)
{
    stream_index *x = stream_index_open(inputs, NULL, e);
    stream_place place;
    msgpack_object map;
    bool is_error;
    int found = x ? 1 : -1;
    while (found > 0) found = stream_index_next(x, &place, &map, &is_error, e);
    stream_index_close(x);
    return found;
}

static int read_reader(const cli_strings *inputs, error *e)
{
    stream_reader *r = stream_reader_open(inputs, NULL, e);
    stream_record *record;
    int found = r ? 1 : -1;
    while (found > 0)
        if ((found = stream_reader_next(r, &record, e)) > 0) stream_record_free(record);
    stream_reader_close(r);
    return found;
}

static void a_cut_is_said_as_the_reader_says_it(void **state)
{
    char path[64];
    size_t whole = write_stream(path, 0);
    unlink(path);
    for (size_t size = 1; size<whole; size += size> 400 && size + 400 < whole ? 5003 : 1) {
        write_stream(path, size);
        const char *names[] = {path};
        cli_strings inputs = {names, 1, 1};
        error indexed = {0}, read = {0};
        assert_int_equal(read_indexed(&inputs, &indexed), read_reader(&inputs, &read));
        assert_int_equal(indexed.status, read.status);
        assert_string_equal(indexed.text, read.text);
        unlink(path);
    }
}

static void what_is_no_file_is_refused(void **state)
{
    static const char *const kinds[] = {"photo", "embedding", NULL};
    const char *names[] = {"/dev/null"};
    cli_strings inputs = {names, 1, 1};
    error e = {0};
    assert_false(stream_index_possible(&inputs));
    assert_null(stream_index_open(&inputs, NULL, &e));
    assert_int_equal(e.status, STATUS_DATA);
    names[0] = "/nowhere/at/all";
    e = (error){0};
    assert_null(stream_index_open(&inputs, NULL, &e));
    assert_int_equal(e.status, STATUS_NO_INPUT);
    char path[64];
    write_stream(path, 0);
    names[0] = path;
    e = (error){0};
    assert_null(stream_index_open(&inputs, kinds, &e));
    assert_non_null(strstr(e.text,
                           "a 'face' stream, but a 'photo' or 'embedding' stream is needed: run "
                           "exif-extract or embed"));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_found_and_found_again),
        cmocka_unit_test(a_cut_is_said_as_the_reader_says_it),
        cmocka_unit_test(what_is_no_file_is_refused),
    };
    return RUN_TESTS(tests);
}
