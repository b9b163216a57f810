/* The layers of the text transformer, and those of rows that the rest shares, against naive twins
   in double: forward, backward by central differences of the twin, and directional derivatives. */
#include "unit.h"

#include "cli/random.h"
#include "near.h"
#include "nn/attention.h"
#include "nn/embedding.h"
#include "nn/l2norm.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/quickgelu.h"
#include "nn/relu.h"
#include "nn/softmax.h"

#include <stdlib.h>
#include <string.h>

enum { LIMIT = 4096 };

/* One layer with all inputs in one vector x; the twin computes y in double from it. */
typedef struct layer {
    size_t inputs, outputs;
    void (*twin)(double *y, const double *x);
    void (*forward)(float *y, const float *x);
    void (*backward)(float *dx, const float *dy, const float *x);
    void (*jvp)(float *ty, const float *tx, const float *x);
} layer;

static void fill(float *to, size_t count, const char *name)
{
    random_state r = random_keyed(1, name, 0);
    for (size_t i = 0; i < count; i++) to[i] = (float)random_normal(&r);
}

/* The derivative of the twin's outputs, each times dy, when x moves along `direction`. */
static double slope(const layer *l, const float *x, const double *direction, const float *dy,
                    double *moved)
{
    static double at[LIMIT], y[LIMIT];
    const double h = 1e-5;
    double sum = 0;
    memset(moved, 0, l->outputs * sizeof *moved);
    for (int sign = 1; sign >= -1; sign -= 2) {
        for (size_t i = 0; i < l->inputs; i++) at[i] = x[i] + sign * h * direction[i];
        l->twin(y, at);
        for (size_t i = 0; i < l->outputs; i++) moved[i] += sign * y[i] / (2 * h);
    }
    for (size_t i = 0; i < l->outputs; i++) sum += dy[i] * moved[i];
    return sum;
}

static void check(const layer *l)
{
    static float x[LIMIT], y[LIMIT], dy[LIMIT], dx[LIMIT], tx[LIMIT], ty[LIMIT];
    static double wide[LIMIT], twin[LIMIT], direction[LIMIT], moved[LIMIT];
    assert_true(l->inputs <= LIMIT && l->outputs <= LIMIT);
    fill(x, l->inputs, "x");
    fill(dy, l->outputs, "dy");
    fill(tx, l->inputs, "tx");
    for (size_t i = 0; i < l->inputs; i++) wide[i] = x[i];
    l->twin(twin, wide);
    l->forward(y, x);
    for (size_t i = 0; i < l->outputs; i++)
        assert_true(near(y[i], twin[i], 1e-5 * (1 + fabs(twin[i]))));
    memset(dx, 0, sizeof dx);
    l->backward(dx, dy, x);
    for (size_t i = 0; i < l->inputs; i++) {
        memset(direction, 0, sizeof direction);
        direction[i] = 1;
        double expected = slope(l, x, direction, dy, moved);
        assert_true(near(dx[i], expected, 2e-5 * (1 + fabs(expected))));
    }
    for (size_t i = 0; i < l->inputs; i++) direction[i] = tx[i];
    slope(l, x, direction, dy, moved);
    l->jvp(ty, tx, x);
    for (size_t i = 0; i < l->outputs; i++)
        assert_true(near(ty[i], moved[i], 5e-5 * (1 + fabs(moved[i]))));
}

/* ---- Linear: x (5, 7), weight, bias (4) ----------------------------------------------------- */

enum { ROWS = 5, IN = 7, OUT = 4 };
static linear_shape shape = {.n = ROWS, .in = IN, .out = OUT};
static linear_workspace workspace;

static void linear_twin(double *y, const double *x)
{
    const double *w = x + ROWS * IN, *b = w + IN * OUT;
    for (int i = 0; i < ROWS; i++) {
        for (int o = 0; o < OUT; o++) {
            y[i * OUT + o] = b[o];
            for (int k = 0; k < IN; k++)
                y[i * OUT + o] +=
                    x[i * IN + k] * (shape.input_major ? w[k * OUT + o] : w[o * IN + k]);
        }
    }
}

static void linear_forward_all(float *y, const float *x)
{
    const float *w = x + ROWS * IN;
    linear_forward(y, x, w, w + IN * OUT, shape, false, &workspace);
}

static void linear_backward_all(float *dx, const float *dy, const float *x)
{
    float *dw = dx + ROWS * IN;
    linear_backward(dx, dw, dw + IN * OUT, dy, x, x + ROWS * IN, shape, &workspace);
}

static void linear_jvp_all(float *ty, const float *tx, const float *x)
{
    const float *tw = tx + ROWS * IN;
    linear_jvp(ty, tx, x, x + ROWS * IN, tw, tw + IN * OUT, shape, false, &workspace);
}

static void test_linear(void **state)
{
    const layer l = {ROWS * IN + IN * OUT + OUT, ROWS * OUT,          linear_twin,
                     linear_forward_all,         linear_backward_all, linear_jvp_all};
    error e = {0};
    for (int input_major = 0; input_major < 2; input_major++) {
        shape.input_major = input_major;
        workspace = (linear_workspace){0};
        linear_workspace_add(&workspace, shape);
        assert_true(linear_workspace_allocate(&workspace, &e));
        check(&l);
        linear_workspace_free(&workspace);
    }
}

/* ---- LayerNorm: x (5, 7), gain, bias -------------------------------------------------------- */

static void layernorm_twin(double *y, const double *x)
{
    const double *gain = x + ROWS * IN, *bias = gain + IN;
    for (int i = 0; i < ROWS; i++) {
        double mean = 0, variance = 0;
        for (int j = 0; j < IN; j++) mean += x[i * IN + j] / IN;
        for (int j = 0; j < IN; j++)
            variance += (x[i * IN + j] - mean) * (x[i * IN + j] - mean) / IN;
        for (int j = 0; j < IN; j++)
            y[i * IN + j] = (x[i * IN + j] - mean) / sqrt(variance + 1e-5) * gain[j] + bias[j];
    }
}

static void layernorm_forward_all(float *y, const float *x)
{
    layernorm_forward(y, x, x + ROWS * IN, x + ROWS * IN + IN, ROWS, IN);
}

static void layernorm_backward_all(float *dx, const float *dy, const float *x)
{
    float *dgain = dx + ROWS * IN;
    layernorm_backward(dx, dgain, dgain + IN, dy, x, x + ROWS * IN, ROWS, IN);
}

static void layernorm_jvp_all(float *ty, const float *tx, const float *x)
{
    const float *tgain = tx + ROWS * IN;
    layernorm_jvp(ty, tx, x, x + ROWS * IN, tgain, tgain + IN, ROWS, IN);
}

static void test_layernorm(void **state)
{
    check(&(layer){ROWS * IN + 2 * IN, ROWS * IN, layernorm_twin, layernorm_forward_all,
                   layernorm_backward_all, layernorm_jvp_all});
}

/* ---- QuickGELU ------------------------------------------------------------------------------ */

static void quickgelu_twin(double *y, const double *x)
{
    for (int i = 0; i < 100; i++) y[i] = x[i] / (1 + exp(-(double)1.702f * x[i]));
}

static void quickgelu_forward_all(float *y, const float *x)
{
    quickgelu_forward(y, x, 100);
}

static void quickgelu_backward_all(float *dx, const float *dy, const float *x)
{
    quickgelu_backward(dx, dy, x, 100);
}

static void quickgelu_jvp_all(float *ty, const float *tx, const float *x)
{
    quickgelu_jvp(ty, tx, x, 100);
}

static void test_quickgelu(void **state)
{
    check(&(layer){100, 100, quickgelu_twin, quickgelu_forward_all, quickgelu_backward_all,
                   quickgelu_jvp_all});
    const float far[] = {-1e30f, -200, -60, 60, 200, 1e30f};
    float y[6];
    quickgelu_forward(y, far, 6);
    for (int i = 0; i < 3; i++) assert_true(fabsf(y[i]) < 1e-6f * fabsf(far[i]));
    for (int i = 3; i < 6; i++) assert_true(y[i] == far[i]);
}

/* ---- Attention on a small forest, two heads of 3 -------------------------------------------- */

enum { NODES = 6, WIDTH = 6, HEADS = 2 };
static const int32_t starts[] = {0, 1, 3, 5, 8, 9, 11};
static const int32_t paths[] = {0, 0, 1, 0, 2, 0, 1, 3, 4, 4, 5};
static const attention_shape forest = {NODES, WIDTH, HEADS, starts, paths};

static void attention_twin(double *y, const double *x)
{
    const int size = WIDTH / HEADS;
    memset(y, 0, NODES * WIDTH * sizeof *y);
    for (int h = 0; h < HEADS; h++) {
        for (int i = 0; i < NODES; i++) {
            double p[NODES], sum = 0;
            for (int a = starts[i]; a < starts[i + 1]; a++) {
                double score = 0;
                for (int k = 0; k < size; k++) {
                    score += x[i * 3 * WIDTH + h * size + k] *
                             x[paths[a] * 3 * WIDTH + WIDTH + h * size + k];
                }
                p[a - starts[i]] = exp(score / sqrt(size));
                sum += p[a - starts[i]];
            }
            for (int a = starts[i]; a < starts[i + 1]; a++) {
                for (int k = 0; k < size; k++) {
                    y[i * WIDTH + h * size + k] +=
                        p[a - starts[i]] / sum * x[paths[a] * 3 * WIDTH + 2 * WIDTH + h * size + k];
                }
            }
        }
    }
}

static float probability[HEADS * 11], work[HEADS * 3];

static void attention_forward_all(float *y, const float *x)
{
    attention_forward(y, probability, x, forest);
}

static void attention_backward_all(float *dx, const float *dy, const float *x)
{
    attention_backward(dx, dy, probability, x, work, forest);
}

static void attention_jvp_all(float *ty, const float *tx, const float *x)
{
    attention_jvp(ty, tx, probability, x, work, forest);
}

static void test_attention(void **state)
{
    assert_int_equal(attention_depth(forest), 3);
    check(&(layer){NODES * 3 * WIDTH, NODES * WIDTH, attention_twin, attention_forward_all,
                   attention_backward_all, attention_jvp_all});
}

/* ---- Embedding: 4 tokens, 3 positions, width 5 ---------------------------------------------- */

static const int32_t tokens[] = {3, 0, 3, 1}, positions[] = {0, 1, 1, 2};

static void embedding_twin(double *y, const double *x)
{
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 5; j++)
            y[i * 5 + j] = x[tokens[i] * 5 + j] + x[20 + positions[i] * 5 + j];
    }
}

static void embedding_forward_all(float *y, const float *x)
{
    embedding_forward(y, x, x + 20, tokens, positions, 4, 5);
}

static void embedding_backward_all(float *dx, const float *dy, const float *x)
{
    embedding_backward(dx, dx + 20, dy, tokens, positions, 4, 5);
}

static void embedding_jvp_all(float *ty, const float *tx, const float *x)
{
    embedding_jvp(ty, tx, tx + 20, tokens, positions, 4, 5);
}

static void test_embedding(void **state)
{
    check(&(layer){35, 20, embedding_twin, embedding_forward_all, embedding_backward_all,
                   embedding_jvp_all});
}

/* ---- Softmax: (5, 7), in float and in double ------------------------------------------------ */

static void softmax_twin(double *y, const double *x)
{
    for (int i = 0; i < ROWS; i++, x += IN, y += IN) {
        double sum = 0;
        for (int k = 0; k < IN; k++) sum += exp(x[k]);
        for (int k = 0; k < IN; k++) y[k] = exp(x[k]) / sum;
    }
}

static void softmax_forward_all(float *y, const float *x)
{
    softmax_forward(y, x, ROWS, IN);
}

static void softmax_backward_all(float *dx, const float *dy, const float *x)
{
    float p[ROWS * IN];
    softmax_forward(p, x, ROWS, IN);
    softmax_backward(dx, dy, p, ROWS, IN);
}

static void softmax_jvp_all(float *ty, const float *tx, const float *x)
{
    float p[ROWS * IN];
    softmax_forward(p, x, ROWS, IN);
    softmax_jvp(ty, tx, p, ROWS, IN);
}

static void test_softmax(void **state)
{
    check(&(layer){ROWS * IN, ROWS * IN, softmax_twin, softmax_forward_all, softmax_backward_all,
                   softmax_jvp_all});
    double z[ROWS * IN], p[ROWS * IN], twin[ROWS * IN];
    for (int i = 0; i < ROWS * IN; i++) z[i] = sin(i);
    softmax_forward_double(p, z, ROWS, IN);
    softmax_twin(twin, z);
    for (int i = 0; i < ROWS * IN; i++) assert_true(fabs(p[i] - twin[i]) < 1e-12);
    float far[3] = {1000, 0, 1000}, broken[2] = {0, NAN};
    softmax_forward(far, far, 1, 3);
    assert_true(far[0] == 0.5f && far[1] == 0 && far[2] == 0.5f);
    softmax_forward(broken, broken, 1, 2);
    assert_true(isnan(broken[0]) && isnan(broken[1]));
}

/* ---- L2 norm: (5, 7) ------------------------------------------------------------------------ */

static void widen(double *to, const float *from)
{
    for (int i = 0; i < ROWS * IN; i++) to[i] = from[i];
}

static void narrow(float *to, const double *from)
{
    for (int i = 0; i < ROWS * IN; i++) to[i] = (float)from[i];
}

static void l2norm_twin(double *y, const double *x)
{
    for (int i = 0; i < ROWS; i++, x += IN, y += IN) {
        double square = 0;
        for (int k = 0; k < IN; k++) square += x[k] * x[k];
        for (int k = 0; k < IN; k++) y[k] = x[k] / fmax(sqrt(square), 1e-12);
    }
}

static void l2norm_forward_all(float *y, const float *x)
{
    double unit[ROWS * IN], length[ROWS];
    l2norm_forward(unit, length, x, ROWS, IN);
    narrow(y, unit);
}

static void l2norm_backward_all(float *dx, const float *dy, const float *x)
{
    double unit[ROWS * IN], length[ROWS], d[ROWS * IN];
    l2norm_forward(unit, length, x, ROWS, IN);
    widen(d, dy);
    l2norm_backward(d, d, unit, length, ROWS, IN);
    narrow(dx, d);
}

static void l2norm_jvp_all(float *ty, const float *tx, const float *x)
{
    double unit[ROWS * IN], length[ROWS], t[ROWS * IN];
    l2norm_forward(unit, length, x, ROWS, IN);
    widen(t, tx);
    l2norm_jvp(t, t, unit, length, ROWS, IN);
    narrow(ty, t);
}

static void test_l2norm(void **state)
{
    check(&(layer){ROWS * IN, ROWS * IN, l2norm_twin, l2norm_forward_all, l2norm_backward_all,
                   l2norm_jvp_all});
    const float nothing[2] = {0, 0};
    double unit[2], length, d[2] = {1e-12, -1e-12};
    l2norm_forward(unit, &length, nothing, 1, 2);
    assert_true(unit[0] == 0 && unit[1] == 0);
    l2norm_backward(d, d, unit, &length, 1, 2);
    assert_true(near(d[0], 1, 1e-9) && near(d[1], -1, 1e-9));

    float row[2] = {3e30f, -4e30f}, none[2] = {0, 0}, broken[2] = {1, NAN};
    assert_true(near(l2norm_row(row, row, 2), 5e30, 1e24));
    assert_true(near(row[0], 0.6, 1e-7) && near(row[1], -0.8, 1e-7));
    assert_true(l2norm_row(none, none, 2) == 0 && none[0] == 0 && none[1] == 0);
    assert_true(isnan(l2norm_row(broken, broken, 2)));
}

/* ---- ReLU: 100 numbers, none near the kink -------------------------------------------------- */

static void relu_twin(double *y, const double *x)
{
    for (int i = 0; i < 100; i++) y[i] = fmax(x[i], 0);
}

static void relu_forward_all(float *y, const float *x)
{
    relu_forward(y, x, 100);
}

static void relu_backward_all(float *dx, const float *dy, const float *x)
{
    relu_backward(dx, dy, x, 100);
}

static void relu_jvp_all(float *ty, const float *tx, const float *x)
{
    relu_jvp(ty, tx, x, 100);
}

static void test_relu(void **state)
{
    float x[100];
    fill(x, 100, "x");
    for (int i = 0; i < 100; i++) assert_true(fabsf(x[i]) > 1e-4f);
    check(&(layer){100, 100, relu_twin, relu_forward_all, relu_backward_all, relu_jvp_all});
    float edge[3] = {0, -0.0f, NAN}, ones[3] = {1, 1, 1};
    relu_backward(ones, ones, edge, 3);
    assert_true(ones[0] == 0 && ones[1] == 0 && ones[2] == 0);
    relu_forward(edge, edge, 3);
    assert_true(edge[0] == 0 && edge[1] == 0 && isnan(edge[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),    cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_quickgelu), cmocka_unit_test(test_attention),
        cmocka_unit_test(test_embedding), cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_l2norm),    cmocka_unit_test(test_relu),
    };
    return RUN_TESTS(tests);
}
