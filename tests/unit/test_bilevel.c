/* The bi-level step on a toy network whose encoders are defined here: images go through one layer
   with tanh, prompts are rows of a table. What the step computes is compared with finite
   differences of the whole nested function. */
#include "train/bilevel.h"
#include "train/vector.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"

enum { N = 6, PIXELS = 12, D = 4, PROMPTS = 12, TASKS = 4, COARSE = 2 };

/* ---- Encoders, in place of the library's
 * --------------------------------------------------------- */

struct image_encoder {
    size_t weights, running;
    int count[NETWORK_SLOTS];
    float x[NETWORK_SLOTS][N * PIXELS], y[NETWORK_SLOTS][N * D];
    int forwards, jvps;
};
struct text_encoder {
    size_t table;
};

static image_encoder the_image;
static text_encoder the_text;

image_encoder *image_encoder_create(const image_encoder_config *c, const parameter_table *t,
                                    int capacity, int slots, error *e)
{
    the_image = (image_encoder){.weights = parameter_table_find(t, "image.w")->offset,
                                .running = parameter_table_find(t, "image.running")->offset};
    return &the_image;
}

void image_encoder_free(image_encoder *m) {}

void image_encoder_forward(image_encoder *m, const float *values, int slot, const uint8_t *pixels,
                           const float mean[3], const float std[3], int n,
                           image_statistics statistics, float *features)
{
    m->forwards++;
    m->count[slot] = n;
    for (int i = 0; i < n * PIXELS; i++) m->x[slot][i] = (float)pixels[i] / 255.0f - 0.5f;
    for (int i = 0; i < n * D; i++) {
        const float *w = values + m->weights + i % D * PIXELS, *x = m->x[slot] + i / D * PIXELS;
        double sum = 0;
        for (int k = 0; k < PIXELS; k++) sum += (double)w[k] * x[k];
        features[i] = m->y[slot][i] = (float)tanh(sum);
    }
}

void image_encoder_backward(image_encoder *m, const float *values, int slot, const float *dfeatures,
                            float *gradient)
{
    for (int i = 0; i < m->count[slot] * D; i++) {
        float y = m->y[slot][i], slope = (1 - y * y) * dfeatures[i];
        for (int k = 0; k < PIXELS; k++)
            gradient[m->weights + (size_t)(i % D * PIXELS + k)] +=
                slope * m->x[slot][i / D * PIXELS + k];
    }
    gradient[m->running] += 1000; /* what no step may use */
}

void image_encoder_jvp(image_encoder *m, const float *values, int slot, const float *tangent,
                       float *features_tangent)
{
    m->jvps++;
    for (int i = 0; i < m->count[slot] * D; i++) {
        float y = m->y[slot][i];
        double sum = 0;
        for (int k = 0; k < PIXELS; k++)
            sum += (double)tangent[m->weights + (size_t)(i % D * PIXELS + k)] *
                   m->x[slot][i / D * PIXELS + k];
        features_tangent[i] = (float)((1 - y * y) * sum);
    }
}

void image_encoder_update_running(const image_encoder *m, float *values, int slot)
{
    values[m->running] += m->x[slot][0];
}

text_encoder *text_encoder_create(const text_config *config, const parameter_table *table,
                                  const token_sequences *sequences, int slots, error *e)
{
    the_text.table = parameter_table_find(table, "text.table")->offset;
    return &the_text;
}

void text_encoder_free(text_encoder *t) {}

void text_encoder_forward(text_encoder *t, const float *values, int slot, float *features)
{
    memcpy(features, values + t->table, PROMPTS * D * sizeof *features);
}

void text_encoder_backward(text_encoder *t, const float *values, int slot, const float *dfeatures,
                           float *gradient)
{
    for (int i = 0; i < PROMPTS * D; i++) gradient[t->table + (size_t)i] += dfeatures[i];
}

void text_encoder_jvp(text_encoder *t, const float *values, int slot, const float *tangent,
                      float *features_tangent)
{
    memcpy(features_tangent, tangent + t->table, PROMPTS * D * sizeof *features_tangent);
}

size_t model_scale_index(const model *m)
{
    return parameter_table_find(m->table, "model.logit_scale")->offset;
}

/* ---- A small problem
 * ----------------------------------------------------------------------------- */

static task the_tasks[TASKS] = {
    {.name = "iso", .kind = TASK_ORDINAL, .class_count = 3},
    {.name = "make", .kind = TASK_CATEGORICAL, .class_count = 4},
    {.name = "coarse", .kind = TASK_COARSE, .class_count = 2},
    {.name = "fine", .kind = TASK_FINE, .class_count = 3},
};
static const task_list tasks = {.count = TASKS, .task = the_tasks};

static stream_record no_record = {.number = 1};
static uint8_t pixels[2][N * PIXELS];
static float iso[N] = {1, 2, NAN, 3, 3, 0};
static const int32_t make[N] = {3, -1, 0, 1, 2, 1},
                     manipulated[2][N] = {{0, 1, 1, 0, 1, 0}, {1, 1, 0, 0, 0, 1}};
static const uint8_t regions[N * 3] = {0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
static batch_labels labels[2][TASKS];
static batch batches[2];

static void make_batches(void)
{
    for (int split = 0; split < 2; split++) {
        for (int i = 0; i < N * PIXELS; i++)
            pixels[split][i] = (uint8_t)(127 + 120 * sin(2.1 * i + 3 * split + 0.01 * i * i));
        labels[split][0].values = iso;
        labels[split][1].classes = make;
        labels[split][2].classes = manipulated[split];
        labels[split][3].regions = regions;
        batches[split] = (batch){.count = N,
                                 .size = 2,
                                 .pixels = pixels[split],
                                 .labels = labels[split],
                                 .record = &no_record};
    }
}

typedef struct fixture {
    parameter_table table;
    model model;
    plan plan;
    network network;
    optimizer optimizer;
    lambda_weights lambda;
    bilevel bilevel;
} fixture;

static const bilevel_options plain = {.learn = true,
                                      .lambda_rate = 0.01,
                                      .rate = {0.2, 0.2, 0.2, 0.2},
                                      .decay = 0.05,
                                      .schedule = {SCHEDULE_CONSTANT, 20, 0, 0}};

static void setup(fixture *f, const bilevel_options *options, int slots, const bool *frozen)
{
    error e = {0};
    *f = (fixture){0};
    make_batches();
    size_t w[2] = {D, PIXELS}, running[1] = {3}, prompts[2] = {PROMPTS, D};
    parameter_table_add(&f->table, "image.w", 2, w, PARAMETER_PLAIN, PARAMETER_IMAGE, false, &e);
    parameter_table_add(&f->table, "image.running", 1, running, PARAMETER_PLAIN, PARAMETER_IMAGE,
                        true, &e);
    parameter_table_add(&f->table, "text.table", 2, prompts, PARAMETER_PLAIN, PARAMETER_TEXT, false,
                        &e);
    parameter_table_add(&f->table, "model.logit_scale", 0, NULL, PARAMETER_PLAIN, PARAMETER_SCALE,
                        false, &e);
    network_options net = {.slots = slots, .gamma = 2};
    if (frozen) memcpy(net.frozen, frozen, sizeof net.frozen);
    assert_true(plan_create(&f->plan, &f->table, net.frozen, NULL, 0, &e));
    f->model.table = &f->table;
    f->model.config.embedding_dim = D;
    f->model.config.preprocessing.size = 2;
    f->model.values = vector_create(&f->plan, &e);
    for (size_t i = 0; i < f->table.count; i++)
        for (size_t k = 0; k < f->table.item[i].count; k++)
            f->model.values[f->table.item[i].offset + k] = (float)sin(1.7 * (double)k + (double)i);
    f->model.values[model_scale_index(&f->model)] = 1.2f;
    assert_true(network_create(&f->network, &f->model, &tasks, NULL, &net, N, &e));
    assert_true(optimizer_create(&f->optimizer, OPTIMIZER_ADAMW, &f->plan, options->decay, &e));
    assert_true(lambda_create(&f->lambda, LAMBDA_RAW, TASKS, &e));
    assert_true(bilevel_create(&f->bilevel, options, &f->plan, &f->model, &f->network,
                               &f->optimizer, &f->lambda, &e));
}

static void teardown(fixture *f)
{
    bilevel_free(&f->bilevel);
    lambda_free(&f->lambda);
    optimizer_free(&f->optimizer);
    network_free(&f->network);
    vector_free(&f->plan, f->model.values);
    plan_free(&f->plan);
    parameter_table_free(&f->table);
}

static bool step(fixture *f, int64_t number, error *e)
{
    return bilevel_step(&f->bilevel, number, &batches[0], &batches[1], e);
}

/* The validation loss at theta'(lambda): the function whose gradient is wanted. */
static double nested_loss(fixture *f, const double *lambda, const double *rate)
{
    error e = {0};
    float *moved = vector_create(&f->plan, &e);
    network_forward(&f->network, f->model.values, 0, &batches[0]);
    network_backward(&f->network, f->model.values, 0, lambda, moved);
    vector_clear_fixed(&f->plan, moved);
    vector_descend(&f->plan, moved, f->model.values, moved, rate, 0.05);
    network_forward(&f->network, moved, 0, &batches[1]);
    double loss = f->network.pass[0].loss[COARSE];
    vector_free(&f->plan, moved);
    return loss;
}

static void check_hypergradient(const bilevel_options *options, const bool *frozen,
                                double tolerance)
{
    fixture f;
    error e = {0};
    double numeric[TASKS], h = 0.02;
    setup(&f, options, 2, frozen);
    double lambda[TASKS] = {1, 1, 1, 1};
    for (int t = 0; t < TASKS; t++) {
        double side[2];
        for (int s = 0; s < 2; s++) {
            lambda[t] = s ? 1 + h : 1 - h;
            side[s] = nested_loss(&f, lambda, options->rate);
        }
        lambda[t] = 1;
        numeric[t] = (side[1] - side[0]) / (2 * h);
    }
    double expected = nested_loss(&f, lambda, options->rate);
    assert_true(step(&f, 0, &e));
    assert_true(near(f.bilevel.report.validation_loss[COARSE], expected, 1e-12));
    for (int t = 0; t < TASKS; t++)
        assert_true(near(f.bilevel.report.lambda_gradient[t], numeric[t], tolerance));
    teardown(&f);
}

static void hypergradient_is_that_of_the_nested_loss(void **state)
{
    check_hypergradient(&plain, NULL, 2e-5);
}

static void finite_differences_agree(void **state)
{
    bilevel_options options = plain;
    options.hypergradient = HYPERGRADIENT_FD;
    check_hypergradient(&options, NULL, 1e-4);
    options.lag = true;
    check_hypergradient(&options, NULL, 1e-4);
}

static void rates_of_groups_and_frozen_groups(void **state)
{
    bilevel_options options = plain;
    options.rate[PARAMETER_IMAGE] = 0.4;
    options.rate[PARAMETER_TEXT] = 0.1;
    options.rate[PARAMETER_SCALE] = 0;
    check_hypergradient(&options, NULL, 4e-5);
    bool frozen[PARAMETER_GROUPS] = {[PARAMETER_TEXT] = true};
    check_hypergradient(&plain, frozen, 2e-5); /* the prompts still depend on text_fc */
    frozen[PARAMETER_TEXT_FC] = true;
    check_hypergradient(&plain, frozen, 2e-5);
    bool images[PARAMETER_GROUPS] = {[PARAMETER_IMAGE] = true};
    check_hypergradient(&plain, images, 2e-5);
}

/* Three steps under different arrangements of the same work. */
static void run_steps(const bilevel_options *options, int slots, float *values, double *lambda,
                      int *forwards)
{
    fixture f;
    error e = {0};
    setup(&f, options, slots, NULL);
    for (int i = 0; i < 3; i++) assert_true(step(&f, i, &e));
    memcpy(values, f.model.values, f.table.total * sizeof *values);
    memcpy(lambda, f.lambda.value, TASKS * sizeof *lambda);
    *forwards = the_image.forwards;
    teardown(&f);
}

static void slots_change_nothing_but_the_work(void **state)
{
    float one[256], two[256];
    double lambda_one[TASKS], lambda_two[TASKS];
    int forwards;
    run_steps(&plain, 1, one, lambda_one, &forwards);
    assert_int_equal(forwards, 9);
    run_steps(&plain, 2, two, lambda_two, &forwards);
    assert_int_equal(forwards, 6);
    assert_memory_equal(one, two, 112 * sizeof(float));
    assert_memory_equal(lambda_one, lambda_two, sizeof lambda_one);
}

/* With lag the first update is that of the equal weights, whatever was learnt in that step. */
static void lag_uses_the_gradient_of_the_old_weights(void **state)
{
    bilevel_options lag = plain, fixed = plain;
    lag.lag = true;
    fixed.learn = false;
    float *values[2];
    error e = {0};
    fixture f[2];
    for (int i = 0; i < 2; i++) {
        setup(&f[i], i ? &fixed : &lag, 1, NULL);
        assert_true(step(&f[i], 0, &e));
        values[i] = f[i].model.values;
    }
    assert_memory_equal(values[0], values[1], f[0].table.total * sizeof(float));
    assert_true(f[0].lambda.value[0] != 1 && f[1].lambda.value[0] == 1);
    teardown(&f[0]);
    teardown(&f[1]);
}

/* AdamW's first step has the sign of the gradient under the NEW weights: with a huge rate of lambda
 * they turn around. */
static void the_update_uses_the_new_weights(void **state)
{
    bilevel_options options = plain;
    options.lambda_rate = 1000;
    fixture f;
    error e = {0};
    float before[256], gradient[256] = {0};
    setup(&f, &options, 1, NULL);
    memcpy(before, f.model.values, f.table.total * sizeof *before);
    assert_true(step(&f, 0, &e));
    network_forward(&f.network, before, 0, &batches[0]);
    network_backward(&f.network, before, 0, f.lambda.value, gradient);
    for (size_t k = 0; k < D * PIXELS; k++) {
        double moved = f.model.values[k] - before[k] * (1 - 0.2 * 0.05);
        assert_true(near(moved, gradient[k] > 0 ? -0.2 : 0.2, 1e-3));
    }
    assert_true(f.bilevel.report.gradient_norm > 50 * f.bilevel.report.virtual_norm);
    teardown(&f);
}

static void running_statistics_move_once_a_step_with_the_training_batch(void **state)
{
    for (int fd = 0; fd < 2; fd++) {
        for (int slots = 1; slots <= 2; slots++) {
            bilevel_options options = plain;
            options.hypergradient = fd ? HYPERGRADIENT_FD : HYPERGRADIENT_JVP;
            fixture f;
            error e = {0};
            setup(&f, &options, slots, NULL);
            size_t at = the_image.running;
            float before = f.model.values[at], second = f.model.values[at + 1];
            assert_true(step(&f, 0, &e));
            assert_true(near(f.model.values[at] - before, pixels[0][0] / 255.0 - 0.5, 1e-6));
            assert_true(f.model.values[at + 1] == second);
            assert_int_equal(f.model.batches_tracked, 1);
            teardown(&f);
        }
    }
}

static void running_statistics_of_a_frozen_encoder_stay(void **state)
{
    bool frozen[PARAMETER_GROUPS] = {[PARAMETER_IMAGE] = true};
    fixture f;
    error e = {0};
    setup(&f, &plain, 2, frozen);
    float before = f.model.values[the_image.running];
    assert_true(step(&f, 0, &e));
    assert_true(f.model.values[the_image.running] == before);
    assert_int_equal(f.model.batches_tracked, 0);
    teardown(&f);
}

static void what_is_not_finite_is_named(void **state)
{
    fixture f;
    error e = {0};
    setup(&f, &plain, 1, NULL);
    iso[0] = INFINITY; /* no loss: it is compared only */
    assert_true(step(&f, 4, &e));
    iso[0] = 1;
    size_t row = the_text.table + 4 * D; /* a prompt of `make` */
    f.model.values[row] = NAN;
    float before = f.model.values[0];
    assert_false(step(&f, 5, &e));
    assert_int_equal(e.status, STATUS_INTERNAL);
    assert_non_null(strstr(e.text, "step 5"));
    assert_non_null(strstr(e.text, "'make'"));
    assert_true(f.model.values[0] == before);
    teardown(&f);
}

static void a_batch_that_does_not_fit_is_refused(void **state)
{
    fixture f;
    error e = {0};
    setup(&f, &plain, 1, NULL);
    batches[1].size = 3;
    assert_false(step(&f, 0, &e));
    assert_int_equal(e.status, STATUS_DATA);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hypergradient_is_that_of_the_nested_loss),
        cmocka_unit_test(finite_differences_agree),
        cmocka_unit_test(rates_of_groups_and_frozen_groups),
        cmocka_unit_test(slots_change_nothing_but_the_work),
        cmocka_unit_test(lag_uses_the_gradient_of_the_old_weights),
        cmocka_unit_test(the_update_uses_the_new_weights),
        cmocka_unit_test(running_statistics_move_once_a_step_with_the_training_batch),
        cmocka_unit_test(running_statistics_of_a_frozen_encoder_stay),
        cmocka_unit_test(what_is_not_finite_is_named),
        cmocka_unit_test(a_batch_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
