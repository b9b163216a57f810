/* Named tensors in a file of weights, whatever its format: what they are, and how to get their
 * numbers. */
#ifndef BLADES_MODEL_TENSOR_H
#define BLADES_MODEL_TENSOR_H

#include "cli/error.h"

#include <stdint.h>

enum {
    TENSOR_RANK_LIMIT = 8,
    TENSOR_COUNT_LIMIT = 100000, /* tensors in one file */
};

typedef enum tensor_type {
    TENSOR_F64,
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_I64,
    TENSOR_I32,
    TENSOR_I16,
    TENSOR_I8,
    TENSOR_U8,
    TENSOR_BOOL,
    TENSOR_TYPES
} tensor_type;

/* As safetensors spells it ("F32"), and bytes an element. */
const char *tensor_type_name(tensor_type type);
size_t tensor_type_size(tensor_type type);
/* The type of that name; TENSOR_TYPES for unknown names. */
tensor_type tensor_type_named(const char *name);

/* One tensor of a file. Element order is row-major (the last index runs fastest). */
typedef struct tensor {
    const char *name;
    tensor_type type;
    int rank;
    int64_t shape[TENSOR_RANK_LIMIT];
    int64_t count; /* elements: the product of shape, 1 when rank is 0 */
    /* Where the file keeps it; for the readers only. */
    int64_t offset;                    /* bytes (safetensors) or elements (PyTorch) */
    int64_t stride[TENSOR_RANK_LIMIT]; /* elements (PyTorch) */
    int storage;                       /* index (PyTorch) */
} tensor;

/* A file of weights that has been opened: its table of contents. Numbers are read on demand, so a
   large file costs no memory until then. Fields are read-only for callers. */
typedef struct tensor_file tensor_file;
struct tensor_file {
    char *path;         /* for messages: "standard input" for "-" */
    const char *format; /* "safetensors", "pytorch-zip", "pytorch-legacy" */
    tensor *tensors;    /* sorted by name */
    size_t count;
    const char **metadata; /* key, value, key, value, ..., sorted by key */
    size_t metadata_count; /* pairs */
    void *reader;          /* of the format */
    bool (*load)(const tensor_file *f, const tensor *t, void *bytes, error *e);
    void (*close)(tensor_file *f);
};

/* Opens a safetensors file or a PyTorch checkpoint, told apart by their first bytes ("-": standard
   input; a pipe is read whole, into memory). NULL on error: STATUS_NO_INPUT when it cannot be
   opened, STATUS_DATA when it is neither or broken. */
tensor_file *tensor_file_open(const char *path, error *e);
void tensor_file_close(tensor_file *f); /* NULL is fine */

/* The tensor of that name, the value of that metadata key; NULL when the file has none. */
const tensor *tensor_file_find(const tensor_file *f, const char *name);
const char *tensor_file_metadata(const tensor_file *f, const char *key);

/* Reads a tensor's elements, t->count of them, into `out`: as stored (little-endian, row-major), or
   converted from any type. Integers from a floating type must be whole numbers. STATUS_DATA,
   STATUS_IO. */
bool tensor_read_bytes(const tensor_file *f, const tensor *t, void *out, error *e);
bool tensor_read_floats(const tensor_file *f, const tensor *t, float *out, error *e);
bool tensor_read_doubles(const tensor_file *f, const tensor *t, double *out, error *e);
bool tensor_read_integers(const tensor_file *f, const tensor *t, int64_t *out, error *e);

/* The tensor `name` of exactly this shape, as floats (caller frees); NULL and an error that names
   the tensor, both shapes and the file otherwise. A dimension of -1 fits any and is replaced by
   what it is. */
float *tensor_read_new(const tensor_file *f, const char *name, int rank, int64_t *shape, error *e);

/* "3x64x7x7" into text, "any" for a negative dimension; "scalar" when rank is 0. Returns text. */
char *tensor_shape_text(char text[128], int rank, const int64_t *shape);

/* For the readers: the number of elements, -1 when negative or too many to address at 8 bytes each.
 */
int64_t tensor_shape_count(int rank, const int64_t *shape);
/* For the readers: sorts tensors and metadata; false and STATUS_DATA when a name appears twice. */
bool tensor_file_sort(tensor_file *f, error *e);

/* Half precision to single; shared for its test. */
float half_to_float(uint16_t half);

#endif
