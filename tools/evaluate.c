/* evaluate: how good detectors are, from their scores of labelled faces. */
#include "cli/output.h"
#include "detect/evaluation_report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const format_choices[] = {"text", "tsv", "latex", "json", NULL};
static const char *const table_choices[] = {"all",       "summary",     "accuracy", "auc",
                                            "confusion", "differences", NULL};

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
    {"run", 0, CLI_LIST, &options.runs, .argument = "NAME=FILE",
     .help = "another run of that detector, to take means over"},
    {"column", 0, CLI_LIST, &options.columns, .argument = "NAME=FILE",
     .help = "the same, beside the operands or standard input", .rare = true},
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
    {"table", 0, CLI_CHOICE, &options.table, .choices = table_choices, .argument = "WHICH",
     .help = "which tables (all)"},
    {"format", 0, CLI_CHOICE, &options.format, .choices = format_choices, .argument = "FORMAT",
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

/* A pipe can be read once, but it must be looked at before: what comes out of it is put into a
   nameless file. NULL with the error set; *path then is unchanged. */
static FILE *spool(const char *path, error *e)
{
    char bytes[1 << 16];
    size_t got;
    FILE *from = fopen(path, "rb"), *to = from ? tmpfile() : NULL;
    bool good = to || error_set(e, from ? STATUS_CANNOT_CREATE : STATUS_NO_INPUT, "%s: ", path);
    while (good && (got = fread(bytes, 1, sizeof bytes, from)) > 0)
        good = fwrite(bytes, 1, got, to) == got || error_set(e, STATUS_IO, "%s: ", path);
    if (good && (ferror(from) || fflush(to) != 0)) good = error_set(e, STATUS_IO, "%s: ", path);
    if (from) fclose(from);
    if (!good && to) fclose(to);
    return good ? to : NULL;
}

/* Adds the scores of a file, whether it is a stream or a table. */
static bool add_file(evaluation *v, const char *name, const char *path, error *e)
{
    char spooled[32];
    struct stat status;
    unsigned char head[1];
    FILE *copy = NULL;
    if (strcmp(path, "-") == 0) path = "/dev/stdin";
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        copy = spool(path, e);
        if (!copy) return false;
        snprintf(spooled, sizeof spooled, "/dev/fd/%d", fileno(copy));
        path = spooled;
    }
    FILE *file = fopen(path, "rb");
    bool is_stream = file && fread(head, 1, 1, file) == 1 && stream_looks_like(head, 1);
    if (file) fclose(file);
    cli_strings one = {&path, 1, 1};
    bool done = is_stream ? evaluation_add_stream(v, name, &one, e)
                          : evaluation_add_table(v, name, path, e);
    if (copy) fclose(copy);
    return done;
}

static bool add_named(evaluation *v, const char *option, const cli_strings *list, error *e)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *path;
        char *name = cut_pair(option, list->item[i], &path, e);
        bool done = name && (add_file(v, name, path, e) || error_context(e, "%s", name));
        free(name);
        if (!done) return false;
    }
    return true;
}

static bool add_runs(evaluation *v, error *e)
{
    evaluation_allow_runs(v);
    return add_named(v, "run", &options.runs, e);
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

static bool apply_settings(evaluation *v, error *e)
{
    const char *value;
    for (size_t i = 0; i < options.higher.count; i++) {
        method *m = named_method(v, "higher", options.higher.item[i], &value, e);
        if (!m) return false;
        bool photographic = strcmp(value, "photographic") == 0;
        if (!photographic && strcmp(value, "generated") != 0)
            return error_set(e, STATUS_USAGE, "--higher %s: photographic or generated",
                             options.higher.item[i]);
        for (; m; m = m->next_run) m->higher_is_photographic = photographic;
    }
    for (size_t i = 0; i < options.thresholds.count; i++) {
        char *end;
        method *m = named_method(v, "threshold", options.thresholds.item[i], &value, e);
        if (!m) return false;
        double threshold = strtod(value, &end);
        if (*end || !isfinite(threshold))
            return error_set(e, STATUS_USAGE, "--threshold: '%s' is not a number", value);
        for (; m; m = m->next_run) {
            m->thresholded = true;
            m->threshold = threshold;
        }
    }
    return true;
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

static void warn_of_run(const cli *c, const evaluation *v, const char *name, const method *m)
{
    size_t failed = m->errors_elsewhere;
    for (size_t g = 0; g < v->group_count; g++) failed += method_errors(m, g);
    if (failed) cli_note(c, "%s: %zu images failed and are not counted", name, failed);
    if (m->missing) cli_warn(c, "%s: %zu faces are missing", name, m->missing);
    if (m->unlabelled) cli_warn(c, "%s: %zu faces have no label", name, m->unlabelled);
    if (m->unknown) cli_warn(c, "%s: %zu lines name unknown faces", name, m->unknown);
}

static void warn(const cli *c, const evaluation *v)
{
    for (size_t i = 0; i < v->method_count; i++)
        for (const method *m = &v->methods[i]; m; m = m->next_run)
            warn_of_run(c, v, v->methods[i].name, m);
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
                            .pairs = options.pairs};
    output out = {0};
    bool operands = c->inputs_given || options.methods.count == 0;
    if (operands && !evaluation_add_stream(v, options.name, &c->inputs, e)) return;
    if (options.runs.count > 0 && (options.roc || options.histogram)) {
        error_set(e, STATUS_USAGE, "--roc and --histogram are of single runs: leave out --run");
        return;
    }
    if (!add_named(v, "method", &options.methods, e) ||
        !add_named(v, "column", &options.columns, e) || !add_runs(v, e) || !apply_settings(v, e) ||
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
