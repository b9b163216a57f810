/* Safetensors files: what is written can be read; what is broken is refused and says why. */
#include "unit.h"

#include "model/safetensors.h"
#include "nn/bf16.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/blades_test_XXXXXX";

static void file_write(const char *header, size_t data)
{
    FILE *file = fopen(path, "wb");
    uint64_t length = strlen(header);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 255), file);
    fputs(header, file);
    for (size_t i = 0; i < data; i++) fputc((int)i, file);
    fclose(file);
}

static void refused(const char *header, size_t data, const char *why)
{
    error e = {0};
    file_write(header, data);
    tensor_file *f = safetensors_open(path, &e);
    if (f || !strstr(e.text, why))
        print_error("%s: '%s', expected '%s'\n", header, f ? "accepted" : e.text, why);
    assert_null(f);
    assert_int_equal(e.status, STATUS_DATA);
    assert_non_null(strstr(e.text, why));
}

static void test_broken_files_are_refused(void **state)
{
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 4, "not JSON");
    refused("[1]", 0, "not a JSON object");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 3,
            "outside the file");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 5,
            "belong to no tensor");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "another shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
            "impossible shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
            "impossible shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}}",
            4, "impossible shape");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
            "dimensions");
    refused("{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
            "unknown type 'C64'");
    refused("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "lacks dtype");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,0]}}", 4,
            "outside the file");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2,5]}}",
            5, "overlaps another");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}",
            5, "follows a gap");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
            "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
            0, "duplicate");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "is not text");
}

static void test_wrong_lengths_are_refused(void **state)
{
    for (int size = 0; size < 12; size++) {
        error e = {0};
        FILE *file = fopen(path, "wb");
        for (int i = 0; i < size; i++) fputc(0xff, file);
        fclose(file);
        assert_null(safetensors_open(path, &e));
        assert_int_equal(e.status, STATUS_DATA);
    }
    error e = {0};
    assert_null(safetensors_open("/tmp/blades/no/such/file", &e));
    assert_int_equal(e.status, STATUS_NO_INPUT);
}

static bool produce(const void *context, void *elements, error *e)
{
    memcpy(elements, context, 3 * sizeof(float));
    return true;
}

static void test_what_is_written_is_read(void **state)
{
    static const float numbers[] = {1.5f, -2, 1e-30f};
    static const int64_t count = -7;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6};
    const safetensors_entry entries[] = {
        {"bytes", TENSOR_U8, 2, {2, 3}, .data = bytes},
        {"scalar", TENSOR_I64, 0, {0}, .data = &count},
        {"numbers", TENSOR_F32, 1, {3}, .produce = produce, .context = numbers},
        {"nothing", TENSOR_F32, 2, {0, 5}, .data = NULL},
    };
    const safetensors_pair pairs[] = {{"b", "caf\303\251 \"\n"}, {"a", ""}};
    error e = {0};
    assert_true(safetensors_write(path, entries, 4, pairs, 2, &e));
    tensor_file *f = tensor_file_open(path, &e);
    assert_non_null(f);
    assert_int_equal(f->count, 4);
    assert_string_equal(tensor_file_metadata(f, "b"), "caf\303\251 \"\n");
    assert_string_equal(tensor_file_metadata(f, "a"), "");
    assert_null(tensor_file_metadata(f, "c"));
    float read[6];
    int64_t whole;
    assert_true(tensor_read_floats(f, tensor_file_find(f, "numbers"), read, &e));
    assert_memory_equal(read, numbers, sizeof numbers);
    assert_true(tensor_read_integers(f, tensor_file_find(f, "scalar"), &whole, &e));
    assert_int_equal(whole, -7);
    assert_true(tensor_read_floats(f, tensor_file_find(f, "bytes"), read, &e));
    assert_true(read[5] == 6);
    assert_false(tensor_read_integers(f, tensor_file_find(f, "numbers"), (int64_t[3]){0}, &e));
    int64_t shape[] = {-1, 3};
    error other = {0};
    float *all = tensor_read_new(f, "bytes", 2, shape, &other);
    assert_non_null(all);
    assert_int_equal(shape[0], 2);
    free(all);
    assert_null(tensor_read_new(f, "bytes", 2, (int64_t[]){3, 3}, &other));
    assert_non_null(strstr(other.text, "is 2x3, but must be 3x3"));
    error third = {0};
    assert_null(tensor_read_new(f, "bytes", 2, (int64_t[]){-1, 4}, &third));
    assert_non_null(strstr(third.text, "is 2x3, but must be anyx4"));
    tensor_file_close(f);
}

static char *contents(size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(4096);
    *size = fread(text, 1, 4096, file);
    fclose(file);
    return text;
}

static void test_bytes_do_not_depend_on_the_order(void **state)
{
    static const float number = 2;
    static const uint8_t byte = 3;
    safetensors_entry a = {"a", TENSOR_U8, 0, {0}, .data = &byte},
                      b = {"b", TENSOR_F32, 0, {0}, .data = &number};
    safetensors_pair x = {"x", "1"}, y = {"y", "2"};
    error e = {0};
    size_t sizes[2];
    assert_true(
        safetensors_write(path, (safetensors_entry[]){a, b}, 2, (safetensors_pair[]){x, y}, 2, &e));
    char *one = contents(&sizes[0]);
    assert_true(
        safetensors_write(path, (safetensors_entry[]){b, a}, 2, (safetensors_pair[]){y, x}, 2, &e));
    char *two = contents(&sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(one, two, sizes[0]);
    assert_int_equal((sizes[0] - 5) % 8, 0); /* the data is aligned */
    free(one);
    free(two);
    assert_false(safetensors_write(path, (safetensors_entry[]){a, a}, 2, NULL, 0, &e));
    assert_int_equal(e.status, STATUS_INTERNAL);
}

static void test_kinds(void **state)
{
    safetensors_pair kind = {"blades_kind", "gmm"};
    error e = {0};
    assert_true(safetensors_write(path, NULL, 0, &kind, 1, &e));
    tensor_file *f = safetensors_open_kind(path, "gmm", &e);
    assert_non_null(f);
    tensor_file_close(f);
    assert_null(safetensors_open_kind(path, "mlp", &e));
    assert_non_null(strstr(e.text, "holds a 'gmm', not a 'mlp'"));
}

static void test_half_precision(void **state)
{
    static const struct {
        uint16_t bits;
        float value;
    } halves[] = {{0x3c00, 1},
                  {0xc000, -2},
                  {0x7bff, 65504},
                  {0x0400, 6.103515625e-5f},
                  {0x0001, 5.9604644775390625e-8f},
                  {0x8000, 0}};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        assert_true(half_to_float(halves[i].bits) == halves[i].value);
    assert_true(half_to_float(0x7c00) > 1e38f);
    assert_true(half_to_float(0x7e00) != half_to_float(0x7e00));
    assert_int_equal(bf16_from_float(1.00390625f), 0x3f80); /* halfway: to even */
    assert_int_equal(bf16_from_float(1.01171875f), 0x3f82);
    assert_true(bf16_to_float(0xbf80) == -1);
}

int main(void)
{
    int file = mkstemp(path);
    if (file >= 0) close(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_files_are_refused),
        cmocka_unit_test(test_wrong_lengths_are_refused),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_bytes_do_not_depend_on_the_order),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_half_precision),
    };
    int failed = RUN_TESTS(tests);
    unlink(path);
    return failed;
}
