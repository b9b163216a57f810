/* What an evaluation found, as tables for people and papers. */
#include "detect/evaluation_report.h"

#include "cli/plural.h"
#include "detect/evaluation_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const report_table_names[] = {"all",       "summary",     "accuracy", "auc",
                                          "confusion", "differences", NULL};

typedef struct reporting {
    const evaluation *v;
    const evaluation_options *o;
    table_format format;
    FILE *to;
    bool alone; /* one table: a TSV needs no title then */
    bool begun; /* something was printed */
} reporting;

static bool is_exact(const reporting *r)
{
    return r->format == TABLE_TSV;
}

/* A metric's value: a fraction with nine digits for programs, per cent for people; F stays a
 * fraction. */
static void set_value(const reporting *r, table *t, size_t row, size_t column, metric_name metric,
                      double value)
{
    if (isnan(value))
        table_set(t, row, column, "%s", is_exact(r) ? "nan" : "-");
    else if (is_exact(r))
        table_set(t, row, column, "%.9g", value);
    else if (metric == METRIC_F)
        table_set(t, row, column, "%.2f", value);
    else
        table_set(t, row, column, "%.2f", 100 * value);
}

/* The interval of a value, in one cell for people and two for programs. */
static void set_bounds(const reporting *r, table *t, size_t row, size_t column, const interval *i)
{
    if (is_exact(r)) {
        table_set(t, row, column, isnan(i->low) ? "nan" : "%.9g", i->low);
        table_set(t, row, column + 1, isnan(i->high) ? "nan" : "%.9g", i->high);
    } else if (isnan(i->low)) {
        table_set(t, row, column, "-");
    } else {
        table_set(t, row, column, "%.1f-%.1f", 100 * i->low, 100 * i->high);
    }
}

static void set_bounds_heading(const reporting *r, table *t, size_t column, const char *name)
{
    if (is_exact(r)) {
        table_set(t, 0, column, "%s low", name);
        table_set(t, 0, column + 1, "%s high", name);
    } else {
        table_set(t, 0, column, "%g %% interval", 100 * r->o->confidence);
    }
}

/* Frees the table. */
static bool print_table(reporting *r, table *t, error *e)
{
    if (r->begun) fputc('\n', r->to);
    r->begun = true;
    if (r->alone && r->format == TABLE_TSV) t->title[0] = 0;
    bool printed = table_print(t, r->format, r->to, e);
    table_free(t);
    return printed;
}

static const char *row_name(const evaluation *v, size_t row)
{
    if (row == v->generator_count) return "mean";
    return row > v->generator_count ? "overall" : v->groups[v->generators[row]].source;
}

static size_t bounds_columns(const reporting *r)
{
    return is_exact(r) ? 2 : 1;
}

/* ---- Summary -------------------------------------------------------------------------------- */

static bool print_summary(reporting *r, const method *m, error *e)
{
    static const metric_name order[] = {METRIC_ACCURACY, METRIC_AUC,     METRIC_AP,  METRIC_TNR,
                                        METRIC_FPR,      METRIC_TPR,     METRIC_FNR, METRIC_F,
                                        METRIC_TPR_AT_1, METRIC_TPR_AT_5};
    size_t rows = r->v->generator_count + 2, bounds = bounds_columns(r);
    char title[300];
    table t;
    char runs[40] = "";
    if (m->next_run) snprintf(runs, sizeof runs, ", means of %zu runs", method_runs(m));
    snprintf(title, sizeof title, "%s%s: generated is positive%s", m->name, runs,
             is_exact(r) ? "" : "; per cent, F a fraction");
    if (!table_create(&t, rows + 1, 3 + METRICS + 2 * bounds, title, e)) return false;
    table_set(&t, 0, 0, "generator");
    table_set(&t, 0, 1, "photos");
    table_set(&t, 0, 2, "generated");
    for (size_t row = 0; row < rows; row++) {
        const evaluation_row *source = &m->rows[row];
        table_set(&t, row + 1, 0, "%s", row_name(r->v, row));
        if (row != r->v->generator_count) {
            table_set(&t, row + 1, 1, "%zu", source->photographic);
            table_set(&t, row + 1, 2, "%zu", source->generated);
        }
        size_t column = 3;
        for (size_t k = 0; k < METRICS; k++) {
            const char *name = is_exact(r) ? metric_keys[order[k]] : metric_titles[order[k]];
            table_set(&t, 0, column, "%s", name);
            set_value(r, &t, row + 1, column++, order[k], source->metric[order[k]].value);
            if (order[k] != METRIC_ACCURACY && order[k] != METRIC_AUC) continue;
            set_bounds_heading(r, &t, column, name);
            set_bounds(r, &t, row + 1, column, &source->metric[order[k]]);
            column += bounds;
        }
    }
    return print_table(r, &t, e);
}

static void print_left_out(const reporting *r, const method *m)
{
    const struct {
        size_t count;
        const char *one, *more;
    } left_out[] = {
        {method_errors(m, GROUP_NONE), "failed image has no label", "failed images have no label"},
        {m->unlabelled, "face without label was left out", "faces without label were left out"},
        {m->other_label, "face with another label was left out",
         "faces with other labels were left out"},
        {m->manipulated, "manipulated face was left out", "manipulated faces were left out"},
        {m->unknown, "line names a face that nobody knows", "lines name faces that nobody knows"},
    };
    for (size_t i = 0; i < CLI_COUNT(left_out); i++)
        if (left_out[i].count)
            fprintf(r->to, "%zu %s\n", left_out[i].count,
                    left_out[i].count == 1 ? left_out[i].one : left_out[i].more);
    if (m->missing)
        fprintf(r->to, "%zu face%s of %s %s missing here\n", m->missing, plural(m->missing),
                r->v->methods[0].name, m->missing == 1 ? "is" : "are");
}

/* Every source with its number of faces, what the detector said of them, and what is missing. */
static bool print_sources(reporting *r, const method *m, error *e)
{
    char title[300];
    table t;
    snprintf(title, sizeof title, "%s: sources", m->name);
    if (!table_create(&t, r->v->group_count + 1, 5, title, e)) return false;
    static const char *const heading[] = {"source", "label", "faces", "called generated", "failed"};
    for (size_t c = 0; c < 5; c++) table_set(&t, 0, c, "%s", heading[c]);
    for (size_t g = 0; g < r->v->group_count; g++) {
        group_calls calls = method_calls(m, g);
        table_set(&t, g + 1, 0, "%s", r->v->groups[g].source);
        table_set(&t, g + 1, 1, "%s", face_label_names[r->v->groups[g].label]);
        table_set(&t, g + 1, 2, "%zu", calls.faces);
        if (calls.faces == 0 || calls.undecided > 0)
            table_set(&t, g + 1, 3, "%s", is_exact(r) ? "nan" : "-");
        else
            table_set(&t, g + 1, 3, is_exact(r) ? "%.9g" : "%.2f %%",
                      (is_exact(r) ? 1 : 100) * calls.generated / (double)calls.faces);
        table_set(&t, g + 1, 4, "%zu", method_errors(m, g));
    }
    if (!print_table(r, &t, e)) return false;
    if (r->format != TABLE_TEXT) return true;
    print_left_out(r, m);
    return true;
}

/* ---- The paper's layouts -------------------------------------------------------------------- */

/* Methods down, generators across, then their mean with its interval. */
static bool print_across(reporting *r, metric_name metric, error *e)
{
    const evaluation *v = r->v;
    size_t g = v->generator_count;
    char title[100];
    table t;
    snprintf(title, sizeof title, "%s by generator%s", metric_titles[metric],
             is_exact(r) ? "" : " (per cent)");
    if (!table_create(&t, v->method_count + 1, g + 2 + bounds_columns(r), title, e)) return false;
    table_set(&t, 0, 0, "method");
    for (size_t row = 0; row <= g; row++) table_set(&t, 0, row + 1, "%s", row_name(v, row));
    set_bounds_heading(r, &t, g + 2, "mean");
    for (size_t i = 0; i < v->method_count; i++) {
        table_set(&t, i + 1, 0, "%s", v->methods[i].name);
        for (size_t row = 0; row <= g; row++)
            set_value(r, &t, i + 1, row + 1, metric, v->methods[i].rows[row].metric[metric].value);
        set_bounds(r, &t, i + 1, g + 2, &v->methods[i].rows[g].metric[metric]);
    }
    return print_table(r, &t, e);
}

static bool print_confusion(reporting *r, error *e)
{
    static const metric_name order[] = {METRIC_TNR, METRIC_FPR, METRIC_TPR, METRIC_FNR, METRIC_F};
    const evaluation *v = r->v;
    table t;
    if (!table_create(&t, v->method_count + 1, 6,
                      is_exact(r)
                          ? "Confusion rates, mean over generators"
                          : "Confusion rates, mean over generators (per cent, F a fraction)",
                      e))
        return false;
    table_set(&t, 0, 0, "method");
    for (size_t k = 0; k < 5; k++)
        table_set(&t, 0, k + 1, "%s",
                  is_exact(r) ? metric_keys[order[k]] : metric_titles[order[k]]);
    for (size_t i = 0; i < v->method_count; i++) {
        table_set(&t, i + 1, 0, "%s", v->methods[i].name);
        for (size_t k = 0; k < 5; k++)
            set_value(r, &t, i + 1, k + 1, order[k],
                      v->methods[i].rows[v->generator_count].metric[order[k]].value);
    }
    return print_table(r, &t, e);
}

/* ---- Comparisons ---------------------------------------------------------------------------- */

static const metric_name compared[] = {METRIC_AUC, METRIC_ACCURACY};
enum { COMPARED = 2 };

/* What an interval of a difference says. */
static const char *verdict(const interval *difference)
{
    if (isnan(difference->low)) return "-";
    return difference->low > 0 ? "higher" : difference->high < 0 ? "lower" : "open";
}

static void set_difference(const reporting *r, table *t, size_t row, size_t column,
                           metric_name metric, const interval *d)
{
    set_value(r, t, row, column, metric, d->value);
    if (is_exact(r) || isnan(d->low))
        set_bounds(r, t, row, column + 1, d);
    else
        table_set(t, row, column + 1, "%.1f to %.1f", 100 * d->low, 100 * d->high);
    table_set(t, row, column + 1 + bounds_columns(r), "%s", verdict(d));
}

static void fill_comparison(const reporting *r, table *t, const comparison *c, size_t first)
{
    const evaluation *v = r->v;
    size_t each = 2 + bounds_columns(r);
    for (size_t row = 0; row <= v->generator_count; row++) {
        table_set(t, first + row, 0, "%s - %s", v->methods[c->a].name, v->methods[c->b].name);
        table_set(t, first + row, 1, "%s", row_name(v, row));
        table_set(t, first + row, 2, "%zu", c->faces);
        for (size_t k = 0; k < COMPARED; k++)
            set_difference(r, t, first + row, 3 + k * each, compared[k],
                           &c->metric[row][compared[k]]);
    }
}

/* A row for each comparison and generator, then its mean row. */
static bool print_differences(reporting *r, error *e)
{
    const evaluation *v = r->v;
    size_t each = 2 + bounds_columns(r), rows = v->generator_count + 1, count;
    comparison *all = evaluation_comparisons(v, r->o, &count, e);
    table t = {0};
    bool done = all && table_create(&t, 1 + count * rows, 3 + COMPARED * each,
                                    is_exact(r) ? "Differences, paired"
                                                : "Differences, paired (percentage points)",
                                    e);
    static const char *const heading[] = {"difference", "generator", "faces"};
    for (size_t c = 0; done && c < 3; c++) table_set(&t, 0, c, "%s", heading[c]);
    for (size_t k = 0; done && k < COMPARED; k++) {
        const char *name = is_exact(r) ? metric_keys[compared[k]] : metric_titles[compared[k]];
        table_set(&t, 0, 3 + k * each, "%s", name);
        set_bounds_heading(r, &t, 4 + k * each, name);
        table_set(&t, 0, 2 + (k + 1) * each, is_exact(r) ? "%s verdict" : "%s is", name);
    }
    for (size_t i = 0; done && i < count; i++) fill_comparison(r, &t, &all[i], 1 + i * rows);
    done = done && print_table(r, &t, e);
    for (size_t i = 0; all && i < count; i++) comparison_free(&all[i]);
    free(all);
    return done;
}

bool evaluation_report(const evaluation *v, const evaluation_options *o, report_table which,
                       table_format format, FILE *to, error *e)
{
    reporting r = {.v = v, .o = o, .format = format, .to = to};
    bool all = which == REPORT_ALL, done = true;
    r.alone = which > REPORT_SUMMARY;
    if (format == TABLE_JSON) return evaluation_write_json(v, o, to, e);
    for (size_t i = 0; done && (all || which == REPORT_SUMMARY) && i < v->method_count; i++)
        done = print_summary(&r, &v->methods[i], e) && print_sources(&r, &v->methods[i], e);
    if (done && (all || which == REPORT_ACCURACY)) done = print_across(&r, METRIC_ACCURACY, e);
    if (done && (all || which == REPORT_AUC)) done = print_across(&r, METRIC_AUC, e);
    if (done && (all || which == REPORT_CONFUSION)) done = print_confusion(&r, e);
    if (done && ((all && v->method_count > 1) || which == REPORT_DIFFERENCES))
        done = print_differences(&r, e);
    return done;
}
