/* The joint embedding against central differences, and backward against JVP. */
#include "train/joint.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "near.h"

enum { N = 4, P = 5, D = 6 };

typedef struct point {
    float image[N * D], text[P * D];
    double s;
} point;

static point make_point(int seed)
{
    point x = {.s = 0.4 + 0.1 * seed};
    for (int i = 0; i < N * D; i++) x.image[i] = (float)sin(0.9 * i + seed);
    for (int i = 0; i < P * D; i++) x.text[i] = (float)cos(1.3 * i + 2 * seed);
    return x;
}

static point along(const point *x, const point *direction, double step)
{
    point y = *x;
    for (int i = 0; i < N * D; i++) y.image[i] += (float)(step * direction->image[i]);
    for (int i = 0; i < P * D; i++) y.text[i] += (float)(step * direction->text[i]);
    y.s += step * direction->s;
    return y;
}

static void logits_are_scaled_cosines(void **state)
{
    error e = {0};
    joint j;
    float image[4] = {3, 4, 0, 0}, text[4] = {0, 2, -1, 0};
    double z[4];
    assert_true(joint_create(&j, 2, 2, 2, &e));
    joint_forward(&j, 2, image, text, log(10), z);
    assert_true(near(z[0], 8, 1e-12));
    assert_true(near(z[1], -6, 1e-12));
    assert_true(near(z[2], 0, 1e-12)); /* a vector of no length */
    joint_free(&j);
}

static void jvp_matches_central_differences(void **state)
{
    error e = {0};
    joint j;
    point x = make_point(1), d = make_point(5);
    double above[N * P], below[N * P], z[N * P], tangent[N * P], step = 1e-3;
    assert_true(joint_create(&j, N, P, D, &e));
    point up = along(&x, &d, step), down = along(&x, &d, -step);
    joint_forward(&j, N, up.image, up.text, up.s, above);
    joint_forward(&j, N, down.image, down.text, down.s, below);
    joint_forward(&j, N, x.image, x.text, x.s, z);
    joint_jvp(&j, d.image, d.text, d.s, tangent);
    for (int i = 0; i < N * P; i++)
        assert_true(near(tangent[i], (above[i] - below[i]) / (2 * step), 2e-4));
    double parts[3][N * P];
    joint_jvp(&j, d.image, NULL, 0, parts[0]);
    joint_jvp(&j, NULL, d.text, 0, parts[1]);
    joint_jvp(&j, NULL, NULL, d.s, parts[2]);
    for (int i = 0; i < N * P; i++)
        assert_true(near(tangent[i], parts[0][i] + parts[1][i] + parts[2][i], 1e-12));
    joint_free(&j);
}

/* <J direction, weights> = <direction, J^T weights> */
static void backward_is_the_transpose_of_jvp(void **state)
{
    error e = {0};
    joint j;
    point x = make_point(2), d = make_point(9), gradient;
    double z[N * P], tangent[N * P], weights[N * P], left = 0, right = 0;
    assert_true(joint_create(&j, N + 3, P, D, &e)); /* more room than images */
    joint_forward(&j, N, x.image, x.text, x.s, z);
    joint_jvp(&j, d.image, d.text, d.s, tangent);
    for (int i = 0; i < N * P; i++) weights[i] = sin(3.0 * i);
    joint_backward(&j, weights, gradient.image, gradient.text, &gradient.s);
    for (int i = 0; i < N * P; i++) left += tangent[i] * weights[i];
    for (int i = 0; i < N * D; i++) right += (double)gradient.image[i] * d.image[i];
    for (int i = 0; i < P * D; i++) right += (double)gradient.text[i] * d.text[i];
    right += gradient.s * d.s;
    assert_true(near(left, right, 1e-5));
    joint_free(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_scaled_cosines),
        cmocka_unit_test(jvp_matches_central_differences),
        cmocka_unit_test(backward_is_the_transpose_of_jvp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
