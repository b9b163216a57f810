/* Fidelity losses of class, rank and region labels, with their gradients. */
#include "train/losses.h"

#include "nn/softmax.h"

#include <math.h>
#include <string.h>

static void clear_columns(double *dz, int n, int stride, int classes)
{
    for (int i = 0; i < n; i++)
        memset(dz + (int64_t)i * stride, 0, sizeof(double) * (size_t)classes);
}

static int count_classes(const int32_t *labels, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) count += labels[i] != LOSS_CLASS_MISSING;
    return count;
}

/* (1 - p)^gamma (1 - sqrt(p + e)) and its derivative. Where e alone makes the root larger than 1,
   the loss is 0; the slope there moves no logit, because p is 1 but for e. */
static double focal_fidelity(double p, double gamma, double *derivative)
{
    double root = sqrt(p + LOSS_EPSILON), miss = 1 - p, loss = root > 1 ? 0 : 1 - root;
    if (gamma == 0) {
        *derivative = -0.5 / root;
        return loss;
    }
    double weight = pow(miss, gamma);
    /* At p = 1 a slope of the weight with gamma < 1 is infinite, and what it multiplies is 0. */
    double slope = miss > 0 ? gamma * weight / miss : (gamma == 1 ? 1 : 0);
    *derivative = -slope * loss - 0.5 * weight / root;
    return weight * loss;
}

double loss_categorical(const double *z, int n, int stride, int classes, const int32_t *labels,
                        double gamma, double *dz, int64_t *labelled)
{
    double sum = 0;
    clear_columns(dz, n, stride, classes);
    *labelled = count_classes(labels, n);
    for (int i = 0; i < n; i++) {
        if (labels[i] == LOSS_CLASS_MISSING) continue;
        double *p = dz + (int64_t)i * stride, slope;
        softmax_forward_double(p, z + (int64_t)i * stride, 1, classes);
        double chosen = p[labels[i]];
        sum += focal_fidelity(chosen, gamma, &slope);
        for (int k = 0; k < classes; k++)
            p[k] = slope / (double)*labelled * chosen * ((k == labels[i]) - p[k]);
    }
    return *labelled ? sum / (double)*labelled : 0;
}

double loss_coarse(const double *z, int n, int stride, int classes, const int32_t *labels,
                   double *dz, int64_t *labelled)
{
    return loss_categorical(z, n, stride, classes, labels, 0, dz, labelled);
}

/* 1 - sqrt(p g + e) - sqrt((1 - p)(1 - g) + e), where `rest` is 1 - p, and its derivative by p. */
static double fidelity(double p, double rest, double g, double *derivative)
{
    double hit = sqrt(p * g + LOSS_EPSILON), miss = sqrt(rest * (1 - g) + LOSS_EPSILON);
    *derivative = -0.5 * g / hit + 0.5 * (1 - g) / miss;
    return 1 - hit - miss;
}

/* The loss of a pair whose expected levels differ by `difference`, and its derivative by it. */
static double pair_loss(double difference, double g, double steepness, double *derivative)
{
    double x = steepness * difference, by_p;
    double loss = fidelity(0.5 * erfc(-x), 0.5 * erfc(x), g, &by_p);
    *derivative = by_p * steepness / sqrt(M_PI) * exp(-x * x);
    return loss;
}

double loss_ordinal(const double *z, int n, int stride, int classes, const float *values,
                    bool thurstone, double *dz, double *scratch, int64_t *labelled)
{
    double *level = scratch, *by_level = scratch + n, sum = 0;
    double steepness = thurstone ? 0.5 : sqrt(2.0); /* Phi(x) = erfc(-x / sqrt 2) / 2 */
    int64_t pairs = 0;
    clear_columns(dz, n, stride, classes);
    for (int i = 0; i < n; i++) {
        double *p = dz + (int64_t)i * stride;
        level[i] = by_level[i] = 0;
        if (isnan(values[i])) continue;
        softmax_forward_double(p, z + (int64_t)i * stride, 1, classes);
        for (int k = 0; k < classes; k++) level[i] += (k + 1) * p[k];
    }
    for (int a = 0; a < n; a++) {
        for (int b = a + 1; b < n && !isnan(values[a]); b++) {
            if (isnan(values[b])) continue;
            double g = values[a] > values[b] ? 1 : values[a] < values[b] ? 0 : 0.5, slope;
            sum += pair_loss(level[a] - level[b], g, steepness, &slope);
            by_level[a] += slope;
            by_level[b] -= slope;
            pairs++;
        }
    }
    for (int i = 0; i < n; i++) {
        double *p = dz + (int64_t)i * stride, slope = pairs ? by_level[i] / (double)pairs : 0;
        for (int k = 0; k < classes; k++) p[k] *= slope * (k + 1 - level[i]);
    }
    *labelled = pairs;
    return pairs ? sum / (double)pairs : 0;
}

/* The mean loss of one sample's regions; *present: how many have a label. */
static double sample_regions(const double *z, const uint8_t *labels, int regions, double *dz,
                             int *present)
{
    double sum = 0;
    *present = 0;
    for (int k = 0; k < regions; k++) *present += labels[k] != LOSS_REGION_MISSING;
    for (int k = 0; k < regions; k++) {
        if (labels[k] == LOSS_REGION_MISSING) continue;
        double p = 1 / (1 + exp(-z[k])), rest = 1 / (1 + exp(z[k])), by_p;
        sum += fidelity(p, rest, labels[k], &by_p);
        dz[k] = by_p * p * rest / *present;
    }
    return *present ? sum / *present : 0;
}

double loss_fine(const double *z, int n, int stride, int regions, const uint8_t *labels, double *dz,
                 int64_t *labelled)
{
    double sum = 0;
    int samples = 0;
    clear_columns(dz, n, stride, regions);
    for (int i = 0; i < n; i++) {
        int present;
        sum += sample_regions(z + (int64_t)i * stride, labels + (int64_t)i * regions, regions,
                              dz + (int64_t)i * stride, &present);
        samples += present > 0;
    }
    for (int i = 0; i < n && samples; i++) {
        for (int k = 0; k < regions; k++) dz[(int64_t)i * stride + k] /= samples;
    }
    *labelled = samples;
    return samples ? sum / samples : 0;
}

double loss_derivative(const double *dz, const double *tangent, int n, int stride, int classes)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < classes; k++)
            sum += dz[(int64_t)i * stride + k] * tangent[(int64_t)i * stride + k];
    }
    return sum;
}

double coarse_accuracy(const double *z, int n, int stride, int classes, const int32_t *labels)
{
    int right = 0, count = count_classes(labels, n);
    for (int i = 0; i < n; i++) {
        const double *row = z + (int64_t)i * stride;
        int best = 0;
        for (int k = 1; k < classes; k++) {
            if (row[k] > row[best]) best = k;
        }
        right += labels[i] == best;
    }
    return count ? (double)right / count : NAN;
}

double coarse_auc(const double *z, int n, int stride, const int32_t *labels)
{
    double won = 0, pairs = 0;
    for (int a = 0; a < n; a++) {
        for (int b = 0; b < n && labels[a] == 1; b++) {
            if (labels[b] != 0) continue;
            const double *high = z + (int64_t)a * stride, *low = z + (int64_t)b * stride;
            double difference = (high[1] - high[0]) - (low[1] - low[0]);
            won += difference > 0 ? 1 : difference == 0 ? 0.5 : 0;
            pairs++;
        }
    }
    return pairs > 0 ? won / pairs : NAN;
}
