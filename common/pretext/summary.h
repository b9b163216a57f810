/* How many faces each task has, by class and by side of the split, before a night of training. */
#ifndef BLADES_PRETEXT_SUMMARY_H
#define BLADES_PRETEXT_SUMMARY_H

#include "pretext/sampler.h"

#include <jansson.h>
#include <stdio.h>

/* Counts of one task. Tasks on tags count faces; coarse and fine tasks count the draws of one
 * epoch. */
typedef struct task_summary {
    size_t *count[2]; /* of each class, by side; ordinal: of each level, 0 without cuts */
    size_t missing[2], total[2];
    size_t tied; /* ordinal: training faces with the most frequent value */
} task_summary;

typedef struct batch_summary {
    const catalog *faces;
    task_summary *task; /* one a task of the catalog */
} batch_summary;

bool batch_summary_open(batch_summary *s, sampler *from, error *e);
void batch_summary_close(batch_summary *s);

/* A table for people. */
void batch_summary_print(const batch_summary *s, FILE *to);
/* {faces, photos, tasks: [{name, kind, cuts, classes: [{name, train, val}], missing, ...}]}.
   NULL: out of memory; caller decrefs. */
json_t *batch_summary_json(const batch_summary *s);

/* Calls `warn` with a line for everything that looks wrong: tasks without labels, and tasks one
   class (ordinal: one value) of which has more than nine of ten faces (where 20 or more have a
   label). */
void batch_summary_check(const batch_summary *s, void (*warn)(void *context, const char *line),
                         void *context);

#endif
