/* The parameters of a model: named tensors that share one flat vector of floats.

   Values, gradients, tangents and optimiser moments are all vectors of table.total floats with the
   same layout, so that optimisers and dot products are loops over one array. Tensors start at
   multiples of 16 floats; the gaps, and the gradients of buffers, stay zero. */
#ifndef BLADES_NN_PARAMETER_H
#define BLADES_NN_PARAMETER_H

#include "cli/error.h"

#include <stddef.h>

typedef enum parameter_group {
    PARAMETER_IMAGE,
    PARAMETER_TEXT,
    PARAMETER_TEXT_FC,
    PARAMETER_SCALE,
    PARAMETER_GROUPS, /* their number */
} parameter_group;

/* How a tensor lies in the flat vector, compared with model files (PyTorch's order). */
typedef enum parameter_layout {
    PARAMETER_PLAIN,       /* as in files */
    PARAMETER_CONVOLUTION, /* file (out, in, height, width); memory (height, width, in, out) */
    PARAMETER_TRANSPOSED,  /* file (out, in); memory (in, out) */
} parameter_layout;

typedef struct parameter {
    char *name;      /* as published, e.g. "model.visual.conv1.weight" */
    int rank;        /* 0: a scalar */
    size_t shape[4]; /* in the order of files */
    parameter_layout layout;
    parameter_group group;
    bool buffer;   /* running statistics: stored, not trained */
    size_t offset; /* in floats */
    size_t count;
} parameter;

/* Start from `parameter_table t = {0}`. */
typedef struct parameter_table {
    parameter *item;
    size_t count, capacity;
    size_t total; /* floats of one flat vector */
} parameter_table;

/* Adds a tensor and copies the name; count and offset are computed. */
bool parameter_table_add(parameter_table *t, const char *name, int rank, const size_t *shape,
                         parameter_layout layout, parameter_group group, bool buffer, error *e);
/* NULL when no tensor has that name. */
const parameter *parameter_table_find(const parameter_table *t, const char *name);
/* Where the tensor of that name begins in a flat vector. STATUS_INTERNAL when it is missing or does
   not have `count` numbers. */
bool parameter_offset(const parameter_table *t, const char *name, size_t count, size_t *offset,
                      error *e);
void parameter_table_free(parameter_table *t);

/* Copies one tensor between a flat vector and the order of files (p->count floats at `file`). */
void parameter_to_file(const parameter *p, const float *flat, float *file);
void parameter_from_file(const parameter *p, const float *file, float *flat);

#endif
