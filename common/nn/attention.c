/* Causal self-attention over a forest of rows, one head a thread. */
#include "nn/attention.h"

#include "nn/softmax.h"

#include <math.h>
#include <string.h>

int attention_depth(attention_shape s)
{
    int depth = 0;
    for (int i = 0; i < s.n; i++) {
        if (s.start[i + 1] - s.start[i] > depth) depth = s.start[i + 1] - s.start[i];
    }
    return depth;
}

/* Four sums side by side, so that it vectorises in an order of its own choice and ours. */
static float dot(const float *a, const float *b, int count)
{
    float sum[4] = {0};
    int j = 0;
    for (; j + 4 <= count; j += 4) {
        for (int k = 0; k < 4; k++) sum[k] += a[j + k] * b[j + k];
    }
    for (; j < count; j++) sum[0] += a[j] * b[j];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void add_scaled(float *y, const float *x, float factor, int count)
{
    for (int j = 0; j < count; j++) y[j] += factor * x[j];
}

void attention_forward(float *out, float *probability, const float *qkv, attention_shape s)
{
    int size = s.width / s.heads, row = 3 * s.width;
    float scale = 1.0f / sqrtf((float)size);
#pragma omp parallel for schedule(static)
    for (int h = 0; h < s.heads; h++) {
        const float *q = qkv + h * size, *k = q + s.width, *v = k + s.width;
        for (int i = 0; i < s.n; i++) {
            const int32_t *path = s.path + s.start[i];
            int count = s.start[i + 1] - s.start[i];
            float *p = probability + (size_t)h * (size_t)s.start[s.n] + s.start[i];
            float *to = out + (size_t)i * s.width + h * size;
            for (int a = 0; a < count; a++)
                p[a] = scale * dot(q + (size_t)i * row, k + (size_t)path[a] * row, size);
            softmax_forward(p, p, 1, count);
            memset(to, 0, (size_t)size * sizeof *to);
            for (int a = 0; a < count; a++) add_scaled(to, v + (size_t)path[a] * row, p[a], size);
        }
    }
}

void attention_backward(float *dqkv, const float *dout, const float *probability, const float *qkv,
                        float *work, attention_shape s)
{
    int size = s.width / s.heads, row = 3 * s.width, depth = attention_depth(s);
    float scale = 1.0f / sqrtf((float)size);
    memset(dqkv, 0, (size_t)s.n * row * sizeof *dqkv);
#pragma omp parallel for schedule(static)
    for (int h = 0; h < s.heads; h++) {
        const float *q = qkv + h * size, *k = q + s.width, *v = k + s.width;
        float *dq = dqkv + h * size, *dk = dq + s.width, *dv = dk + s.width,
              *dp = work + (size_t)h * depth;
        for (int i = 0; i < s.n; i++) {
            const int32_t *path = s.path + s.start[i];
            int count = s.start[i + 1] - s.start[i];
            const float *p = probability + (size_t)h * (size_t)s.start[s.n] + s.start[i];
            const float *from = dout + (size_t)i * s.width + h * size;
            for (int a = 0; a < count; a++) {
                dp[a] = dot(from, v + (size_t)path[a] * row, size);
                add_scaled(dv + (size_t)path[a] * row, from, p[a], size);
            }
            softmax_backward(dp, dp, p, 1, count);
            for (int a = 0; a < count; a++) {
                float dscore = scale * dp[a];
                add_scaled(dq + (size_t)i * row, k + (size_t)path[a] * row, dscore, size);
                add_scaled(dk + (size_t)path[a] * row, q + (size_t)i * row, dscore, size);
            }
        }
    }
}

void attention_jvp(float *out_tangent, const float *qkv_tangent, const float *probability,
                   const float *qkv, float *work, attention_shape s)
{
    int size = s.width / s.heads, row = 3 * s.width, depth = attention_depth(s);
    float scale = 1.0f / sqrtf((float)size);
#pragma omp parallel for schedule(static)
    for (int h = 0; h < s.heads; h++) {
        const float *q = qkv + h * size, *k = q + s.width, *v = k + s.width;
        const float *tq = qkv_tangent + h * size, *tk = tq + s.width, *tv = tk + s.width;
        float *ts = work + (size_t)h * depth;
        for (int i = 0; i < s.n; i++) {
            const int32_t *path = s.path + s.start[i];
            int count = s.start[i + 1] - s.start[i];
            const float *p = probability + (size_t)h * (size_t)s.start[s.n] + s.start[i];
            float *to = out_tangent + (size_t)i * s.width + h * size;
            for (int a = 0; a < count; a++) {
                size_t at = (size_t)path[a] * row;
                ts[a] = scale * (dot(tq + (size_t)i * row, k + at, size) +
                                 dot(q + (size_t)i * row, tk + at, size));
            }
            softmax_jvp(ts, ts, p, 1, count);
            memset(to, 0, (size_t)size * sizeof *to);
            for (int a = 0; a < count; a++) {
                size_t at = (size_t)path[a] * row;
                add_scaled(to, v + at, ts[a], size);
                add_scaled(to, tv + at, p[a], size);
            }
        }
    }
}
