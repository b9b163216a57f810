/* What --help prints. */
#include "cli/help.h"

#include <string.h>

enum { WIDTH = 79 /* and a comma */, COLUMN_MOST = 32, NAME_MOST = 80 };

/* ---- Words in lines ------------------------------------------------------------------------- */

typedef struct wrapped {
    FILE *to;
    size_t column, indent;
    bool begun; /* the next word follows another */
} wrapped;

static void put_word(wrapped *w, const char *word, size_t length)
{
    bool next_line = w->begun && w->column + 1 + length > WIDTH;
    if (next_line)
        w->column = (size_t)fprintf(w->to, "\n%*s", (int)w->indent, "") - 1;
    else if (w->begun)
        w->column += (size_t)fprintf(w->to, " ");
    w->column += fwrite(word, 1, length, w->to);
    w->begun = true;
}

static void put_words(wrapped *w, const char *text)
{
    for (size_t length; *text; text += length + strspn(text + length, " ")) {
        length = strcspn(text, " ");
        put_word(w, text, length);
    }
}

static void put_choices(wrapped *w, const char *const *choices)
{
    char word[NAME_MOST];
    for (w->column += (size_t)fprintf(w->to, ":"); *choices; choices++) {
        snprintf(word, sizeof word, "%s%s", *choices, choices[1] ? "," : "");
        put_word(w, word, strlen(word));
    }
}

/* ---- Options -------------------------------------------------------------------------------- */

/* "--components=N", with its letter and `between` in front. */
static void name_option(char name[NAME_MOST], const cli_option *o, const char *between)
{
    char letter[8] = "";
    bool flag = o->kind == CLI_FLAG;
    if (o->letter) snprintf(letter, sizeof letter, "-%c%s", o->letter, between);
    snprintf(name, NAME_MOST, "%s--%s%s%s", letter, o->name, flag ? "" : "=",
             flag ? "" : o->argument);
}

static void name_in_column(char name[NAME_MOST], const cli_option *o)
{
    char plain[NAME_MOST];
    name_option(plain, o, ", ");
    snprintf(name, NAME_MOST, "  %s%.*s  ", o->letter ? "" : "    ", NAME_MOST - 9, plain);
}

static bool is_listed(const cli_option *o, bool all)
{
    return !o->idle && (all || !o->rare);
}

/* Where the helps begin. */
static size_t help_column(const option_set *set, bool all)
{
    size_t column = 0;
    for (size_t i = 0; i < option_total(set); i++) {
        char name[NAME_MOST];
        name_in_column(name, option_at(set, i));
        size_t length = strlen(name);
        bool listed = is_listed(option_at(set, i), all);
        if (listed && length > column && length <= COLUMN_MOST) column = length;
    }
    return column;
}

static void print_option(const cli_option *o, size_t column, FILE *to)
{
    char name[NAME_MOST];
    name_in_column(name, o);
    wrapped w = {.to = to, .indent = column};
    w.column = (size_t)fprintf(to, "%-*s", (int)column, name);
    put_words(&w, o->help);
    if (o->kind == CLI_CHOICE) put_choices(&w, o->choices);
    fputc('\n', to);
}

static void print_rare(const char *lead, const cli_option *options, size_t count, FILE *to)
{
    wrapped w = {.to = to, .indent = 4};
    const char *after = "";
    for (size_t i = 0; i < count; i++) {
        char name[NAME_MOST];
        if (!options[i].rare || options[i].idle) continue;
        if (!w.begun) put_words(&w, lead);
        w.column += (size_t)fprintf(to, "%s", after);
        name_option(name, &options[i], "/");
        put_word(&w, name, strlen(name));
        after = ",";
    }
    if (w.begun) fputc('\n', to);
}

void help_print(const cli_tool *tool, const option_set *set, bool all, FILE *to)
{
    char lead[NAME_MOST];
    size_t column = help_column(set, all);
    wrapped w = {.to = to};
    fprintf(to, "usage: %s [options]%s%s\n", tool->name, tool->operands ? " " : "",
            tool->operands ? tool->operands : "");
    put_words(&w, tool->summary);
    fputs("\n\n", to);
    for (size_t i = 0; i < option_total(set); i++)
        if (is_listed(option_at(set, i), all)) print_option(option_at(set, i), column, to);
    if (all) return;
    snprintf(lead, sizeof lead, "Also, see %s(1):", tool->name);
    print_rare(lead, set->tables[0], set->counts[0], to);
    print_rare("Common, see blades(7):", set->tables[1], set->counts[1], to);
}
