/* Which numbers of a model's flat vector are trained, cut into pieces that threads share.

   Of the token embeddings only the rows of tokens that occur in a prompt have a gradient. The other
   rows ("unused") are decayed by the optimiser and otherwise left alone. */
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

#endif
