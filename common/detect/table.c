/* Tables of text cells. */
#include "detect/table.h"

#include "cli/memory.h"
#include "cli/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const table_format_names[] = {"text", "tsv", "latex", "json", NULL};

bool table_create(table *t, size_t rows, size_t columns, const char *title, error *e)
{
    *t = (table){.rows = rows, .columns = columns};
    t->cells = memory_zeroed(rows * columns, sizeof *t->cells, e);
    t->title = strdup(title);
    if (t->cells && t->title) return true;
    if (t->cells) error_set(e, STATUS_SYSTEM, "out of memory");
    table_free(t);
    return false;
}

void table_free(table *t)
{
    for (size_t i = 0; t->cells && i < t->rows * t->columns; i++) free(t->cells[i]);
    free(t->cells);
    free(t->title);
    *t = (table){0};
}

void table_set(table *t, size_t row, size_t column, const char *format, ...)
{
    char **cell = &t->cells[row * t->columns + column];
    va_list arguments;
    free(*cell);
    va_start(arguments, format);
    if (vasprintf(cell, format, arguments) < 0) {
        *cell = NULL;
        t->incomplete = true;
    }
    va_end(arguments);
}

static const char *cell_of(const table *t, size_t row, size_t column)
{
    const char *cell = t->cells[row * t->columns + column];
    return cell ? cell : "";
}

static void print_padding(FILE *to, size_t count, char c)
{
    while (count-- > 0) fputc(c, to);
}

static bool print_text(const table *t, FILE *to, error *e)
{
    size_t total = 0, *width = memory_zeroed(t->columns, sizeof *width, e);
    if (!width) return false;
    for (size_t c = 0; c < t->columns; c++) {
        for (size_t r = 0; r < t->rows; r++)
            if (text_width(cell_of(t, r, c)) > width[c]) width[c] = text_width(cell_of(t, r, c));
        total += width[c] + (c ? 2 : 0);
    }
    text_print(to, t->title, NULL, NULL);
    fputc('\n', to);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            const char *cell = cell_of(t, r, c);
            size_t padding = width[c] - text_width(cell);
            if (c) fputs("  ", to);
            if (c) print_padding(to, padding, ' ');
            text_print(to, cell, NULL, NULL);
            if (!c) print_padding(to, padding, ' ');
        }
        fputc('\n', to);
        if (r == 0) {
            print_padding(to, total, '-');
            fputc('\n', to);
        }
    }
    free(width);
    return true;
}

static void print_tsv(const table *t, FILE *to)
{
    if (*t->title) {
        fputs("# ", to);
        text_print(to, t->title, NULL, NULL);
        fputc('\n', to);
    }
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < t->columns; c++) {
            text_print(to, cell_of(t, r, c), NULL, NULL);
            fputc(c + 1 < t->columns ? '\t' : '\n', to);
        }
}

/* [ and * at the beginning of a row would belong to the command that ends the row before. */
static const char *const latex_forms[128] = {
    ['&'] = "\\&",          ['%'] = "\\%",
    ['$'] = "\\$",          ['#'] = "\\#",
    ['_'] = "\\_",          ['{'] = "\\{",
    ['}'] = "\\}",          ['~'] = "\\~{}",
    ['^'] = "\\^{}",        ['\\'] = "\\textbackslash{}",
    ['<'] = "\\textless{}", ['>'] = "\\textgreater{}",
    ['|'] = "\\textbar{}",  ['"'] = "\\char34{}",
    ['['] = "{[}",          ['*'] = "{*}",
};

static void escape_latex(FILE *to, char c)
{
    fputs(latex_forms[(unsigned char)c], to);
}

static void print_escaped(FILE *to, const char *text)
{
    text_print(to, text, "&%$#_{}~^\\<>|\"[*", escape_latex);
}

static void print_latex(const table *t, FILE *to)
{
    fputs("\\begin{table}\n\\caption{", to);
    print_escaped(to, t->title);
    fputs("}\n\\begin{tabular}{l", to);
    print_padding(to, t->columns - 1, 'r');
    fputs("}\n\\toprule\n", to);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->columns; c++) {
            if (c) fputs(" & ", to);
            print_escaped(to, cell_of(t, r, c));
        }
        fputs(" \\\\\n", to);
        if (r == 0) fputs("\\midrule\n", to);
    }
    fputs("\\bottomrule\n\\end{tabular}\n\\end{table}\n", to);
}

bool table_print(const table *t, table_format format, FILE *to, error *e)
{
    if (t->incomplete) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (format != TABLE_TSV && format != TABLE_LATEX) return print_text(t, to, e);
    (format == TABLE_TSV ? print_tsv : print_latex)(t, to);
    return true;
}
