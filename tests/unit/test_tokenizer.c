/* Tokenizers: word vocabularies, byte pairs of a small file, cleaning; and all of CLIP's where its
 * files are present. */
#include "unit.h"

#include "model/text_words.h"
#include "model/tokenizer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void words_are(const char *text, const char *const *expected)
{
    text_words w;
    error e = {0};
    assert_true(text_words_split(&w, text, &e));
    int i = 0;
    for (; expected[i] && i < w.count; i++) {
        size_t length = w.start[i + 1] - w.start[i];
        if (length != strlen(expected[i]) ||
            memcmp(expected[i], w.bytes + w.start[i], length) != 0) {
            fail_msg("word %d of \"%s\" is '%.*s', not '%s'", i, text, (int)length,
                     w.bytes + w.start[i], expected[i]);
        }
    }
    assert_null(expected[i]);
    assert_int_equal(i, w.count);
    text_words_free(&w);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_texts_are_split_as_clip_does(void **state)
{
    words_are("A photo\tof  Z\303\234RICH ", WORDS("a", "photo", "of", "z\303\274rich"));
    words_are("don't we'll 'S", WORDS("don", "'t", "we", "'ll", "'s"));
    words_are("f/2.8 1/60s a_b x--y", WORDS("f", "/", "2", ".", "8", "1", "/", "6", "0", "s", "a",
                                            "_", "b", "x", "--", "y"));
    words_are("&amp;amp; &lt;b&#233;&#xe9;&bogus;",
              WORDS("&", "<", "b\303\251\303\251", "&", "bogus", ";"));
    words_are("\342\200\230hi\342\200\231 \357\274\241\357\274\242 \357\254\201t",
              WORDS("'", "hi", "'", "ab", "fit"));
    words_are("\346\227\245\346\234\254 \320\226\316\243",
              WORDS("\346\227\245\346\234\254", "\320\266\317\202"));
    words_are("<|startoftext|>x", WORDS("<|startoftext|>", "x"));
    words_are("a\377\300\200b", WORDS("a", "\357\277\275\357\277\275\357\277\275", "b"));
    words_are(" \t\n", WORDS(NULL));
}

static void test_words_get_sorted_ids(void **state)
{
    const char *texts[] = {"the red face", "The blue face!"};
    error e = {0};
    tokenizer *t = tokenizer_from_texts(texts, 2, &e);
    assert_non_null(t);
    assert_string_equal(tokenizer_text(t), "!\nblue\nface\nred\nthe\n");
    assert_int_equal(tokenizer_size(t), 8);
    int32_t *ids;
    assert_int_equal(tokenizer_encode(t, "the green face", &ids, &e), 5);
    assert_memory_equal(ids, ((int32_t[]){6, 4, 5, 2, 7}), 5 * sizeof *ids);
    free(ids);
    tokenizer *again = tokenizer_parse(tokenizer_kind(t), tokenizer_text(t), &e);
    assert_int_equal(tokenizer_encode(again, "!", &ids, &e), 3);
    assert_memory_equal(ids, ((int32_t[]){6, 0, 7}), 3 * sizeof *ids);
    free(ids);
    tokenizer_free(t);
    tokenizer_free(again);
    assert_null(tokenizer_parse("words", "b\na\n", &e));
    assert_null(tokenizer_parse("other", "", &e));
}

static void test_pairs_are_merged_in_the_order_of_the_list(void **state)
{
    char path[] = "/tmp/blades_test_XXXXXX";
    int file = mkstemp(path);
    static const char merges[] = "\"#version: 0.2\nl o\nlo w</w>\ne r</w>\n";
    assert_int_equal(write(file, merges, strlen(merges)), strlen(merges));
    close(file);
    error e = {0};
    tokenizer *t = tokenizer_read_merges(path, &e);
    unlink(path);
    assert_non_null(t);
    assert_int_equal(tokenizer_size(t), 512 + 3 + 2);
    int32_t *ids;
    assert_int_equal(tokenizer_encode(t, "low er", &ids, &e), 4);
    assert_memory_equal(ids, ((int32_t[]){515, 513, 514, 516}), 4 * sizeof *ids);
    free(ids);
    assert_int_equal(tokenizer_encode(t, "lower", &ids, &e), 5); /* lo w er */
    assert_memory_equal(ids, ((int32_t[]){515, 512, 'w' - '!', 514, 516}), 5 * sizeof *ids);
    free(ids);
    tokenizer_free(t);
    assert_null(tokenizer_parse("clip-bpe", "l o\nl o\n", &e));
    e = (error){0};
    assert_null(tokenizer_parse("clip-bpe", "zz o\n", &e));
    assert_int_equal(e.status, STATUS_DATA);
}

static void test_texts_are_bounded(void **state)
{
    char *text = malloc(TOKENIZER_TEXT_LIMIT + 2);
    memset(text, 'a', TOKENIZER_TEXT_LIMIT + 1);
    text[TOKENIZER_TEXT_LIMIT + 1] = 0;
    error e = {0};
    tokenizer *t = tokenizer_parse("clip-bpe", "a a\n", &e);
    int32_t *ids;
    assert_int_equal(tokenizer_encode(t, text, &ids, &e), -1);
    assert_int_equal(e.status, STATUS_DATA);
    text[TOKENIZER_TEXT_LIMIT] = 0;
    e = (error){0};
    assert_int_equal(tokenizer_encode(t, text, &ids, &e), TOKENIZER_TEXT_LIMIT / 2 + 3);
    free(ids);
    free(text);
    tokenizer_free(t);
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void test_a_compressed_list_cut_anywhere_is_refused(void **state)
{
    char path[] = "/tmp/blades_test_XXXXXX";
    unsigned char bytes[1000];
    close(mkstemp(path));
    gzFile packed = gzopen(path, "wb");
    for (char c = 'b'; c < 'p'; c++) gzprintf(packed, "a %c\n", c);
    assert_int_equal(gzclose(packed), Z_OK);
    FILE *file = fopen(path, "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_in_range(size, 20, sizeof bytes - 1);
    for (size_t kept = 1; kept <= size; kept++) {
        error e = {0};
        write_bytes(path, bytes, kept);
        tokenizer *t = tokenizer_read_merges(path, &e);
        assert_int_equal(e.status, kept < size ? STATUS_DATA : 0);
        assert_int_equal(t != NULL, kept == size);
        tokenizer_free(t);
    }
    unlink(path);
}

static void test_ids_are_those_of_clip(void **state)
{
    const char *data = getenv("BLADES_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/clip/bpe_simple_vocab_16e6.txt.gz",
             data && *data ? data : "../shared/data");
    if (access(path, R_OK) != 0) {
        print_message("no CLIP vocabulary here: skipped\n");
        skip();
    }
    error e = {0};
    tokenizer *t = tokenizer_read_merges(path, &e);
    assert_non_null(t);
    assert_int_equal(tokenizer_size(t), 49408);
    strcpy(strrchr(path, '/'), "/expected_tokens.jsonl");
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    int texts = 0;
    for (; file && getline(&line, &capacity, file) > 0; texts++) {
        json_t *json = json_loads(line, 0, NULL), *expected = json_object_get(json, "ids");
        int32_t *ids;
        int count = tokenizer_encode(t, json_string_value(json_object_get(json, "text")), &ids, &e);
        assert_int_equal(count, json_array_size(expected));
        for (int i = 0; i < count; i++)
            assert_int_equal(ids[i], json_integer_value(json_array_get(expected, (size_t)i)));
        free(ids);
        json_decref(json);
    }
    assert_true(texts > 0);
    free(line);
    fclose(file);
    tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_split_as_clip_does),
        cmocka_unit_test(test_words_get_sorted_ids),
        cmocka_unit_test(test_pairs_are_merged_in_the_order_of_the_list),
        cmocka_unit_test(test_texts_are_bounded),
        cmocka_unit_test(test_a_compressed_list_cut_anywhere_is_refused),
        cmocka_unit_test(test_ids_are_those_of_clip),
    };
    return RUN_TESTS(tests);
}
