/* Pooling against naive loops: windows over borders, equal maxima, gradients, tangents, averages.
 */
#include "cli/random.h"
#include "nn/pool.h"
#include "nn/threads.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N 2
#define C 16

typedef struct setting {
    pool_max p;
    workspace w;
    arena memory;
    int inputs, outputs; /* elements */
    float *x, *tx, *y, *ty, *dy, *dx;
    uint8_t *index;
} setting;

static void setting_make(setting *s, int height, int width, int size, int stride, int padding)
{
    error e = {0};
    *s = (setting){
        .p = {.height = height, .width = width, .channels = C, .window = {size, stride, padding}}};
    workspace_start(&s->w, MATRIX_FLOAT32);
    pool_max_start(&s->p, N, &s->w.need);
    pool_average_start(height * width, C, N, &s->w.need);
    workspace_take(&s->w, &s->memory);
    assert_true(arena_allocate(&s->memory, &e));
    workspace_take(&s->w, &s->memory);
    s->inputs = N * height * width * C;
    s->outputs = N * s->p.out_height * s->p.out_width * C;
    float **inputs[] = {&s->x, &s->tx, &s->dx}, **outputs[] = {&s->y, &s->ty, &s->dy};
    random_state r = random_keyed(5, "pool", 0);
    for (int k = 0; k < 3; k++) {
        *inputs[k] = malloc((size_t)s->inputs * sizeof(float));
        *outputs[k] = malloc((size_t)s->outputs * sizeof(float));
        /* Few different values, so that maxima are often equal. */
        for (int i = 0; i < s->inputs; i++) (*inputs[k])[i] = (float)random_below(&r, 5) - 3;
        for (int i = 0; i < s->outputs; i++) (*outputs[k])[i] = (float)random_normal(&r);
    }
    s->index = malloc((size_t)s->outputs);
}

static void setting_free(setting *s)
{
    free(s->x), free(s->tx), free(s->dx), free(s->y), free(s->ty), free(s->dy), free(s->index);
    arena_free(&s->memory);
}

/* The element of x that output element o takes: the first of the largest. */
static int winner(const setting *s, int o)
{
    const pool_max *p = &s->p;
    int pixel = o / C, image = pixel / (p->out_height * p->out_width), best = -1;
    int top = pixel / p->out_width % p->out_height * p->window[1] - p->window[2];
    int left = pixel % p->out_width * p->window[1] - p->window[2];
    for (int h = top; h < top + p->window[0]; h++)
        for (int v = left; v < left + p->window[0]; v++) {
            if (h < 0 || v < 0 || h >= p->height || v >= p->width) continue;
            int i = ((image * p->height + h) * p->width + v) * C + o % C;
            if (best < 0 || s->x[i] > s->x[best]) best = i;
        }
    return best;
}

static void window_check(int height, int width, int size, int stride, int padding)
{
    setting s;
    setting_make(&s, height, width, size, stride, padding);
    operand x = {.kind = OPERAND_PLAIN, .x = s.x}, tx = {.kind = OPERAND_PLAIN, .x = s.tx};
    result dx = {.kind = RESULT_RAW, .to = s.dx};
    pool_max_forward(&s.p, &s.w, &x, s.y, s.index, N);
    pool_max_jvp(&s.p, &s.w, &tx, s.index, s.ty, N);
    pool_max_backward(&s.p, &s.w, s.dy, s.index, &dx, N);
    double *gradient = calloc((size_t)s.inputs, sizeof *gradient);
    for (int o = 0; o < s.outputs; o++) {
        int i = winner(&s, o);
        assert_true(s.y[o] == s.x[i]);
        assert_true(s.ty[o] == s.tx[i]);
        gradient[i] += s.dy[o];
    }
    for (int i = 0; i < s.inputs; i++) assert_true(fabs(s.dx[i] - gradient[i]) < 1e-5);
    free(gradient);
    setting_free(&s);
}

static void test_max(void **state)
{
    window_check(8, 8, 3, 2, 1);
    window_check(7, 10, 3, 2, 1);
    window_check(1, 1, 3, 2, 1);
    window_check(6, 9, 2, 2, 0);
    window_check(9, 5, 5, 3, 2);
}

static void test_average(void **state)
{
    setting s;
    setting_make(&s, 9, 11, 3, 2, 1);
    int pixels = 99;
    float y[N * C], dy[N * C];
    pool_average_forward(&s.w, y, s.x, pixels, C, N);
    for (int i = 0; i < N * C; i++) {
        double sum = 0;
        for (int p = 0; p < pixels; p++) sum += s.x[(i / C * pixels + p) * C + i % C];
        assert_true(fabs(y[i] - sum / pixels) < 1e-6);
        dy[i] = (float)i;
    }
    result dx = {.kind = RESULT_RAW, .to = s.dx};
    pool_average_backward(&s.w, dy, pixels, C, &dx, N);
    for (int i = 0; i < s.inputs; i++)
        assert_true(fabs(s.dx[i] - dy[i / C / pixels * C + i % C] / pixels) < 1e-6);
    setting_free(&s);
}

/* Not a number is never hidden by a larger one. */
static void test_nan(void **state)
{
    setting s;
    setting_make(&s, 4, 4, 4, 4, 0);
    s.x[5 * C + 3] = NAN;
    operand x = {.kind = OPERAND_PLAIN, .x = s.x};
    pool_max_forward(&s.p, &s.w, &x, s.y, s.index, N);
    for (int o = 0; o < s.outputs; o++) assert_int_equal(isnan(s.y[o]) != 0, o == 3);
    setting_free(&s);
}

int main(void)
{
    nn_threads_set(2);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_max), cmocka_unit_test(test_average),
                                       cmocka_unit_test(test_nan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
