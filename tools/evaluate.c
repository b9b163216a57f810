/* evaluate: how good detectors are, from their scores of labelled faces. */
#include "cli/output.h"
#include "cli/plural.h"
#include "cli/threads.h"
#include "detect/evaluation_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const char *name, *compare, *roc, *histogram;
    cli_strings methods, columns, runs, pairs, thresholds, higher;
    int64_t per_class, bootstrap, bins;
    double confidence;
    int format, table;
} options = {.bootstrap = 1000, .bins = 50, .confidence = 0.95};

static const cli_option option_table[] = {
    {"name", 0, CLI_STRING, &options.name, .argument = "NAME",
     .help = "what to call the detector of the operands"},
    {"method", 0, CLI_LIST, &options.methods, .argument = "NAME=FILE",
     .help = "another detector's scores: a stream or a TSV"},
    {"column", 0, CLI_LIST, &options.columns, .argument = "NAME=FILE",
     .help = "the same, beside the operands or standard input", .rare = true},
    {"run", 0, CLI_LIST, &options.runs, .argument = "NAME=FILE",
     .help = "another run of that detector, to take means over"},
    {"higher", 0, CLI_LIST, &options.higher, .argument = "NAME=LABEL",
     .help = "a TSV's higher scores mean LABEL (generated)", .rare = true},
    {"threshold", 0, CLI_LIST, &options.thresholds, .argument = "NAME=X",
     .help = "decide for this detector by this score"},
    {"pair", 0, CLI_LIST, &options.pairs, .argument = "GENERATOR=SOURCE,...",
     .help = "compare with these photographs alone", .rare = true},
    {"compare", 0, CLI_STRING, &options.compare, .argument = "NAME",
     .help = "the others' differences from this detector"},
    {"per-class", 0, CLI_INTEGER, &options.per_class, 0, 1e9, .argument = "N",
     .help = "at most N of each, equally many of both (0: all)"},
    {"bootstrap", 0, CLI_INTEGER, &options.bootstrap, 0, 100000, .argument = "N",
     .help = "replicates for the intervals (1000)"},
    {"confidence", 0, CLI_NUMBER, &options.confidence, 0.01, 0.9999, .argument = "X",
     .help = "of the intervals (0.95)", .rare = true},
    {"table", 0, CLI_CHOICE, &options.table, .choices = report_table_names, .argument = "WHICH",
     .help = "which tables (all)"},
    {"format", 0, CLI_CHOICE, &options.format, .choices = table_format_names, .argument = "FORMAT",
     .help = "of the tables (text)"},
    {"roc", 0, CLI_STRING, &options.roc, .argument = "FILE", .unrecorded = true, .written = true,
     .help = "write the ROC curves' data here"},
    {"histogram", 0, CLI_STRING, &options.histogram, .argument = "FILE", .unrecorded = true,
     .written = true, .help = "write histograms of the scores here", .rare = true},
    {"bins", 0, CLI_INTEGER, &options.bins, 1, 100000, .argument = "N",
     .help = "of the histograms (50)", .rare = true},
};

static const cli_tool tool = {
    .name = "evaluate",
    .operands = "[SCORES...]",
    .summary = "Tables of how well detectors tell generated faces from photographs.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED,
};

/* Cuts "NAME=VALUE"; the name is the caller's to free, the value part of the argument. */
static char *cut_pair(const char *option, const char *argument, const char **value, error *e)
{
    const char *equals = strchr(argument, '=');
    if (!equals || equals == argument || !equals[1]) {
        error_set(e, STATUS_USAGE, "--%s %s: write NAME=VALUE", option, argument);
        return NULL;
    }
    *value = equals + 1;
    char *name = strndup(argument, (size_t)(equals - argument));
    if (!name) error_set(e, STATUS_SYSTEM, "out of memory");
    return name;
}

typedef bool add_function(evaluation *v, const char *name, const char *path, error *e);

static bool add_named(evaluation *v, const char *option, const cli_strings *list, add_function *add,
                      error *e)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *path;
        char *name = cut_pair(option, list->item[i], &path, e);
        bool done = name && (add(v, name, path, e) || error_context(e, "%s", name));
        free(name);
        if (!done) return false;
    }
    return true;
}

static method *named_method(const evaluation *v, const char *option, const char *argument,
                            const char **value, error *e)
{
    char *name = cut_pair(option, argument, value, e);
    method *m = name ? evaluation_method(v, name) : NULL;
    if (name && !m)
        error_set(e, STATUS_USAGE, "--%s %s: no detector is named so", option, argument);
    free(name);
    return m;
}

/* "NAME=LABEL" of --higher: for the tables among its runs. */
static bool apply_higher(evaluation *v, const char *argument, error *e)
{
    const char *value;
    bool applied = false;
    method *m = named_method(v, "higher", argument, &value, e);
    if (!m) return false;
    bool photographic = strcmp(value, face_label_names[FACE_PHOTOGRAPHIC]) == 0;
    if (!photographic && strcmp(value, face_label_names[FACE_GENERATED]) != 0)
        return error_set(e, STATUS_USAGE, "--higher %s: photographic or generated", argument);
    for (; m; m = m->next_run) {
        if (!m->is_table) continue;
        m->higher_is_photographic = photographic;
        applied = true;
    }
    return applied ||
           error_set(e, STATUS_USAGE,
                     "--higher %s: not a table: a stream says itself what a higher score "
                     "means; leave the option out",
                     argument);
}

static bool apply_threshold(evaluation *v, const char *argument, error *e)
{
    char *end;
    const char *value;
    method *m = named_method(v, "threshold", argument, &value, e);
    if (!m) return false;
    double threshold = strtod(value, &end);
    if (end == value || *end || !isfinite(threshold))
        return error_set(e, STATUS_USAGE, "--threshold: '%s' is not a number", value);
    for (; m; m = m->next_run) {
        m->thresholded = true;
        m->threshold = threshold;
    }
    return true;
}

static bool apply_settings(evaluation *v, error *e)
{
    bool done = true;
    for (size_t i = 0; done && i < options.higher.count; i++)
        done = apply_higher(v, options.higher.item[i], e);
    for (size_t i = 0; done && i < options.thresholds.count; i++)
        done = apply_threshold(v, options.thresholds.item[i], e);
    return done;
}

static bool write_file(const char *path, const evaluation *v, const evaluation_options *o, bool roc,
                       error *e)
{
    output out = {0};
    if (!path) return true;
    if (!output_open(&out, path, false, e)) return false;
    if (roc)
        evaluation_write_roc(v, o, out.file, e);
    else
        evaluation_write_histogram(v, (int)options.bins, out.file, e);
    return output_commit(&out, e);
}

static const char *have(size_t count)
{
    return count == 1 ? "has" : "have";
}

static void warn_of_left_out(const cli *c, const char *name, const method *m)
{
    if (m->failed.count)
        cli_note(c, "%s: %zu image%s failed and %s not counted", name, m->failed.count,
                 plural(m->failed.count), m->failed.count == 1 ? "is" : "are");
    if (m->manipulated)
        cli_note(c, "%s: left out %zu manipulated face%s", name, m->manipulated,
                 plural(m->manipulated));
    if (m->missing)
        cli_warn(c, "%s: %zu face%s missing", name, m->missing, m->missing == 1 ? " is" : "s are");
    if (m->unlabelled)
        cli_warn(c, "%s: %zu face%s %s no label", name, m->unlabelled, plural(m->unlabelled),
                 have(m->unlabelled));
    if (m->other_label)
        cli_warn(c, "%s: left out %zu face%s whose label is neither photographic nor generated",
                 name, m->other_label, plural(m->other_label));
    if (m->unknown)
        cli_warn(c, "%s: %zu line%s unknown faces", name, m->unknown,
                 m->unknown == 1 ? " names" : "s name");
}

static void warn_of_decisions(const cli *c, const char *name, const method *m)
{
    size_t undecided = method_undecided(m);
    if (undecided > 0 && undecided < m->faces.count)
        cli_warn(
            c,
            "%s: %zu of %zu faces %s no decision: accuracy and the rates of decisions are left "
            "out (--threshold decides)",
            name, undecided, m->faces.count, have(undecided));
    if (m->decided_by[0] != m->decided_by[1] && !isnan(m->decided_by[0]))
        cli_warn(c,
                 "%s: scores with different thresholds (%g and %g) are taken for one detector's: "
                 "if they are not, use --method NAME=FILE for each",
                 name, m->decided_by[0], m->decided_by[1]);
}

static void warn(const cli *c, const evaluation *v)
{
    for (size_t i = 0; i < v->method_count; i++)
        for (const method *m = &v->methods[i]; m; m = m->next_run) {
            warn_of_left_out(c, v->methods[i].name, m);
            warn_of_decisions(c, v->methods[i].name, m);
        }
    size_t photographic = 0;
    for (size_t g = 0; g < v->group_count; g++)
        photographic += v->groups[g].label == FACE_PHOTOGRAPHIC;
    if (v->generator_count == 0) cli_warn(c, "there are no generated faces: AUC is undefined");
    if (photographic == 0) cli_warn(c, "there are no photographic faces: AUC is undefined");
}

static void run(cli *c, evaluation *v, error *e)
{
    evaluation_options o = {.per_class = options.per_class,
                            .bootstrap = (int)options.bootstrap,
                            .confidence = options.confidence,
                            .seed = c->seed,
                            .threads = c->threads,
                            .baseline = options.compare,
                            .output = output_name(c->output),
                            .pairs = options.pairs};
    output out = {0};
    bool operands = c->inputs_given || options.methods.count == 0;
    if (options.runs.count > 0 && (options.roc || options.histogram)) {
        error_set(e, STATUS_USAGE, "--roc and --histogram are of single runs: leave out --run");
        return;
    }
    if (!threads_start(c->threads, e)) return;
    if (operands && !evaluation_add_stream(v, options.name, &c->inputs, e)) return;
    if (!add_named(v, "method", &options.methods, evaluation_add_file, e) ||
        !add_named(v, "column", &options.columns, evaluation_add_file, e) ||
        !add_named(v, "run", &options.runs, evaluation_add_run, e) || !apply_settings(v, e) ||
        !evaluation_run(v, &o, e))
        return;
    warn(c, v);
    if (!write_file(options.roc, v, &o, true, e) ||
        !write_file(options.histogram, v, &o, false, e) || !output_open(&out, c->output, false, e))
        return;
    evaluation_report(v, &o, (report_table)options.table, (table_format)options.format, out.file,
                      e);
    output_commit(&out, e);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    evaluation v = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run(&c, &v, &e);
    evaluation_free(&v);
    cli_strings_free(&options.methods);
    cli_strings_free(&options.columns);
    cli_strings_free(&options.runs);
    cli_strings_free(&options.pairs);
    cli_strings_free(&options.thresholds);
    cli_strings_free(&options.higher);
    return cli_finish(&c, &e);
}
