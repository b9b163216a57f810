/* Token and position embeddings. */
#include "nn/embedding.h"

#include <stddef.h>

void embedding_forward(float *y, const float *table, const float *positions, const int32_t *token,
                       const int32_t *position, int n, int width)
{
    for (int i = 0; i < n; i++) {
        const float *word = table + (size_t)token[i] * (size_t)width;
        const float *place = positions + (size_t)position[i] * (size_t)width;
        for (int j = 0; j < width; j++) y[(size_t)i * (size_t)width + j] = word[j] + place[j];
    }
}

void embedding_backward(float *dtable, float *dpositions, const float *dy, const int32_t *token,
                        const int32_t *position, int n, int width)
{
    for (int i = 0; i < n; i++) {
        float *word = dtable + (size_t)token[i] * (size_t)width;
        float *place = dpositions + (size_t)position[i] * (size_t)width;
        for (int j = 0; j < width; j++) {
            word[j] += dy[(size_t)i * (size_t)width + j];
            place[j] += dy[(size_t)i * (size_t)width + j];
        }
    }
}

void embedding_jvp(float *y_tangent, const float *table_tangent, const float *positions_tangent,
                   const int32_t *token, const int32_t *position, int n, int width)
{
    embedding_forward(y_tangent, table_tangent, positions_tangent, token, position, n, width);
}
