/* A table of text cells, printed for people, for programs, or for a paper. */
#ifndef BLADES_DETECT_TABLE_H
#define BLADES_DETECT_TABLE_H

#include "cli/error.h"

#include <stdio.h>

typedef enum table_format { TABLE_TEXT, TABLE_TSV, TABLE_LATEX, TABLE_JSON } table_format;
extern const char *const table_format_names[]; /* "text", "tsv", "latex", "json", NULL */

/* Start from table_create; the first row is the heading, the first column names the rows. */
typedef struct table {
    char *title;
    char **cells; /* (rows, columns); NULL: empty */
    size_t rows, columns;
    bool incomplete; /* a cell could not be set */
} table;

bool table_create(table *t, size_t rows, size_t columns, const char *title, error *e);
void table_free(table *t);
/* Sets a cell (printf format). When out of memory it stays empty, and table_print fails. */
void table_set(table *t, size_t row, size_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Text: title, aligned columns, a rule below the heading. TSV: "# title" unless it is empty, the
   rows. Control characters and bytes that are no UTF-8 become '?'. LaTeX: a tabular with booktabs'
   rules, special characters escaped. JSON is not done here. False when out of memory;
   what went wrong with `to` is the caller's to ask. */
bool table_print(const table *t, table_format format, FILE *to, error *e);

#endif
