/* An evaluation as one JSON object. */
#ifndef BLADES_DETECT_EVALUATION_JSON_H
#define BLADES_DETECT_EVALUATION_JSON_H

#include "detect/evaluation.h"

/* {positive, confidence, bootstrap, per_class, seed, methods: [{name, higher, sources: [{source,
   label, faces, called_generated, failed}], generators: [{generator, against: [...], photographic,
   generated, accuracy: {value, low, high}, auc: ..., ...}], mean: {...}, overall: {...},
   unlabelled, missing, unknown, failed}], differences: [{method, minus,
   faces, generators: [{generator, accuracy: {value, low, high}, ...}], mean, overall}]}. Undefined
   values are null. */
bool evaluation_write_json(const evaluation *v, const evaluation_options *o, FILE *to, error *e);

#endif
