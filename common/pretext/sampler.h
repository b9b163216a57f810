/* Which faces and variants make up each batch: shuffled epochs over the training faces, and passes
   over the validation faces beside them. All choices are keyed by (seed, face, pass), so that any
   batch can be made without those before it. */
#ifndef BLADES_PRETEXT_SAMPLER_H
#define BLADES_PRETEXT_SAMPLER_H

#include "pretext/catalog.h"

/* How often a manipulation is drawn, against the others. */
typedef struct draw_weight {
    char *name;
    double weight;
    bool standard; /* one that face-manipulate makes */
} draw_weight;

/* Start from draw_table_default; draw_table_set changes or adds one from "NAME=WEIGHT"
   (STATUS_USAGE). */
typedef struct draw_table {
    draw_weight entry[32];
    size_t count;
} draw_table;

bool draw_table_default(draw_table *t, error *e); /* 1/2, and 1/8 four times */
bool draw_table_set(draw_table *t, const char *text, error *e);
void draw_table_free(draw_table *t);
/* Is it a standard manipulation, or one that a record of the catalog has? */
bool draw_weight_used(const draw_weight *w, const catalog *c);

/* One face of a batch. */
typedef struct batch_draw {
    uint32_t face, variant;
    bool flip;        /* mirror the face */
    double left, top; /* where its window lies between the ends of its play: 0 to 1 */
} batch_draw;

typedef struct pass_entry {
    uint64_t order;
    uint32_t face, repetition; /* how often the face came before in this pass */
} pass_entry;

/* The order of one pass over one side of the split. */
typedef struct pass_order {
    pass_entry *entry;
    size_t count;
    int64_t pass; /* that the entries are of; -1: none yet */
} pass_order;

typedef struct sampler {
    const catalog *faces;
    const draw_table *table;
    size_t batch;
    double photographic_share; /* of the draws of a face that has manipulations, too */
    bool balanced, flip;
    bool shift;         /* windows of training faces lie anywhere, not in the middle */
    int64_t pass_first; /* number of the first pass: differs from window to window of a pipe */
    pass_order train, val;
    /* Work space of balanced passes: */
    struct pass_group *group, **present;
    size_t group_count;
    uint32_t *group_face;
    pass_entry *group_entry;
} sampler;

/* `faces` is finished; it and `table` must outlive the sampler. */
bool sampler_open(sampler *s, const catalog *faces, const draw_table *table, size_t batch,
                  error *e);
void sampler_close(sampler *s);

/* Whole batches of an epoch: the faces left over come in other epochs. */
size_t sampler_steps(const sampler *s);
/* Faces to validate on: 0 when there is no validation, by the split or by the options. */
size_t sampler_val_count(const sampler *s);

/* The faces of batch `number` (0..sampler_steps-1) of an epoch: `batch` draws. */
void sampler_train(sampler *s, int64_t epoch, size_t number, batch_draw *draws);
/* The faces of validation batch `step`, counted over all epochs. */
void sampler_val(sampler *s, int64_t step, batch_draw *draws);
/* The faces that an epoch's batches have not had, each once: their count, and their numbers in
   `faces` (batch - 1 fit). */
size_t sampler_rest(sampler *s, int64_t epoch, uint32_t *faces);

/* A face of one side as it is drawn in the first pass. */
batch_draw sampler_face(const sampler *s, uint32_t face, int side);

/* Another face's variant that lends its labels to this one in tasks that shuffle them; from the
   same side of the split, keyed by the variant and the task, so that it stays the same in every
   epoch. */
batch_draw sampler_lender(const sampler *s, uint32_t variant, const char *task_name);

#endif
