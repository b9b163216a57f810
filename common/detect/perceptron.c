/* A perceptron of one hidden layer or none: prediction, and training by AdamW. */
#include "detect/perceptron.h"

#include "cli/memory.h"
#include "cli/random.h"
#include "nn/adam.h"
#include "nn/relu.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hidden units are worked on in tiles, each by one thread, so that sums do not depend on threads.
 */
enum { TILE = 64, PREDICT_ROWS = 256 };

bool perceptron_create(perceptron *p, size_t inputs, size_t hidden, error *e)
{
    *p = (perceptron){.inputs = inputs, .hidden = hidden};
    p->weight2 = memory_zeroed(2 * (hidden ? hidden : inputs), sizeof(float), e);
    p->bias2 = memory_zeroed(2, sizeof(float), e);
    if (hidden) {
        p->weight1 = memory_zeroed(hidden * inputs, sizeof(float), e);
        p->bias1 = memory_zeroed(hidden, sizeof(float), e);
    }
    if (p->weight2 && p->bias2 && (!hidden || (p->weight1 && p->bias1))) return true;
    perceptron_free(p);
    return false;
}

void perceptron_free(perceptron *p)
{
    free(p->weight1);
    free(p->bias1);
    free(p->weight2);
    free(p->bias2);
    *p = (perceptron){0};
}

static size_t features_of(const perceptron *p)
{
    return p->hidden ? p->hidden : p->inputs;
}

static size_t tile_width(size_t count, size_t tile)
{
    return count - tile * TILE < TILE ? count - tile * TILE : TILE;
}

/* hidden[:, tile] = relu(x W1' + b1), x (rows, inputs), hidden (rows, p->hidden). */
static void hidden_tile(const perceptron *p, const float *x, size_t rows, size_t tile,
                        float *hidden)
{
    size_t first = tile * TILE, width = tile_width(p->hidden, tile);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)width, (int)p->inputs, 1,
                x, (int)p->inputs, p->weight1 + first * p->inputs, (int)p->inputs, 0,
                hidden + first, (int)p->hidden);
    for (size_t i = 0; i < rows; i++) {
        float *row = hidden + i * p->hidden + first;
        for (size_t j = 0; j < width; j++) row[j] += p->bias1[first + j];
        relu_forward(row, row, width);
    }
}

static double probability_of(const perceptron *p, const float *features)
{
    size_t m = features_of(p);
    double difference = (double)p->bias2[1] - (double)p->bias2[0];
    for (size_t j = 0; j < m; j++)
        difference += (double)features[j] * ((double)p->weight2[m + j] - (double)p->weight2[j]);
    return 1 / (1 + exp(-difference));
}

bool perceptron_predict(const perceptron *p, const points *x, int threads, double *probability,
                        error *e)
{
    size_t blocks = (x->count + PREDICT_ROWS - 1) / PREDICT_ROWS;
    size_t each = PREDICT_ROWS * (p->inputs + p->hidden);
    float *buffers = memory_allocate((size_t)threads * each, sizeof *buffers, e);
    if (!buffers) return false;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t b = 0; b < blocks; b++) {
        float *rows = buffers + (size_t)omp_get_thread_num() * each;
        float *hidden = rows + PREDICT_ROWS * p->inputs;
        size_t first = b * PREDICT_ROWS;
        size_t count = x->count - first < PREDICT_ROWS ? x->count - first : PREDICT_ROWS;
        for (size_t i = 0; i < count; i++)
            memcpy(rows + i * p->inputs, points_row(x, first + i), p->inputs * sizeof *rows);
        /* Full blocks, as other numbers of rows may be rounded in other ways. */
        memset(rows + count * p->inputs, 0, (PREDICT_ROWS - count) * p->inputs * sizeof *rows);
        for (size_t t = 0; t * TILE < p->hidden; t++) hidden_tile(p, rows, PREDICT_ROWS, t, hidden);
        const float *features = p->hidden ? hidden : rows;
        for (size_t i = 0; i < count; i++)
            probability[first + i] = probability_of(p, features + i * features_of(p));
    }
    free(buffers);
    return true;
}

/* ---- Training ------------------------------------------------------------------------------- */

typedef struct adam {
    float *mean, *square;
} adam;

typedef struct training {
    perceptron *p;
    const perceptron_options *o;
    adam weight1, bias1, weight2, bias2;
    float *x, *hidden, *output; /* (batch, inputs), (batch, hidden), (batch, 2): dloss/dlogits */
    float *scratch;             /* tile by tile: (TILE, inputs), (batch, TILE) */
    double *losses;             /* (batch) */
    uint8_t *labels;            /* (batch) */
    uint32_t *order;            /* (fit) */
    perceptron best;
    double *held; /* (held): probabilities */
    double class_weight[2];
    double correction1, correction2; /* of this step */
    int64_t step;
} training;

static void adam_update(const training *t, const adam *a, size_t offset, float *value,
                        const float *gradient, size_t count, bool decay)
{
    const double rate = t->o->learning_rate;
    double shrink = decay ? 1 - rate * t->o->weight_decay : 1;
    float *mean = a->mean + offset, *square = a->square + offset;
    for (size_t i = 0; i < count; i++) {
        double g = (double)gradient[i];
        double m = ADAM_BETA1 * (double)mean[i] + (1 - ADAM_BETA1) * g;
        double s = ADAM_BETA2 * (double)square[i] + (1 - ADAM_BETA2) * g * g;
        mean[i] = (float)m;
        square[i] = (float)s;
        double change = (m / t->correction1) / (sqrt(s / t->correction2) + ADAM_EPSILON);
        value[offset + i] = (float)(shrink * (double)value[offset + i] - rate * change);
    }
}

/* Gradient and update of one tile of hidden units, with their output weights. */
static void update_hidden_tile(const training *t, size_t rows, size_t tile)
{
    perceptron *p = t->p;
    size_t first = tile * TILE, width = tile_width(p->hidden, tile), d = p->inputs, h = p->hidden;
    float *dweight = t->scratch + tile * TILE * (d + (size_t)t->o->batch);
    float *dhidden = dweight + TILE * d, dbias[TILE] = {0}, doutput[2][TILE] = {{0}};
    for (size_t i = 0; i < rows; i++) {
        const float *hidden = t->hidden + i * h + first, *out = t->output + 2 * i;
        float *through = dhidden + i * TILE;
        for (size_t j = 0; j < width; j++) {
            through[j] = out[0] * p->weight2[first + j] + out[1] * p->weight2[h + first + j];
            doutput[0][j] += out[0] * hidden[j];
            doutput[1][j] += out[1] * hidden[j];
        }
        relu_backward(through, through, hidden, width);
        for (size_t j = 0; j < width; j++) dbias[j] += through[j];
    }
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)width, (int)d, (int)rows, 1, dhidden,
                TILE, t->x, (int)d, 0, dweight, (int)d);
    adam_update(t, &t->weight1, first * d, p->weight1, dweight, width * d, true);
    adam_update(t, &t->bias1, first, p->bias1, dbias, width, false);
    adam_update(t, &t->weight2, first, p->weight2, doutput[0], width, true);
    adam_update(t, &t->weight2, h + first, p->weight2, doutput[1], width, true);
}

static void update_linear(const training *t, size_t rows)
{
    size_t d = t->p->inputs;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, 2, (int)d, (int)rows, 1, t->output, 2,
                t->x, (int)d, 0, t->scratch, (int)d);
    adam_update(t, &t->weight2, 0, t->p->weight2, t->scratch, 2 * d, true);
}

static double cross_entropy(double probability, uint8_t label)
{
    double right = label ? probability : 1 - probability;
    return -log(right < 1e-12 ? 1e-12 : right); /* what is no number stays none */
}

/* Weighted cross-entropy of the batch (a sum); t->output becomes the gradient of its mean. */
static double batch_loss(training *t, size_t rows)
{
    const float *features = t->p->hidden ? t->hidden : t->x;
    size_t m = features_of(t->p);
#pragma omp parallel for schedule(static) num_threads(t->o->threads)
    for (size_t i = 0; i < rows; i++) {
        double weight = t->class_weight[t->labels[i]];
        double p = probability_of(t->p, features + i * m);
        double gradient = weight * (p - t->labels[i]) / (double)rows;
        t->output[2 * i] = (float)-gradient;
        t->output[2 * i + 1] = (float)gradient;
        t->losses[i] = weight * cross_entropy(p, t->labels[i]);
    }
    double loss = 0;
    for (size_t i = 0; i < rows; i++) loss += t->losses[i];
    return loss;
}

static double train_batch(training *t, const points *fit, const uint8_t *labels,
                          const uint32_t *order, size_t rows)
{
    perceptron *p = t->p;
    size_t tiles = (p->hidden + TILE - 1) / TILE;
    for (size_t i = 0; i < rows; i++) {
        memcpy(t->x + i * p->inputs, points_row(fit, order[i]), p->inputs * sizeof *t->x);
        t->labels[i] = labels[order[i]];
    }
#pragma omp parallel for schedule(dynamic) num_threads(t->o->threads)
    for (size_t tile = 0; tile < tiles; tile++) hidden_tile(p, t->x, rows, tile, t->hidden);
    double loss = batch_loss(t, rows);
    t->step++;
    t->correction1 = 1 - pow(ADAM_BETA1, (double)t->step);
    t->correction2 = 1 - pow(ADAM_BETA2, (double)t->step);
    float dbias[2] = {0};
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < 2; j++) dbias[j] += t->output[2 * i + j];
#pragma omp parallel for schedule(dynamic) num_threads(t->o->threads)
    for (size_t tile = 0; tile < tiles; tile++) update_hidden_tile(t, rows, tile);
    if (tiles == 0) update_linear(t, rows);
    adam_update(t, &t->bias2, 0, p->bias2, dbias, 2, false);
    return loss;
}

static double train_epoch(training *t, const points *fit, const uint8_t *labels, int epoch)
{
    double loss = 0;
    size_t batch = (size_t)t->o->batch;
    for (size_t i = 0; i < fit->count; i++) t->order[i] = (uint32_t)i;
    random_state random = random_keyed(t->o->seed, "perceptron epoch", (uint64_t)epoch);
    random_shuffle(&random, t->order, fit->count);
    for (size_t first = 0; first < fit->count; first += batch) {
        size_t rows = fit->count - first < batch ? fit->count - first : batch;
        loss += train_batch(t, fit, labels, t->order + first, rows);
    }
    return loss / (double)fit->count;
}

/* PyTorch's distribution for linear layers: uniform within 1/sqrt(inputs). */
static void initialise(perceptron *p, uint64_t seed)
{
    struct {
        const char *name;
        float *value;
        size_t count, fan_in;
    } part[] = {{"fc1.weight", p->weight1, p->hidden * p->inputs, p->inputs},
                {"fc1.bias", p->bias1, p->hidden, p->inputs},
                {"fc2.weight", p->weight2, 2 * features_of(p), features_of(p)},
                {"fc2.bias", p->bias2, 2, features_of(p)}};
    for (size_t k = 0; k < sizeof part / sizeof *part; k++) {
        random_state random = random_keyed(seed, part[k].name, 0);
        double bound = 1 / sqrt((double)part[k].fan_in);
        for (size_t i = 0; i < part[k].count; i++)
            part[k].value[i] = (float)(bound * (2 * random_uniform(&random) - 1));
    }
}

static void copy_values(perceptron *to, const perceptron *from)
{
    if (from->hidden) {
        memcpy(to->weight1, from->weight1, from->hidden * from->inputs * sizeof(float));
        memcpy(to->bias1, from->bias1, from->hidden * sizeof(float));
    }
    memcpy(to->weight2, from->weight2, 2 * features_of(from) * sizeof(float));
    memcpy(to->bias2, from->bias2, 2 * sizeof(float));
}

static bool set_class_weights(training *t, const uint8_t *labels, size_t count, error *e)
{
    size_t generated = 0;
    for (size_t i = 0; i < count; i++) generated += labels[i];
    if (generated == 0 || generated == count)
        return error_set(e, STATUS_DATA, "both photographic and generated faces are needed");
    bool balanced = t->o->balanced;
    t->class_weight[0] = balanced ? (double)count / (2.0 * (double)(count - generated)) : 1;
    t->class_weight[1] = balanced ? (double)count / (2.0 * (double)generated) : 1;
    return true;
}

static bool allocate_adam(adam *a, size_t count, error *e)
{
    a->mean = memory_zeroed(count + 1, sizeof(float), e);
    a->square = memory_zeroed(count + 1, sizeof(float), e);
    return a->mean && a->square;
}

static bool allocate(training *t, size_t fit, size_t held, error *e)
{
    size_t d = t->p->inputs, h = t->p->hidden, batch = (size_t)t->o->batch;
    size_t tiles = (h + TILE - 1) / TILE;
    t->x = memory_allocate(batch * d, sizeof(float), e);
    t->hidden = memory_allocate(batch * h + 1, sizeof(float), e);
    t->output = memory_allocate(batch * 2, sizeof(float), e);
    t->scratch = memory_allocate(tiles * TILE * (d + batch) + 2 * d, sizeof(float), e);
    t->losses = memory_allocate(batch, sizeof(double), e);
    t->labels = memory_allocate(batch, 1, e);
    t->order = memory_allocate(fit, sizeof(uint32_t), e);
    t->held = memory_allocate(held + 1, sizeof(double), e);
    return t->x && t->hidden && t->output && t->scratch && t->losses && t->labels && t->order &&
           t->held && allocate_adam(&t->weight1, h * d, e) && allocate_adam(&t->bias1, h, e) &&
           allocate_adam(&t->weight2, 2 * features_of(t->p), e) && allocate_adam(&t->bias2, 2, e) &&
           perceptron_create(&t->best, d, h, e);
}

static void free_training(training *t)
{
    adam *moments[] = {&t->weight1, &t->bias1, &t->weight2, &t->bias2};
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        free(moments[i]->mean);
        free(moments[i]->square);
    }
    perceptron_free(&t->best);
    free(t->x);
    free(t->hidden);
    free(t->output);
    free(t->scratch);
    free(t->losses);
    free(t->labels);
    free(t->order);
    free(t->held);
}

/* Weighted mean cross-entropy and plain accuracy on the held-out part. */
static bool judge(training *t, const points *held, const uint8_t *labels, double *loss,
                  double *accuracy, error *e)
{
    double weights = 0, right = 0, sum = 0;
    if (!perceptron_predict(t->p, held, t->o->threads, t->held, e)) return false;
    for (size_t i = 0; i < held->count; i++) {
        double weight = t->class_weight[labels[i]];
        sum += weight * cross_entropy(t->held[i], labels[i]);
        weights += weight;
        right += (t->held[i] > 0.5) == labels[i];
    }
    *loss = held->count ? sum / weights : 0;
    *accuracy = held->count ? right / (double)held->count : NAN;
    return true;
}

static bool run_epochs(training *t, const points *fit, const uint8_t *fit_labels,
                       const points *held, const uint8_t *held_labels, perceptron_result *result,
                       error *e)
{
    double least = INFINITY;
    for (int epoch = 1; epoch <= t->o->epochs; epoch++) {
        char text[160];
        double loss = train_epoch(t, fit, fit_labels, epoch), held_loss, accuracy;
        if (!isfinite(loss))
            return error_set(e, STATUS_INTERNAL, "the loss is no longer finite in epoch %d", epoch);
        if (!judge(t, held, held_labels, &held_loss, &accuracy, e)) return false;
        snprintf(text, sizeof text, "epoch %d: loss %.6f, held out %.6f, accuracy %.4f", epoch,
                 loss, held_loss, accuracy);
        if (t->o->say) t->o->say(t->o->context, text);
        result->epochs = epoch;
        if (held->count == 0 || held_loss < least) {
            least = held_loss;
            result->best_epoch = epoch;
            result->loss = loss;
            result->held_out_loss = held_loss;
            result->held_out_accuracy = accuracy;
            copy_values(&t->best, t->p);
        } else if (epoch - result->best_epoch >= t->o->patience) {
            break;
        }
    }
    copy_values(t->p, &t->best);
    return true;
}

bool perceptron_fit(perceptron *p, const points *fit, const uint8_t *fit_labels, const points *held,
                    const uint8_t *held_labels, const perceptron_options *o,
                    perceptron_result *result, error *e)
{
    training t = {.p = p, .o = o};
    *result = (perceptron_result){0};
    if (!perceptron_create(p, fit->dimension, o->hidden, e)) return false;
    initialise(p, o->seed);
    bool done = set_class_weights(&t, fit_labels, fit->count, e) &&
                allocate(&t, fit->count, held->count, e) &&
                run_epochs(&t, fit, fit_labels, held, held_labels, result, e);
    free_training(&t);
    if (!done) perceptron_free(p);
    return done;
}
