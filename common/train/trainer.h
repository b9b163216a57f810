/* A whole training run: batches from a stream, a model from nothing, a file or a checkpoint, steps,
   and what is written on the way. */
#ifndef BLADES_TRAIN_TRAINER_H
#define BLADES_TRAIN_TRAINER_H

#include "cli/cli.h"
#include "train/bilevel.h"
#include "train/checkpoint.h"

#include <jansson.h>
#include <signal.h>

typedef struct trainer_options {
    void (*stream_opened)(void); /* called once signals need not end the tool any more */
    model_config config;         /* of a new model; preprocessing comes from the stream */
    network_options network;
    bilevel_options bilevel;
    optimizer_kind optimizer;
    lambda_kind lambda;
    int64_t steps;                            /* to be done in all; -1: as many as the stream has */
    int64_t checkpoint_every, validate_every; /* steps; 0: never */
    const char *init, *vocabulary;            /* NULL: random values, words of the prompts */
    const char *weights;                      /* "equal" or a file: fixed; NULL: learnt */
    const char *checkpoint, *resume, *log, *trace; /* NULL: none */
    const char *output;                            /* NULL: standard output */
} trainer_options;

/* Runs it. `settings`: the options as a checkpoint shall hold them (settings_get); `resumed`: the
   state of the checkpoint options->resume, else NULL. When *interrupted becomes true, the step
   under way is finished, a checkpoint is written if one is wanted, and true is returned without a
   model file. */
bool trainer_run(cli *c, const trainer_options *options, json_t *settings,
                 const checkpoint_state *resumed, const volatile sig_atomic_t *interrupted,
                 error *e);

#endif
