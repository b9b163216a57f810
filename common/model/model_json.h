/* A model's configuration as the JSON texts of its file's metadata. */
#ifndef BLADES_MODEL_MODEL_JSON_H
#define BLADES_MODEL_MODEL_JSON_H

#include "model/model.h"

/* JSON of everything but preprocessing; of preprocessing (caller frees). NULL and STATUS_SYSTEM. */
char *architecture_text(const model_config *c, error *e);
char *preprocessing_text(const preprocessing *p, error *e);

/* Reads them back, nothing trusted; numbers are checked by model_config_check afterwards. `path` is
 * for the message. */
bool architecture_parse(model_config *c, const char *text, const char *path, error *e);
bool preprocessing_parse(preprocessing *p, const char *text, const char *path, error *e);

#endif
