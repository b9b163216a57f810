/* A start for a mixture from a file: responsibilities, a whole mixture, or only its means. */
#ifndef BLADES_DETECT_GMM_START_H
#define BLADES_DETECT_GMM_START_H

#include "detect/gmm.h"

typedef struct gmm_start {
    gmm mixture;              /* components 0: not given */
    double *responsibilities; /* (n, components); NULL: not given */
    size_t components;
} gmm_start;

/* Reads a safetensors file with one of: `responsibilities` (n, k), a row a point; `means` (k, d)
   with `weights` (k) and `covariances` or `precisions` of the covariance's shape, as in detector
   files or scikit-learn's GaussianMixture; `means` alone, whereupon each point belongs to the
   nearest. STATUS_DATA when shapes do not fit the points, a row of responsibilities is no shares of
   1, or the file is a detector of other embeddings than those of `model` (NULL: any). */
bool gmm_start_read(gmm_start *s, const char *path, const char *model, gmm_covariance covariance,
                    const points *p, int threads, error *e);
void gmm_start_free(gmm_start *s);

#endif
