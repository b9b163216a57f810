/* The image encoder's gradient. Between blocks an outer buffer holds the gradient at the block's
   output with the ReLU's mask applied, and the totals hold its sums for the normalisations that end
   the block. */
#include "model/image_encoder_parts.h"

/* The gradient of a unit's raw output, from the gradient g at its normalisation. */
static operand unit_gradient(const slot *s, int u, const void *g)
{
    const batchnorm *n = &s->norm[u];
    return (operand){
        .kind = OPERAND_LINEAR, .x = g, .y = s->y[u], .c1 = n->c1, .c2 = n->c2, .c3 = n->c3};
}

/* The gradient of block b's output from v, ending in its ReLU and its sums. */
static result block_result(const image_encoder *m, const slot *s, int b, const void *add, void *to)
{
    const block *k = &m->block[b];
    result r = {.kind = RESULT_JOIN,
                .to = to,
                .add = add,
                .z = s->z[b],
                .y = s->y[k->last],
                .mean = s->norm[k->last].mean};
    if (k->shortcut >= 0) {
        r.y2 = s->y[k->shortcut];
        r.mean2 = s->norm[k->shortcut].mean;
    }
    return r;
}

/* With recomputation, the raw outputs that the sums need are there only after the gradient: mask
   and sums in a pass of their own. */
static void block_gradient_join(image_encoder *m, const slot *s, int b)
{
    const block *k = &m->block[b];
    void *g = m->outer[k->gradient];
    result r = block_result(m, s, b, NULL, g);
    long pixels = (long)s->n * k->pixels;
    int blocks = (int)((pixels + 63) / 64);
    int threads = workspace_threads(&m->w, (double)pixels * k->channels);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < blocks; i++) {
        arena buffer = workspace_thread(&m->w);
        int n = pixels - i * 64L < 64 ? (int)(pixels - i * 64L) : 64;
        long count = (long)n * k->channels;
        float *v = arena_take(&buffer, (size_t)count * sizeof(float));
        m->w.block->widen(v, (char *)g + (size_t)(i * 64L * k->channels) * m->w.block->size, count);
        m->w.block->store(&r, v, i * 64L, n, k->channels,
                          sums_of_block(&m->w, RESULT_JOIN, i, k->channels, n));
    }
    sums_total(&m->w, RESULT_JOIN, blocks, k->channels);
}

static void norm_backward(const image_encoder *m, const float *values, slot *s, int u, int row,
                          float *gradient)
{
    const unit *k = &m->unit[u];
    batchnorm_backward(&s->norm[u], m->w.totals, m->w.totals + row * k->c.out_padded,
                       values + k->norm_weight, gradient + k->norm_weight, gradient + k->norm_bias);
}

static void unit_backward(image_encoder *m, const float *values, slot *s, int u, const operand *x,
                          const void *g, void *room, const result *dx, float *gradient)
{
    const unit *k = &m->unit[u];
    operand dy = unit_gradient(s, u, g);
    convolution_backward(&k->c, &m->w, x, &dy, room, values + k->weight, gradient + k->weight, dx,
                         s->n);
}

/* The chain of block b but for its first unit; returns the gradient at the first unit's
 * normalisation. */
static void *chain_backward(image_encoder *m, const float *values, slot *s, int b, float *gradient)
{
    const block *k = &m->block[b];
    void *g = m->outer[k->gradient];
    for (int u = k->last; u > k->first; u--) {
        operand x = unit_relu(s, u - 1);
        result dx = {.kind = RESULT_MASKED,
                     .to = m->inner[k->last - u],
                     .y = s->y[u - 1],
                     .a = x.a,
                     .b = x.b,
                     .mean = s->norm[u - 1].mean};
        /* The gradient at the block's output is needed again: not in its place. */
        unit_backward(m, values, s, u, &x, g, u == k->last ? m->inner[1] : g, &dx, gradient);
        norm_backward(m, values, s, u - 1, 1, gradient);
        g = dx.to;
    }
    return g;
}

static void block_backward(image_encoder *m, const float *values, slot *s, int b, float *gradient)
{
    const block *k = &m->block[b];
    if (b > 0 && m->block[b - 1].rejoined) block_join(m, s, b - 1);
    norm_backward(m, values, s, k->last, 1, gradient);
    if (k->shortcut >= 0) norm_backward(m, values, s, k->shortcut, 2, gradient);
    void *g = chain_backward(m, values, s, b, gradient);
    void *input = m->outer[b ? m->block[b - 1].gradient : m->pooled];
    operand x = {.kind = OPERAND_PLAIN, .x = block_input(s, b)};
    if (k->shortcut >= 0) {
        result dx = {.kind = RESULT_RAW, .to = input};
        void *outer = m->outer[k->gradient];
        unit_backward(m, values, s, k->shortcut, &x, outer, outer, &dx, gradient);
    }
    result dx = {.kind = RESULT_RAW, .to = input, .add = input};
    if (b > 0 && !block_is_recomputed(&m->block[b - 1]))
        dx = block_result(m, s, b - 1, input, input);
    unit_backward(m, values, s, k->first, &x, g, g, &dx, gradient);
    if (b > 0 && block_is_recomputed(&m->block[b - 1])) {
        block_recompute(m, values, s, b - 1);
        block_gradient_join(m, s, b - 1);
    }
}

static void stem_backward(image_encoder *m, const float *values, slot *s, float *gradient)
{
    operand y = unit_relu(s, STEM), image = {.kind = OPERAND_PLAIN, .x = s->image};
    if (stem_is_recomputed(m)) stem_recompute(m, values, s);
    result dx = {.kind = RESULT_MASKED,
                 .to = m->stem,
                 .y = y.x,
                 .a = y.a,
                 .b = y.b,
                 .mean = s->norm[STEM].mean};
    pool_max_backward(&m->pool, &m->w, m->outer[m->pooled], s->index, &dx, s->n);
    norm_backward(m, values, s, STEM, 1, gradient);
    unit_backward(m, values, s, STEM, &image, m->stem, NULL, NULL, gradient);
}

/* fc: its gradients, and that of the averages into m->average. */
static void features_backward(image_encoder *m, const float *values, const slot *s,
                              const float *dfeatures, float *gradient)
{
    int D = m->config.embedding_dim, n = s->n;
    float *dbias = gradient + m->fc_bias, *dweight = gradient + m->fc_weight;
    int threads = workspace_threads(&m->w, (double)n * D * m->features / 16);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int k = 0; k < m->features; k += 256) {
        arena buffer = workspace_thread(&m->w);
        int count = m->features - k < 256 ? m->features - k : 256;
        m->fc->tn(count, D, n, s->average + k, m->features_padded, dfeatures, D,
                  dweight + (size_t)k * (size_t)D, D, buffer.base);
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < D; j++) dbias[j] += dfeatures[(size_t)i * (size_t)D + (size_t)j];
    m->fc->pack(D, m->features, values + m->fc_weight, 1, D, m->fc_packed);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < n; i += 6)
        m->fc->nn(n - i < 6 ? n - i : 6, m->features, D, dfeatures + (size_t)i * (size_t)D, D,
                  m->fc_packed, m->average + (size_t)i * (size_t)m->features_padded,
                  m->features_padded, false);
}

void image_encoder_backward(image_encoder *m, const float *values, int slot_number,
                            const float *dfeatures, float *gradient)
{
    slot *s = &m->slot[slot_number];
    int last = m->blocks - 1;
    const block *k = &m->block[last];
    features_backward(m, values, s, dfeatures, gradient);
    if (block_is_recomputed(k)) block_recompute(m, values, s, last);
    result dz = block_result(m, s, last, NULL, m->outer[k->gradient]);
    pool_average_backward(&m->w, m->average, k->pixels, k->channels, &dz, s->n);
    for (int b = last; b >= 0; b--) block_backward(m, values, s, b, gradient);
    stem_backward(m, values, s, gradient);
}
