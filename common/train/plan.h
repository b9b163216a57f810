/* Which numbers of a model's flat vector are trained, cut into pieces that threads share; and the
   arithmetic of whole vectors over them. Sums are taken a piece at a time in double and the pieces'
   sums added in order, so that no result depends on the number of threads.

   Vectors that hold gradients and the like are as long as the values but mostly untouched: of the
   token embeddings only the rows of tokens that occur in a prompt have a gradient. The other rows
   ("unused") are decayed by the optimiser and otherwise left alone, and memory of a vector_create
   is only taken up where it is written. */
#ifndef BLADES_TRAIN_PLAN_H
#define BLADES_TRAIN_PLAN_H

#include "cli/error.h"
#include "nn/parameter.h"

#include <stdint.h>

enum { PLAN_PIECE = 1 << 14 }; /* floats */

typedef struct plan_piece {
    size_t offset, count;
    parameter_group group;
} plan_piece;

typedef struct plan_pieces {
    plan_piece *item;
    size_t count, capacity;
} plan_pieces;

typedef struct plan {
    size_t total;         /* floats of a vector */
    size_t trained_total; /* floats in `trained` */
    plan_pieces trained;  /* have a gradient and are updated */
    plan_pieces unused;   /* parameters of trained groups that no prompt reaches */
    plan_pieces fixed;    /* frozen groups, and buffers */
    double *partial;      /* (trained.count): for sums */
} plan;

/* frozen (PARAMETER_GROUPS). The rows of the tensor "model.token_embedding.weight" whose number is
   not among the `tokens` (token_count) are unused; with tokens NULL all are trained. Free with
   plan_free, also after failure. */
bool plan_create(plan *p, const parameter_table *table, const bool *frozen, const int32_t *tokens,
                 size_t token_count, error *e);
void plan_free(plan *p);

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
