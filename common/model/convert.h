/* Other people's names for our parameters: what a file of weights holds, under the published names.
 */
#ifndef BLADES_MODEL_CONVERT_H
#define BLADES_MODEL_CONVERT_H

#include "model/model.h"

typedef struct weight {
    char *name; /* as published, "model.visual.conv1.weight"; NULL if it is not one of a model's */
    const tensor *tensor;
} weight;

/* The tensors of a file with their published names: wrappers and prefixes (`model.`, `module.`,
   `state_dict.`) taken away, CLIP's and torchvision's names completed. Sorted by name, those
   without one last. */
typedef struct weight_list {
    const tensor_file *file;
    weight *item;
    size_t count;
} weight_list;

bool weight_list_make(weight_list *l, const tensor_file *f, error *e);
void weight_list_free(weight_list *l);
/* NULL when no tensor, or more than one, has the name. */
const tensor *weight_list_find(const weight_list *l, const char *name);

/* Finds the architecture from the shapes. config holds defaults for what shapes do not tell (input
   size, preprocessing, heads). STATUS_DATA with the reason when the file is not such a model. */
bool model_config_infer(model_config *config, const weight_list *l, error *e);
/* One part alone; the text part's embedding_dim is config's. */
bool model_config_infer_image(model_config *config, const weight_list *l, error *e);
bool model_config_infer_text(model_config *config, const weight_list *l, error *e);

/* Copies a tensor of the file into the flat vector. STATUS_DATA when numbers are not finite. */
bool weight_copy(const tensor_file *f, const tensor *t, const parameter *p, float *values,
                 error *e);
/* Do the shapes agree? */
bool weight_fits(const tensor *t, const parameter *p);

#endif
