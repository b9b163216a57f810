/* k-means: greedy k-means++ starts (Arthur and Vassilvitskii 2007), then Lloyd's iterations. */
#ifndef BLADES_DETECT_KMEANS_H
#define BLADES_DETECT_KMEANS_H

#include "detect/points.h"

/* Divides the points into k groups: labels (count) and centres (k, dimension), both the caller's. 1
   <= k <= count. Random choices are keyed by (seed, "kmeans", start). False only when memory runs
   out. */
bool kmeans_fit(const points *p, size_t k, uint64_t seed, uint64_t start, int threads,
                uint32_t *labels, double *centres, error *e);

/* Labels each point with its nearest centre, and distances (count; may be NULL) with the squared
 * distance. */
void kmeans_assign(const points *p, size_t k, const double *centres, int threads, uint32_t *labels,
                   double *distances);

#endif
