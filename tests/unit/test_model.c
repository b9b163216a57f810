/* Models: made from a seed, written, read again; the text transformer's trie, derivatives and
 * threads. */
#include "unit.h"

#include "model/model.h"
#include "model/trie.h"
#include "near.h"
#include "nn/threads.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/blades_test_XXXXXX";
static const char *const prompts[] = {"a photo of a red face", "a photo of a blue face", "a photo",
                                      "a photo of a red"};

static model *small_model(uint64_t seed)
{
    model_config c = model_config_default();
    error e = {0};
    c.depth = 18;
    c.width = 0.125;
    c.embedding_dim = 16;
    c.preprocessing.size = 32;
    c.text = (text_config){.layers = 2, .width = 24, .heads = 2, .context = 12, .output_dim = 20};
    model *m = model_create(&c, tokenizer_from_texts(prompts, 4, &e), seed, &e);
    if (!m) print_error("%s\n", e.text);
    assert_non_null(m);
    return m;
}

static void test_values_depend_on_the_seed_alone(void **state)
{
    nn_threads_set(1);
    model *a = small_model(1), *c = small_model(2);
    nn_threads_set(3);
    model *b = small_model(1);
    assert_memory_equal(a->values, b->values, a->table->total * sizeof *a->values);
    assert_int_not_equal(memcmp(a->values, c->values, a->table->total * sizeof *a->values), 0);
    assert_true(near(a->values[model_scale_index(a)], log(1 / 0.07), 1e-6));
    char one[17], two[17];
    model_digest(a, one);
    model_digest(b, two);
    assert_string_equal(one, two);
    model_digest(c, two);
    assert_string_not_equal(one, two);
    model_free(a);
    model_free(b);
    model_free(c);
}

/* CLIP's initialize_parameters (width 24, 2 layers), PyTorch's linear layers, torchvision's
   convolutions: standard deviations, seen on some hundred values or more. */
static void test_values_spread_as_published(void **state)
{
    static const struct {
        const char *name;
        double spread;
    } expected[] = {
        {"model.token_embedding.weight", 0.02},
        {"model.positional_embedding", 0.01},
        {"model.text_projection", 0.2041}, /* 24^-1/2 */
        {"model.transformer.resblocks.0.attn.in_proj_weight", 0.2041},
        {"model.transformer.resblocks.1.attn.out_proj.weight", 0.1021}, /* (24 * 2 * 2)^-1/2 */
        {"model.transformer.resblocks.1.mlp.c_fc.weight", 0.1443},      /* (2 * 24)^-1/2 */
        {"model.transformer.resblocks.0.mlp.c_proj.weight", 0.1021},
        {"model.text_fc.weight", 0.1291},               /* uniform in +-20^-1/2 */
        {"model.visual.fc.weight", 0.0722},             /* uniform in +-64^-1/2 */
        {"model.visual.layer4.1.conv2.weight", 0.0589}, /* (2 / (64 * 9))^1/2 */
    };
    model *m = small_model(6);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const parameter *p = parameter_table_find(m->table, expected[i].name);
        assert_non_null(p);
        double squares = 0;
        for (size_t k = 0; k < p->count; k++) {
            double value = (double)m->values[p->offset + k];
            squares += value * value;
        }
        double spread = sqrt(squares / (double)p->count);
        if (!near(spread, expected[i].spread,
                  4 * expected[i].spread / sqrt(2.0 * (double)p->count)))
            fail_msg("%s: %g, not %g", p->name, spread, expected[i].spread);
    }
    model_free(m);
}

static void test_a_model_is_read_as_it_was_written(void **state)
{
    model *m = small_model(3);
    m->tasks = strdup("[{\"name\":\"coarse\"}]");
    m->batches_tracked = 5;
    const float extra = 7;
    safetensors_entry entry = {.name = "optimizer.step", .type = TENSOR_F32, .data = &extra};
    safetensors_pair pair = {"step", "12"};
    error e = {0};
    assert_true(model_write(m, path, "checkpoint", &entry, 1, &pair, 1, &e));
    tensor_file *file = tensor_file_open(path, &e);
    assert_non_null(file);
    model *again = model_from_file(file, &e);
    assert_non_null(again);
    assert_memory_equal(m->values, again->values, m->table->total * sizeof *m->values);
    assert_string_equal(again->tasks, m->tasks);
    assert_string_equal(tokenizer_text(again->words), tokenizer_text(m->words));
    assert_int_equal(again->batches_tracked, 5);
    assert_int_equal(again->config.text.heads, 2);
    assert_true(near(again->config.width, 0.125, 0));
    assert_int_equal(again->config.preprocessing.size, 32);
    assert_string_equal(tensor_file_metadata(file, "step"), "12");
    assert_non_null(tensor_file_find(file, "optimizer.step"));
    tensor_file_close(file);
    model_free(again);
    model_free(m);
}

static void test_wrong_configurations_are_refused(void **state)
{
    model_config c = model_config_default();
    error e = {0};
    assert_true(model_config_check(&c, &e));
    c.depth = 101;
    assert_false(model_config_check(&c, &e));
    assert_int_equal(e.status, STATUS_USAGE);
    c = model_config_default();
    c.text.heads = 7;
    e = (error){0};
    assert_false(model_config_check(&c, &e));
    assert_int_equal(text_heads_default(512), 8);
    assert_int_equal(text_heads_default(40), 1);
    assert_int_equal(text_heads_default(65), 1);
}

static void test_initialise_reports(void **state)
{
    model *m = small_model(4), *other = small_model(5);
    error e = {0};
    model_report r;
    assert_true(model_write(m, path, "model", NULL, 0, NULL, 0, &e));
    tensor_file *file = tensor_file_open(path, &e);
    assert_non_null(file);
    assert_true(model_initialise(other, file, &r, &e));
    tensor_file_close(file);
    assert_int_equal(r.found_count, m->table->count);
    assert_int_equal(r.missing_count, 0);
    assert_int_equal(r.unused_count, 0);
    assert_memory_equal(m->values, other->values, m->table->total * sizeof *m->values);
    model_report_free(&r);
    model_free(m);
    model_free(other);
}

static void test_the_trie_shares_beginnings(void **state)
{
    const int32_t ids[] = {5, 1, 2, 9, 5, 1, 9, 5, 1, 2, 9, 4}, start[] = {0, 4, 7, 11, 12};
    error e = {0};
    trie t;
    assert_true(trie_build(&t, ids, start, 4, &e));
    assert_int_equal(t.nodes, 6);
    assert_memory_equal(t.last, ((int32_t[]){3, 4, 3, 5}), 4 * sizeof *t.last);
    assert_memory_equal(t.position, ((int32_t[]){0, 1, 2, 3, 2, 0}), 6 * sizeof *t.position);
    assert_memory_equal(t.path + t.start[4], ((int32_t[]){0, 1, 4}), 3 * sizeof *t.path);
    trie_free(&t);
}

/* Features of prompt i must not depend on the others. */
static void test_prompts_do_not_influence_each_other(void **state)
{
    model *m = small_model(6);
    error e = {0};
    float all[4 * 16], one[16];
    token_sequences s;
    assert_true(model_encode_prompts(m, prompts, 4, &s, &e));
    text_encoder *t = text_encoder_create(&m->config.text, m->table, &s, 1, &e);
    text_encoder_forward(t, m->values, 0, all);
    assert_true(text_encoder_nodes(t) < s.start[4]);
    text_encoder_free(t);
    token_sequences_free(&s);
    for (int i = 0; i < 4; i++) {
        assert_true(model_encode_prompts(m, prompts + i, 1, &s, &e));
        t = text_encoder_create(&m->config.text, m->table, &s, 0, &e);
        text_encoder_forward(t, m->values, 0, one);
        for (int j = 0; j < 16; j++) assert_true(near(one[j], all[i * 16 + j], 2e-6));
        text_encoder_free(t);
        token_sequences_free(&s);
    }
    model_free(m);
}

/* <dfeatures, jvp(tangent)> = <gradient, tangent>, and the same bytes for any number of threads. */
static void backward_and_jvp_check(void)
{
    model *m = small_model(7), *tangent = small_model(8);
    size_t total = m->table->total;
    float *gradient[2], features[64], jvp[2][64];
    error e = {0};
    for (int run = 0; run < 2; run++) {
        nn_threads_set(1 + 2 * run);
        token_sequences s;
        assert_true(model_encode_prompts(m, prompts, 4, &s, &e));
        text_encoder *t = text_encoder_create(&m->config.text, m->table, &s, 1, &e);
        gradient[run] = calloc(total, sizeof **gradient);
        text_encoder_forward(t, m->values, 0, features);
        text_encoder_backward(t, m->values, 0, features, gradient[run]);
        text_encoder_jvp(t, m->values, 0, tangent->values, jvp[run]);
        text_encoder_free(t);
        token_sequences_free(&s);
    }
    double left = 0, right = 0;
    for (int i = 0; i < 64; i++) left += (double)features[i] * jvp[0][i];
    for (size_t i = 0; i < total; i++) right += (double)gradient[0][i] * tangent->values[i];
    assert_true(near(left, right, 1e-5 * fabs(left)));
    assert_memory_equal(gradient[0], gradient[1], total * sizeof **gradient);
    assert_memory_equal(jvp[0], jvp[1], sizeof jvp[0]);
    free(gradient[0]);
    free(gradient[1]);
    model_free(m);
    model_free(tangent);
}

static void test_backward_and_jvp_agree(void **state)
{
    backward_and_jvp_check();
    setenv("BLADES_GEMM", "openblas", 1);
    backward_and_jvp_check();
    unsetenv("BLADES_GEMM");
}

int main(void)
{
    int file = mkstemp(path);
    if (file >= 0) close(file);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_depend_on_the_seed_alone),
        cmocka_unit_test(test_values_spread_as_published),
        cmocka_unit_test(test_a_model_is_read_as_it_was_written),
        cmocka_unit_test(test_wrong_configurations_are_refused),
        cmocka_unit_test(test_initialise_reports),
        cmocka_unit_test(test_the_trie_shares_beginnings),
        cmocka_unit_test(test_prompts_do_not_influence_each_other),
        cmocka_unit_test(test_backward_and_jvp_agree),
    };
    int failed = RUN_TESTS(tests);
    unlink(path);
    return failed;
}
