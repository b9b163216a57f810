/* Figures of merit of scores. The positive class is "generated" throughout, and a higher score
   means more likely generated. Definitions are scikit-learn's (roc_auc_score,
   average_precision_score, roc_curve). */
#ifndef BLADES_DETECT_METRICS_H
#define BLADES_DETECT_METRICS_H

#include "cli/error.h"

#include <stddef.h>
#include <stdint.h>

typedef enum decision { DECISION_NONE, DECISION_PHOTOGRAPHIC, DECISION_GENERATED } decision;

typedef struct ranked_item {
    double score;
    uint32_t face; /* whose it is: an index into counts */
    bool generated;
    uint8_t decided; /* decision */
} ranked_item;

typedef enum metric_name {
    METRIC_ACCURACY,
    METRIC_AUC,
    METRIC_AP,
    METRIC_TNR,
    METRIC_FPR,
    METRIC_TPR,
    METRIC_FNR,
    METRIC_F,
    METRIC_TPR_AT_1,
    METRIC_TPR_AT_5,
    METRICS
} metric_name;
extern const char *const metric_keys[METRICS];   /* "accuracy", ... for programs */
extern const char *const metric_titles[METRICS]; /* "Accuracy", ... for people */

typedef struct metrics {
    double value[METRICS]; /* fractions; NaN when undefined (no decisions, an empty class) */
    size_t photographic, generated;
} metrics;

/* Sorts items by falling score, for metrics_compute. */
void ranked_sort(ranked_item *items, size_t count);

/* The metrics of sorted items, each counted counts[face] times (NULL: once). TPR at x % FPR is the
   highest TPR of any threshold whose FPR is at most x %. The decisions' metrics are NaN unless
   every face has one; TNR and FPR need photographic faces, TPR and FNR generated ones, all others
   both. */
void metrics_compute(const ranked_item *sorted, size_t count, const uint32_t *counts, metrics *m);

#endif
