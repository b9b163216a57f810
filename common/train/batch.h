/* The batches of a stream as training uses them: pairs of a training and a validation batch,
   checked against the tasks of the header. A thread of its own reads ahead by one pair, so that the
   tool can be interrupted while its input stalls. */
#ifndef BLADES_TRAIN_BATCH_H
#define BLADES_TRAIN_BATCH_H

#include "face/preprocessing.h"
#include "pretext/task.h"
#include "stream/reader.h"

#include <signal.h>

/* The largest number of steps or epochs. */
#define BATCH_NUMBER_LIMIT INT64_C(1000000000000000)

/* The labels of one task: one of the three, as the task's kind says. */
typedef union batch_labels {
    const void *any;        /* NULL if the batch has no labels for this task */
    const int32_t *classes; /* (n): categorical, coarse; -1 missing */
    const float *values;    /* (n): ordinal; NaN missing */
    const uint8_t *regions; /* (n, classes): fine; 255 missing */
} batch_labels;

typedef struct batch {
    int count;             /* n images, at most 65536 */
    int size;              /* height and width */
    int64_t step, epoch;   /* as the stream numbers them; step -1: unnumbered */
    const uint8_t *pixels; /* (n, size, size, 3), within the record */
    batch_labels *labels;  /* one a task */
    stream_record *record;
    const char *input; /* where it came from, for messages; NULL from batch_parse */
    void *owned;       /* copies of the labels */
} batch;

typedef struct batch_pair {
    batch *train;
    batch *validation; /* NULL if none followed */
    int64_t errors;    /* error records in the stream so far */
} batch_pair;

/* What a batch stream's header says; all of it may be missing but the tasks. */
typedef struct batch_header {
    int64_t steps;               /* 0: not stated */
    preprocessing preprocessing; /* unchanged where not stated */
} batch_header;

/* Fields of `h` that the header does not hold keep what they were. STATUS_DATA when one makes no
 * sense. */
bool batch_header_read(batch_header *h, const msgpack_object *header, error *e);

/* A batch of a record (taken over, also on failure). STATUS_DATA with the record's number when it
   does not fit the tasks. `training` batches must have labels for every task. */
batch *batch_parse(stream_record *record, const task_list *tasks, bool training, error *e);
void batch_free(batch *b); /* NULL is fine */
bool batch_is_training(const stream_record *record);
void batch_pair_free(batch_pair *pair);

/* Progress through the streams. */
typedef struct batch_place {
    int64_t step,
        epoch; /* of the last training batch as its stream numbers them; step -1: unnumbered */
    int64_t running; /* its epoch, counted on over streams that each begin at 0 */
} batch_place;

batch_place batch_place_start(void);
/* The place of `next`, a training batch that follows `last`. A stream that restarts its step or
   epoch numbers starts the next running epoch. */
batch_place batch_place_after(batch_place last, const batch *next);

/* Are all the names, kinds, classes and prompts the same? Level cuts may differ. */
bool batch_tasks_match(const task_list *a, const task_list *b);

typedef struct batch_source batch_source;

/* Starts reading `reader` ahead (the caller closes it after batch_source_close). `tasks` are those
   of its first header; a later segment with others, or with faces that were preprocessed otherwise,
   is STATUS_DATA. NULL on error. */
batch_source *batch_source_open(stream_reader *reader, const task_list *tasks, error *e);
/* Ends it; NULL is fine. Does not wait for input: false when the thread is still reading, and then
   reader and tasks stay in use until the process ends and must not be freed. */
bool batch_source_close(batch_source *s);

/* The next pair (caller frees with batch_pair_free): 1, 0 at the end (where pair->errors counts
   those of the whole stream), -1 on error; -2 when *interrupted became true by a signal while
   waiting. */
int batch_source_next(batch_source *s, batch_pair *pair, const volatile sig_atomic_t *interrupted,
                      error *e);

#endif
