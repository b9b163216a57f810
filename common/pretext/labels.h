/* What the tags of faces say, and the labels that the tasks make of it. */
#ifndef BLADES_PRETEXT_LABELS_H
#define BLADES_PRETEXT_LABELS_H

#include "pretext/task.h"
#include "pretext/values.h"

typedef struct label_column {
    value_set values; /* of a task that classifies a tag */
    int32_t *class;   /* of each value; set by label_table_resolve */
} label_column;

/* One row a face, one column a task that has a tag. */
typedef struct label_table {
    task_list *tasks;     /* not owned; label_table_resolve completes it */
    label_column *column; /* one a task; unused for tasks without tag */
    double
        *cell; /* rows x tasks: ordinal: the number; else the number of the value; NaN: missing */
    size_t rows, capacity;
} label_table;

bool label_table_open(label_table *t, task_list *tasks, error *e);
/* Adds the row of a face, read from one of its records. */
bool label_table_add(label_table *t, const msgpack_object *record, error *e);
/* The first tag in which a record differs from a row; NULL when there is none, or with e set. */
const char *label_table_difference(label_table *t, size_t row, const msgpack_object *record,
                                   error *e);

/* Gives tasks with classes "auto:N" the most frequent values of the rows that are `training`, and
   ordinal tasks without cuts the terciles of theirs; then finds every value's class. Ties in
   frequency go by the value's bytes. Tasks that are complete stay as they are. */
bool label_table_resolve(label_table *t, const bool *training, error *e);

/* The label of a task that has a tag: its class, -1 when missing; an ordinal's value, a float, NaN
   when missing or too large for one. */
int32_t label_class(const label_table *t, size_t row, size_t number);
double label_value(const label_table *t, size_t row, size_t number);

void label_table_close(label_table *t);

#endif
