/* common/stream: building records, and the scanner against msgpack-c on everything that msgpack can
 * hold. */
#include "unit.h"

#include "cli/random.h"
#include "stream/json.h"
#include "stream/number.h"
#include "stream/reader.h"
#include "stream/record.h"
#include "stream/scan.h"
#include "stream/writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void build_face(stream_chunk *k)
{
    record_begin(k, "face");
    put_text(k, "id", "a#0");
    put_number(k, "iso", 100.5);
    put_integer(k, "n", -3);
    put_boolean(k, "b", true);
    put_binary(k, "pixels", "xyz", 3);
    put_map_begin(k, "exif");
    put_text(k, "make", "Canon");
    put_map_end(k);
    put_array(k, "regions", 2);
    put_text(k, NULL, "mouth");
    put_text(k, NULL, "eye");
    put_text(k, "label", "photographic");
    record_end(k);
    assert_false(k->failed);
    assert_int_equal(k->records, 1);
}

/* The chunk's value at *offset, which moves behind it. */
static void read_built(const stream_chunk *k, size_t *offset, msgpack_unpacked *read)
{
    assert_int_equal(msgpack_unpack_next(read, k->bytes.data, k->bytes.size, offset),
                     MSGPACK_UNPACK_SUCCESS);
}

static void records_read_back_as_built(void **state)
{
    stream_chunk k = {0};
    build_face(&k);
    msgpack_unpacked read;
    msgpack_unpacked_init(&read);
    size_t offset = 0;
    read_built(&k, &offset, &read);
    assert_int_equal(offset, k.bytes.size);
    double number = 0;
    int64_t integer = 0;
    bool boolean = false;
    const void *bytes;
    size_t size;
    assert_true(object_number(&read.data, "iso", &number) && number == 100.5);
    assert_true(object_integer(&read.data, "n", &integer) && integer == -3);
    assert_true(object_boolean(&read.data, "b", &boolean) && boolean);
    assert_true(object_binary(&read.data, "pixels", &bytes, &size) && size == 3 &&
                !memcmp(bytes, "xyz", 3));
    assert_true(object_text_is(object_get(&read.data, "exif"), "make", "Canon"));
    assert_false(object_number(&read.data, "id", &number));
    assert_null(object_get(&read.data, "none"));
    msgpack_unpacked_destroy(&read);
    stream_chunk_free(&k);
}

static void what_is_set_and_unknown_passes_on(void **state)
{
    cli_tool tool = {.name = "test"};
    cli c = {.tool = &tool};
    error e = {0};
    cli_strings_add(&c.sets, "label", &e);
    cli_strings_add(&c.sets, "generated", &e);
    stream_chunk k = {0}, copy = {0};
    build_face(&k);
    msgpack_unpacked read, passed;
    msgpack_unpacked_init(&read);
    msgpack_unpacked_init(&passed);
    size_t offset = 0;
    read_built(&k, &offset, &read);

    record_begin(&copy, "embedding");
    const char *const own[] = {"pixels", "exif", NULL};
    put_rest(&copy, &c, &read.data, own);
    record_end(&copy);
    put_error_record(&copy, &c, "a#0", "why", &read.data);
    assert_int_equal(copy.records, 1);
    assert_int_equal(copy.errors, 1);
    offset = 0;
    read_built(&copy, &offset, &passed);
    assert_true(object_text_is(&passed.data, "type", "embedding"));
    assert_true(object_text_is(&passed.data, "id", "a#0"));
    assert_true(object_text_is(&passed.data, "label", "generated"));
    assert_null(object_get(&passed.data, "pixels"));
    assert_non_null(object_get(&passed.data, "regions"));
    read_built(&copy, &offset, &passed);
    assert_true(object_text_is(&passed.data, "stage", "test"));
    assert_true(object_text_is(&passed.data, "label", "generated"));
    assert_null(object_get(&passed.data, "pixels"));
    assert_null(object_get(&passed.data, "regions"));
    msgpack_unpacked_destroy(&passed);
    msgpack_unpacked_destroy(&read);
    stream_chunk_free(&k);
    stream_chunk_free(&copy);
    cli_strings_free(&c.sets);
}

static void nesting_beyond_the_builder_fails_safely(void **state)
{
    stream_chunk k = {0};
    record_begin(&k, "x");
    for (int i = 0; i < 20; i++) put_map_begin(&k, "m");
    for (int i = 0; i < 20; i++) put_map_end(&k);
    record_end(&k);
    assert_true(k.failed);
    stream_chunk_free(&k);
}

/* A random msgpack value of any form. */
static void put_random(msgpack_packer *p, random_state *r, int depth)
{
    static const char text[70000];
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    size_t size = sizes[random_below(r, 10)];
    switch (random_below(r, depth > 3 ? 8 : 10)) {
    case 0:
        msgpack_pack_nil(p);
        break;
    case 1:
        msgpack_pack_true(p);
        break;
    case 2:
        msgpack_pack_int64(p, (int64_t)random_bits(r) >> random_below(r, 64));
        break;
    case 3:
        msgpack_pack_uint64(p, random_bits(r) >> random_below(r, 64));
        break;
    case 4:
        msgpack_pack_double(p, 1.5);
        break;
    case 5:
        msgpack_pack_bin(p, size);
        msgpack_pack_bin_body(p, text, size);
        break;
    case 6:
        msgpack_pack_str(p, size);
        msgpack_pack_str_body(p, text, size);
        break;
    case 7:
        msgpack_pack_ext(p, size % 300, 1);
        msgpack_pack_ext_body(p, text, size % 300);
        break;
    case 8:
        msgpack_pack_array(p, size = random_below(r, 20));
        for (size_t i = 0; i < size; i++) put_random(p, r, depth + 1);
        break;
    default:
        msgpack_pack_map(p, size = random_below(r, 20));
        for (size_t i = 0; i < 2 * size; i++) put_random(p, r, depth + 1);
    }
}

static void scanner_agrees_with_msgpack(void **state)
{
    for (uint64_t round = 0; round < 300; round++) {
        random_state r = random_keyed(5, "scan", round);
        msgpack_sbuffer b;
        msgpack_packer p;
        msgpack_sbuffer_init(&b);
        msgpack_packer_init(&p, &b, msgpack_sbuffer_write);
        put_random(&p, &r, 0);
        size_t whole = b.size;
        msgpack_pack_nil(&p); /* something after it */
        stream_scan once = {0}, resumed = {0};
        assert_int_equal(stream_scan_value(&once, (unsigned char *)b.data, b.size), SCAN_DONE);
        assert_int_equal(once.position, whole);
        for (size_t given = 0; given < whole; given += 1 + random_below(&r, 1 + whole / 50))
            assert_int_equal(stream_scan_value(&resumed, (unsigned char *)b.data, given),
                             SCAN_MORE);
        assert_int_equal(stream_scan_value(&resumed, (unsigned char *)b.data, b.size), SCAN_DONE);
        assert_int_equal(resumed.position, whole);
        msgpack_sbuffer_destroy(&b);
    }
}

static void scanner_refuses_what_is_too_much(void **state)
{
    unsigned char deep[100], never[] = {0xc1}, large[] = {0xc6, 0xff, 0xff, 0xff, 0xff},
                             many[] = {0xdd, 0x7f, 0xff, 0xff, 0xff},
                             map[] = {0xdf, 0xff, 0xff, 0xff, 0xff};
    memset(deep, 0x91, sizeof deep);
    const struct {
        const unsigned char *bytes;
        size_t size;
        scan_result result;
    } cases[] = {{deep, sizeof deep, SCAN_LIMIT},
                 {never, sizeof never, SCAN_INVALID},
                 {large, sizeof large, SCAN_LIMIT},
                 {many, sizeof many, SCAN_LIMIT},
                 {map, sizeof map, SCAN_LIMIT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stream_scan s = {0};
        assert_int_equal(stream_scan_value(&s, cases[i].bytes, cases[i].size), cases[i].result);
    }
}

static void numbers_are_short_and_texts_untouched(void **state)
{
    static const char text[] =
        "{\"1e-5 \\\" "
        "0.012500000000000001\":[1e-5,0.0125,-0.30000000000000004,1.0,12345678901234567,"
        "1e300,2.5e-7],\"\\\\\":0.1}";
    json_t *json = json_loads(text, 0, NULL);
    char *printed = number_json_dumps(json, JSON_COMPACT);
    assert_string_equal(printed, text);
    free(printed);
    json_decref(json);
    assert_null(number_json_dumps(NULL, 0));

    random_state r = random_keyed(1, "numbers", 0);
    for (int i = 0; i < 100000; i++) {
        char shortest[NUMBER_TEXT_SIZE];
        uint64_t bits = random_bits(&r);
        double number;
        memcpy(&number, &bits, sizeof number);
        if (number - number != 0) continue; /* infinite, or none */
        number_text(number, shortest);
        assert_true(strtod(shortest, NULL) == number);
    }
}

static void reasons_lose_the_name_they_begin_with(void **state)
{
    assert_string_equal(error_reason("a.jpg", "a.jpg: bad"), "bad");
    assert_string_equal(error_reason("a.jpg#0", "a.jpg: bad"), "bad");
    assert_string_equal(error_reason("a#b.jpg#0", "a#b.jpg: bad"), "bad");
    assert_string_equal(error_reason("-", "standard input: bad"), "bad");
    assert_string_equal(error_reason("7", "photos/7.jpg: bad"), "photos/7.jpg: bad");
    assert_string_equal(error_reason("a", "a.jpg: bad"), "a.jpg: bad");
    assert_string_equal(error_reason("", ": bad"), ": bad");
}

/* Arrays in arrays, `levels` deep with the record itself. */
static void put_nested(stream_chunk *k, int levels)
{
    record_begin(k, "x");
    put_text(k, "id", "a.jpg");
    put_array(k, "deep", 1);
    for (int i = 2; i < levels; i++) put_array(k, NULL, i + 1 < levels);
    record_end(k);
}

static void writer_refuses_what_readers_refuse(void **state)
{
    static const cli_tool tool = {.name = "test"};
    cli c = {.tool = &tool, .output = "/dev/null"};
    stream_writer w;
    stream_chunk k = {0};
    error e = {0};
    assert_true(stream_writer_open(&w, &c, "x", &e));
    stream_writer_header_begin(&w, NULL);
    assert_true(stream_writer_header_end(&w, &e));
    put_nested(&k, SCAN_DEPTH_MAX);
    assert_true(stream_writer_put(&w, &k, &e));
    put_nested(&k, SCAN_DEPTH_MAX - 1);
    put_nested(&k, SCAN_DEPTH_MAX + 2);
    assert_false(stream_writer_put(&w, &k, &e));
    assert_int_equal(e.status, STATUS_DATA);
    assert_non_null(strstr(e.text, "record 'a.jpg' is over what readers take"));
    assert_false(stream_writer_close(&w, &e));
    stream_chunk_free(&k);
}

/* A thread that reads ahead may outlive the list of inputs. */
static void reader_keeps_its_inputs(void **state)
{
    static const char empty[] = "\203\244type\246header\246blades\001\244kind\251embedding"
                                "\203\244type\247trailer\247records\000\246errors\000";
    char path[] = "/tmp/blades_test_XXXXXX", given[sizeof path];
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, empty, sizeof empty - 1) == sizeof empty - 1);
    close(file);
    error e = {0};
    cli_strings inputs = {0};
    assert_true(cli_strings_add(&inputs, path, &e) &&
                cli_strings_add(&inputs, strcpy(given, path), &e));
    stream_reader *r = stream_reader_open(&inputs, NULL, &e);
    assert_non_null(r);
    strcpy(given, "?");
    cli_strings_free(&inputs);
    stream_record *record;
    assert_int_equal(stream_reader_next(r, &record, &e), 0);
    assert_string_equal(stream_reader_input(r), path);
    stream_reader_close(r);
    unlink(path);
}

static void of_equal_keys_the_first_is_printed(void **state)
{
    static const char twice[] = "\x82\xa1x\x01\xa1x\x02";
    msgpack_unpacked read;
    msgpack_unpacked_init(&read);
    assert_int_equal(msgpack_unpack_next(&read, twice, sizeof twice - 1, NULL),
                     MSGPACK_UNPACK_SUCCESS);
    json_t *json = json_from_object(&read.data);
    int64_t value = 0;
    assert_true(object_integer(&read.data, "x", &value));
    assert_int_equal(value, 1);
    assert_int_equal(json_integer_value(json_object_get(json, "x")), 1);
    json_decref(json);
    msgpack_unpacked_destroy(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_read_back_as_built),
        cmocka_unit_test(what_is_set_and_unknown_passes_on),
        cmocka_unit_test(nesting_beyond_the_builder_fails_safely),
        cmocka_unit_test(scanner_agrees_with_msgpack),
        cmocka_unit_test(scanner_refuses_what_is_too_much),
        cmocka_unit_test(numbers_are_short_and_texts_untouched),
        cmocka_unit_test(reasons_lose_the_name_they_begin_with),
        cmocka_unit_test(writer_refuses_what_readers_refuse),
        cmocka_unit_test(reader_keeps_its_inputs),
        cmocka_unit_test(of_equal_keys_the_first_is_printed),
    };
    return RUN_TESTS(tests);
}
