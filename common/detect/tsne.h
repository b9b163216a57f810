/* t-SNE by the Barnes-Hut method (van der Maaten 2014), with the schedule of scikit-learn's TSNE.
 */
#ifndef BLADES_DETECT_TSNE_H
#define BLADES_DETECT_TSNE_H

#include "detect/points.h"

typedef struct tsne_options {
    double perplexity, exaggeration, angle;
    double learning_rate; /* 0: max(points / exaggeration / 4, 50) */
    int iterations;       /* the first quarter of 1000, or of fewer, is exaggerated */
    int threads;
    void (*say)(void *context, int iterations); /* that many more are done; may be NULL */
    void *context;
} tsne_options;

/* positions (count, 2), from a start by principal components; *divergence: the Kullback-Leibler
   divergence of the result, with the normalisation summed over all pairs exactly. At least 2
   points; perplexity below count. Same numbers for any number of threads. STATUS_DATA for bad
   options. */
bool tsne_fit(const points *p, const tsne_options *o, double *positions, double *divergence,
              error *e);

#endif
