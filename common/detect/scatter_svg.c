/* A scatter plot as SVG. */
#include "detect/scatter_svg.h"

#include "cli/memory.h"
#include "cli/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 640, MARGIN = 24, LEGEND = 220, LINE = 20, NAME = 24 /* characters */ };

/* Okabe and Ito's colours, which most colour-blind people can tell apart, then darker ones. */
static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                      "#e69f00", "#56b4e9", "#000000", "#b8860b",
                                      "#7f3c8d", "#11a579", "#a5293a", "#5d69b1"};
enum { COLOURS = sizeof colours / sizeof *colours };

typedef struct svg_group {
    const char *source;
    face_label label;
    size_t count;
} svg_group;

static int compare_groups(const void *a, const void *b)
{
    const svg_group *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return strcmp(x->source, y->source);
}

/* The groups of the faces, sorted; caller frees. */
static svg_group *find_groups(const embeddings *s, size_t *count, error *e)
{
    svg_group *groups = memory_allocate(s->count + 1, sizeof *groups, e);
    *count = 0;
    if (!groups) return NULL;
    for (size_t i = 0; i < s->count; i++)
        groups[i] = (svg_group){s->info[i].source, s->info[i].label, 1};
    qsort(groups, s->count, sizeof *groups, compare_groups);
    for (size_t i = 0; i < s->count; i++) {
        if (*count && compare_groups(&groups[*count - 1], &groups[i]) == 0)
            groups[*count - 1].count++;
        else
            groups[(*count)++] = groups[i];
    }
    return groups;
}

static void escape_xml(FILE *to, char c)
{
    fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : "&gt;", to);
}

static void print_text(FILE *to, const char *text)
{
    text_print(to, text, "&<>", escape_xml);
}

/* A name as the legend has room for it. */
static void print_name(FILE *to, const char *name)
{
    char cut[4 * NAME + 1];
    bool whole = text_width(name) <= NAME;
    size_t kept = text_bytes(name, whole ? NAME : NAME - 1);
    memcpy(cut, name, kept);
    cut[kept] = 0;
    print_text(to, cut);
    if (!whole) fputs("\u2026", to);
}

static void print_mark(FILE *to, double x, double y, size_t group, face_label label)
{
    const char *colour = colours[group % COLOURS];
    if (label == FACE_GENERATED)
        fprintf(to, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"3\" fill=\"none\" stroke=\"%s\"/>\n", x, y,
                colour);
    else
        fprintf(to,
                "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"2.5\" fill=\"%s\" fill-opacity=\"0.7\"/>\n", x,
                y, colour);
}

static void print_legend(FILE *to, const svg_group *groups, size_t count)
{
    for (size_t g = 0; g < count; g++) {
        double y = MARGIN + LINE + LINE * (double)g;
        print_mark(to, SIDE + MARGIN, y - 4, g, groups[g].label);
        fprintf(to, "<text x=\"%d\" y=\"%.0f\">", SIDE + MARGIN + 12, y);
        if (*groups[g].source) {
            print_name(to, groups[g].source);
            fputs(", ", to);
        }
        fprintf(to, "%s (%zu)</text>\n", face_label_names[groups[g].label], groups[g].count);
    }
}

static void print_points(FILE *to, const embeddings *s, const double *positions,
                         const svg_group *groups, size_t count)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < s->count; i++)
        for (int c = 0; c < 2; c++) {
            low[c] = fmin(low[c], positions[2 * i + c]);
            high[c] = fmax(high[c], positions[2 * i + c]);
        }
    double extent = fmax(high[0] - low[0], high[1] - low[1]);
    double scale = extent > 0 ? (SIDE - 2 * MARGIN) / extent : 0;
    for (size_t i = 0; i < s->count; i++) {
        svg_group key = {s->info[i].source, s->info[i].label, 1};
        const svg_group *own = bsearch(&key, groups, count, sizeof *groups, compare_groups);
        double x = SIDE / 2.0 + scale * (positions[2 * i] - (low[0] + high[0]) / 2);
        double y = SIDE / 2.0 - scale * (positions[2 * i + 1] - (low[1] + high[1]) / 2);
        print_mark(to, x, y, (size_t)(own - groups), s->info[i].label);
    }
}

bool scatter_svg_write(const embeddings *s, const double *positions, const char *title, FILE *to,
                       error *e)
{
    size_t count;
    svg_group *groups = find_groups(s, &count, e);
    if (!groups) return false;
    int height = 2 * MARGIN + LINE * (int)(count + 1);
    if (height < SIDE) height = SIDE;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
            "<text x=\"%d\" y=\"16\">",
            SIDE + LEGEND, height, MARGIN);
    print_text(to, title);
    fputs("</text>\n", to);
    print_points(to, s, positions, groups, count);
    print_legend(to, groups, count);
    fputs("</svg>\n", to);
    free(groups);
    return true;
}
