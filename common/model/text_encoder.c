/* CLIP's text transformer on the nodes of a trie: see the header. */
#include "model/text_encoder.h"

#include "cli/memory.h"
#include "model/trie.h"
#include "nn/attention.h"
#include "nn/embedding.h"
#include "nn/layernorm.h"
#include "nn/linear.h"
#include "nn/quickgelu.h"
#include "nn/workspace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parameters of a block, in the published order; indices into block.at. */
enum {
    ATTN_WEIGHT,
    ATTN_BIAS,
    OUT_WEIGHT,
    OUT_BIAS,
    LN_1_GAIN,
    LN_1_BIAS,
    FC_WEIGHT,
    FC_BIAS,
    PROJ_WEIGHT,
    PROJ_BIAS,
    LN_2_GAIN,
    LN_2_BIAS,
    BLOCK_PARAMETERS
};
/* Those of the rest. */
enum {
    POSITIONS,
    TOKENS,
    LN_FINAL_GAIN,
    LN_FINAL_BIAS,
    PROJECTION,
    TEXT_FC_WEIGHT,
    TEXT_FC_BIAS,
    OTHER_PARAMETERS
};

/* Sides of shapes, in terms of the configuration. */
typedef enum side { NONE, WIDTH, WIDTH_3, WIDTH_4, CONTEXT, VOCABULARY, OUTPUT, EMBEDDING } side;

typedef struct described {
    const char *name;
    side shape[2];
} described;

static const described block_parameters[BLOCK_PARAMETERS] = {
    [ATTN_WEIGHT] = {"attn.in_proj_weight", {WIDTH_3, WIDTH}},
    [ATTN_BIAS] = {"attn.in_proj_bias", {WIDTH_3}},
    [OUT_WEIGHT] = {"attn.out_proj.weight", {WIDTH, WIDTH}},
    [OUT_BIAS] = {"attn.out_proj.bias", {WIDTH}},
    [LN_1_GAIN] = {"ln_1.weight", {WIDTH}},
    [LN_1_BIAS] = {"ln_1.bias", {WIDTH}},
    [FC_WEIGHT] = {"mlp.c_fc.weight", {WIDTH_4, WIDTH}},
    [FC_BIAS] = {"mlp.c_fc.bias", {WIDTH_4}},
    [PROJ_WEIGHT] = {"mlp.c_proj.weight", {WIDTH, WIDTH_4}},
    [PROJ_BIAS] = {"mlp.c_proj.bias", {WIDTH}},
    [LN_2_GAIN] = {"ln_2.weight", {WIDTH}},
    [LN_2_BIAS] = {"ln_2.bias", {WIDTH}},
};

static const described other_parameters[OTHER_PARAMETERS] = {
    [POSITIONS] = {"model.positional_embedding", {CONTEXT, WIDTH}},
    [TOKENS] = {TOKEN_EMBEDDING, {VOCABULARY, WIDTH}},
    [LN_FINAL_GAIN] = {"model.ln_final.weight", {WIDTH}},
    [LN_FINAL_BIAS] = {"model.ln_final.bias", {WIDTH}},
    [PROJECTION] = {"model.text_projection", {WIDTH, OUTPUT}},
    [TEXT_FC_WEIGHT] = {"model.text_fc.weight", {EMBEDDING, OUTPUT}},
    [TEXT_FC_BIAS] = {"model.text_fc.bias", {EMBEDDING}},
};

/* What a block keeps of a forward pass; n is the number of nodes, w the width. */
typedef struct block_state {
    float *input;       /* (n, w) */
    float *normal_1;    /* (n, w): ln_1's output */
    float *qkv;         /* (n, 3w) */
    float *probability; /* (heads, sum of paths) */
    float *attended;    /* (n, w) */
    float *middle;      /* (n, w): input plus attention */
    float *normal_2;    /* (n, w) */
    float *hidden;      /* (n, 4w): before QuickGELU */
} block_state;

typedef struct slot_state {
    block_state *blocks; /* (layers); in all slots' one array */
    float *final;        /* (n, w): the last block's output */
    float *chosen;       /* (count, w): its rows at the last tokens */
    float *normal;       /* (count, w): ln_final's output */
    float *projected;    /* (count, output_dim) */
} slot_state;

struct text_encoder {
    text_config config;
    trie trie;
    attention_shape attention;
    int slot_count; /* at least 1 */
    slot_state *slots;
    block_state *blocks;            /* (slots, layers) */
    size_t (*at)[BLOCK_PARAMETERS]; /* (layers): offsets into the flat vectors */
    size_t other[OTHER_PARAMETERS];
    linear_workspace linear;
    arena memory;
    /* Buffers of one pass: */
    float *stream, *part;       /* (n, w) */
    float *wide_3;              /* (n, 3w) */
    float *wide_4, *wide_4b;    /* (n, 4w) */
    float *attention_work;      /* (heads, depth) */
    float *chosen_a, *chosen_b; /* (count, w) */
    float *projected_a;         /* (count, output_dim) */
};

int text_heads_default(int width)
{
    int heads = width / 64 > 1 ? width / 64 : 1;
    while (width % heads) heads--;
    return heads;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

/* The number of elements; the shape goes to `shape`. */
static size_t described_count(const text_config *c, const described *d, size_t shape[2])
{
    const size_t w = (size_t)c->width;
    const size_t sides[] = {1,
                            w,
                            3 * w,
                            4 * w,
                            (size_t)c->context,
                            (size_t)c->vocabulary,
                            (size_t)c->output_dim,
                            (size_t)c->embedding_dim};
    for (int i = 0; i < 2; i++) shape[i] = sides[d->shape[i]];
    return shape[0] * shape[1];
}

static bool described_add(parameter_table *table, const text_config *c, const char *name,
                          const described *d, parameter_group group, error *e)
{
    size_t shape[2];
    described_count(c, d, shape);
    return parameter_table_add(table, name, d->shape[1] == NONE ? 1 : 2, shape, PARAMETER_PLAIN,
                               group, false, e);
}

static void block_parameter_name(char name[128], int layer, int which)
{
    snprintf(name, 128, "model.transformer.resblocks.%d.%s", layer, block_parameters[which].name);
}

bool text_parameters_add(parameter_table *table, const text_config *c, error *e)
{
    char name[128];
    for (int i = POSITIONS; i <= TOKENS; i++) {
        if (!described_add(table, c, other_parameters[i].name, &other_parameters[i], PARAMETER_TEXT,
                           e))
            return false;
    }
    for (int layer = 0; layer < c->layers; layer++) {
        for (int i = 0; i < BLOCK_PARAMETERS; i++) {
            block_parameter_name(name, layer, i);
            if (!described_add(table, c, name, &block_parameters[i], PARAMETER_TEXT, e))
                return false;
        }
    }
    for (int i = LN_FINAL_GAIN; i < OTHER_PARAMETERS; i++) {
        parameter_group group = i < TEXT_FC_WEIGHT ? PARAMETER_TEXT : PARAMETER_TEXT_FC;
        if (!described_add(table, c, other_parameters[i].name, &other_parameters[i], group, e))
            return false;
    }
    return true;
}

static bool described_find(const text_encoder *t, const parameter_table *table, const char *name,
                           const described *d, size_t *offset, error *e)
{
    size_t shape[2];
    return parameter_offset(table, name, described_count(&t->config, d, shape), offset, e);
}

static bool offsets_find(text_encoder *t, const parameter_table *table, error *e)
{
    char name[128];
    t->at = memory_zeroed((size_t)t->config.layers + 1, sizeof *t->at, e);
    if (!t->at) return false;
    for (int layer = 0; layer < t->config.layers; layer++) {
        for (int i = 0; i < BLOCK_PARAMETERS; i++) {
            block_parameter_name(name, layer, i);
            if (!described_find(t, table, name, &block_parameters[i], &t->at[layer][i], e))
                return false;
        }
    }
    for (int i = 0; i < OTHER_PARAMETERS; i++) {
        const described *d = &other_parameters[i];
        if (!described_find(t, table, d->name, d, &t->other[i], e)) return false;
    }
    return true;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static float *take(arena *a, size_t rows, size_t columns)
{
    return arena_take(a, rows * columns * sizeof(float));
}

/* Gives every buffer its place; called once to count and once with the memory. */
static void memory_layout(text_encoder *t, arena *a)
{
    size_t n = (size_t)t->trie.nodes, w = (size_t)t->config.width,
           count = (size_t)t->trie.sequences;
    size_t heads = (size_t)t->config.heads, output = (size_t)t->config.output_dim;
    for (int s = 0; s < t->slot_count; s++) {
        slot_state *slot = &t->slots[s];
        for (int layer = 0; layer < t->config.layers; layer++) {
            block_state *b = &slot->blocks[layer];
            b->input = take(a, n, w);
            b->normal_1 = take(a, n, w);
            b->qkv = take(a, n, 3 * w);
            b->probability = take(a, heads, (size_t)t->trie.start[n]);
            b->attended = take(a, n, w);
            b->middle = take(a, n, w);
            b->normal_2 = take(a, n, w);
            b->hidden = take(a, n, 4 * w);
        }
        slot->final = take(a, n, w);
        slot->chosen = take(a, count, w);
        slot->normal = take(a, count, w);
        slot->projected = take(a, count, output);
    }
    t->stream = take(a, n, w);
    t->part = take(a, n, w);
    t->wide_3 = take(a, n, 3 * w);
    t->wide_4 = take(a, n, 4 * w);
    t->wide_4b = take(a, n, 4 * w);
    t->attention_work = take(a, heads, (size_t)attention_depth(t->attention));
    t->chosen_a = take(a, count, w);
    t->chosen_b = take(a, count, w);
    t->projected_a = take(a, count, output);
}

static linear_shape node_shape(const text_encoder *t, int in, int out)
{
    return (linear_shape){.n = t->trie.nodes, .in = in, .out = out};
}

static linear_shape projection_shape(const text_encoder *t)
{
    return (linear_shape){.n = t->trie.sequences,
                          .in = t->config.width,
                          .out = t->config.output_dim,
                          .input_major = true};
}

static linear_shape fc_shape(const text_encoder *t)
{
    return (linear_shape){
        .n = t->trie.sequences, .in = t->config.output_dim, .out = t->config.embedding_dim};
}

static bool memory_prepare(text_encoder *t, error *e)
{
    int w = t->config.width;
    t->slots = memory_zeroed((size_t)t->slot_count, sizeof *t->slots, e);
    t->blocks =
        memory_zeroed((size_t)t->slot_count * (size_t)t->config.layers + 1, sizeof *t->blocks, e);
    if (!t->slots || !t->blocks) return false;
    for (int s = 0; s < t->slot_count; s++)
        t->slots[s].blocks = t->blocks + (size_t)s * (size_t)t->config.layers;
    memory_layout(t, &t->memory);
    if (!arena_allocate(&t->memory, e)) return false;
    memory_layout(t, &t->memory);
    linear_workspace_add(&t->linear, node_shape(t, w, 3 * w));
    linear_workspace_add(&t->linear, node_shape(t, w, w));
    linear_workspace_add(&t->linear, node_shape(t, w, 4 * w));
    linear_workspace_add(&t->linear, node_shape(t, 4 * w, w));
    linear_workspace_add(&t->linear, projection_shape(t));
    linear_workspace_add(&t->linear, fc_shape(t));
    return linear_workspace_allocate(&t->linear, e);
}

static bool sequences_check(const text_config *c, const token_sequences *s, error *e)
{
    for (int i = 0; i < s->count; i++) {
        int length = s->start[i + 1] - s->start[i];
        if (length < 1 || length > c->context) {
            return error_set(e, STATUS_DATA, "prompt %d has %d tokens; 1 to %d fit the context",
                             i + 1, length, c->context);
        }
        for (int j = s->start[i]; j < s->start[i + 1]; j++) {
            if (s->ids[j] < 0 || s->ids[j] >= c->vocabulary) {
                return error_set(e, STATUS_DATA, "prompt %d has token %d; the vocabulary has %d",
                                 i + 1, s->ids[j], c->vocabulary);
            }
        }
    }
    return true;
}

text_encoder *text_encoder_create(const text_config *config, const parameter_table *table,
                                  const token_sequences *sequences, int slots, error *e)
{
    if (!sequences_check(config, sequences, e)) return NULL;
    text_encoder *t = memory_zeroed(1, sizeof *t, e);
    if (!t) return NULL;
    t->config = *config;
    t->slot_count = slots > 0 ? slots : 1;
    bool ok = trie_build(&t->trie, sequences->ids, sequences->start, sequences->count, e);
    t->attention = (attention_shape){.n = t->trie.nodes,
                                     .width = config->width,
                                     .heads = config->heads,
                                     .start = t->trie.start,
                                     .path = t->trie.path};
    if (ok && offsets_find(t, table, e) && memory_prepare(t, e)) return t;
    text_encoder_free(t);
    return NULL;
}

void text_encoder_free(text_encoder *t)
{
    if (!t) return;
    trie_free(&t->trie);
    linear_workspace_free(&t->linear);
    free(t->slots);
    free(t->blocks);
    free(t->at);
    arena_free(&t->memory);
    free(t);
}

int text_encoder_nodes(const text_encoder *t)
{
    return t->trie.nodes;
}

/* ---- Forward -------------------------------------------------------------------------------- */

static void rows_gather(float *to, const float *from, const int32_t *rows, int count, int width)
{
    for (int i = 0; i < count; i++) {
        memcpy(to + (size_t)i * width, from + (size_t)rows[i] * width, (size_t)width * sizeof *to);
    }
}

/* output = b->input plus the block's two branches. */
static void block_forward(text_encoder *t, const float *values, int layer, block_state *b,
                          float *output)
{
    const size_t *at = t->at[layer];
    int n = t->trie.nodes, w = t->config.width;
    size_t size = (size_t)n * w * sizeof(float);
    linear_workspace *l = &t->linear;
    layernorm_forward(b->normal_1, b->input, values + at[LN_1_GAIN], values + at[LN_1_BIAS], n, w);
    linear_forward(b->qkv, b->normal_1, values + at[ATTN_WEIGHT], values + at[ATTN_BIAS],
                   node_shape(t, w, 3 * w), false, l);
    attention_forward(b->attended, b->probability, b->qkv, t->attention);
    memcpy(b->middle, b->input, size);
    linear_forward(b->middle, b->attended, values + at[OUT_WEIGHT], values + at[OUT_BIAS],
                   node_shape(t, w, w), true, l);
    layernorm_forward(b->normal_2, b->middle, values + at[LN_2_GAIN], values + at[LN_2_BIAS], n, w);
    linear_forward(b->hidden, b->normal_2, values + at[FC_WEIGHT], values + at[FC_BIAS],
                   node_shape(t, w, 4 * w), false, l);
    quickgelu_forward(t->wide_4, b->hidden, (size_t)n * 4 * w);
    memcpy(output, b->middle, size);
    linear_forward(output, t->wide_4, values + at[PROJ_WEIGHT], values + at[PROJ_BIAS],
                   node_shape(t, 4 * w, w), true, l);
}

void text_encoder_forward(text_encoder *t, const float *values, int slot, float *features)
{
    slot_state *s = &t->slots[slot < t->slot_count ? slot : 0];
    const size_t *other = t->other;
    int layers = t->config.layers, w = t->config.width, count = t->trie.sequences;
    if (t->trie.nodes == 0) return;
    embedding_forward(layers ? s->blocks[0].input : s->final, values + other[TOKENS],
                      values + other[POSITIONS], t->trie.token, t->trie.position, t->trie.nodes, w);
    for (int layer = 0; layer < layers; layer++) {
        block_forward(t, values, layer, &s->blocks[layer],
                      layer + 1 < layers ? s->blocks[layer + 1].input : s->final);
    }
    rows_gather(s->chosen, s->final, t->trie.last, count, w);
    layernorm_forward(s->normal, s->chosen, values + other[LN_FINAL_GAIN],
                      values + other[LN_FINAL_BIAS], count, w);
    linear_forward(s->projected, s->normal, values + other[PROJECTION], NULL, projection_shape(t),
                   false, &t->linear);
    linear_forward(features, s->projected, values + other[TEXT_FC_WEIGHT],
                   values + other[TEXT_FC_BIAS], fc_shape(t), false, &t->linear);
}

/* ---- Backward ------------------------------------------------------------------------------- */

/* t->stream holds the gradient of the block's output, and then that of its input. */
static void block_backward(text_encoder *t, const float *values, int layer, const block_state *b,
                           float *gradient)
{
    const size_t *at = t->at[layer];
    int n = t->trie.nodes, w = t->config.width;
    size_t hidden = (size_t)n * 4 * w;
    linear_workspace *l = &t->linear;
    quickgelu_forward(t->wide_4b, b->hidden, hidden);
    linear_backward(t->wide_4, gradient + at[PROJ_WEIGHT], gradient + at[PROJ_BIAS], t->stream,
                    t->wide_4b, values + at[PROJ_WEIGHT], node_shape(t, 4 * w, w), l);
    quickgelu_backward(t->wide_4, t->wide_4, b->hidden, hidden);
    linear_backward(t->part, gradient + at[FC_WEIGHT], gradient + at[FC_BIAS], t->wide_4,
                    b->normal_2, values + at[FC_WEIGHT], node_shape(t, w, 4 * w), l);
    layernorm_backward(t->stream, gradient + at[LN_2_GAIN], gradient + at[LN_2_BIAS], t->part,
                       b->middle, values + at[LN_2_GAIN], n, w);
    linear_backward(t->part, gradient + at[OUT_WEIGHT], gradient + at[OUT_BIAS], t->stream,
                    b->attended, values + at[OUT_WEIGHT], node_shape(t, w, w), l);
    attention_backward(t->wide_3, t->part, b->probability, b->qkv, t->attention_work, t->attention);
    linear_backward(t->part, gradient + at[ATTN_WEIGHT], gradient + at[ATTN_BIAS], t->wide_3,
                    b->normal_1, values + at[ATTN_WEIGHT], node_shape(t, w, 3 * w), l);
    layernorm_backward(t->stream, gradient + at[LN_1_GAIN], gradient + at[LN_1_BIAS], t->part,
                       b->input, values + at[LN_1_GAIN], n, w);
}

void text_encoder_backward(text_encoder *t, const float *values, int slot, const float *dfeatures,
                           float *gradient)
{
    const slot_state *s = &t->slots[slot < t->slot_count ? slot : 0];
    const size_t *other = t->other;
    int n = t->trie.nodes, w = t->config.width, count = t->trie.sequences;
    if (n == 0) return;
    linear_backward(t->projected_a, gradient + other[TEXT_FC_WEIGHT],
                    gradient + other[TEXT_FC_BIAS], dfeatures, s->projected,
                    values + other[TEXT_FC_WEIGHT], fc_shape(t), &t->linear);
    linear_backward(t->chosen_a, gradient + other[PROJECTION], NULL, t->projected_a, s->normal,
                    values + other[PROJECTION], projection_shape(t), &t->linear);
    memset(t->chosen_b, 0, (size_t)count * w * sizeof *t->chosen_b);
    layernorm_backward(t->chosen_b, gradient + other[LN_FINAL_GAIN],
                       gradient + other[LN_FINAL_BIAS], t->chosen_a, s->chosen,
                       values + other[LN_FINAL_GAIN], count, w);
    memset(t->stream, 0, (size_t)n * w * sizeof *t->stream);
    for (int i = 0; i < count; i++) {
        float *to = t->stream + (size_t)t->trie.last[i] * w;
        for (int j = 0; j < w; j++) to[j] += t->chosen_b[(size_t)i * w + j];
    }
    for (int layer = t->config.layers - 1; layer >= 0; layer--) {
        block_backward(t, values, layer, &s->blocks[layer], gradient);
    }
    embedding_backward(gradient + other[TOKENS], gradient + other[POSITIONS], t->stream,
                       t->trie.token, t->trie.position, n, w);
}

/* ---- JVP ------------------------------------------------------------------------------------ */

/* t->stream holds the tangent of the block's input, and then that of its output. */
static void block_jvp(text_encoder *t, const float *values, const float *tangent, int layer,
                      const block_state *b)
{
    const size_t *at = t->at[layer];
    int n = t->trie.nodes, w = t->config.width;
    linear_workspace *l = &t->linear;
    layernorm_jvp(t->part, t->stream, b->input, values + at[LN_1_GAIN], tangent + at[LN_1_GAIN],
                  tangent + at[LN_1_BIAS], n, w);
    linear_jvp(t->wide_3, t->part, b->normal_1, values + at[ATTN_WEIGHT], tangent + at[ATTN_WEIGHT],
               tangent + at[ATTN_BIAS], node_shape(t, w, 3 * w), false, l);
    attention_jvp(t->part, t->wide_3, b->probability, b->qkv, t->attention_work, t->attention);
    linear_jvp(t->stream, t->part, b->attended, values + at[OUT_WEIGHT], tangent + at[OUT_WEIGHT],
               tangent + at[OUT_BIAS], node_shape(t, w, w), true, l);
    layernorm_jvp(t->part, t->stream, b->middle, values + at[LN_2_GAIN], tangent + at[LN_2_GAIN],
                  tangent + at[LN_2_BIAS], n, w);
    linear_jvp(t->wide_4, t->part, b->normal_2, values + at[FC_WEIGHT], tangent + at[FC_WEIGHT],
               tangent + at[FC_BIAS], node_shape(t, w, 4 * w), false, l);
    quickgelu_jvp(t->wide_4, t->wide_4, b->hidden, (size_t)n * 4 * w);
    quickgelu_forward(t->wide_4b, b->hidden, (size_t)n * 4 * w);
    linear_jvp(t->stream, t->wide_4, t->wide_4b, values + at[PROJ_WEIGHT],
               tangent + at[PROJ_WEIGHT], tangent + at[PROJ_BIAS], node_shape(t, 4 * w, w), true,
               l);
}

void text_encoder_jvp(text_encoder *t, const float *values, int slot, const float *tangent,
                      float *features_tangent)
{
    const slot_state *s = &t->slots[slot < t->slot_count ? slot : 0];
    const size_t *other = t->other;
    int w = t->config.width, count = t->trie.sequences;
    if (t->trie.nodes == 0) return;
    embedding_jvp(t->stream, tangent + other[TOKENS], tangent + other[POSITIONS], t->trie.token,
                  t->trie.position, t->trie.nodes, w);
    for (int layer = 0; layer < t->config.layers; layer++)
        block_jvp(t, values, tangent, layer, &s->blocks[layer]);
    rows_gather(t->chosen_a, t->stream, t->trie.last, count, w);
    layernorm_jvp(t->chosen_b, t->chosen_a, s->chosen, values + other[LN_FINAL_GAIN],
                  tangent + other[LN_FINAL_GAIN], tangent + other[LN_FINAL_BIAS], count, w);
    linear_jvp(t->projected_a, t->chosen_b, s->normal, values + other[PROJECTION],
               tangent + other[PROJECTION], NULL, projection_shape(t), false, &t->linear);
    linear_jvp(features_tangent, t->projected_a, s->projected, values + other[TEXT_FC_WEIGHT],
               tangent + other[TEXT_FC_WEIGHT], tangent + other[TEXT_FC_BIAS], fc_shape(t), false,
               &t->linear);
}
