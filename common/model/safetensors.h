/* The safetensors format: eight bytes of header length, a JSON header, the tensors' bytes one after
   the other. https://huggingface.co/docs/safetensors. Used for models, checkpoints and detectors.
 */
#ifndef BLADES_MODEL_SAFETENSORS_H
#define BLADES_MODEL_SAFETENSORS_H

#include "model/source.h"
#include "model/tensor.h"

/* Opens a file, regular or not ("-": standard input). Header length, JSON, types, shapes, offsets,
   gaps and overlaps are all checked: STATUS_DATA says what is wrong. NULL on error; else close with
   tensor_file_close. */
tensor_file *safetensors_open(const char *path, error *e);

/* The same of a source that is open, which is taken over, also on failure. */
tensor_file *safetensors_from_source(source s, error *e);

/* Like safetensors_open for a file whose metadata key "blades_kind" must be `kind` ("model", "gmm",
   ...); STATUS_DATA says what the file is instead. */
tensor_file *safetensors_open_kind(const char *path, const char *kind, error *e);

/* A tensor to be written: either `data` points at its elements (count of them, of `type`, native
   byte order), or `produce` fills a buffer with them when its turn comes. */
typedef struct safetensors_entry {
    const char *name;
    tensor_type type;
    int rank;
    int64_t shape[TENSOR_RANK_LIMIT];
    const void *data;
    bool (*produce)(const void *context, void *elements, error *e);
    const void *context;
} safetensors_entry;

typedef struct safetensors_pair {
    const char *key, *value; /* UTF-8 */
} safetensors_pair;

/* Writes a file (NULL or "-": standard output), complete or not at all. Same tensors and metadata
   give the same bytes, in whatever order they are passed: larger element types first (so that
   everything is aligned), then by name. STATUS_INTERNAL when names repeat; STATUS_CANNOT_CREATE,
   STATUS_IO. */
bool safetensors_write(const char *path, const safetensors_entry *entries, size_t count,
                       const safetensors_pair *metadata, size_t metadata_count, error *e);

#endif
