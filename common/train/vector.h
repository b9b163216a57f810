/* Vectors as long as a model's values, and their arithmetic over the pieces of a plan. Sums are
   taken a piece at a time in double and the pieces' sums added in order, so that no result depends
   on the number of threads.

   Most numbers of a gradient and the like are never touched (a plan's unused ones): memory of a
   vector is only taken up where it is written. */
#ifndef BLADES_TRAIN_VECTOR_H
#define BLADES_TRAIN_VECTOR_H

#include "train/plan.h"

/* A vector of zeros as long as the values (released by vector_free with the same plan). */
float *vector_create(const plan *p, error *e);
void vector_free(const plan *p, float *vector);

/* Sets trained and fixed numbers to zero (the unused ones are never written). */
void vector_clear(const plan *p, float *x);
/* Sets the fixed numbers alone to zero: what a backward pass wrote for frozen groups. */
void vector_clear_fixed(const plan *p, float *x);
/* The length of x over the trained numbers. */
double vector_norm(const plan *p, const float *x);
/* x *= factor[group] */
void vector_scale_groups(const plan *p, float *x, const double *factor);
/* out = values + step * direction; `out` may be `direction`. Fixed numbers are copied, too. */
void vector_move(const plan *p, float *out, const float *values, double step,
                 const float *direction);
/* out = values - rate[group] * (gradient + decay * values); `out` may be `gradient`. Fixed numbers
   are copied, too. */
void vector_descend(const plan *p, float *out, const float *values, const float *gradient,
                    const double *rate, double decay);

/* The trained numbers one after the other (trained_total of them), and back: for checkpoints. */
void vector_gather(const plan *p, const float *x, float *compact);
void vector_scatter(const plan *p, const float *compact, float *x);

#endif
