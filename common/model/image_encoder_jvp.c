/* The image encoder's derivative along a direction of its parameters, by one more forward pass over
   what the slot holds: each raw output has a raw tangent, and the outer buffers hold the tangents
   of block outputs. */
#include "model/image_encoder_parts.h"

/* The tangent of a unit's normalised output as a map of its raw tangent t. */
static operand unit_tangent(const slot *s, int u, const void *t, operand_kind kind)
{
    const batchnorm *n = &s->norm[u];
    return (operand){.kind = kind,
                     .x = t,
                     .y = s->y[u],
                     .a = n->a,
                     .b = n->b,
                     .c1 = n->c1,
                     .c2 = n->c2,
                     .c3 = n->c3};
}

/* The raw tangent of unit u into `to`, and the maps of its normalisation's tangent. */
static void unit_jvp(image_encoder *m, const float *values, const float *tangent, slot *s, int u,
                     const operand *x, const operand *tx, void *to)
{
    const unit *k = &m->unit[u];
    result y = {.kind = RESULT_TANGENT, .to = to, .y = s->y[u], .mean = s->norm[u].mean};
    convolution_jvp(&k->c, &m->w, x, tx, values + k->weight, tangent + k->weight, &y, s->n);
    batchnorm_jvp(&s->norm[u], m->w.totals, m->w.totals + k->c.out_padded, values + k->norm_weight,
                  tangent + k->norm_weight, tangent + k->norm_bias);
}

/* output: the block's, from the raw tangent `end` of its chain, which may be in the same place, and
   from its input or the raw tangent of its shortcut, `beside`. */
static void block_join_jvp(const image_encoder *m, const slot *s, int b, const void *end,
                           const void *beside, void *output)
{
    const block *k = &m->block[b];
    operand p = unit_tangent(s, k->last, end, OPERAND_LINEAR);
    operand q = {.kind = OPERAND_PLAIN, .x = beside};
    if (k->shortcut >= 0) q = unit_tangent(s, k->shortcut, beside, OPERAND_LINEAR);
    long pixels = (long)s->n * k->pixels;
    int threads = workspace_threads(&m->w, (double)pixels * k->channels);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (long r = 0; r < pixels; r += 64)
        m->w.block->join(output, &p, &q, s->z[b], r, pixels - r < 64 ? (int)(pixels - r) : 64,
                         k->channels);
}

static void block_jvp(image_encoder *m, const float *values, const float *tangent, slot *s, int b)
{
    const block *k = &m->block[b];
    void *input = m->outer[b ? m->block[b - 1].gradient : m->pooled];
    void *output = m->outer[k->gradient];
    operand tx = {.kind = OPERAND_PLAIN, .x = input};
    if (block_is_recomputed(k)) block_recompute(m, values, s, b);
    if (k->rejoined) block_join(m, s, b);
    /* Of three units the first one's tangent has been used when the last one's comes. */
    void *end = k->shortcut >= 0 ? output : m->inner[1];
    for (int u = k->first; u <= k->last; u++) {
        operand x = unit_input(s, b, k, u);
        void *to = u == k->last ? end : m->inner[k->last - 1 - u];
        unit_jvp(m, values, tangent, s, u, &x, &tx, to);
        tx = unit_tangent(s, u, to, OPERAND_TANGENT);
    }
    if (k->shortcut >= 0) {
        operand x = unit_input(s, b, k, k->first), t = {.kind = OPERAND_PLAIN, .x = input};
        unit_jvp(m, values, tangent, s, k->shortcut, &x, &t, m->inner[1]);
    }
    block_join_jvp(m, s, b, end, k->shortcut >= 0 ? m->inner[1] : input, output);
}

void image_encoder_jvp(image_encoder *m, const float *values, int slot_number, const float *tangent,
                       float *features_tangent)
{
    slot *s = &m->slot[slot_number];
    operand image = {.kind = OPERAND_PLAIN, .x = s->image};
    if (stem_is_recomputed(m)) stem_recompute(m, values, s);
    unit_jvp(m, values, tangent, s, STEM, &image, NULL, m->stem);
    operand stem = unit_tangent(s, STEM, m->stem, OPERAND_TANGENT);
    pool_max_jvp(&m->pool, &m->w, &stem, s->index, m->outer[m->pooled], s->n);
    for (int b = 0; b < m->blocks; b++) block_jvp(m, values, tangent, s, b);
    const block *last = &m->block[m->blocks - 1];
    pool_average_forward(&m->w, m->average, m->outer[last->gradient], last->pixels, last->channels,
                         s->n);
    features_forward(m, m->average, values + m->fc_weight, false, s->n, features_tangent);
    features_forward(m, s->average, tangent + m->fc_weight, true, s->n, features_tangent);
    features_add_bias(m, tangent + m->fc_bias, s->n, features_tangent);
}
