/* A joint embedding model: configuration, vocabulary, tasks, the table of parameters and their
   values; and its file.

   A model file is safetensors. Tensors carry the published names and shapes
   (`model.visual.conv1.weight`, ...), running statistics and `num_batches_tracked` included, so
   that load_state_dict(strict=True) of the same module in PyTorch accepts it. __metadata__ is
   described in blades-model(5). */
#ifndef BLADES_MODEL_MODEL_H
#define BLADES_MODEL_MODEL_H

#include "face/preprocessing.h"
#include "model/safetensors.h"
#include "model/text_encoder.h"
#include "model/tokenizer.h"
#include "nn/parameter.h"

#include <stdio.h>

typedef struct model_config {
    int depth;         /* 18, 34, 50 */
    double width;      /* factor on the channels; 1 is torchvision's */
    int embedding_dim; /* D */
    text_config text;  /* its embedding_dim is D too; vocabulary 0: no text part */
    preprocessing preprocessing;
} model_config;

typedef struct model {
    model_config config;
    parameter_table *table;
    float *values;           /* table->total */
    int64_t batches_tracked; /* every BatchNorm's num_batches_tracked */
    tokenizer *words;        /* NULL when the file holds no vocabulary */
    char *tasks;             /* JSON array of {name, kind, tag, classes, prompts, cuts}, or NULL */
    char *provenance;        /* JSON array, or NULL */
} model;

/* ResNet-50, D 768, 224 pixels, CLIP RN50's text transformer (vocabulary 49408), CLIP's
 * preprocessing. */
model_config model_config_default(void);
/* STATUS_USAGE with the field and its range when a number makes no sense. Fills text.heads when it
 * is 0. */
bool model_config_check(model_config *config, error *e);

/* A model with random values: PyTorch's distributions for the ResNet and text_fc, CLIP's for the
   transformer, exp(logit_scale) = 1/0.07. Each parameter's values depend on the seed and its name
   alone. Takes over `words` (also on failure), whose size becomes config->text.vocabulary; tasks
   are set by the caller afterwards. NULL on error. */
model *model_create(const model_config *config, tokenizer *words, uint64_t seed, error *e);

/* A model of zeros without a vocabulary, to be filled by the caller. NULL on error. */
model *model_zeroed(const model_config *config, error *e);

/* Reads a model file, or any safetensors or PyTorch file whose tensors have the published names and
   shapes (the configuration is then found from the shapes). NULL on error; a missing tensor is
   STATUS_DATA. */
model *model_read(const char *path, error *e);
/* The same of a file that is open and stays so. */
model *model_from_file(const tensor_file *f, error *e);

/* Reads the architecture from a model file's metadata into *config, whose preprocessing stays as it
   is. Returns 1; 0 when the file does not state it (published checkpoints); -1 on error. */
int model_read_architecture(const char *path, model_config *config, error *e);

/* Writes a model file with the metadata key `blades_kind` = kind ("model", "checkpoint"); extra
   tensors and metadata may be added (names and keys other than the model's own). */
bool model_write(const model *m, const char *path, const char *kind, const safetensors_entry *extra,
                 size_t extra_count, const safetensors_pair *metadata, size_t metadata_count,
                 error *e);

void model_free(model *m); /* NULL is fine */

/* The index of s = logit_scale within values. */
size_t model_scale_index(const model *m);

/* The token sequences of prompts (caller frees with token_sequences_free). STATUS_DATA when the
   model has no vocabulary or a prompt is longer than the context. */
bool model_encode_prompts(const model *m, const char *const *prompts, int count,
                          token_sequences *out, error *e);
void token_sequences_free(token_sequences *s);

/* A name for a model in the headers of what it made: a digest (64-bit FNV-1a) of its configuration
   and values, as 16 hexadecimal digits. */
void model_digest(const model *m, char digest[17]);

/* ---- Initial values from other files -------------------------------------------------------- */

/* Which of the model's parameters a file gave, which it did not, and which of its tensors were of
 * no use. */
typedef struct model_report {
    char **found, **missing, **unused; /* names; `unused` with the reason in brackets */
    size_t found_count, missing_count, unused_count;
} model_report;
void model_report_free(model_report *r);
/* One line a name, sorted, with a count before each of the three lists. */
void model_report_print(const model_report *r, FILE *out);

/* Copies into the model what a file has of it: our own files, the published checkpoints (also with
   a doubled `model.`, `module.`), CLIP's (names without `model.`; its visual part is another
   network and not used), torchvision's (names without `model.visual.`), wrapped in {'model': ...}
   or {'state_dict': ...}. Tensors of another shape are skipped and reported. `report` may be NULL.
   STATUS_DATA when nothing at all was found. */
bool model_initialise(model *m, const tensor_file *f, model_report *report, error *e);

#endif
