/* The life of a tool: command line in, exit status out. */
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/version.h"
#include "cli/waiting.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Lists of strings ---------------------------------------------------------------------------
 */

bool cli_strings_add(cli_strings *list, const char *string, error *e)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        const char **item = memory_resize(list->item, capacity, sizeof *item, e);
        if (!item) return false;
        list->item = item;
        list->capacity = capacity;
    }
    list->item[list->count++] = string;
    return true;
}

void cli_strings_free(cli_strings *list)
{
    free(list->item);
    *list = (cli_strings){0};
}

const char *cli_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

/* ---- Messages -----------------------------------------------------------------------------------
 */

static void print_message(const cli *c, const char *format, va_list arguments)
{
    fprintf(stderr, "%s: ", c->tool->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void cli_warn(const cli *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message(c, format, arguments);
    va_end(arguments);
}

void cli_note(const cli *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!c->quiet) print_message(c, format, arguments);
    va_end(arguments);
}

void cli_detail(const cli *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (c->verbose > 0) print_message(c, format, arguments);
    va_end(arguments);
}

/* ---- Common options -----------------------------------------------------------------------------
 */

/* What the common options set, before it is checked and moved to cli. */
typedef struct common_options {
    bool help, version, quiet, verbose, progress, no_progress, no_provenance, nul_separated;
    int64_t threads, seed, max_errors;
    const char *output, *files_from;
    cli_strings sets;
} common_options;

enum { COMMON_OPTIONS = 14 };

static void fill_common_table(cli_option table[COMMON_OPTIONS], common_options *o)
{
    const cli_option common[COMMON_OPTIONS] = {
        {"output", 'o', CLI_STRING, &o->output, .argument = "FILE",
         .help = "write to FILE instead of standard output", .unrecorded = true},
        {"threads", 'j', CLI_INTEGER, &o->threads, 1, 1024, .argument = "N",
         .help = "threads to use (default: all processors)", .unrecorded = true},
        {"seed", 0, CLI_INTEGER, &o->seed, 0, 9007199254740991.0, .argument = "N",
         .help = "seed of all random choices (default 0)", .unrecorded = true},
        {"set", 0, CLI_LIST, &o->sets, .argument = "KEY=VALUE",
         .help = "put KEY into every record (repeatable)"},
        {"max-errors", 0, CLI_INTEGER, &o->max_errors, 0, 9007199254740991.0, .argument = "N",
         .help = "error records that still count as success (0)", .unrecorded = true},
        {"files-from", 0, CLI_STRING, &o->files_from, .argument = "FILE",
         .help = "read more input names from FILE, one a line", .unrecorded = true},
        {"null", '0', CLI_FLAG, &o->nul_separated,
         .help = "names in --files-from end in NUL, not newline", .unrecorded = true},
        {"no-provenance", 0, CLI_FLAG, &o->no_provenance,
         .help = "leave the list of tools out of the header", .unrecorded = true},
        {"progress", 0, CLI_FLAG, &o->progress, .help = "show progress also when not at a terminal",
         .unrecorded = true},
        {"no-progress", 0, CLI_FLAG, &o->no_progress, .help = "show no progress",
         .unrecorded = true},
        {"quiet", 'q', CLI_FLAG, &o->quiet, .help = "only errors on standard error",
         .unrecorded = true},
        {"verbose", 'v', CLI_FLAG, &o->verbose, .help = "say more on standard error",
         .unrecorded = true},
        {"help", 'h', CLI_FLAG, &o->help, .help = "print this help", .unrecorded = true},
        {"version", 'V', CLI_FLAG, &o->version, .help = "print versions and processor features",
         .unrecorded = true},
    };
    memcpy(table, common, sizeof common);
}

static void print_usage(const cli_tool *tool, FILE *to)
{
    cli_option common[COMMON_OPTIONS];
    common_options unused = {0};
    fill_common_table(common, &unused);
    fprintf(to, "usage: %s [options]%s%s\n", tool->name, tool->operands ? " " : "",
            tool->operands ? tool->operands : "");
    options_print_text(tool->summary, 0, 0, to);
    fputc('\n', to);
    options_print(tool->options, tool->option_count, to);
    if (tool->option_count) fputc('\n', to);
    options_print(common, COMMON_OPTIONS, to);
}

static void print_version(const cli_tool *tool)
{
    char text[1000];
    version_describe(text, sizeof text);
    printf("%s (BLADES in C) %s\n%s", tool->name, BLADES_VERSION, text);
}

/* Splits KEY=VALUE pairs; keys of the stream itself are not the user's to set. */
static bool take_sets(cli *c, const cli_strings *sets, error *e)
{
    static const char *const reserved[] = {"type",   "id",     "path",     "photo",  "faces",
                                           "pixels", "exif",   "exif_raw", "vector", "labels",
                                           "width",  "height", "stage",    "reason"};
    for (size_t i = 0; i < sets->count; i++) {
        char *pair = (char *)sets->item[i], *equals = strchr(pair, '=');
        if (!equals || equals == pair)
            return error_set(e, STATUS_USAGE, "--set: '%s' is not KEY=VALUE", pair);
        char *key = strndup(pair, (size_t)(equals - pair));
        if (!key) return error_set(e, STATUS_SYSTEM, "out of memory");
        if (!cli_strings_add(&c->sets, key, e)) {
            free(key);
            return false;
        }
        if (!cli_strings_add(&c->sets, equals + 1, e)) return false;
        for (size_t r = 0; r < CLI_COUNT(reserved); r++)
            if (strcmp(key, reserved[r]) == 0)
                return error_set(e, STATUS_USAGE, "--set: the key '%s' belongs to the stream", key);
    }
    return true;
}

bool cli_set_has(const cli *c, const char *key, size_t length)
{
    for (size_t i = 0; c && i + 1 < c->sets.count; i += 2)
        if (strlen(c->sets.item[i]) == length && memcmp(c->sets.item[i], key, length) == 0)
            return true;
    return false;
}

/* ---- Inputs -------------------------------------------------------------------------------------
 */

static bool read_whole(FILE *file, const char *name, char **text, size_t *size, error *e)
{
    size_t capacity = 1 << 16, got;
    *size = 0;
    *text = memory_allocate(capacity, 1, e);
    if (!*text) return false;
    while ((got = fread(*text + *size, 1, capacity - *size - 1, file)) > 0) {
        *size += got;
        if (capacity - *size > 1) continue;
        char *grown = memory_resize(*text, capacity *= 2, 1, e);
        if (!grown) return false;
        *text = grown;
    }
    (*text)[*size] = 0;
    return !ferror(file) || error_set(e, STATUS_IO, "%s: ", name);
}

static bool read_files_from(cli *c, const char *path, char separator, error *e)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    if (!file) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    char *text = NULL;
    size_t size = 0;
    bool done = read_whole(file, path, &text, &size, e);
    if (!standard) fclose(file);
    c->owned = text;
    for (char *name = text, *end = text + size; done && name < end;) {
        char *stop = memchr(name, separator, (size_t)(end - name));
        if (!stop) stop = end;
        *stop = 0;
        if (*name) done = cli_strings_add(&c->inputs, name, e);
        name = stop + 1;
    }
    return done;
}

static bool take_inputs(cli *c, const common_options *o, error *e)
{
    if (c->inputs.count && !c->tool->operands)
        return error_set(e, STATUS_USAGE, "takes no operands, but got '%s'", c->inputs.item[0]);
    if (o->files_from && !read_files_from(c, o->files_from, o->nul_separated ? 0 : '\n', e))
        return false;
    c->inputs_given = c->inputs.count > 0 || o->files_from;
    return c->inputs_given || cli_strings_add(&c->inputs, "-", e);
}

/* ---- Start and end ------------------------------------------------------------------------------
 */

static int default_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > 1024 ? 1024 : (int)online;
}

static bool take_common(cli *c, const common_options *o, error *e)
{
    c->output = o->output;
    c->threads = (int)o->threads;
    c->seed_given = o->seed >= 0;
    c->seed = c->seed_given ? (uint64_t)o->seed : 0;
    c->quiet = o->quiet;
    c->verbose = o->verbose;
    c->provenance = !o->no_provenance;
    c->max_errors = o->max_errors;
    c->show_progress = !o->quiet && !o->no_progress && (o->progress || isatty(STDERR_FILENO));
    return take_sets(c, &o->sets, e) && take_inputs(c, o, e);
}

static void free_cli(cli *c)
{
    for (size_t i = 0; i < c->sets.count; i += 2) free((char *)c->sets.item[i]);
    cli_strings_free(&c->sets);
    cli_strings_free(&c->inputs);
    cli_strings_free(&c->given);
    free(c->owned);
    c->owned = NULL;
}

bool cli_start(cli *c, const cli_tool *tool, int argc, char **argv)
{
    *c = (cli){.tool = tool};
    waiting_short();
    signal(SIGPIPE, SIG_DFL); /* a closed pipe downstream ends the tool silently */
    common_options o = {.threads = default_threads(), .seed = -1};
    cli_option common[COMMON_OPTIONS];
    fill_common_table(common, &o);
    option_set set = {{tool->options, common}, {tool->option_count, COMMON_OPTIONS}};
    error e = {0};
    bool parsed = options_parse(&set, argc, argv, &c->inputs, &c->given, &e);
    if (o.help) {
        print_usage(tool, stdout);
    } else if (parsed && o.version) {
        print_version(tool);
    } else if (parsed && take_common(c, &o, &e)) {
        cli_strings_free(&o.sets);
        return true;
    }
    cli_strings_free(&o.sets);
    if (o.help) e.status = 0;
    if (e.status == STATUS_USAGE)
        fprintf(stderr, "%s: %s\nTry '%s --help'.\n", tool->name, e.text, tool->name);
    else if (e.status)
        fprintf(stderr, "%s: %s\n", tool->name, e.text);
    c->status = e.status;
    if (!e.status && (fflush(stdout) != 0 || fclose(stdout) != 0)) c->status = STATUS_IO;
    free_cli(c);
    return false;
}

int cli_status(const cli *c)
{
    return c->status;
}

int cli_finish(cli *c, const error *e)
{
    return cli_finish_status(c, e, STATUS_DONE);
}

static bool close_standard_output(void)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    /* A standard output that was closed from the start is no error as long as nothing was written.
     */
    return !(fclose(stdout) != 0 && (failed || errno != EBADF)) && !failed;
}

int cli_finish_status(cli *c, const error *e, int status)
{
    if (e->status) {
        fprintf(stderr, "%s: %s\n", c->tool->name, e->text);
        if (e->status == STATUS_USAGE) fprintf(stderr, "Try '%s --help'.\n", c->tool->name);
        status = e->status;
    }
    if (!close_standard_output() && !e->status) {
        fprintf(stderr, "%s: standard output: %s\n", c->tool->name, strerror(errno ? errno : EIO));
        status = STATUS_IO;
    }
    if (c->error_count > 0 && !e->status) {
        bool decides = status == STATUS_DONE && c->error_count > c->max_errors;
        if (decides) status = STATUS_DATA;
        (decides ? cli_warn : cli_note)(c, "%lld error record%s written", (long long)c->error_count,
                                        c->error_count == 1 ? "" : "s");
    }
    free_cli(c);
    return status;
}
