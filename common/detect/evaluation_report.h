/* What an evaluation found, as tables, JSON, and data files for plots. */
#ifndef BLADES_DETECT_EVALUATION_REPORT_H
#define BLADES_DETECT_EVALUATION_REPORT_H

#include "detect/evaluation.h"
#include "detect/table.h"

/* Summary: for each method a row a generator with all metrics, and one a photographic source. The
   other three are the paper's layouts: methods down, generators across (accuracy, AUC), and the
   mean confusion rates. Differences: paired comparisons of detectors. */
typedef enum report_table {
    REPORT_ALL,
    REPORT_SUMMARY,
    REPORT_ACCURACY,
    REPORT_AUC,
    REPORT_CONFUSION,
    REPORT_DIFFERENCES,
} report_table;
extern const char *const report_table_names[]; /* "all", "summary", ..., NULL */

/* Text and LaTeX are in per cent (F too is a fraction there as in the paper); TSV and JSON are
   fractions with all digits. JSON always holds everything. */
bool evaluation_report(const evaluation *v, const evaluation_options *o, report_table which,
                       table_format format, FILE *to, error *e);

/* For gnuplot: blocks separated by two empty lines, each beginning with its quoted title, one a
   method and row (generators, then overall). ROC: FPR, TPR, score as the detector gave it.
   Histogram, one block a method and source: low, high, count, share, in `bins` equal bins over all
   scores of the method. */
bool evaluation_write_roc(const evaluation *v, const evaluation_options *o, FILE *to, error *e);
bool evaluation_write_histogram(const evaluation *v, int bins, FILE *to, error *e);

#endif
