/* Evaluation of detectors: their scores grouped by source, one row a generator, rows' metrics with
   bootstrap intervals, means over generators, and paired differences between detectors. */
#ifndef BLADES_DETECT_EVALUATION_H
#define BLADES_DETECT_EVALUATION_H

#include "detect/embeddings.h"
#include "detect/metrics.h"

/* More are refused: the source of every face is then likely its own name. */
enum { EVALUATION_SOURCES_MAX = 1000 };

/* The group of a failed image without label. */
#define GROUP_NONE SIZE_MAX

typedef struct scored_face {
    char *id;
    size_t group;
    double score; /* as the detector gave it */
    decision decided;
    uint64_t draw;  /* for subsampling: keyed by (seed, id) */
    size_t input;   /* where it was read: index into the method's inputs */
    int64_t number; /* its record or line there, from 1 */
} scored_face;

typedef struct face_list {
    scored_face *item; /* sorted by group and id once prepared */
    size_t count, capacity;
} face_list;

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
    char *name;         /* NULL: a run, which has the name of the first */
    cli_strings inputs; /* what was read, copied: for messages */
    bool is_table;      /* not streams, which say what a higher score means */
    bool higher_is_photographic;
    bool thresholded; /* decisions come from `threshold`, on the score as given */
    double threshold;
    face_list faces, failed;
    char *detector, *model; /* of the streams' headers; NULL: none names it */
    double decided_by[2];   /* thresholds of the first header and of one that differs; else NaN */
    size_t unlabelled;      /* faces left out */
    size_t other_label;     /* faces left out: the label is neither photographic nor generated */
    size_t manipulated;     /* faces left out, failed ones included: no photographs any more */
    size_t unknown;         /* rows of a table without label whose id no other detector has */
    size_t missing;         /* faces of the first method that this one neither has nor failed on */
    size_t judged;          /* faces that some row counts */
    evaluation_row *rows;   /* (generators + 2): then mean, then overall */
    double *replicates;     /* (bootstrap, generators + 2, METRICS) */
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
    bool *paired; /* (generators, groups): is this photographic group against that generator? */
} evaluation;

typedef struct evaluation_options {
    int64_t per_class; /* 0: all; else at most so many of each class a row, equally many of both */
    int bootstrap;     /* replicates; 0: no intervals */
    double confidence; /* 0.95 */
    uint64_t seed;
    int threads;
    cli_strings pairs;    /* "generator=source,source" */
    const char *baseline; /* the name of a method; NULL: the first is compared with the others */
    const char *output;   /* the name of what the report goes to, for messages */
} evaluation_options;

/* Adds a method from streams of kind "score". NULL: its name is the detector's kind. STATUS_DATA
   when they come from different kinds of detectors or models. */
bool evaluation_add_stream(evaluation *v, const char *name, const cli_strings *inputs, error *e);
/* Adds a method from a file or pipe ("-": standard input): a stream of kind "score", or a table.
   Its columns are separated by tabs; its first line that is not empty names them: `id` and `score`
   are needed, `label` (photographic or real; generated, fake or synthetic), `source` and
   `generated` (0, false, no; 1, true, yes) used; or without such a line it has just id and score.
   Letters may be of either case, and a byte order mark may come first; an empty value, "nan" or
   "NA" is none, and an image without score failed. The group of faces without label, or with the
   same label and no source, is that of the face of that id among the methods added before.
   STATUS_DATA, with file and line, for anything else. */
bool evaluation_add_file(evaluation *v, const char *name, const char *path, error *e);
/* The same, as another run of the method of that name: STATUS_USAGE when there is none. */
bool evaluation_add_run(evaluation *v, const char *name, const char *path, error *e);

/* The method of that name; NULL when there is none. */
method *evaluation_method(const evaluation *v, const char *name);

/* Groups, pairs, subsamples; then computes every row of every method. STATUS_USAGE when a pair or
   the baseline names what is not there, STATUS_DATA when ids repeat, methods disagree on a face's
   label or source, or there is nothing to compare.
   Intervals come from a bootstrap: without per_class the faces of each source are drawn with
   replacement, with it those of each class among the faces that the row takes. Draws are keyed by
   the seed and what they are drawn from: rows share those of the photographs that they share, and
   methods with the same faces share all. */
bool evaluation_run(evaluation *v, const evaluation_options *o, error *e);

/* "Method a minus method b" of every row and metric, on the faces that both have, with intervals of
   the differences within each replicate: both are judged on the same draws. */
typedef struct comparison {
    size_t a, b;                 /* methods */
    size_t faces;                /* that both have and some row counts */
    interval (*metric)[METRICS]; /* (generators + 2); caller frees with comparison_free */
} comparison;

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
/* Faces without a decision, of a method alone, not of its other runs. */
size_t method_undecided(const method *m);
/* What a method says of the faces of a group; counts of decisions are means over its runs. */
typedef struct group_calls {
    size_t faces;
    double generated, undecided;
} group_calls;
group_calls method_calls(const method *m, size_t group);
/* The score with its sign such that higher means generated. */
double method_oriented(const method *m, double score);

void evaluation_free(evaluation *v);

/* ---- For the readers ------------------------------------------------------------------------ */

/* The group of that source ("" allowed) and label, added when new. */
bool evaluation_group(evaluation *v, const char *source, face_label label, size_t *group, error *e);
/* Reads a table, from the method's last input. */
bool evaluation_read_table(evaluation *v, method *m, FILE *file, error *e);
/* Rows and replicates of a method whose faces are sorted by group and id. */
bool evaluation_compute(const evaluation *v, method *m, const evaluation_options *o, error *e);
/* The middle `confidence` of values that are numbers, as the bounds of out; values are reordered.
 */
void interval_set(interval *out, double *values, size_t count, double confidence);
/* Copies the face and its id. */
bool face_list_add(face_list *list, const scored_face *face, error *e);
/* Failed images of a group; GROUP_NONE: of none. */
size_t method_errors(const method *m, size_t group);

#endif
