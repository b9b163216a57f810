/* Losses against direct formulas and central differences. */
#include "train/losses.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"

enum { N = 7, STRIDE = 9, FIRST = 2, CELLS = N * STRIDE };

typedef enum loss_name { COARSE, CATEGORICAL, PLAIN_GAMMA, ORDINAL, THURSTONE, FINE } loss_name;

static const int32_t classes[N] = {0, 1, LOSS_CLASS_MISSING, 1, 0, 0, 1};
static const int32_t brands[N] = {3, 0, 1, LOSS_CLASS_MISSING, 2, 2, 0};
static const float speeds[N] = {100, 400, NAN, 400, 1600, NAN, 50};
static const uint8_t regions[N * 3] = {0,   0, 0, 1, 1, 1, 1, 0, 255, 255, 255,
                                       255, 0, 1, 0, 0, 0, 1, 1, 1,   0};

static int width_of(loss_name name)
{
    return name == COARSE ? 2 : name == CATEGORICAL || name == PLAIN_GAMMA ? 4 : 3;
}

static double evaluate(loss_name name, const double *z, double *dz, int64_t *labelled)
{
    double scratch[2 * N];
    switch (name) {
    case COARSE:
        return loss_coarse(z, N, STRIDE, 2, classes, dz, labelled);
    case CATEGORICAL:
        return loss_categorical(z, N, STRIDE, 4, brands, 2, dz, labelled);
    case PLAIN_GAMMA:
        return loss_categorical(z, N, STRIDE, 4, brands, 0.5, dz, labelled);
    case ORDINAL:
        return loss_ordinal(z, N, STRIDE, 3, speeds, false, dz, scratch, labelled);
    case THURSTONE:
        return loss_ordinal(z, N, STRIDE, 3, speeds, true, dz, scratch, labelled);
    case FINE:
        break;
    }
    return loss_fine(z, N, STRIDE, 3, regions, dz, labelled);
}

static void fill(double *z, int seed)
{
    for (int i = 0; i < CELLS; i++) z[i] = 2 * sin(1 + 0.7 * i + seed) + 0.3 * cos(5.1 * i);
}

static void gradients_match_central_differences(void **state)
{
    for (loss_name name = COARSE; name <= FINE; name++) {
        double z[CELLS], dz[CELLS], unused[CELLS], step = 1e-6;
        int64_t labelled;
        fill(z, (int)name);
        for (int i = 0; i < CELLS; i++) dz[i] = 77;
        evaluate(name, z + FIRST, dz + FIRST, &labelled);
        assert_true(labelled > 0);
        for (int i = 0; i < CELLS; i++) {
            int column = i % STRIDE - FIRST;
            if (column < 0 || column >= width_of(name)) {
                assert_true(dz[i] == 77); /* other tasks' columns stay as they are */
                continue;
            }
            double kept = z[i];
            z[i] = kept + step;
            double above = evaluate(name, z + FIRST, unused + FIRST, &labelled);
            z[i] = kept - step;
            double below = evaluate(name, z + FIRST, unused + FIRST, &labelled);
            z[i] = kept;
            assert_true(near(dz[i], (above - below) / (2 * step), 2e-9));
        }
    }
}

static void derivative_along_a_direction(void **state)
{
    double z[CELLS], dz[CELLS], direction[CELLS], moved[CELLS], unused[CELLS], step = 1e-5;
    int64_t labelled;
    fill(z, 3);
    fill(direction, 11);
    evaluate(ORDINAL, z, dz, &labelled);
    for (int i = 0; i < CELLS; i++) moved[i] = z[i] + step * direction[i];
    double above = evaluate(ORDINAL, moved, unused, &labelled);
    for (int i = 0; i < CELLS; i++) moved[i] = z[i] - step * direction[i];
    double below = evaluate(ORDINAL, moved, unused, &labelled);
    assert_true(
        near(loss_derivative(dz, direction, N, STRIDE, 3), (above - below) / (2 * step), 1e-8));
}

/* Values worked out by hand from the formulas. */
static void values_of_the_formulas(void **state)
{
    const double e = LOSS_EPSILON;
    double z[6] = {0, log(3), 0, log(3), 0, 0}, dz[6];
    int64_t labelled;
    int32_t two[2] = {1, 0};
    assert_true(near(loss_coarse(z, 1, 2, 2, two, dz, &labelled), 1 - sqrt(0.75 + e), 1e-12));
    assert_true(near(loss_coarse(z, 2, 2, 2, two, dz, &labelled),
                     1 - (sqrt(0.75 + e) + sqrt(0.25 + e)) / 2, 1e-12));
    assert_true(near(loss_categorical(z, 1, 2, 2, two, 2, dz, &labelled),
                     0.0625 * (1 - sqrt(0.75 + e)), 1e-12));
    double ranks[6] = {0, 0, 60, 60, 0, 0}, scratch[4]; /* expected levels 3 and 1 */
    float ordered[2] = {2, 1}, tied[2] = {1, 1};
    double p = 0.5 * erfc(-sqrt(2) * 2), q = 0.5 * erfc(-1.0);
    assert_true(near(loss_ordinal(ranks, 2, 3, 3, ordered, false, dz, scratch, &labelled),
                     1 - sqrt(p + e) - sqrt(e), 1e-12));
    assert_int_equal(labelled, 1);
    assert_true(near(loss_ordinal(ranks, 2, 3, 3, ordered, true, dz, scratch, &labelled),
                     1 - sqrt(q + e) - sqrt(e), 1e-12));
    assert_true(near(loss_ordinal(ranks, 2, 3, 3, tied, false, dz, scratch, &labelled),
                     1 - sqrt(p / 2 + e) - sqrt((1 - p) / 2 + e), 1e-12));
    uint8_t region[2] = {1, 0};
    assert_true(near(loss_fine(z, 1, 2, 2, region, dz, &labelled),
                     1 - (sqrt(0.5 + e) + sqrt(e) + sqrt(0.25 + e) + sqrt(e)) / 2, 1e-12));
}

static void without_labels_nothing(void **state)
{
    int32_t none[N];
    float no_values[N], one_value[N];
    uint8_t no_regions[N * 3];
    double z[CELLS], dz[CELLS], scratch[2 * N];
    int64_t labelled;
    fill(z, 0);
    for (int i = 0; i < N; i++) {
        none[i] = LOSS_CLASS_MISSING;
        no_values[i] = one_value[i] = NAN;
    }
    one_value[3] = 5;
    memset(no_regions, LOSS_REGION_MISSING, sizeof no_regions);
    for (int which = 0; which < 5; which++) {
        memset(dz, 1, sizeof dz);
        double loss = which == 0   ? loss_coarse(z, N, STRIDE, 2, none, dz, &labelled)
                      : which == 1 ? loss_categorical(z, N, STRIDE, 4, none, 2, dz, &labelled)
                      : which == 2
                          ? loss_fine(z, N, STRIDE, 3, no_regions, dz, &labelled)
                          : loss_ordinal(z, N, STRIDE, 3, which == 3 ? no_values : one_value, false,
                                         dz, scratch, &labelled);
        assert_true(loss == 0);
        assert_int_equal(labelled, 0);
        for (int i = 0; i < CELLS; i++)
            if (i % STRIDE < 2) assert_true(dz[i] == 0);
    }
    assert_true(loss_ordinal(z, 1, STRIDE, 3, speeds, false, dz, scratch, &labelled) == 0);
    assert_true(isnan(coarse_accuracy(z, N, STRIDE, 2, none)));
    assert_true(isnan(coarse_auc(z, N, STRIDE, none)));
}

static void extreme_logits_stay_finite(void **state)
{
    for (loss_name name = COARSE; name <= FINE; name++) {
        double z[CELLS], dz[CELLS];
        int64_t labelled;
        for (int i = 0; i < CELLS; i++) z[i] = i % 2 ? 5000 : -5000;
        assert_true(isfinite(evaluate(name, z, dz, &labelled)));
        for (int i = 0; i < CELLS; i++)
            if (i % STRIDE < width_of(name)) assert_true(isfinite(dz[i]));
        z[0] = NAN;
        assert_true(isnan(evaluate(name, z, dz, &labelled)));
    }
}

/* 1 - sqrt(1 + e) would be less than 0. */
static void no_class_loss_is_negative(void **state)
{
    double z[4] = {0, 0, 40, -40}, dz[4];
    int32_t first[1] = {0};
    int64_t labelled;
    for (int half = 0; half < 4; half++) {
        assert_true(loss_categorical(z, 1, 1, 1, first, half / 2.0, dz, &labelled) == 0);
        assert_true(dz[0] == 0);
    }
    assert_true(loss_coarse(z + 2, 1, 2, 2, first, dz, &labelled) == 0);
    assert_true(fabs(dz[0]) < 1e-30);
}

static void accuracy_and_auc(void **state)
{
    double z[8] = {1, 0, 0, 1, 0, 2, 3, 0}; /* manipulated by -1, 1, 2, -3 */
    int32_t labels[4] = {0, 1, 0, 1};
    assert_true(near(coarse_accuracy(z, 4, 2, 2, labels), 0.5, 0));
    assert_true(near(coarse_auc(z, 4, 2, labels), 0.25, 0));
    z[2] = 1, z[3] = 0; /* a tie with the first */
    assert_true(near(coarse_auc(z, 4, 2, labels), 0.125, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_match_central_differences),
        cmocka_unit_test(derivative_along_a_direction),
        cmocka_unit_test(values_of_the_formulas),
        cmocka_unit_test(without_labels_nothing),
        cmocka_unit_test(extreme_logits_stay_finite),
        cmocka_unit_test(no_class_loss_is_negative),
        cmocka_unit_test(accuracy_and_auc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
