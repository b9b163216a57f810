/* Makes batch records of drawn faces: pixels decoded, resampled, mirrored; labels of all tasks. */
#ifndef BLADES_PRETEXT_BATCH_BUILDER_H
#define BLADES_PRETEXT_BATCH_BUILDER_H

#include "image/resample.h"
#include "pretext/sampler.h"
#include "pretext/store.h"

/* Fixed while batches are made; used from all threads. */
typedef struct batch_builder {
    const catalog *faces;
    const sampler *sampler;
    const face_store *store;
    int width, height; /* of every image that comes out */
    int play; /* pixels by which faces are larger, each way, than the window cut from them */
    resampling how;
} batch_builder;

/* A face that could not be decoded. */
typedef struct batch_failure {
    uint32_t variant;
    char reason[120];
} batch_failure;

/* One thread's buffers. */
typedef struct batch_scratch {
    uint8_t *pixels;      /* (batch, height, width, 3) */
    unsigned char *label; /* room for the largest task */
    batch_draw *good;     /* the draws whose faces were decoded */
    char **id;            /* and their records' ids */
    size_t batch;
    stream_buffer buffer;
} batch_scratch;

/* Can readers take records of `batch` faces, side x side, with labels of these tasks? STATUS_USAGE,
   with what to lower. */
bool batch_size_check(const task_list *tasks, size_t batch, int side, error *e);

bool batch_scratch_open(batch_scratch *s, const batch_builder *b, size_t batch, error *e);
void batch_scratch_close(batch_scratch *s);

/* What a batch record says beside its faces. */
typedef struct batch_name {
    const char *split; /* "train", "val" */
    int64_t epoch, step;
} batch_name;

/* Appends the record of `count` drawn faces to `out`. Faces that cannot be decoded are left out and
   written to `failures` (count fit); the batch is then smaller. Returns how many there were; when
   all of them fail, no record is appended. */
size_t batch_build(const batch_builder *b, batch_scratch *s, batch_name name,
                   const batch_draw *draws, size_t count, batch_failure *failures,
                   stream_chunk *out);

#endif
