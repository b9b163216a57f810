/* A perceptron of one hidden layer (or none: a linear probe) that tells generated from photographic
   embeddings, and its training by AdamW with early stopping. */
#ifndef BLADES_DETECT_PERCEPTRON_H
#define BLADES_DETECT_PERCEPTRON_H

#include "detect/points.h"

/* Output 0 is photographic, 1 generated. With hidden 0, weight2 is (2, inputs) and weight1 absent.
 */
typedef struct perceptron {
    size_t inputs, hidden;
    float *weight1, *bias1; /* (hidden, inputs), (hidden) */
    float *weight2, *bias2; /* (2, hidden), (2) */
} perceptron;

typedef struct perceptron_options {
    size_t hidden;
    double learning_rate, weight_decay;
    int batch, epochs,
        patience;  /* patience: epochs without a better held-out loss before stopping */
    bool balanced; /* weigh each class by the inverse of its frequency */
    int threads;
    uint64_t seed;
    void (*say)(void *context, const char *text); /* once an epoch; may be NULL */
    void *context;
} perceptron_options;

typedef struct perceptron_result {
    int epochs, best_epoch;     /* counted from 1 */
    double loss, held_out_loss; /* of the epoch that is kept */
    double held_out_accuracy;
} perceptron_result;

bool perceptron_create(perceptron *p, size_t inputs, size_t hidden, error *e);
void perceptron_free(perceptron *p);

/* Fits p, which this creates, to `fit` with labels (1: generated) and keeps the epoch of the lowest
   loss on `held`. Both classes must be present in fit; held may be empty (then every epoch counts
   as better). Same numbers for any number of threads. STATUS_INTERNAL when the loss stops being
   finite. */
bool perceptron_fit(perceptron *p, const points *fit, const uint8_t *fit_labels, const points *held,
                    const uint8_t *held_labels, const perceptron_options *o,
                    perceptron_result *result, error *e);

/* probability (count) of being generated. */
bool perceptron_predict(const perceptron *p, const points *x, int threads, double *probability,
                        error *e);

#endif
