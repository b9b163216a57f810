/* CLIP's text transformer for a fixed set of prompts: pre-LN blocks, QuickGELU, causal mask; the
   feature of a prompt is ln_final's output at its last token, times text_projection, then the
   linear text_fc. Features are not normalised.

   The mask is causal and only the last token's output is read, so tokens after it do not matter and
   prompts that begin alike share the work of their common beginning: the encoder works on the nodes
   of a trie of the token sequences and gives the numbers of the full computation. Results do not
   depend on the number of threads (OpenMP's). */
#ifndef BLADES_MODEL_TEXT_ENCODER_H
#define BLADES_MODEL_TEXT_ENCODER_H

#include "cli/error.h"
#include "nn/parameter.h"

#include <stdint.h>

typedef struct text_config {
    int layers, width, heads; /* heads divides width */
    int context;              /* positions: the longest sequence */
    int vocabulary;           /* number of token ids */
    int output_dim;           /* columns of text_projection */
    int embedding_dim;        /* D, after text_fc */
} text_config;

/* CLIP's rule: a head for every 64 of width, at least one, fewer until they divide it. */
int text_heads_default(int width);

#define TOKEN_EMBEDDING "model.token_embedding.weight" /* a parameter with a row a token */

/* Adds the text parameters to a table, in the published order and under the published names. */
bool text_parameters_add(parameter_table *table, const text_config *config, error *e);

/* Token ids of `count` sequences one after the other: sequence i is ids[start[i] .. start[i + 1]).
 */
typedef struct token_sequences {
    int count;
    int32_t *start; /* count + 1 */
    int32_t *ids;
} token_sequences;

typedef struct text_encoder text_encoder;

/* `slots`: how many forward passes can be stored at once (backward and jvp each work on one); 0:
   forward only, slot is then ignored. All memory is allocated here. NULL on error: STATUS_DATA when
   a sequence is empty, longer than the context, or has an id outside the vocabulary;
   STATUS_INTERNAL when the table lacks a parameter. Keeps no reference to sequences; the table must
   outlive the encoder. */
text_encoder *text_encoder_create(const text_config *config, const parameter_table *table,
                                  const token_sequences *sequences, int slots, error *e);
void text_encoder_free(text_encoder *t); /* NULL is fine */

int text_encoder_nodes(const text_encoder *t); /* token positions computed */

/* features (count, D) of the prompts under `values` (table->total floats); keeps what the other two
 * need in `slot`. */
void text_encoder_forward(text_encoder *t, const float *values, int slot, float *features);

/* Adds to `gradient` (table->total) the derivative of <features, dfeatures>; dfeatures (count, D).
   `values` are those of the slot's forward pass. */
void text_encoder_backward(text_encoder *t, const float *values, int slot, const float *dfeatures,
                           float *gradient);

/* features_tangent (count, D): the derivative of the features along `tangent` (table->total) at the
 * slot's forward pass. */
void text_encoder_jvp(text_encoder *t, const float *values, int slot, const float *tangent,
                      float *features_tangent);

#endif
