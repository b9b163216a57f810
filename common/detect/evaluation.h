/* Evaluation of detectors: their scores grouped by source, one row a generator, rows' metrics with
   bootstrap intervals, means over generators, and paired differences between detectors. */
#ifndef BLADES_DETECT_EVALUATION_H
#define BLADES_DETECT_EVALUATION_H

#include "detect/embeddings.h"
#include "detect/metrics.h"

typedef struct scored_face {
    char *id;
    size_t group;
    double score; /* as the detector gave it */
    decision decided;
    uint64_t draw; /* for subsampling: keyed by (seed, id) */
} scored_face;

/* All faces of one source and label. */
typedef struct face_group {
    char *source; /* never empty: the label's name when the records name no source */
    face_label label;
} face_group;

typedef struct interval {
    double value, low, high; /* NaN when undefined */
} interval;

/* A generator against its photographs; or the mean over generators; or everything pooled. */
typedef struct evaluation_row {
    size_t photographic, generated; /* faces counted */
    interval metric[METRICS];
} evaluation_row;

typedef struct method {
    char *name, *path; /* path: for messages */
    bool higher_is_photographic;
    bool thresholded; /* decisions come from `threshold`, on the score as given */
    double threshold;
    scored_face *faces; /* sorted by group and id once prepared */
    size_t count, capacity;
    size_t unlabelled; /* faces left out */
    size_t unknown;    /* rows of a table without label whose id no stream has */
    size_t missing;    /* faces of the first method that this one neither has nor failed on */
    size_t *errors;    /* (errors_size): failed images of each group */
    size_t errors_size;
    size_t errors_elsewhere; /* failed images without label */
    cli_strings failed;      /* their ids, copied; sorted once prepared */
    evaluation_row *rows;    /* (generators + 2): then mean, then overall */
    double *replicates;      /* (bootstrap, generators + 2, METRICS) */
    /* Another run of the same detector, trained with another seed for example, on the same faces:
       rows and replicates of the first are means over all runs. Owned; NULL: there is no other. */
    struct method *next_run;
} method;

typedef struct evaluation {
    face_group *groups;
    size_t group_count, group_capacity;
    size_t *generators; /* groups with label generated, in the order of their names */
    size_t generator_count;
    method *methods;
    size_t method_count, method_capacity;
    bool runs_allowed;
    bool *
        paired; /* (generators, groups): is this photographic group compared with that generator? */
} evaluation;

typedef struct evaluation_options {
    int64_t per_class; /* 0: all; else at most so many of each class a row, equally many of both */
    int bootstrap;     /* replicates; 0: no intervals */
    double confidence; /* 0.95 */
    uint64_t seed;
    int threads;
    cli_strings pairs;    /* "generator=source,source" */
    const char *baseline; /* the name of a method; NULL: the first is compared with the others */
} evaluation_options;

/* Adds a method (name and path are copied) from streams of kind "score". */
bool evaluation_add_stream(evaluation *v, const char *name, const cli_strings *inputs, error *e);
/* Adds a method from a table: tab-separated, a first line of column names, of which `id` and
   `score` are needed and `label`, `source` and `generated` (0/1, false/true) used; or without that
   line just id and score. An empty score, "nan" or "NA" is a failed image. Faces without label are
   looked up by id among the methods added before. */
bool evaluation_add_table(evaluation *v, const char *name, const char *path, error *e);
/* What is added from now on under a name that is there already is a run of that method. */
void evaluation_allow_runs(evaluation *v);

/* The method of that name; NULL when there is none. */
method *evaluation_method(const evaluation *v, const char *name);

/* Groups, pairs, subsamples; then computes every row of every method. STATUS_USAGE when a pair or
   the baseline names what is not there, STATUS_DATA when ids repeat, methods disagree on a face's
   label or source, or there is nothing to compare. */
bool evaluation_run(evaluation *v, const evaluation_options *o, error *e);

/* "Method a minus method b" of every row and metric, on the faces that both have, with intervals of
   the differences within each replicate: both are judged on the same draws. */
typedef struct comparison {
    size_t a, b;                 /* methods */
    size_t faces;                /* that both have */
    interval (*metric)[METRICS]; /* (generators + 2); caller frees with comparison_free */
} comparison;

bool evaluation_compare(const evaluation *v, size_t a, size_t b, const evaluation_options *o,
                        comparison *out, error *e);
void comparison_free(comparison *c);

/* The comparisons of a report, caller frees each and the array: every other method minus
   o->baseline, or without one the first method minus every other. */
comparison *evaluation_comparisons(const evaluation *v, const evaluation_options *o, size_t *count,
                                   error *e);

/* The items of one row of a method after subsampling, sorted; caller frees. Row generator_count + 1
   (overall) is fine, the mean row is not. NULL on error. */
ranked_item *evaluation_ranked(const evaluation *v, const method *m, size_t row,
                               const evaluation_options *o, size_t *count, error *e);

/* How many runs a method has: 1 or more. */
size_t method_runs(const method *m);
/* What a method says of the faces of a group; counts of decisions are means over its runs. */
typedef struct group_calls {
    size_t faces;
    double generated, undecided;
} group_calls;
group_calls method_calls(const method *m, size_t group);
/* The score with its sign such that higher means generated. */
double method_oriented(const method *m, double score);

void evaluation_free(evaluation *v);

/* ---- For the readers ---- */

/* The group of that source ("" allowed) and label, added when new. -1 on error. */
long evaluation_group(evaluation *v, const char *source, face_label label, error *e);
method *evaluation_new_method(evaluation *v, const char *name, const char *path, error *e);
/* Rows and replicates of a method whose faces are sorted by group and id. */
bool evaluation_compute(const evaluation *v, method *m, const evaluation_options *o, error *e);
/* The middle `confidence` of values that are numbers, as the bounds of out; values are reordered.
 */
void interval_set(interval *out, double *values, size_t count, double confidence);
/* Counts an image of that id that failed; group -1: unknown. */
bool method_add_failed(method *m, const char *id, long group, error *e);
/* Failed images of a group. */
size_t method_errors(const method *m, size_t group);
/* Copies id. */
bool method_add_face(method *m, const char *id, size_t group, double score, decision decided,
                     error *e);

#endif
