/* One iteration of the bi-level optimisation (blades-method(7)):

     1. g = gradient of sum lambda_i l_i on the training batch at theta;
        theta' = theta - alpha (g + decay theta)
     2. v = gradient of the coarse loss on the validation batch at theta'
     3. d/d lambda_i = -<gradient of l_i on the training batch at theta, alpha v>: by a JVP along v,
   or by a central difference along v with step 0.01 / |v|
     4. Adam on lambda
     5. the optimiser on theta, with the gradient under the new lambda on the training batch

   The training pass at theta serves steps 1, 3 and 5: with two slots it is kept while the
   validation pass runs, with one it is repeated once, which needs half the memory for activations.
   With `lag`, step 5 uses step 1's gradient. alpha is per parameter group when the groups' rates
   differ. Running statistics move in step 5 alone, and not when the
   image encoder is frozen. The tensors needed at full length: theta, g
   (which becomes theta'), v, and the optimiser's. */
#ifndef BLADES_TRAIN_BILEVEL_H
#define BLADES_TRAIN_BILEVEL_H

#include "train/lambda.h"
#include "train/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"

typedef enum hypergradient_kind { HYPERGRADIENT_JVP, HYPERGRADIENT_FD } hypergradient_kind;

typedef struct bilevel_options {
    bool learn; /* false: lambda is fixed, and steps 2 to 4 are left out */
    hypergradient_kind hypergradient;
    bool lag;
    double lambda_rate;
    double rate[PARAMETER_GROUPS]; /* learning rates before the schedule's factor */
    double decay, clip;            /* clip 0: none */
    schedule schedule;
} bilevel_options;

/* What one step did; arrays hold one number a task and belong to the trainer. */
typedef struct bilevel_report {
    int64_t step, epoch;
    double *loss, *validation_loss; /* all tasks' */
    int64_t *labelled;
    double *lambda_before, *lambda_after;
    double *lambda_gradient; /* with respect to lambda; 0 when fixed */
    bool validated;          /* a validation pass was made */
    double accuracy, auc;    /* coarse, on the validation batch */
    double total_loss;       /* sum lambda_before_i loss_i */
    double virtual_norm;     /* |g| of step 1 */
    double validation_norm;  /* |v| */
    double gradient_norm;    /* of step 5, before clipping */
    double factor;           /* the schedule's, on all rates */
} bilevel_report;

typedef struct bilevel {
    bilevel_options options;
    const task_list *tasks;
    const plan *plan;
    model *model;
    network *network;
    optimizer *optimizer;
    lambda_weights *lambda;
    float *gradient, *direction; /* g, v */
    float *moved; /* theta', where g must be kept; else NULL, and g's memory serves */
    double *one;  /* weights that pick one task */
    double *work; /* (2 tasks) */
    bilevel_report report;
} bilevel;

/* The parts must outlive it; `network` may be replaced between steps. Free with bilevel_free, also
   after failure. */
bool bilevel_create(bilevel *b, const bilevel_options *options, const plan *p, model *m, network *w,
                    optimizer *o, lambda_weights *l, error *e);
void bilevel_free(bilevel *b);

/* Runs one step and fills b->report. `validation` may be NULL when lambda is fixed; it is evaluated
   at theta then. STATUS_INTERNAL, the step and the task named, and nothing changed, when a loss or
   a gradient is not finite. STATUS_DATA when a batch does not fit. */
bool bilevel_step(bilevel *b, int64_t step, const batch *training, const batch *validation,
                  error *e);

#endif
