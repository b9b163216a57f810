/* The model that a training run begins with: made, initialised or resumed, its prompts as tokens,
   and what its file will say of its making. */
#ifndef BLADES_TRAIN_MODEL_SETUP_H
#define BLADES_TRAIN_MODEL_SETUP_H

#include "pretext/task.h"
#include "train/trainer.h"

/* A new model for inputs of this preprocessing: random values of the cli's seed, and those of
   options->init where that file has them. NULL on error. */
model *model_setup_create(const cli *c, const trainer_options *options, const preprocessing *how,
                          const task_list *tasks, error *e);

/* The model of the checkpoint options->resume, which must have the same tasks. NULL on error. */
model *model_setup_resume(const trainer_options *options, const task_list *tasks, error *e);

/* The tokens of all tasks' prompts in order (caller frees with token_sequences_free). STATUS_DATA
   when a prompt is too long, or when two classes of a task read the same: they could never be told
   apart. `input`: where the tasks come from, for messages. */
bool model_setup_prompts(const model *m, const trainer_options *options, const task_list *tasks,
                         const char *input, token_sequences *out, error *e);

/* Gives the model the tasks that its file will have. STATUS_SYSTEM when out of memory. */
bool model_setup_tasks(model *m, const task_list *tasks, error *e);

#endif
