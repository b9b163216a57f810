/* The image encoder against a naive twin in double: features, gradients of every tensor and JVPs
   against central differences; bfloat16 near float32; the same bytes for any number of threads. */
#include "cli/random.h"
#include "naive_resnet.h"
#include "nn/threads.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The twin is slow under a sanitizer, where few tensors show what there is to see. */
#ifdef __SANITIZE_ADDRESS__
enum { SPARSENESS = 8 };
#else
enum { SPARSENESS = 1 };
#endif

#define N 4
#define D 10

static const float mean[3] = {0.48f, 0.45f, 0.4f}, std[3] = {0.27f, 0.26f, 0.28f};

typedef struct setting {
    image_encoder_config config;
    parameter_table table;
    image_encoder *encoder;
    float *values;
    double *exact; /* values */
    uint8_t *pixels;
    double *images;
    float weights[N * D]; /* of the features in the function whose gradient is checked */
} setting;

static void values_fill(setting *s)
{
    s->values = calloc(s->table.total, sizeof(float));
    s->exact = calloc(s->table.total, sizeof(double));
    for (size_t i = 0; i < s->table.count; i++) {
        const parameter *p = &s->table.item[i];
        random_state r = random_keyed(1, p->name, 0);
        double scale = p->rank == 4 ? sqrt(2.0 / (double)(p->count / p->shape[0])) : 0.1;
        bool positive = p->rank == 1 && !strstr(p->name, "bias") && !strstr(p->name, "mean");
        for (size_t j = 0; j < p->count; j++)
            s->values[p->offset + j] = (float)(random_normal(&r) * scale + (positive ? 1 : 0));
    }
    for (size_t i = 0; i < s->table.total; i++) s->exact[i] = s->values[i];
}

static void setting_make(setting *s, image_encoder_config config)
{
    error e = {0};
    *s = (setting){.config = config};
    assert_true(image_encoder_parameters(&config, &s->table, &e));
    s->encoder = image_encoder_create(&config, &s->table, N, 2, &e);
    assert_non_null(s->encoder);
    values_fill(s);
    size_t count = (size_t)N * config.size * config.size * 3;
    s->pixels = malloc(count);
    s->images = malloc(count * sizeof(double));
    random_state r = random_keyed(2, "pixels", 0);
    for (size_t i = 0; i < count; i++) {
        s->pixels[i] = (uint8_t)random_below(&r, 256);
        s->images[i] = (s->pixels[i] / 255.0 - mean[i % 3]) / std[i % 3];
    }
    for (int i = 0; i < N * D; i++) s->weights[i] = (float)random_normal(&r);
}

static void setting_free(setting *s)
{
    image_encoder_free(s->encoder);
    parameter_table_free(&s->table);
    free(s->values), free(s->exact), free(s->pixels), free(s->images);
}

static void forward(setting *s, int slot, image_statistics statistics, float *features)
{
    image_encoder_forward(s->encoder, s->values, slot, s->pixels, mean, std, N, statistics,
                          features);
}

static void naive(const setting *s, const double *values, bool train, double *features)
{
    naive_net net = {&s->table, values, train};
    naive_forward(&s->config, &net, s->images, N, features);
}

static void features_assert(const float *got, const double *want, double tolerance,
                            const char *what)
{
    double scale = 0, worst = 0;
    for (int i = 0; i < N * D; i++) {
        scale = fmax(scale, fabs(want[i]));
        worst = fmax(worst, isfinite(got[i]) ? fabs(got[i] - want[i]) : INFINITY);
    }
    if (!(worst <= tolerance * scale)) fail_msg("%s: off by %.3g of %.3g", what, worst, scale);
}

/* Central differences of the features along a direction. */
static void difference(const setting *s, const double *direction, bool train, double *features)
{
    double *moved = malloc(s->table.total * sizeof(double)), sides[2][N * D], step = 1e-7;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < s->table.total; i++)
            moved[i] = s->exact[i] + (side ? step : -step) * direction[i];
        naive(s, moved, train, sides[side]);
    }
    for (int i = 0; i < N * D; i++) features[i] = (sides[1][i] - sides[0][i]) / (2 * step);
    free(moved);
}

/* A direction of noise in one tensor. */
static void direction_fill(const setting *s, const parameter *p, double *direction, float *tangent)
{
    memset(direction, 0, s->table.total * sizeof *direction);
    memset(tangent, 0, s->table.total * sizeof *tangent);
    random_state r = random_keyed(3, p->name, 0);
    for (size_t j = 0; j < p->count; j++)
        direction[p->offset + j] = tangent[p->offset + j] = (float)random_normal(&r);
}

static void derivatives_check(setting *s, int slot, image_statistics statistics, double tolerance,
                              size_t stride)
{
    float *gradient = calloc(s->table.total, sizeof(float)),
          *tangent = malloc(s->table.total * sizeof(float));
    double *direction = malloc(s->table.total * sizeof(double));
    image_encoder_backward(s->encoder, s->values, slot, s->weights, gradient);
    stride *= SPARSENESS;
    for (size_t i = 0; i < s->table.count; i += stride) {
        const parameter *p = &s->table.item[i];
        if (p->buffer) continue;
        double want[N * D], product = 0, right = 0, scale = 1e-6;
        float got[N * D];
        direction_fill(s, p, direction, tangent);
        difference(s, direction, statistics == STATISTICS_TRAIN, want);
        for (int time = 0; time < 2; time++) /* the slot stays valid */
            image_encoder_jvp(s->encoder, s->values, slot, tangent, got);
        features_assert(got, want, tolerance, p->name);
        for (size_t j = 0; j < p->count; j++)
            product += direction[p->offset + j] * gradient[p->offset + j];
        for (int k = 0; k < N * D; k++)
            right += s->weights[k] * want[k], scale += fabs(s->weights[k] * want[k]);
        if (!(fabs(product - right) <= tolerance * scale))
            fail_msg("%s: gradient along a direction %.6g, want %.6g", p->name, product, right);
    }
    free(gradient), free(tangent), free(direction);
}

/* Statistics of few pixels amplify rounding from layer to layer, the more the deeper: `train` is
   the tolerance of derivatives through them; without them it is tight. */
static void config_check(image_encoder_config config, size_t stride, double train)
{
    setting s;
    setting_make(&s, config);
    float got[N * D], folded[N * D];
    double want[N * D];
    forward(&s, 0, STATISTICS_TRAIN, got);
    naive(&s, s.exact, true, want);
    features_assert(got, want, train / 20, "train");
    forward(&s, 1, STATISTICS_FROZEN, got);
    naive(&s, s.exact, false, want);
    features_assert(got, want, 1e-4, "frozen");
    forward(&s, 0, STATISTICS_FOLDED, folded); /* and disturbs no slot */
    features_assert(folded, want, 1e-4, "folded");
    derivatives_check(&s, 0, STATISTICS_TRAIN, train, stride);
    derivatives_check(&s, 1, STATISTICS_FROZEN, 2e-3, stride);
    setting_free(&s);
}

static void test_resnet18(void **state)
{
    config_check((image_encoder_config){.depth = 18, .width = 0.25, .embedding_dim = D, .size = 33},
                 2, 2e-3);
}

static void test_resnet34(void **state)
{
    config_check(
        (image_encoder_config){.depth = 34, .width = 0.125, .embedding_dim = D, .size = 33}, 7,
        1e-2);
}

static void test_resnet50(void **state)
{
    config_check(
        (image_encoder_config){.depth = 50, .width = 0.125, .embedding_dim = D, .size = 64}, 3,
        6e-2);
}

static void test_recompute(void **state)
{
    config_check(
        (image_encoder_config){
            .depth = 50, .width = 0.125, .embedding_dim = D, .size = 64, .recompute = 4},
        9, 6e-2);
    config_check(
        (image_encoder_config){
            .depth = 50, .width = 0.125, .embedding_dim = D, .size = 64, .recompute = 2},
        9, 6e-2);
    config_check(
        (image_encoder_config){
            .depth = 18, .width = 0.125, .embedding_dim = D, .size = 64, .recompute = 4},
        9, 6e-2);
    for (int depth = 18; depth <= 50; depth += 32)
        config_check((image_encoder_config){.depth = depth,
                                            .width = 0.125,
                                            .embedding_dim = D,
                                            .size = 64,
                                            .recompute = 1,
                                            .recompute_end = 3},
                     9, 6e-2);
}

static double cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
    return ab / sqrt(aa * bb);
}

/* bfloat16 rounds at every layer and moves some values over the edge of a ReLU: about the same
 * direction. */
static void test_bf16(void **state)
{
    image_encoder_config config = {.depth = 18, .width = 0.25, .embedding_dim = D, .size = 64};
    setting s[2];
    float features[2][N * D], tangents[2][N * D], *gradient[2];
    for (int i = 0; i < 2; i++) {
        config.precision = i ? IMAGE_BF16 : IMAGE_FLOAT32;
        setting_make(&s[i], config);
        gradient[i] = calloc(s[i].table.total, sizeof(float));
        forward(&s[i], 0, STATISTICS_TRAIN, features[i]);
        image_encoder_backward(s[i].encoder, s[i].values, 0, s[i].weights, gradient[i]);
        image_encoder_jvp(s[i].encoder, s[i].values, 0, gradient[0], tangents[i]);
    }
    assert_true(cosine(features[0], features[1], N * D) > 0.999);
    assert_true(cosine(gradient[0], gradient[1], s[0].table.total) > 0.85);
    assert_true(cosine(tangents[0], tangents[1], N * D) > 0.98);
    forward(&s[0], 0, STATISTICS_FROZEN, features[0]);
    forward(&s[1], 0, STATISTICS_FOLDED, features[1]);
    assert_true(cosine(features[0], features[1], N * D) > 0.999);
    for (int i = 0; i < 2; i++) free(gradient[i]), setting_free(&s[i]);
}

static void threads_check(void)
{
    for (int precision = 0; precision < 2; precision++) {
        image_encoder_config config = {
            .depth = 50, .width = 0.125, .embedding_dim = D, .size = 64, .precision = precision};
        float features[2][N * D], tangents[2][N * D], *gradient[2];
        size_t total = 0;
        for (int i = 0; i < 2; i++) {
            nn_threads_set(i ? 3 : 1);
            setting s;
            setting_make(&s, config);
            total = s.table.total;
            gradient[i] = calloc(total, sizeof(float));
            forward(&s, 0, STATISTICS_TRAIN, features[i]);
            image_encoder_backward(s.encoder, s.values, 0, s.weights, gradient[i]);
            image_encoder_jvp(s.encoder, s.values, 0, gradient[i], tangents[i]);
            setting_free(&s);
        }
        nn_threads_set(2);
        assert_memory_equal(features[0], features[1], sizeof features[0]);
        assert_memory_equal(tangents[0], tangents[1], sizeof tangents[0]);
        assert_memory_equal(gradient[0], gradient[1], total * sizeof(float));
        free(gradient[0]), free(gradient[1]);
    }
}

static void test_threads_give_the_same_bytes(void **state)
{
    threads_check();
    setenv("BLADES_GEMM", "openblas", 1);
    threads_check();
    unsetenv("BLADES_GEMM");
}

static void test_running_statistics(void **state)
{
    setting s;
    setting_make(
        &s, (image_encoder_config){.depth = 18, .width = 0.25, .embedding_dim = D, .size = 33});
    float features[N * D];
    forward(&s, 0, STATISTICS_TRAIN, features);
    image_encoder_update_running(s.encoder, s.values, 0);
    naive_net net = {&s.table, s.exact, true};
    naive_tensor x = {N, s.config.size, 3, s.images},
                 y = naive_convolution(&net, x, "", "conv1.weight", 2);
    size_t means = naive_find(&net, "bn1.", "running_mean")->offset,
           variances = naive_find(&net, "bn1.", "running_var")->offset;
    int pixels = N * y.side * y.side;
    for (int c = 0; c < y.channels; c++) {
        double average = 0, variance = 0;
        for (int p = 0; p < pixels; p++) average += y.x[p * y.channels + c] / pixels;
        for (int p = 0; p < pixels; p++)
            variance += pow(y.x[p * y.channels + c] - average, 2) / (pixels - 1);
        assert_true(fabs(s.values[means + c] - (0.9 * s.exact[means + c] + 0.1 * average)) < 1e-5);
        assert_true(fabs(s.values[variances + c] -
                         (0.9 * s.exact[variances + c] + 0.1 * variance)) < 1e-5 * (1 + variance));
    }
    free(y.x);
    setting_free(&s);
}

static void test_any_size(void **state)
{
    static const int sizes[] = {1, 2, 7, 31, 65, 97};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        setting s;
        setting_make(&s, (image_encoder_config){
                             .depth = 18, .width = 0.25, .embedding_dim = D, .size = sizes[i]});
        float got[N * D];
        double want[N * D];
        forward(&s, 0, STATISTICS_FOLDED, got);
        naive(&s, s.exact, false, want);
        features_assert(got, want, 1e-4, "any size");
        setting_free(&s);
    }
}

static void test_bad_configurations(void **state)
{
    static const image_encoder_config bad[] = {
        {.depth = 19, .width = 1, .embedding_dim = D, .size = 64},
        {.depth = 18, .width = 0, .embedding_dim = D, .size = 64},
        {.depth = 18, .width = 1, .embedding_dim = 0, .size = 64},
        {.depth = 18, .width = 1, .embedding_dim = D, .size = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error e = {0};
        parameter_table t = {0};
        assert_false(image_encoder_parameters(&bad[i], &t, &e));
        assert_int_equal(e.status, STATUS_USAGE);
        assert_null(image_encoder_create(&bad[i], &t, 1, 1, &e));
        parameter_table_free(&t);
    }
}

int main(void)
{
    nn_threads_set(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_resnet34),
        cmocka_unit_test(test_resnet50),
        cmocka_unit_test(test_recompute),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_threads_give_the_same_bytes),
        cmocka_unit_test(test_running_statistics),
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_bad_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
