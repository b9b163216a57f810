/* Causal self-attention of several heads over rows that form a forest: row i attends to itself and
   its ancestors. A plain sequence is a chain (row i's parent is i - 1); prompts that share a
   beginning are a trie.

   qkv (n, 3 width) holds query, key and value of each row, cut into `heads` equal parts; scores are
   scaled by 1 / sqrt(width / heads). */
#ifndef BLADES_NN_ATTENTION_H
#define BLADES_NN_ATTENTION_H

#include <stddef.h>
#include <stdint.h>

/* path[start[i] .. start[i + 1]) are the rows that row i attends to, from the root to i itself. */
typedef struct attention_shape {
    int n, width, heads;
    const int32_t *start; /* n + 1 */
    const int32_t *path;  /* start[n] */
} attention_shape;

/* out (n, width); probability (heads, start[n]) is kept for the other two. */
void attention_forward(float *out, float *probability, const float *qkv, attention_shape s);
/* dqkv (n, 3 width) = ..., given dout (n, width); work: (heads, longest path). */
void attention_backward(float *dqkv, const float *dout, const float *probability, const float *qkv,
                        float *work, attention_shape s);
/* out_tangent (n, width) from qkv_tangent (n, 3 width); work: (heads, longest path). */
void attention_jvp(float *out_tangent, const float *qkv_tangent, const float *probability,
                   const float *qkv, float *work, attention_shape s);
/* The longest path. */
int attention_depth(attention_shape s);

#endif
