/* Plans, vectors, optimisers, schedules and task weights against formulas written out. */
#include "train/lambda.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/vector.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include <cmocka.h>

#include "cli/memory.h"
#include "near.h"

/* Images (trained), a buffer, five token rows of three, a scale. */
static void make_table(parameter_table *t)
{
    error e = {0};
    size_t conv[2] = {37, 1000}, rows[2] = {5, 3}, mean[1] = {4};
    assert_true(parameter_table_add(t, "model.visual.conv1.weight", 2, conv, PARAMETER_PLAIN,
                                    PARAMETER_IMAGE, false, &e));
    assert_true(parameter_table_add(t, "model.visual.bn1.running_mean", 1, mean, PARAMETER_PLAIN,
                                    PARAMETER_IMAGE, true, &e));
    assert_true(parameter_table_add(t, "model.token_embedding.weight", 2, rows, PARAMETER_PLAIN,
                                    PARAMETER_TEXT, false, &e));
    assert_true(parameter_table_add(t, "model.logit_scale", 0, NULL, PARAMETER_PLAIN,
                                    PARAMETER_SCALE, false, &e));
}

static const bool nothing_frozen[PARAMETER_GROUPS];
static const int32_t tokens[] = {1, 4, 1, 3};

typedef struct fixture {
    parameter_table table;
    plan plan;
    float *values, *gradient;
    size_t rows, scale;
} fixture;

static void setup(fixture *f, const bool *frozen, const int32_t *used)
{
    error e = {0};
    f->table = (parameter_table){0};
    make_table(&f->table);
    assert_true(plan_create(&f->plan, &f->table, frozen, used, used ? 4 : 0, &e));
    f->values = vector_create(&f->plan, &e);
    f->gradient = vector_create(&f->plan, &e);
    assert_non_null(f->gradient);
    for (size_t i = 0; i < f->table.total; i++) {
        f->values[i] = (float)sin(0.1 * (double)i);
        f->gradient[i] = (float)cos(0.3 * (double)i);
    }
    f->rows = parameter_table_find(&f->table, "model.token_embedding.weight")->offset;
    f->scale = parameter_table_find(&f->table, "model.logit_scale")->offset;
}

static void teardown(fixture *f)
{
    vector_free(&f->plan, f->values);
    vector_free(&f->plan, f->gradient);
    plan_free(&f->plan);
    parameter_table_free(&f->table);
}

static void plan_divides_the_parameters(void **state)
{
    fixture f;
    setup(&f, nothing_frozen, tokens);
    assert_int_equal(f.plan.trained_total, 37000 + 9 + 1);
    size_t unused = 0;
    for (size_t i = 0; i < f.plan.unused.count; i++) unused += f.plan.unused.item[i].count;
    assert_int_equal(unused, 6);
    assert_int_equal(f.plan.fixed.count, 1);
    teardown(&f);
    setup(&f, nothing_frozen, NULL);
    assert_int_equal(f.plan.trained_total, 37000 + 15 + 1);
    teardown(&f);
    bool frozen[PARAMETER_GROUPS] = {[PARAMETER_TEXT] = true, [PARAMETER_SCALE] = true};
    setup(&f, frozen, tokens);
    assert_int_equal(f.plan.trained_total, 37000);
    assert_int_equal(f.plan.unused.count, 0);
    teardown(&f);
}

static void vectors(void **state)
{
    fixture f;
    setup(&f, nothing_frozen, tokens);
    error e = {0};
    float *out = vector_create(&f.plan, &e);
    double square = 0, rate[PARAMETER_GROUPS] = {0.5, 0.25, 0, 2};
    for (size_t i = 0; i < 37000; i++) square += (double)f.gradient[i] * f.gradient[i];
    for (size_t r = 1; r < 5; r++)
        for (size_t k = 0; k < 3 && r != 2; k++)
            square += (double)f.gradient[f.rows + 3 * r + k] * f.gradient[f.rows + 3 * r + k];
    square += (double)f.gradient[f.scale] * f.gradient[f.scale];
    assert_true(near(vector_norm(&f.plan, f.gradient), sqrt(square), 1e-9));
    vector_descend(&f.plan, out, f.values, f.gradient, rate, 0.1);
    assert_true(near(out[7], f.values[7] - 0.5 * (f.gradient[7] + 0.1 * f.values[7]), 1e-7));
    assert_true(near(out[f.scale],
                     f.values[f.scale] - 2 * (f.gradient[f.scale] + 0.1 * f.values[f.scale]),
                     1e-7));
    assert_true(near(
        out[f.rows + 3],
        f.values[f.rows + 3] - 0.25 * (f.gradient[f.rows + 3] + 0.1 * f.values[f.rows + 3]), 1e-7));
    assert_true(out[f.rows] == 0);              /* row 0 is unused */
    assert_true(out[37008] == f.values[37008]); /* the buffer is copied */
    vector_move(&f.plan, out, f.values, -3, f.gradient);
    assert_true(near(out[36999], f.values[36999] - 3 * f.gradient[36999], 1e-6));
    vector_scale_groups(&f.plan, out, rate);
    assert_true(near(out[36999], 0.5 * (f.values[36999] - 3 * f.gradient[36999]), 1e-6));
    vector_clear(&f.plan, out);
    for (size_t i = 0; i < f.table.total; i++) assert_true(out[i] == 0);
    float *compact = memory_allocate(f.plan.trained_total, sizeof *compact, &e);
    vector_gather(&f.plan, f.gradient, compact);
    vector_scatter(&f.plan, compact, out);
    assert_true(vector_norm(&f.plan, out) == vector_norm(&f.plan, f.gradient));
    assert_true(out[f.scale] == f.gradient[f.scale]);
    free(compact);
    vector_free(&f.plan, out);
    teardown(&f);
}

static void adamw_follows_its_formula(void **state)
{
    fixture f;
    setup(&f, nothing_frozen, tokens);
    error e = {0};
    optimizer o;
    double rate[PARAMETER_GROUPS] = {0.01, 0.02, 0.03, 0.04}, m = 0, v = 0;
    double value = f.values[5], unused = f.values[f.rows], scale = f.values[f.scale];
    assert_true(optimizer_create(&o, OPTIMIZER_ADAMW, &f.plan, 0.1, &e));
    for (int t = 1; t <= 3; t++) {
        double g = 0.5 * f.gradient[5];
        m = 0.9 * m + 0.1 * g;
        v = 0.999 * v + 0.001 * g * g;
        value *= 1 - 0.01 * 0.1;
        value -= 0.01 * (m / (1 - pow(0.9, t))) / (sqrt(v / (1 - pow(0.999, t))) + 1e-8);
        unused *= 1 - 0.02 * 0.1;
        optimizer_update(&o, f.values, f.gradient, 0.5, rate);
    }
    assert_true(near(f.values[5], value, 1e-6));
    assert_true(near(f.values[f.rows], unused, 1e-6));
    assert_true(near(fabs(f.values[f.scale] - scale), 3 * 0.04 + scale * 0.012, 2e-3));
    assert_true(near(f.values[37008], (float)sin(3700.8), 0)); /* a buffer is not trained */
    optimizer_free(&o);
    teardown(&f);
}

static void sgd_follows_its_formula(void **state)
{
    fixture f;
    setup(&f, nothing_frozen, NULL);
    error e = {0};
    optimizer o;
    double rate[PARAMETER_GROUPS] = {0.1, 0.1, 0.1, 0.1}, momentum = 0, value = f.values[11];
    assert_true(optimizer_create(&o, OPTIMIZER_SGD, &f.plan, 0.01, &e));
    for (int t = 1; t <= 3; t++) {
        momentum = 0.9 * momentum + f.gradient[11] + 0.01 * value;
        value -= 0.1 * momentum;
        optimizer_update(&o, f.values, f.gradient, 1, rate);
    }
    assert_true(near(f.values[11], value, 1e-6));
    optimizer_free(&o);
    teardown(&f);
}

static void threads_do_not_change_a_bit(void **state)
{
    double rate[PARAMETER_GROUPS] = {0.1, 0.1, 0.1, 0.1}, norm[2];
    float kept[2][40];
    for (int i = 0; i < 2; i++) {
        fixture f;
        error e = {0};
        optimizer o;
        setup(&f, nothing_frozen, tokens);
        omp_set_num_threads(1 + 2 * i);
        assert_true(optimizer_create(&o, OPTIMIZER_ADAMW, &f.plan, 0.1, &e));
        optimizer_update(&o, f.values, f.gradient, 1, rate);
        norm[i] = vector_norm(&f.plan, f.values);
        memcpy(kept[i], f.values + 36960, sizeof kept[i]);
        optimizer_free(&o);
        teardown(&f);
    }
    assert_true(norm[0] == norm[1]);
    assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
}

static void schedules(void **state)
{
    schedule byepoch = {SCHEDULE_COSINE, .epochs = 20};
    assert_true(schedule_factor(&byepoch, 0, 0) == 1);
    assert_true(schedule_factor(&byepoch, 999, 0) == 1);
    assert_true(near(schedule_factor(&byepoch, 0, 10), 0.5, 1e-12));
    assert_true(near(schedule_factor(&byepoch, 0, 20), 0, 1e-12));
    assert_true(near(schedule_factor(&byepoch, 0, 31), 0, 1e-12)); /* must not rise again */
    schedule bystep = {SCHEDULE_COSINE, .epochs = 20, .steps = 100, .warmup = 10};
    assert_true(near(schedule_factor(&bystep, 0, 0), 0.1, 1e-12));
    assert_true(near(schedule_factor(&bystep, 9, 0), 1, 1e-12));
    assert_true(near(schedule_factor(&bystep, 60, 3), 0.5, 1e-12));
    assert_true(near(schedule_factor(&bystep, 500, 3), 0, 1e-12));
    schedule constant = {SCHEDULE_CONSTANT, .epochs = 20, .warmup = 4};
    assert_true(near(schedule_factor(&constant, 1, 50), 0.5, 1e-12));
    assert_true(near(schedule_factor(&constant, 1000, 50), 1, 0));
    assert_true(near(gradient_clip(10, 5), 0.5, 1e-6));
    assert_true(gradient_clip(10, 0) == 1 && gradient_clip(1, 5) == 1);
}

/* The chain rule: sum of gradient * weights, differentiated by the parameters. */
static void lambda_gradients(void **state)
{
    const double gradient[3] = {0.5, -1.5, 2};
    for (lambda_kind kind = LAMBDA_RAW; kind <= LAMBDA_SOFTMAX; kind++) {
        error e = {0};
        lambda_weights l;
        assert_true(lambda_create(&l, kind, 3, &e));
        for (int i = 0; i < 3; i++) {
            assert_true(near(l.value[i], 1, 1e-12));
            l.parameter[i] += 0.3 * i;
        }
        double numeric[3], step = 1e-6;
        for (int i = 0; i < 3; i++) {
            double sum[2];
            for (int side = 0; side < 2; side++) {
                l.parameter[i] += side ? step : -step;
                lambda_evaluate(&l);
                sum[side] = 0;
                for (int k = 0; k < 3; k++) sum[side] += gradient[k] * l.value[k];
                l.parameter[i] -= side ? step : -step;
            }
            numeric[i] = (sum[1] - sum[0]) / (2 * step);
        }
        double before = l.parameter[0];
        lambda_evaluate(&l);
        lambda_update(&l, gradient, 0.01);
        for (int i = 0; i < 3; i++) assert_true(near(l.parameter_gradient[i], numeric[i], 1e-8));
        /* Adam's first step is as long as the rate, against the gradient. */
        assert_true(near(l.parameter[0] - before, numeric[0] > 0 ? -0.01 : 0.01, 1e-6));
        lambda_update(&l, gradient, 0.01);
        assert_int_equal(l.updates, 2);
        lambda_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_divides_the_parameters),
        cmocka_unit_test(vectors),
        cmocka_unit_test(adamw_follows_its_formula),
        cmocka_unit_test(sgd_follows_its_formula),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(schedules),
        cmocka_unit_test(lambda_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
