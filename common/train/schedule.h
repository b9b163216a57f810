/* How fast parameters are updated: the learning-rate schedule, and the clipping of gradients. */
#ifndef BLADES_TRAIN_SCHEDULE_H
#define BLADES_TRAIN_SCHEDULE_H

#include <stdint.h>

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
