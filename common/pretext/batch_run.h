/* Writes the batches of a sampler, training and validation in turn, made on several threads. */
#ifndef BLADES_PRETEXT_BATCH_RUN_H
#define BLADES_PRETEXT_BATCH_RUN_H

#include "cli/progress.h"
#include "pretext/batch_builder.h"
#include "stream/writer.h"

typedef struct batch_run {
    cli *c;
    stream_writer *writer;
    catalog *faces; /* the builder's; those that cannot be decoded are marked in it */
    batch_builder builder;
    sampler *sampler; /* the builder's */
    progress *shown;  /* counts faces to train on */
    int64_t epochs;
    int64_t first_step; /* number of the first batch of epoch 0 */
    int64_t skip;       /* batches with smaller numbers are not made */
} batch_run;

/* Writes all epochs. A face that cannot be decoded becomes an error record once, and its batches
   are smaller; STATUS_DATA when fewer than two faces of a batch are left. */
bool batch_run_write(batch_run *run, error *e);

#endif
