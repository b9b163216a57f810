/* Options as tables, parsed by getopt_long. */
#include "cli/options.h"

#include "cli/memory.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_BASE = 256 }; /* getopt's value of the i-th option is LONG_BASE + i */

size_t option_total(const option_set *set)
{
    return set->counts[0] + set->counts[1];
}

const cli_option *option_at(const option_set *set, size_t i)
{
    return i < set->counts[0] ? &set->tables[0][i] : &set->tables[1][i - set->counts[0]];
}

option_spelling option_spell(const cli_option *o)
{
    option_spelling s;
    if (o->letter)
        snprintf(s.text, sizeof s.text, "-%c, --%s", o->letter, o->name);
    else
        snprintf(s.text, sizeof s.text, "--%s", o->name);
    return s;
}

static bool parse_integer(const cli_option *o, const char *text, error *e)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)value < o->minimum || (double)value > o->maximum)
        return error_set(e, STATUS_USAGE, "%s: '%s' is not a whole number from %.0f to %.0f",
                         option_spell(o).text, text, o->minimum, o->maximum);
    *(int64_t *)o->value = value;
    return true;
}

static bool parse_number(const cli_option *o, const char *text, error *e)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < o->minimum || value > o->maximum)
        return error_set(e, STATUS_USAGE, "%s: '%s' is not a number from %g to %g",
                         option_spell(o).text, text, o->minimum, o->maximum);
    *(double *)o->value = value;
    return true;
}

static bool parse_choice(const cli_option *o, const char *text, error *e)
{
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) != 0) continue;
        *(int *)o->value = i;
        return true;
    }
    return error_none_of(e, option_spell(o).text, text, o->choices);
}

static bool parse_value(const cli_option *o, const char *text, error *e)
{
    switch (o->kind) {
    case CLI_FLAG:
        *(bool *)o->value = true;
        return true;
    case CLI_INTEGER:
        return parse_integer(o, text, e);
    case CLI_NUMBER:
        return parse_number(o, text, e);
    case CLI_STRING:
        *(const char **)o->value = text;
        return true;
    case CLI_CHOICE:
        return parse_choice(o, text, e);
    case CLI_LIST:
        return cli_strings_add(o->value, text, e);
    }
    return false;
}

/* The option a getopt value stands for. */
static const cli_option *find_option(const option_set *set, int value)
{
    if (value >= LONG_BASE) return option_at(set, (size_t)(value - LONG_BASE));
    for (size_t i = 0; i < option_total(set); i++)
        if (option_at(set, i)->letter == value) return option_at(set, i);
    return NULL;
}

/* A long option that is none, or that begins several: these are named. */
static bool report_unmatched(const option_set *set, const char *argument, error *e)
{
    char candidates[400] = "";
    int length = (int)strcspn(argument, "=");
    for (size_t i = 0; i < option_total(set); i++) {
        const char *name = option_at(set, i)->name;
        if (strncmp(name, argument + 2, (size_t)length - 2) != 0) continue;
        size_t used = strlen(candidates);
        snprintf(candidates + used, sizeof candidates - used, "%s--%s", used ? ", " : "", name);
    }
    if (*candidates)
        return error_set(e, STATUS_USAGE, "option %.*s is ambiguous: %s", length, argument,
                         candidates);
    return error_set(e, STATUS_USAGE, "unknown option %.*s", length, argument);
}

static bool report_unknown(const option_set *set, int value, char **argv, error *e)
{
    const char *argument = argv[optind - 1];
    bool missing = value == ':';
    if (optopt && optopt < LONG_BASE)
        return error_set(e, STATUS_USAGE,
                         missing ? "option -%c needs a value" : "unknown option -%c", optopt);
    if (!missing && !optopt) return report_unmatched(set, argument, e);
    return error_set(e, STATUS_USAGE,
                     missing ? "option %s needs a value" : "option %s takes no value", argument);
}

static bool record_given(const cli_option *o, const char *text, cli_strings *given, error *e)
{
    if (o->unrecorded) return true;
    return cli_strings_add(given, o->name, e) &&
           (o->kind == CLI_FLAG || cli_strings_add(given, text, e));
}

static void fill_getopt(const option_set *set, struct option *longs, char *shorts)
{
    *shorts++ = ':';
    for (size_t i = 0; i < option_total(set); i++) {
        const cli_option *o = option_at(set, i);
        int has_value = o->kind != CLI_FLAG;
        longs[i] =
            (struct option){.name = o->name, .has_arg = has_value, .val = LONG_BASE + (int)i};
        if (o->letter) *shorts++ = o->letter;
        if (o->letter && has_value) *shorts++ = ':';
    }
    *shorts = 0;
}

static bool parse_all(const option_set *set, const struct option *longs, const char *shorts,
                      int argc, char **argv, cli_strings *given, error *e)
{
    int value;
    optind = 1;
    opterr = 0;
    while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
        if (value == '?' || value == ':') return report_unknown(set, value, argv, e);
        const cli_option *o = find_option(set, value);
        if (!parse_value(o, optarg, e) || !record_given(o, optarg, given, e)) return false;
    }
    return true;
}

bool options_parse(const option_set *set, int argc, char **argv, cli_strings *operands,
                   cli_strings *given, error *e)
{
    size_t total = option_total(set);
    struct option *longs = memory_zeroed(total + 1, sizeof *longs, e);
    char *shorts = memory_zeroed(2 * total + 2, 1, e);
    bool done = longs && shorts;
    if (done) {
        fill_getopt(set, longs, shorts);
        done = parse_all(set, longs, shorts, argc, argv, given, e);
    }
    for (int i = optind; done && i < argc; i++) done = cli_strings_add(operands, argv[i], e);
    free(longs);
    free(shorts);
    return done;
}
