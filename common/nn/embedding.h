/* Token and position embeddings: row i is table[token[i]] + positions[position[i]]. */
#ifndef BLADES_NN_EMBEDDING_H
#define BLADES_NN_EMBEDDING_H

#include <stdint.h>

/* y (n, width) from table (vocabulary, width), positions (context, width), token and position (n).
 */
void embedding_forward(float *y, const float *table, const float *positions, const int32_t *token,
                       const int32_t *position, int n, int width);
/* dtable and dpositions += dy (n, width). */
void embedding_backward(float *dtable, float *dpositions, const float *dy, const int32_t *token,
                        const int32_t *position, int n, int width);
/* The map is linear in both tables: the tangent is the same sum of their tangents. */
void embedding_jvp(float *y_tangent, const float *table_tangent, const float *positions_tangent,
                   const int32_t *token, const int32_t *position, int n, int width);

#endif
