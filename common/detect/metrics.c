/* Figures of merit of scores, in one pass over them by falling score. */
#include "detect/metrics.h"

#include <math.h>
#include <stdlib.h>

const char *const metric_keys[METRICS] = {"accuracy", "auc", "ap", "tnr",          "fpr",
                                          "tpr",      "fnr", "f",  "tpr_at_1_fpr", "tpr_at_5_fpr"};
const char *const metric_titles[METRICS] = {"Accuracy", "AUC", "AP", "TNR",    "FPR",
                                            "TPR",      "FNR", "F",  "TPR@1%", "TPR@5%"};

static int compare_ranked(const void *a, const void *b)
{
    const ranked_item *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return (x->face > y->face) - (x->face < y->face);
}

void ranked_sort(ranked_item *items, size_t count)
{
    if (count) qsort(items, count, sizeof *items, compare_ranked);
}

/* Counts of decisions: [generated?][decision]. */
static void decision_metrics(double table[2][3], metrics *m)
{
    double tn = table[0][DECISION_PHOTOGRAPHIC], fp = table[0][DECISION_GENERATED];
    double fn = table[1][DECISION_PHOTOGRAPHIC], tp = table[1][DECISION_GENERATED];
    if (table[0][DECISION_NONE] + table[1][DECISION_NONE] > 0) return;
    if (tn + fp > 0 && tp + fn > 0) {
        m->value[METRIC_ACCURACY] = (tn + tp) / (tn + fp + fn + tp);
        m->value[METRIC_F] = 2 * tp / (2 * tp + fp + fn);
    }
    if (tn + fp > 0) {
        m->value[METRIC_TNR] = tn / (tn + fp);
        m->value[METRIC_FPR] = fp / (tn + fp);
    }
    if (tp + fn > 0) {
        m->value[METRIC_TPR] = tp / (tp + fn);
        m->value[METRIC_FNR] = fn / (tp + fn);
    }
}

void metrics_compute(const ranked_item *sorted, size_t count, const uint32_t *counts, metrics *m)
{
    double table[2][3] = {{0}};
    for (size_t i = 0; i < METRICS; i++) m->value[i] = NAN;
    for (size_t i = 0; i < count; i++)
        table[sorted[i].generated][sorted[i].decided] += counts ? counts[sorted[i].face] : 1;
    double negatives = table[0][0] + table[0][1] + table[0][2];
    double positives = table[1][0] + table[1][1] + table[1][2];
    m->photographic = (size_t)negatives;
    m->generated = (size_t)positives;
    decision_metrics(table, m);
    if (positives == 0 || negatives == 0) return;

    double tp = 0, fp = 0, area = 0, precision = 0, at_1 = 0, at_5 = 0;
    for (size_t i = 0; i < count;) {
        double tied[2] = {0, 0}, score = sorted[i].score;
        for (; i < count && sorted[i].score == score; i++)
            tied[sorted[i].generated] += counts ? counts[sorted[i].face] : 1;
        area += tied[0] * (tp + 0.5 * tied[1]);
        fp += tied[0];
        tp += tied[1];
        if (tied[1] > 0) precision += tied[1] / positives * tp / (tp + fp);
        if (fp <= 0.01 * negatives) at_1 = tp / positives;
        if (fp <= 0.05 * negatives) at_5 = tp / positives;
    }
    m->value[METRIC_AUC] = area / (positives * negatives);
    m->value[METRIC_AP] = precision;
    m->value[METRIC_TPR_AT_1] = at_1;
    m->value[METRIC_TPR_AT_5] = at_5;
}
