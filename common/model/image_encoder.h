/* The image encoder: ResNet-18, 34 or 50 as in torchvision (v1.5), with forward, backward and JVP.

   An encoder owns one arena for all activations, gradients and buffers, allocated once. It does not
   own the parameters: `values`, `gradient` and `tangent` are flat vectors laid out by a
   parameter_table. Every result has the same bytes for any number of threads. One encoder is used
   by one thread at a time. */
#ifndef BLADES_MODEL_IMAGE_ENCODER_H
#define BLADES_MODEL_IMAGE_ENCODER_H

#include "nn/parameter.h"

#include <stdint.h>

typedef enum image_precision { IMAGE_FLOAT32, IMAGE_BF16 } image_precision;

/* The architectures: their names, NULL-ended, as options take them, and their depths. */
enum { RESNET18, RESNET34, RESNET50, ARCHITECTURES };
extern const char *const architecture_names[ARCHITECTURES + 1];
extern const int architecture_depths[ARCHITECTURES];

typedef struct image_encoder_config {
    int depth;    /* one of architecture_depths */
    double width; /* factor on all channel counts; 1: as published; 64 * width is rounded, at least
                     1 */
    int embedding_dim; /* D, the outputs of fc */
    int size;          /* height and width of the input in pixels; any from 1 to 4096 */
    image_precision precision;
    /* Less memory (most of it lies in the first two stages) for more time. Either one also
       recomputes the 7x7 stem. */
    int recompute;     /* in this many first stages (0 to 4), store only block outputs and recompute
                          the rest in backward and jvp */
    int recompute_end; /* in this many first stages, do not store the last convolution and the
                          shortcut of each block (for bottlenecks, half the memory for a third more
                          time) */
} image_encoder_config;

/* Which statistics BatchNorm normalises with. */
typedef enum image_statistics {
    STATISTICS_TRAIN,  /* the batch's own, differentiated through */
    STATISTICS_FROZEN, /* the running ones, as constants */
    STATISTICS_FOLDED, /* the running ones, folded into the weights: fastest, stores nothing */
} image_statistics;

typedef struct image_encoder image_encoder;

/* Adds the encoder's parameters "model.visual.*" in torchvision's order (running statistics
   included, as buffers; num_batches_tracked is left out). STATUS_USAGE when the configuration is
   out of range. */
bool image_encoder_parameters(const image_encoder_config *c, parameter_table *t, error *e);

/* An encoder of at most `batch` images whose parameters are found in `t` (not needed after the
   call). `slots` passes can be held at a time for backward and jvp; with 0 only STATISTICS_FOLDED
   works. NULL on error. */
image_encoder *image_encoder_create(const image_encoder_config *c, const parameter_table *t,
                                    int batch, int slots, error *e);
void image_encoder_free(image_encoder *m); /* NULL is fine */

/* Features (n, D), not normalised, of n images (n, size, size, 3) of bytes; a pixel enters the
   network as (byte / 255 - mean) / std of its channel. With other statistics than FOLDED the pass
   is held in `slot`, and the same `values` go with it to backward and jvp. FOLDED uses no slot; it
   packs the weights at the first call, and later calls must pass the same `values`. */
void image_encoder_forward(image_encoder *m, const float *values, int slot, const uint8_t *pixels,
                           const float mean[3], const float std[3], int n,
                           image_statistics statistics, float *features);

/* Adds to `gradient` what the slot's pass contributes, given dfeatures (n, D). The slot stays
   valid: backward and jvp can be called on it again. */
void image_encoder_backward(image_encoder *m, const float *values, int slot, const float *dfeatures,
                            float *gradient);

/* The derivative (n, D) of the slot's features along the direction `tangent` in parameter space. */
void image_encoder_jvp(image_encoder *m, const float *values, int slot, const float *tangent,
                       float *features_tangent);

/* Moves the running statistics in `values` towards the slot's batch statistics: momentum 0.1,
   unbiased variance, as PyTorch does. The pass must be STATISTICS_TRAIN. */
void image_encoder_update_running(const image_encoder *m, float *values, int slot);

#endif
