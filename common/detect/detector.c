/* Detectors of any kind: scores, decisions, p-values. */
#include "detect/detector.h"

#include "cli/quantile.h"

#include <math.h>
#include <stdlib.h>

const char *const detector_kind_names[] = {"gmm", "mlp", "linear", "knn", NULL};

size_t detector_dimension(const detector *d)
{
    if (d->kind == DETECTOR_GMM) return d->mixture.dimension;
    return d->kind == DETECTOR_KNN ? d->stored.dimension : d->network.inputs;
}

bool detector_higher_is_photographic(const detector *d)
{
    return d->kind == DETECTOR_GMM;
}

bool detector_scores(const detector *d, const points *p, int threads, double *score, error *e)
{
    if (d->kind == DETECTOR_GMM)
        return gmm_log_likelihoods(&d->mixture, p, threads, score, NULL, e);
    if (d->kind == DETECTOR_KNN) return neighbours_predict(&d->stored, p, threads, score, e);
    return perceptron_predict(&d->network, p, threads, score, e);
}

bool detector_says_generated(const detector *d, double score)
{
    return detector_higher_is_photographic(d) ? score < d->threshold : score > d->threshold;
}

/* How many of ascending values are below x, or not above it. */
static size_t count_below(const double *values, size_t count, double x, bool equal_too)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (values[middle] < x || (equal_too && values[middle] == x))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double detector_p_value(const detector *d, double score)
{
    size_t n = d->calibration_count;
    if (n == 0) return NAN;
    size_t odd = detector_higher_is_photographic(d)
                     ? count_below(d->calibration_scores, n, score, true)
                     : n - count_below(d->calibration_scores, n, score, false);
    return (double)odd / (double)n;
}

void detector_calibrate(detector *d, double *scores, size_t count, double false_alarm_rate,
                        const char *name)
{
    free(d->calibration_scores);
    d->calibration_scores = scores;
    d->calibration_count = count;
    d->calibration = name;
    sort_ascending(scores, count);
    if (isnan(false_alarm_rate) || count == 0) return;
    d->false_alarm_rate = false_alarm_rate;
    bool low = detector_higher_is_photographic(d);
    d->threshold = quantile_sorted(scores, count, low ? false_alarm_rate : 1 - false_alarm_rate);
}

void detector_free(detector *d)
{
    gmm_free(&d->mixture);
    perceptron_free(&d->network);
    neighbours_free(&d->stored);
    free(d->calibration_scores);
    free(d->model);
    free(d->text);
    *d = (detector){0};
}
