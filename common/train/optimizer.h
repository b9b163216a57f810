/* AdamW and SGD on a model's flat vector, as PyTorch defines them, and the learning-rate schedule.
 */
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

/* What a gradient of this norm is multiplied with to be at most `limit` long (0: no limit), as
   PyTorch's clip_grad_norm_ does. */
double gradient_clip(double norm, double limit);

typedef enum schedule_kind { SCHEDULE_COSINE, SCHEDULE_CONSTANT } schedule_kind;

typedef struct schedule {
    schedule_kind kind;
    int64_t epochs; /* the cosine reaches 0 after so many epochs, a step down at the end of each */
    int64_t steps;  /* not 0: after so many steps instead, a little down at each */
    int64_t warmup; /* steps of a linear rise before all this; 0: none */
} schedule;

/* The factor, 0..1, on all learning rates at a step (0-based) of an epoch (0-based). Past its end
   the cosine stays at 0. Steps of warm-up come first and are not counted in `steps`. */
double schedule_factor(const schedule *s, int64_t step, int64_t epoch);

#endif
