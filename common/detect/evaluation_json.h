/* An evaluation as one JSON object. */
#ifndef BLADES_DETECT_EVALUATION_JSON_H
#define BLADES_DETECT_EVALUATION_JSON_H

#include "detect/evaluation.h"

/* {positive, confidence, bootstrap, per_class, seed, methods: [{name, higher, runs, sources:
   [{source, label, faces, called_generated, failed}], generators: [{generator, against: [...],
   photographic, generated, accuracy: {value, low, high}, auc: ..., ...}], mean: {...}, overall:
   {...}, failed, unlabelled, other_label, manipulated, missing, unknown}], differences: [{method,
   minus, faces, generators:
   [{generator, accuracy: {value, low, high}, ...}], mean, overall}]}. Undefined values are null;
   bytes of names that are no UTF-8 are written \xHH. */
bool evaluation_write_json(const evaluation *v, const evaluation_options *o, FILE *to, error *e);

#endif
