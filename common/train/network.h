/* Both encoders and the losses of all tasks as one function of the parameters: forward, backward
   and JVP of mini-batches. */
#ifndef BLADES_TRAIN_NETWORK_H
#define BLADES_TRAIN_NETWORK_H

#include "model/image_encoder.h"
#include "model/model.h"
#include "pretext/task.h"
#include "train/batch.h"
#include "train/joint.h"
#include "train/losses.h"

enum { NETWORK_SLOTS = 2 };

typedef struct network_options {
    int slots;                    /* passes held at a time: 1 or 2 */
    int recompute, recompute_end; /* stages of the image encoder, see there */
    image_precision precision;
    double gamma; /* focal exponent of categorical losses */
    bool thurstone;
    bool frozen[PARAMETER_GROUPS];
} network_options;

/* What one forward pass leaves. */
typedef struct network_pass {
    joint joint;
    int count;            /* images */
    double *logits;       /* (n, prompts) */
    double *dlogits;      /* (n, prompts): of every task its own loss's gradient */
    double *loss;         /* one a task */
    int64_t *labelled;    /* one a task: samples or pairs that counted; 0: no label, loss 0 */
    double accuracy, auc; /* of the first coarse task; NaN without labels */
} network_pass;

/* Fields are read-only for callers. */
typedef struct network {
    const model *model;
    const task_list *tasks;
    network_options options;
    int capacity;        /* images of a batch */
    int prompts, coarse; /* index of the first coarse task; -1: none */
    image_encoder *image;
    text_encoder *text;
    network_pass pass[NETWORK_SLOTS];
    bool text_cached;                   /* text_features hold, whatever the values */
    float *image_features, *image_work; /* (capacity, D) */
    float *text_features, *text_work;   /* (prompts, D) */
    double *weighted;                   /* (capacity, prompts) */
    double *scratch;                    /* (2 capacity) */
} network;

/* `sequences` are the prompts' tokens, of all tasks in order. Keeps references to model and tasks.
   Free with network_free, also after failure. */
bool network_create(network *w, const model *m, const task_list *tasks,
                    const token_sequences *sequences, const network_options *options, int capacity,
                    error *e);
void network_free(network *w);

/* The pass of a batch under `values`, with batch statistics. */
void network_forward(network *w, const float *values, int slot, const batch *b);

/* Adds to gradient the derivative of sum over i of weight_i loss_i (weights: one a task). */
void network_backward(network *w, const float *values, int slot, const double *weights,
                      float *gradient);

/* derivative (one a task): of every loss along `tangent`, whose numbers for frozen groups are 0. */
void network_jvp(network *w, const float *values, int slot, const float *tangent,
                 double *derivative);

/* Moves BatchNorm's running statistics in `values` towards those of the pass. */
void network_update_running(const network *w, float *values, int slot);

#endif
