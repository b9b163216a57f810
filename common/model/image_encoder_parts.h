/* The inside of the image encoder, shared by its sources; not for others. */
#ifndef BLADES_MODEL_IMAGE_ENCODER_PARTS_H
#define BLADES_MODEL_IMAGE_ENCODER_PARTS_H

#include "model/image_encoder.h"
#include "nn/batchnorm.h"
#include "nn/convolution.h"
#include "nn/pool.h"

#define MAXIMUM_BLOCKS 16
#define MAXIMUM_UNITS 64
#define STEM 0 /* the first unit: the 7x7 convolution of the image */

/* A convolution and the normalisation of its output. */
typedef struct unit {
    convolution c;
    size_t weight, norm_weight, norm_bias, running_mean,
        running_variance; /* offsets in flat vectors */
} unit;

/* A residual block: a chain of units beside a shortcut. */
typedef struct block {
    int first, last; /* units of the chain */
    int shortcut;    /* a unit, or -1: the input itself */
    int pixels;      /* of an output image */
    int channels;    /* of the output, padded */
    int again;       /* the outputs of the units from this one on are not stored */
    bool rejoined;   /* nor is the block's own: it is the sum again of what is */
    int gradient;    /* which of the encoder's outer buffers holds the gradient at the output */
} block;

/* What a pass leaves for backward and jvp. */
typedef struct slot {
    int n;
    image_statistics statistics;
    void *image;            /* normalised, bordered */
    void *y[MAXIMUM_UNITS]; /* raw outputs; those that are not stored share a place */
    batchnorm norm[MAXIMUM_UNITS];
    void *pooled;            /* the input of block 0 */
    uint8_t *index;          /* of the max pooling */
    void *z[MAXIMUM_BLOCKS]; /* outputs of blocks; those that are not stored share a place */
    float *average;          /* (n, channels) before fc */
} slot;

struct image_encoder {
    image_encoder_config config;
    int batch, slots;
    workspace w;
    arena memory;
    unit unit[MAXIMUM_UNITS];
    int units;
    block block[MAXIMUM_BLOCKS];
    int blocks;
    pool_max pool;
    size_t fc_weight, fc_bias;
    int features, features_padded; /* inputs of fc */
    slot *slot;
    /* Buffers of one pass, shared by all slots. */
    void *outer[2]; /* gradients or activations between blocks */
    void *
        inner[2]; /* and within: of the output of the unit before the last, and of the one before */
    void *stem;   /* gradient or activation of the stem, in one of the outer buffers */
    void *image;  /* FOLDED: normalised images */
    float *average; /* (n, channels) */
    void *fc_packed;
    const matrix_kernels *fc; /* always float */
    int pooled;               /* which outer buffer belongs to the pooled stem */
    /* FOLDED: packed weights and biases of all units. */
    void *folded[MAXIMUM_UNITS];
    float *folded_bias[MAXIMUM_UNITS];
    float *fold_scale;
    bool folded_ready;
};

/* The last of a block's units. */
static inline int block_end(const block *k)
{
    return k->shortcut > k->last ? k->shortcut : k->last;
}

/* Are raw outputs missing that the sums at the block's end need? */
static inline bool block_is_recomputed(const block *k)
{
    return k->again <= block_end(k);
}

static inline bool stem_is_recomputed(const image_encoder *m)
{
    return m->config.recompute > 0 || m->config.recompute_end > 0;
}

/* The input of a block's chain. */
static inline void *block_input(const slot *s, int b)
{
    return b ? s->z[b - 1] : s->pooled;
}

/* The activation of a unit's output: normalised and rectified. */
static inline operand unit_relu(const slot *s, int u)
{
    return (operand){.kind = OPERAND_RELU, .x = s->y[u], .a = s->norm[u].a, .b = s->norm[u].b};
}

/* The operand of a unit of a block: the block's input for the first, else what the unit before
 * gives. */
static inline operand unit_input(const slot *s, int b, const block *k, int u)
{
    if (u == k->first) return (operand){.kind = OPERAND_PLAIN, .x = block_input(s, b)};
    return unit_relu(s, u - 1);
}

/* Runs those units of block b again whose outputs are not stored, with the maps of the pass. */
void block_recompute(image_encoder *m, const float *values, slot *s, int b);
/* The same for the stem. */
void stem_recompute(image_encoder *m, const float *values, slot *s);
/* Block b's output: z = max(last + shortcut, 0). */
void block_join(const image_encoder *m, const slot *s, int b);

/* fc: features (n, D) = or += averages (n, features_padded) * weight. */
void features_forward(image_encoder *m, const float *average, const float *weight, bool accumulate,
                      int n, float *features);
void features_add_bias(const image_encoder *m, const float *bias, int n, float *features);

#endif
