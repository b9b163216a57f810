/* Data files for plots of an evaluation. */
#include "detect/evaluation_report.h"

#include "cli/memory.h"
#include "cli/text.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static void print_question_mark(FILE *to, char c)
{
    fputc('?', to);
}

static void print_title(FILE *to, const char *method_name, const char *name)
{
    fputc('"', to);
    text_print(to, method_name, "\"", print_question_mark);
    fputs(" / ", to);
    text_print(to, name, "\"", print_question_mark);
    fputs("\"\n", to);
}

static void print_curve(const method *m, const ranked_item *items, size_t count, FILE *to)
{
    size_t total[2] = {0}, seen[2] = {0};
    for (size_t i = 0; i < count; i++) total[items[i].generated]++;
    if (!total[0] || !total[1]) return;
    fprintf(to, "0\t0\t%s\n", m->higher_is_photographic ? "-inf" : "inf");
    for (size_t i = 0; i < count; i++) {
        seen[items[i].generated]++;
        if (i + 1 < count && items[i + 1].score == items[i].score) continue;
        fprintf(to, "%.9g\t%.9g\t%.9g\n", (double)seen[0] / (double)total[0],
                (double)seen[1] / (double)total[1], method_oriented(m, items[i].score));
    }
}

bool evaluation_write_roc(const evaluation *v, const evaluation_options *o, FILE *to, error *e)
{
    fputs("# fpr\ttpr\tscore\n", to);
    for (size_t i = 0; i < v->method_count; i++)
        for (size_t row = 0; row < v->generator_count + 2; row++) {
            size_t count;
            if (row == v->generator_count) continue;
            ranked_item *items = evaluation_ranked(v, &v->methods[i], row, o, &count, e);
            if (!items) return false;
            const char *name =
                row > v->generator_count ? "overall" : v->groups[v->generators[row]].source;
            print_title(to, v->methods[i].name, name);
            print_curve(&v->methods[i], items, count, to);
            fputs("\n\n", to);
            free(items);
        }
    return true;
}

/* Bins from low to high; all is computed in halves, as high - low may not be finite. */
static void print_bins(const method *m, size_t group, double low, double high, int bins,
                       size_t *counts, FILE *to)
{
    size_t total = 0;
    double half_low = low / 2, half_width = (high / 2 - half_low) / bins;
    for (int b = 0; b < bins; b++) counts[b] = 0;
    for (size_t i = 0; i < m->faces.count; i++) {
        if (m->faces.item[i].group != group) continue;
        double position = half_width > 0 ? (m->faces.item[i].score / 2 - half_low) / half_width : 0;
        counts[position < bins ? (int)position : bins - 1]++;
        total++;
    }
    for (int b = 0; total && b < bins; b++) {
        double to_half = fmin(half_low + (b + 1) * half_width, DBL_MAX / 2);
        fprintf(to, "%.9g\t%.9g\t%zu\t%.9g\n", 2 * (half_low + b * half_width), 2 * to_half,
                counts[b], (double)counts[b] / (double)total);
    }
}

bool evaluation_write_histogram(const evaluation *v, int bins, FILE *to, error *e)
{
    size_t *counts = memory_allocate((size_t)bins, sizeof *counts, e);
    if (!counts) return false;
    fputs("# low\thigh\tcount\tshare\n", to);
    for (size_t i = 0; i < v->method_count; i++) {
        const method *m = &v->methods[i];
        double low = INFINITY, high = -INFINITY;
        for (size_t j = 0; j < m->faces.count; j++) {
            low = fmin(low, m->faces.item[j].score);
            high = fmax(high, m->faces.item[j].score);
        }
        for (size_t g = 0; g < v->group_count; g++) {
            print_title(to, m->name, v->groups[g].source);
            print_bins(m, g, low, high, bins, counts, to);
            fputs("\n\n", to);
        }
    }
    free(counts);
    return true;
}
