/* The image encoder's forward passes: held for backward, recomputed, or folded for inference. */
#include "model/image_encoder_parts.h"
#include "nn/bf16.h"

/* Writes the images normalised, with borders of zeros, for the stem. */
static void images_normalise(const image_encoder *m, void *to, const uint8_t *pixels,
                             const float mean[3], const float std[3], int n)
{
    float table[3][256];
    uint16_t table16[3][256];
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            table[c][v] = ((float)v / 255 - mean[c]) / std[c];
            table16[c][v] = bf16_from_float(table[c][v]);
        }
    size_t size = (size_t)m->config.size, side = size + 6;
    int threads = workspace_threads(&m->w, (double)((size_t)n * size * size * 3));
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t r = 0; r < (size_t)n * size; r++) {
        size_t at = ((r / size * side + r % size + 3) * side + 3) * 3;
        const uint8_t *from = pixels + r * size * 3;
        for (size_t k = 0; k < size * 3; k++)
            if (m->w.block->size == 2)
                ((uint16_t *)to)[at + k] = table16[k % 3][from[k]];
            else
                ((float *)to)[at + k] = table[k % 3][from[k]];
    }
}

void features_forward(image_encoder *m, const float *average, const float *weight, bool accumulate,
                      int n, float *features)
{
    int D = m->config.embedding_dim;
    m->fc->pack(m->features, D, weight, D, 1, m->fc_packed);
    int threads = workspace_threads(&m->w, (double)n * D * m->features / 16);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < n; i += 6)
        m->fc->nn(n - i < 6 ? n - i : 6, D, m->features,
                  average + (size_t)i * (size_t)m->features_padded, m->features_padded,
                  m->fc_packed, features + (size_t)i * (size_t)D, D, accumulate);
}

void features_add_bias(const image_encoder *m, const float *bias, int n, float *features)
{
    size_t D = (size_t)m->config.embedding_dim;
    for (size_t k = 0; k < (size_t)n * D; k++) features[k] += bias[k % D];
}

static double pixels_of(const unit *u, int n)
{
    return (double)n * u->c.out_height * u->c.out_width;
}

/* One unit of a held pass: the raw output, and the map of its normalisation. */
static void unit_forward(image_encoder *m, const float *values, slot *s, int u, const operand *x)
{
    const unit *k = &m->unit[u];
    const float *weight = values + k->norm_weight, *bias = values + k->norm_bias;
    bool train = s->statistics == STATISTICS_TRAIN;
    result y = {.kind = train ? RESULT_STATISTICS : RESULT_RAW, .to = s->y[u]};
    convolution_forward(&k->c, &m->w, x, values + k->weight, &y, s->n);
    if (train)
        batchnorm_forward(&s->norm[u], m->w.totals, pixels_of(k, s->n), weight, bias);
    else
        batchnorm_forward_frozen(&s->norm[u], values + k->running_mean,
                                 values + k->running_variance, weight, bias);
}

void block_join(const image_encoder *m, const slot *s, int b)
{
    const block *k = &m->block[b];
    const batchnorm *last = &s->norm[k->last];
    operand p = {.kind = OPERAND_AFFINE, .x = s->y[k->last], .a = last->a, .b = last->b};
    operand q = {.kind = OPERAND_PLAIN, .x = block_input(s, b)};
    if (k->shortcut >= 0)
        q = (operand){.kind = OPERAND_AFFINE,
                      .x = s->y[k->shortcut],
                      .a = s->norm[k->shortcut].a,
                      .b = s->norm[k->shortcut].b};
    long pixels = (long)s->n * k->pixels;
    int threads = workspace_threads(&m->w, (double)pixels * k->channels);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long r = 0; r < pixels; r += 64)
        m->w.block->join(s->z[b], &p, &q, NULL, r, pixels - r < 64 ? (int)(pixels - r) : 64,
                         k->channels);
}

static void block_forward(image_encoder *m, const float *values, slot *s, int b)
{
    const block *k = &m->block[b];
    for (int u = k->first; u <= k->last; u++) {
        operand x = unit_input(s, b, k, u);
        unit_forward(m, values, s, u, &x);
    }
    if (k->shortcut >= 0) {
        operand x = unit_input(s, b, k, k->first);
        unit_forward(m, values, s, k->shortcut, &x);
    }
    block_join(m, s, b);
}

void stem_recompute(image_encoder *m, const float *values, slot *s)
{
    operand x = {.kind = OPERAND_PLAIN, .x = s->image};
    result y = {.kind = RESULT_RAW, .to = s->y[STEM]};
    convolution_forward(&m->unit[STEM].c, &m->w, &x, values + m->unit[STEM].weight, &y, s->n);
}

void block_recompute(image_encoder *m, const float *values, slot *s, int b)
{
    const block *k = &m->block[b];
    for (int u = k->again; u <= block_end(k); u++) {
        operand x = unit_input(s, b, k, u == k->shortcut ? k->first : u);
        result y = {.kind = RESULT_RAW, .to = s->y[u]};
        convolution_forward(&m->unit[u].c, &m->w, &x, values + m->unit[u].weight, &y, s->n);
    }
}

/* ---- Folded --------------------------------------------------------------------------------- */

static void weights_fold(image_encoder *m, const float *values)
{
    for (int u = 0; u < m->units; u++) {
        const unit *k = &m->unit[u];
        for (int c = 0; c < k->c.out_padded; c++) m->folded_bias[u][c] = 0;
        batchnorm_fold(k->c.out, values + k->running_mean, values + k->running_variance,
                       values + k->norm_weight, values + k->norm_bias, m->fold_scale,
                       m->folded_bias[u]);
        convolution_pack(&k->c, &m->w, values + k->weight, m->fold_scale, m->folded[u]);
    }
    m->folded_ready = true;
}

static void unit_folded(image_encoder *m, int u, const void *x, void *y, const void *add, bool relu,
                        int n)
{
    operand from = {.kind = OPERAND_PLAIN, .x = x};
    result to = {.kind = RESULT_FOLDED, .to = y, .add = add, .b = m->folded_bias[u], .relu = relu};
    convolution_forward_packed(&m->unit[u].c, &m->w, &from, m->folded[u], &to, n);
}

static void block_folded(image_encoder *m, int b, int n)
{
    const block *k = &m->block[b];
    void *input = m->outer[b ? m->block[b - 1].gradient : m->pooled],
         *output = m->outer[k->gradient];
    const void *x = input;
    for (int u = k->first; u < k->last; u++) {
        void *y = m->inner[k->last - 1 - u];
        unit_folded(m, u, x, y, NULL, true, n);
        x = y;
    }
    if (k->shortcut >= 0) unit_folded(m, k->shortcut, input, output, NULL, false, n);
    unit_folded(m, k->last, x, output, output, true, n);
}

static void forward_folded(image_encoder *m, const float *values, const uint8_t *pixels,
                           const float mean[3], const float std[3], int n, float *features)
{
    if (!m->folded_ready) weights_fold(m, values);
    images_normalise(m, m->image, pixels, mean, std, n);
    unit_folded(m, STEM, m->image, m->stem, NULL, true, n);
    operand stem = {.kind = OPERAND_PLAIN, .x = m->stem};
    pool_max_forward(&m->pool, &m->w, &stem, m->outer[m->pooled], NULL, n);
    for (int b = 0; b < m->blocks; b++) block_folded(m, b, n);
    const block *last = &m->block[m->blocks - 1];
    pool_average_forward(&m->w, m->average, m->outer[last->gradient], last->pixels, last->channels,
                         n);
    features_forward(m, m->average, values + m->fc_weight, false, n, features);
    features_add_bias(m, values + m->fc_bias, n, features);
}

/* ---- All passes ----------------------------------------------------------------------------- */

void image_encoder_forward(image_encoder *m, const float *values, int slot_number,
                           const uint8_t *pixels, const float mean[3], const float std[3], int n,
                           image_statistics statistics, float *features)
{
    if (statistics == STATISTICS_FOLDED) {
        forward_folded(m, values, pixels, mean, std, n, features);
        return;
    }
    slot *s = &m->slot[slot_number];
    s->n = n;
    s->statistics = statistics;
    images_normalise(m, s->image, pixels, mean, std, n);
    operand image = {.kind = OPERAND_PLAIN, .x = s->image};
    unit_forward(m, values, s, STEM, &image);
    operand stem = unit_relu(s, STEM);
    pool_max_forward(&m->pool, &m->w, &stem, s->pooled, s->index, n);
    for (int b = 0; b < m->blocks; b++) block_forward(m, values, s, b);
    const block *last = &m->block[m->blocks - 1];
    pool_average_forward(&m->w, s->average, s->z[m->blocks - 1], last->pixels, last->channels, n);
    features_forward(m, s->average, values + m->fc_weight, false, n, features);
    features_add_bias(m, values + m->fc_bias, n, features);
}

void image_encoder_update_running(const image_encoder *m, float *values, int slot_number)
{
    const slot *s = &m->slot[slot_number];
    for (int u = 0; u < m->units; u++)
        batchnorm_update(&s->norm[u], values + m->unit[u].running_mean,
                         values + m->unit[u].running_variance);
}
