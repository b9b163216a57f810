/* Gaussian mixtures: expectation maximisation in log space with Cholesky factors. The updates, the
   regularisation and the stopping rule are those of scikit-learn's GaussianMixture, so that the
   same start gives the same mixture. */
#ifndef BLADES_DETECT_GMM_H
#define BLADES_DETECT_GMM_H

#include "detect/points.h"

typedef enum gmm_covariance { GMM_FULL, GMM_DIAGONAL, GMM_TIED } gmm_covariance;
extern const char *const gmm_covariance_names[]; /* "full", "diagonal", "tied", NULL */

typedef struct gmm {
    size_t components, dimension;
    gmm_covariance covariance;
    double *weights;     /* (k) */
    double *means;       /* (k, d) */
    double *covariances; /* full (k, d, d), tied (d, d), diagonal (k, d) */
    double *whiteners;   /* the same shape: L^-1 of the covariance LL', lower; diagonal: 1/sigma */
    double *logs;        /* (k): log |whitener| */
} gmm;

#define GMM_SHRINKAGE_OAS (-1.0)

typedef struct gmm_options {
    size_t components;
    gmm_covariance covariance;
    double regularisation; /* added to every variance */
    /* Share of every full or tied covariance S that gives way to (trace S / d) I, before the
       regularisation; GMM_SHRINKAGE_OAS: the oracle approximating share of each (Chen, Wiesel,
       Eldar, Hero 2010, as scikit-learn's OAS), for as many points as the component has. */
    double shrinkage;
    double tolerance; /* stop when the mean log-likelihood changes by less */
    int max_iterations, starts, threads;
    uint64_t seed;
    /* Where to begin instead of k-means: a mixture of this shape, or responsibilities (n, k). */
    const gmm *initial;
    const double *responsibilities;
    /* Told about each iteration, and about components mended or re-seeded in it. May be NULL. */
    void (*say)(void *context, bool iteration, const char *text);
    void *context;
} gmm_options;

typedef struct gmm_result {
    double log_likelihood; /* mean over the points of the last expectation step */
    int iterations;
    bool converged;
    int start;                              /* which of the starts won, from 0 */
    int reseeded;                           /* how often an empty component was put elsewhere */
    int mended;                             /* how often a covariance needed more regularisation */
    double least_shrinkage, most_shrinkage; /* of the covariances kept */
} gmm_result;

/* Allocates a mixture of this shape, zeroed. gmm_free on one that failed or was never made is fine.
 */
bool gmm_create(gmm *m, size_t components, size_t dimension, gmm_covariance covariance, error *e);
void gmm_free(gmm *m);

/* Fits m, which this creates. The options' components <= points. With `starts` > 1 the fit of
   highest log-likelihood wins. Same numbers for any number of threads. */
bool gmm_fit(gmm *m, const points *p, const gmm_options *o, gmm_result *result, error *e);

/* Whiteners and log determinants from covariances. STATUS_DATA when one is not positive definite.
 */
bool gmm_prepare(gmm *m, int threads, error *e);

/* Log-likelihood of each point (count), and responsibilities (count, k) unless NULL. */
bool gmm_log_likelihoods(const gmm *m, const points *p, int threads, double *log_likelihood,
                         double *responsibilities, error *e);

/* Free parameters (shared for their test), and the Bayesian information criterion (lower is better)
   for n points of a mean log-likelihood. */
double gmm_parameter_count(const gmm *m);
double gmm_bic(const gmm *m, double mean_log_likelihood, size_t n);

/* Doubles in `covariances` of this shape. */
size_t gmm_covariance_size(size_t components, size_t dimension, gmm_covariance covariance);

#endif
