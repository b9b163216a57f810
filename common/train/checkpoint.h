/* Checkpoints: a model file, provenance included, that also holds everything else a run needs to go
   on as if it had never stopped: the optimiser's moments (trained numbers only, in the order of the
   plan), the task weights and theirs, the step and its place in the streams, the options, the seed,
   and how long log and trace were. */
#ifndef BLADES_TRAIN_CHECKPOINT_H
#define BLADES_TRAIN_CHECKPOINT_H

#include "train/batch.h"
#include "train/lambda.h"
#include "train/optimizer.h"

#include "model/model.h"

#include <jansson.h>

typedef struct checkpoint_state {
    int64_t steps;                        /* done */
    int64_t log_position, trace_position; /* bytes */
    uint64_t seed;
    bool seed_given, provenance; /* as in cli */
    batch_place place;           /* of the last step's training batch */
    json_t *settings;            /* of settings_get; the caller of checkpoint_read_state decrefs */
} checkpoint_state;

/* Writes a checkpoint; a file of that name is replaced once the new one is complete. */
bool checkpoint_write(const char *path, const model *m, const optimizer *o, const lambda_weights *l,
                      const checkpoint_state *state, error *e);

/* The state of a checkpoint, without its model. STATUS_DATA when the file is not a checkpoint. */
bool checkpoint_read_state(const char *path, checkpoint_state *state, error *e);

/* Fills the optimiser and the weights, which were created for the checkpoint's model and options.
 */
bool checkpoint_restore(const tensor_file *file, optimizer *o, lambda_weights *l, error *e);

#endif
