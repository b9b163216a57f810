/* The task weights: how they are parametrised, and Adam on the parameters. */
#ifndef BLADES_TRAIN_LAMBDA_H
#define BLADES_TRAIN_LAMBDA_H

#include "cli/error.h"

#include <stdint.h>

typedef enum lambda_kind {
    LAMBDA_RAW,      /* weight = a */
    LAMBDA_SOFTPLUS, /* weight = log(1 + exp a): always positive */
    LAMBDA_SOFTMAX,  /* weight = K softmax(a): positive, mean 1 */
} lambda_kind;

typedef struct lambda_weights {
    lambda_kind kind;
    int count;                  /* K */
    int64_t updates;            /* Adam's */
    double *parameter;          /* a */
    double *value;              /* the weights */
    double *first, *second;     /* Adam's moments */
    double *parameter_gradient; /* of the last update */
} lambda_weights;

/* All weights 1. Free with lambda_free, also after failure. */
bool lambda_create(lambda_weights *l, lambda_kind kind, int count, error *e);
void lambda_free(lambda_weights *l);

/* Computes value from parameter. */
void lambda_evaluate(lambda_weights *l);

/* One step of Adam (beta 0.9, 0.999, epsilon 1e-8, no decay) on the parameters, given the gradient
   with respect to the weights (K); then evaluates. */
void lambda_update(lambda_weights *l, const double *gradient, double rate);

#endif
