/* Convolutions against a naive twin in double: sizes, strides, paddings, groups, the operands
   applied on load, the results on store, on every instruction set this processor has and in both
   types. */
#include "cli/cpu.h"
#include "cli/random.h"
#include "nn/bf16.h"
#include "nn/convolution.h"
#include "nn/threads.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define IMAGES 3

static const convolution shapes[] = {
    {.height = 8,
     .width = 8,
     .in = 16,
     .out = 32,
     .kernel_height = 1,
     .kernel_width = 1,
     .stride = 1,
     .groups = 1},
    {.height = 7,
     .width = 9,
     .in = 20,
     .out = 10,
     .kernel_height = 1,
     .kernel_width = 1,
     .stride = 2,
     .groups = 1},
    {.height = 9,
     .width = 9,
     .in = 16,
     .out = 24,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 1,
     .padding = 1,
     .groups = 1},
    {.height = 14,
     .width = 11,
     .in = 40,
     .out = 16,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 1,
     .padding = 1,
     .groups = 1},
    {.height = 1,
     .width = 1,
     .in = 8,
     .out = 8,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 1,
     .padding = 1,
     .groups = 1},
    {.height = 10,
     .width = 7,
     .in = 16,
     .out = 16,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 2,
     .padding = 1,
     .groups = 1},
    {.height = 8,
     .width = 8,
     .in = 12,
     .out = 18,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 1,
     .padding = 1,
     .groups = 3},
    {.height = 11,
     .width = 6,
     .in = 3,
     .out = 5,
     .kernel_height = 5,
     .kernel_width = 2,
     .stride = 3,
     .padding = 2,
     .groups = 1},
    {.height = 13,
     .width = 15,
     .in = 3,
     .out = 16,
     .kernel_height = 7,
     .kernel_width = 7,
     .stride = 2,
     .padding = 3,
     .groups = 1,
     .bordered = true},
    {.height = 7,
     .width = 9,
     .in = 20,
     .out = 20,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 1,
     .padding = 1,
     .groups = 20},
    {.height = 9,
     .width = 8,
     .in = 64,
     .out = 32,
     .kernel_height = 1,
     .kernel_width = 1,
     .stride = 1,
     .padding = 0,
     .groups = 2},
    {.height = 8,
     .width = 7,
     .in = 15,
     .out = 9,
     .kernel_height = 5,
     .kernel_width = 3,
     .stride = 2,
     .padding = 2,
     .groups = 3},
    {.height = 10,
     .width = 10,
     .in = 6,
     .out = 32,
     .kernel_height = 3,
     .kernel_width = 3,
     .stride = 2,
     .padding = 1,
     .groups = 2,
     .bordered = true},
};

/* A tensor twice: padded in the kernels' type, and as doubles without padding. */
typedef struct tensor {
    void *real;
    double *plain;
    int pixels, channels, padded;
} tensor;

static float rounded(matrix_type type, double x)
{
    return type == MATRIX_BF16 ? bf16_to_float(bf16_from_float((float)x)) : (float)x;
}

static void real_set(void *real, matrix_type type, size_t i, float x)
{
    if (type == MATRIX_BF16)
        ((uint16_t *)real)[i] = bf16_from_float(x);
    else
        ((float *)real)[i] = x;
}

static double real_get(const void *real, matrix_type type, size_t i)
{
    return type == MATRIX_BF16 ? bf16_to_float(((const uint16_t *)real)[i])
                               : ((const float *)real)[i];
}

static tensor tensor_make(matrix_type type, int pixels, int channels, random_state *r)
{
    tensor t = {.pixels = pixels, .channels = channels, .padded = channels_padded(channels)};
    t.real = calloc((size_t)(pixels * t.padded) + 64, sizeof(float));
    t.plain = calloc((size_t)(pixels * channels), sizeof(double));
    for (int p = 0; p < pixels && r; p++)
        for (int c = 0; c < channels; c++) {
            float x = rounded(type, random_normal(r));
            t.plain[p * channels + c] = x;
            real_set(t.real, type, (size_t)(p * t.padded + c), x);
        }
    return t;
}

static void tensor_free(tensor *t)
{
    free(t->real);
    free(t->plain);
}

/* The bordered image of a plain tensor. */
static void *bordered_make(const convolution *c, const tensor *x, matrix_type type)
{
    int side = c->height + 2 * c->padding, width = c->width + 2 * c->padding;
    void *real = calloc((size_t)(IMAGES * side * width * c->in) + 64, sizeof(float));
    for (int i = 0; i < IMAGES * c->height * c->width * c->in; i++) {
        int channel = i % c->in, p = i / c->in, k = p % c->width, h = p / c->width % c->height;
        int image = p / c->width / c->height;
        size_t at =
            (size_t)(((image * side + h + c->padding) * width + k + c->padding) * c->in + channel);
        real_set(real, type, at, (float)x->plain[i]);
    }
    return real;
}

/* What visits every product of the convolution: output, input and weight elements that meet. */
typedef void meeting(void *context, long y, long x, long w);

static void meetings(const convolution *c, meeting *met, void *context)
{
    int group_in = c->in / c->groups, group_out = c->out / c->groups;
    for (int p = 0; p < IMAGES * c->out_height * c->out_width; p++)
        for (int o = 0; o < c->out; o++)
            for (int i = 0; i < c->kernel_height; i++)
                for (int j = 0; j < c->kernel_width; j++)
                    for (int k = 0; k < group_in; k++) {
                        int image = p / (c->out_height * c->out_width);
                        int h = p / c->out_width % c->out_height * c->stride - c->padding + i;
                        int v = p % c->out_width * c->stride - c->padding + j;
                        if (h < 0 || v < 0 || h >= c->height || v >= c->width) continue;
                        long x = ((long)(image * c->height + h) * c->width + v) * c->in +
                                 o / group_out * group_in + k;
                        met(context, (long)p * c->out + o, x,
                            ((long)(i * c->kernel_width + j) * group_in + k) * c->out + o);
                    }
}

typedef struct products {
    const double *x, *w, *dy;
    double *y, *dx, *dw;
} products;

static void forward_met(void *context, long y, long x, long w)
{
    products *p = context;
    p->y[y] += p->x[x] * p->w[w];
}

static void backward_met(void *context, long y, long x, long w)
{
    products *p = context;
    p->dx[x] += p->dy[y] * p->w[w];
    p->dw[w] += p->dy[y] * p->x[x];
}

static double largest(const double *v, long n)
{
    double m = 1e-30;
    for (long i = 0; i < n; i++) m = fmax(m, fabs(v[i]));
    return m;
}

/* `stored` is the type of the elements, `type` that of the computation. */
static void tensor_assert_stored(const tensor *t, matrix_type stored, matrix_type type,
                                 const double *want, const char *what)
{
    double scale = largest(want, (long)t->pixels * t->channels),
           tolerance = type == MATRIX_BF16 ? 0.04 : 2e-6;
    for (int p = 0; p < t->pixels; p++)
        for (int c = 0; c < t->padded; c++) {
            double got = real_get(t->real, stored, (size_t)(p * t->padded + c));
            double right = c < t->channels ? want[p * t->channels + c] : 0;
            if (!(fabs(got - right) <= tolerance * scale))
                fail_msg("%s: pixel %d channel %d: got %.8g, want %.8g", what, p, c, got, right);
        }
}

static void tensor_assert(const tensor *t, matrix_type type, const double *want, const char *what)
{
    tensor_assert_stored(t, type, type, want, what);
}

typedef struct setting {
    convolution c;
    matrix_type type;
    workspace w;
    arena memory;
    tensor x, tx, dy;
    void *bordered;
    double *weight, *tweight;
    float *W, *tW;
    long weights;
    operand ox, otx;
} setting;

static void setting_make(setting *s, const convolution *c, matrix_type type)
{
    error e = {0};
    *s = (setting){.c = *c, .type = type};
    workspace_start(&s->w, type);
    convolution_start(&s->c, IMAGES, &s->w, true, &s->w.need);
    workspace_take(&s->w, &s->memory);
    assert_true(arena_allocate(&s->memory, &e));
    workspace_take(&s->w, &s->memory);
    random_state r = random_keyed(7, "convolution", 0);
    s->x = tensor_make(type, IMAGES * c->height * c->width, c->in, &r);
    s->tx = tensor_make(type, IMAGES * c->height * c->width, c->in, &r);
    s->dy = tensor_make(type, IMAGES * s->c.out_height * s->c.out_width, c->out, &r);
    s->weights = (long)c->kernel_height * c->kernel_width * c->in / c->groups * c->out;
    s->weight = malloc((size_t)s->weights * sizeof(double)),
    s->tweight = malloc((size_t)s->weights * sizeof(double));
    s->W = malloc((size_t)s->weights * sizeof(float)),
    s->tW = malloc((size_t)s->weights * sizeof(float));
    for (long i = 0; i < s->weights; i++) {
        s->weight[i] = s->W[i] = rounded(type, random_normal(&r));
        s->tweight[i] = s->tW[i] = rounded(type, random_normal(&r));
    }
    s->bordered = c->bordered ? bordered_make(&s->c, &s->x, type) : NULL;
    s->ox = (operand){.kind = OPERAND_PLAIN, .x = c->bordered ? s->bordered : s->x.real};
    s->otx = (operand){.kind = OPERAND_PLAIN, .x = s->tx.real};
}

static void setting_free(setting *s)
{
    tensor_free(&s->x), tensor_free(&s->tx), tensor_free(&s->dy);
    free(s->bordered), free(s->weight), free(s->tweight), free(s->W), free(s->tW);
    arena_free(&s->memory);
}

/* Mean and variance per channel of doubles. */
static void totals_assert(const setting *s, const double *y)
{
    int pixels = s->dy.pixels, C = s->c.out;
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0;
        for (int p = 0; p < pixels; p++) mean += y[p * C + c] / pixels;
        for (int p = 0; p < pixels; p++) variance += pow(y[p * C + c] - mean, 2) / pixels;
        double tolerance = s->type == MATRIX_BF16 ? 2e-2 : 1e-5;
        assert_true(fabs(s->w.totals[c] - mean) <= tolerance * sqrt(variance + 1));
        assert_true(fabs(s->w.totals[s->c.out_padded + c] - variance) <=
                    tolerance * (variance + 1));
    }
}

static void forward_check(setting *s)
{
    tensor y = tensor_make(s->type, s->dy.pixels, s->c.out, NULL);
    products p = {.x = s->x.plain, .w = s->weight, .y = y.plain};
    meetings(&s->c, forward_met, &p);
    result to = {.kind = RESULT_STATISTICS, .to = y.real};
    convolution_forward(&s->c, &s->w, &s->ox, s->W, &to, IMAGES);
    tensor_assert(&y, s->type, y.plain, "forward");
    totals_assert(s, y.plain);

    /* The tangent: tx * W + x * tW; images have no tangent of their own. */
    for (long i = 0; i < (long)y.pixels * y.channels; i++) y.plain[i] = 0;
    p = (products){.x = s->x.plain, .w = s->tweight, .y = y.plain};
    meetings(&s->c, forward_met, &p);
    p = (products){.x = s->tx.plain, .w = s->weight, .y = y.plain};
    if (!s->c.bordered) meetings(&s->c, forward_met, &p);
    to.kind = RESULT_RAW;
    convolution_jvp(&s->c, &s->w, &s->ox, s->c.bordered ? NULL : &s->otx, s->W, s->tW, &to, IMAGES);
    tensor_assert(&y, s->type, y.plain, "jvp");
    tensor_free(&y);
}

static void backward_check(setting *s)
{
    const convolution *c = &s->c;
    tensor dx = tensor_make(s->type, s->x.pixels, c->in, NULL);
    tensor dw = {.pixels = (int)(s->weights / c->out), .channels = c->out, .padded = c->out};
    dw.real = calloc((size_t)s->weights, sizeof(float));
    dw.plain = calloc((size_t)s->weights, sizeof(double));
    products p = {
        .x = s->x.plain, .w = s->weight, .dy = s->dy.plain, .dx = dx.plain, .dw = dw.plain};
    meetings(c, backward_met, &p);
    operand dy = {.kind = OPERAND_PLAIN, .x = s->dy.real};
    result to = {.kind = RESULT_RAW, .to = dx.real};
    convolution_backward(c, &s->w, &s->ox, &dy, s->dy.real, s->W, dw.real, c->bordered ? NULL : &to,
                         IMAGES);
    if (!c->bordered) tensor_assert(&dx, s->type, dx.plain, "backward x");
    tensor_assert_stored(&dw, MATRIX_FLOAT32, s->type, dw.plain, "backward W");
    tensor_free(&dx), tensor_free(&dw);
}

static void shapes_check(matrix_type type)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        setting s;
        setting_make(&s, &shapes[i], type);
        forward_check(&s);
        backward_check(&s);
        setting_free(&s);
    }
}

static void test_shapes(void **state)
{
    static const char *const levels[] = {"generic", "avx2", "avx512", "avx512bf16"};
    cpu_level most = cpu_level_get();
    for (int i = 0; i <= (int)most; i++) {
        setenv("BLADES_CPU", levels[i], 1);
        for (int own = 0; own < 2; own++) {
            setenv("BLADES_GEMM", own ? "own" : "openblas", 1);
            shapes_check(MATRIX_FLOAT32);
        }
        shapes_check(MATRIX_BF16);
    }
    unsetenv("BLADES_CPU");
    unsetenv("BLADES_GEMM");
}

/* What is not finite in one group's gradient stays in that group, also where groups of an odd
   number of channels meet within a pair of bfloat16. */
static void test_groups_are_apart(void **state)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].groups == 1 || shapes[i].bordered) continue;
        setting s;
        setting_make(&s, &shapes[i], MATRIX_BF16);
        int out = s.c.out / s.c.groups, in = s.c.in / s.c.groups;
        tensor dx = tensor_make(s.type, s.x.pixels, s.c.in, NULL);
        for (int p = 0; p < s.dy.pixels; p++)
            real_set(s.dy.real, s.type, (size_t)(p * s.dy.padded + out), NAN);
        operand dy = {.kind = OPERAND_PLAIN, .x = s.dy.real};
        result to = {.kind = RESULT_RAW, .to = dx.real};
        float *dw = calloc((size_t)s.weights, sizeof *dw);
        convolution_backward(&s.c, &s.w, &s.ox, &dy, s.dy.real, s.W, dw, &to, IMAGES);
        for (int p = 0; p < dx.pixels; p++)
            for (int c = 0; c < s.c.in; c++)
                if (c / in != 1)
                    assert_true(isfinite(real_get(dx.real, s.type, (size_t)(p * dx.padded + c))));
        free(dw);
        tensor_free(&dx);
        setting_free(&s);
    }
}

/* The operands applied on load, and the results on store, against their definitions. */
static void test_operands(void **state)
{
    setting s;
    setting_make(&s, &shapes[2], MATRIX_FLOAT32);
    tensor y = tensor_make(MATRIX_FLOAT32, s.x.pixels, s.c.in, NULL),
           z = tensor_make(MATRIX_FLOAT32, s.dy.pixels, s.c.out, NULL);
    float coefficient[5][64];
    random_state r = random_keyed(7, "coefficients", 0);
    for (int i = 0; i < 5; i++)
        for (int c = 0; c < 64; c++) coefficient[i][c] = c < s.c.in ? (float)random_normal(&r) : 0;
    for (int kind = OPERAND_PLAIN; kind <= OPERAND_TANGENT; kind++) {
        operand o = {.kind = kind,
                     .x = s.x.real,
                     .y = s.tx.real,
                     .a = coefficient[0],
                     .b = coefficient[1],
                     .c1 = coefficient[2],
                     .c2 = coefficient[3],
                     .c3 = coefficient[4]};
        for (int i = 0; i < s.x.pixels * s.c.in; i++) {
            int c = i % s.c.in;
            double x = s.x.plain[i], t = s.tx.plain[i];
            double affine = o.a[c] * x + o.b[c], linear = o.c1[c] * x + o.c2[c] * t + o.c3[c];
            double values[] = {x, affine, fmax(affine, 0), linear,
                               o.a[c] * t + o.b[c] > 0 ? linear : 0};
            y.plain[i] = values[kind];
        }
        products p = {.x = y.plain, .w = s.weight, .y = z.plain};
        for (int i = 0; i < z.pixels * z.channels; i++) z.plain[i] = 0;
        meetings(&s.c, forward_met, &p);
        result to = {.kind = RESULT_RAW, .to = z.real};
        convolution_forward(&s.c, &s.w, &o, s.W, &to, IMAGES);
        tensor_assert(&z, MATRIX_FLOAT32, z.plain, "operand");
    }
    tensor_free(&y), tensor_free(&z);
    setting_free(&s);
}

int main(void)
{
    nn_threads_set(2);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_groups_are_apart),
                                       cmocka_unit_test(test_operands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
