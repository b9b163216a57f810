/* AdamW and SGD on a model's flat vector, as PyTorch defines them. */
#ifndef BLADES_TRAIN_OPTIMIZER_H
#define BLADES_TRAIN_OPTIMIZER_H

#include "train/plan.h"

typedef enum optimizer_kind {
    OPTIMIZER_ADAMW, /* beta 0.9, 0.999; epsilon 1e-8; decay decoupled from the gradient */
    OPTIMIZER_SGD,   /* momentum 0.9 without dampening; decay added to the gradient */
} optimizer_kind;

typedef struct optimizer {
    optimizer_kind kind;
    const plan *plan;
    double decay;
    int64_t updates;
    float *first;  /* AdamW's mean, SGD's momentum buffer */
    float *second; /* AdamW's mean square; NULL with SGD */
} optimizer;

/* The plan must outlive it; SGD's must have no unused rows, because decay gives them momentum. Free
 * with optimizer_free, also after failure. */
bool optimizer_create(optimizer *o, optimizer_kind kind, const plan *p, double decay, error *e);
void optimizer_free(optimizer *o);

/* Updates the trained and the unused numbers of `values`. The gradient counts `clip` times (1: as
   it is); rate (PARAMETER_GROUPS). */
void optimizer_update(optimizer *o, float *values, const float *gradient, double clip,
                      const double *rate);

#endif
