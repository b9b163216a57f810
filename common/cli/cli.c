/* The life of a tool: command line in, exit status out. */
#include "cli/cli.h"
#include "cli/cpu.h"
#include "cli/help.h"
#include "cli/input.h"
#include "cli/memory.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/plural.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/version.h"
#include "cli/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Lists of strings ----------------------------------------------------------------------- */

bool cli_strings_add(cli_strings *list, const char *string, error *e)
{
    const char **item = array_grow(list->item, list->count + 1, &list->capacity, sizeof *item, e);
    if (!item) return false;
    list->item = item;
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

/* ---- Messages ------------------------------------------------------------------------------- */

/* "tool: text" in one piece on standard error. Names in it come from anywhere: no control character
   of theirs reaches a terminal. */
static void print_line(const cli_tool *tool, const char *text)
{
    char *line = NULL;
    size_t size;
    progress_clear();
    FILE *memory = open_memstream(&line, &size), *to = memory ? memory : stderr;
    fprintf(to, "%s: ", tool->name);
    text_print(to, text, NULL, NULL);
    fputc('\n', to);
    if (memory && fclose(memory) == 0) fwrite(line, 1, size, stderr);
    free(line);
}

static void print_message(const cli *c, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) text = NULL;
    print_line(c->tool, text ? text : format);
    free(text);
}

static void print_error(const cli_tool *tool, const error *e)
{
    print_line(tool, e->text);
    if (e->status == STATUS_USAGE) fprintf(stderr, "Try '%s --help'.\n", tool->name);
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

/* ---- Common options ------------------------------------------------------------------------- */

/* What the common options set, before it is checked and moved to cli. */
typedef struct common_options {
    bool help, version, quiet, verbose, progress, no_progress, no_provenance, nul_separated;
    int64_t threads, seed, max_errors;
    const char *output;
    cli_strings sets, files_from;
} common_options;

enum { COMMON_OPTIONS = 14 };
enum { CLI_OPERANDS = 1 << 16 }; /* beside enum cli_common: the tool takes operands */

#define PLACE(field) offsetof(common_options, field)

static const struct common_option {
    unsigned needs;
    size_t place; /* of the value in common_options */
    cli_option option;
} common_table[] = {
    {0,
     PLACE(output),
     {"output", 'o', CLI_STRING, .argument = "FILE",
      .help = "write to FILE instead of standard output", .unrecorded = true, .written = true}},
    {0,
     PLACE(threads),
     {"threads", 'j', CLI_INTEGER, NULL, 1, 1024, .argument = "N",
      .help = "threads to use (all processors)", .unrecorded = true, .rare = true}},
    {CLI_SEED,
     PLACE(seed),
     {"seed", 0, CLI_INTEGER, NULL, 0, 9007199254740991.0, .argument = "N",
      .help = "seed of all random choices (0)", .unrecorded = true, .rare = true}},
    {CLI_SET,
     PLACE(sets),
     {"set", 0, CLI_LIST, .argument = "KEY=VALUE", .help = "put KEY into every record (repeatable)",
      .rare = true}},
    {CLI_MAX_ERRORS,
     PLACE(max_errors),
     {"max-errors", 0, CLI_INTEGER, NULL, 0, 9007199254740991.0, .argument = "N",
      .help = "error records that still count as success (0)", .unrecorded = true, .rare = true}},
    {CLI_OPERANDS,
     PLACE(files_from),
     {"files-from", 0, CLI_LIST, .argument = "FILE",
      .help = "read more input names, one a line (repeatable)", .unrecorded = true, .rare = true}},
    {CLI_OPERANDS,
     PLACE(nul_separated),
     {"null", '0', CLI_FLAG, .help = "names in --files-from end in NUL", .unrecorded = true,
      .rare = true}},
    {CLI_PROVENANCE,
     PLACE(no_provenance),
     {"no-provenance", 0, CLI_FLAG, .help = "leave the list of tools out of the header",
      .unrecorded = true, .rare = true}},
    {0,
     PLACE(progress),
     {"progress", 0, CLI_FLAG, .help = "show progress also when not at a terminal",
      .unrecorded = true, .rare = true}},
    {0,
     PLACE(no_progress),
     {"no-progress", 0, CLI_FLAG, .help = "show no progress", .unrecorded = true, .rare = true}},
    {0,
     PLACE(quiet),
     {"quiet", 'q', CLI_FLAG, .help = "only errors on standard error", .unrecorded = true,
      .rare = true}},
    {0,
     PLACE(verbose),
     {"verbose", 'v', CLI_FLAG, .help = "say more on standard error; with --help, too",
      .unrecorded = true, .rare = true}},
    {0,
     PLACE(help),
     {"help", 'h', CLI_FLAG, .help = "print this help", .unrecorded = true, .rare = true}},
    {0,
     PLACE(version),
     {"version", 'V', CLI_FLAG, .help = "print versions and processor features", .unrecorded = true,
      .rare = true}},
};

/* In place of --output's, of tools that write a folder. */
static const cli_option folder_option = {.name = "output",
                                         .letter = 'o',
                                         .kind = CLI_STRING,
                                         .argument = "FOLDER",
                                         .help = "write into FOLDER (required)",
                                         .unrecorded = true};

/* Returns how many they are. */
static size_t fill_common_table(cli_option table[COMMON_OPTIONS], common_options *o,
                                const cli_tool *tool)
{
    unsigned has = tool->common | (tool->operands ? CLI_OPERANDS : 0);
    size_t count = 0;
    for (size_t i = 0; i < CLI_COUNT(common_table); i++) {
        const struct common_option *from = &common_table[i];
        unsigned missing = from->needs & ~has;
        bool folder = tool->folder_output && from->place == PLACE(output);
        if (missing == CLI_OPERANDS) continue;
        table[count] = folder ? folder_option : from->option;
        table[count].value = (char *)o + from->place;
        table[count++].idle = missing != 0;
    }
    return count;
}

static void note_idle(const cli *c, const common_options *o)
{
    const struct {
        unsigned option;
        const char *name;
        bool given;
    } common[] = {
        {CLI_SEED, "--seed", o->seed >= 0},
        {CLI_SET, "--set", o->sets.count > 0},
        {CLI_MAX_ERRORS, "--max-errors", o->max_errors > 0},
        {CLI_PROVENANCE, "--no-provenance", o->no_provenance},
    };
    for (size_t i = 0; i < CLI_COUNT(common); i++)
        if (common[i].given && !(c->tool->common & common[i].option))
            cli_note(c, "%s changes nothing here", common[i].name);
}

static void print_version(const cli_tool *tool)
{
    char text[1000];
    version_describe(text, sizeof text);
    printf("%s (BLADES in C) %s\n%s", tool->name, BLADES_VERSION, text);
}

bool cli_set_has(const cli *c, const char *key, size_t length)
{
    for (size_t i = 0; c && i + 1 < c->sets.count; i += 2)
        if (strlen(c->sets.item[i]) == length && memcmp(c->sets.item[i], key, length) == 0)
            return true;
    return false;
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
        bool twice = cli_set_has(c, key, strlen(key));
        if (!cli_strings_add(&c->sets, key, e)) {
            free(key);
            return false;
        }
        if (!cli_strings_add(&c->sets, equals + 1, e)) return false;
        for (size_t r = 0; r < CLI_COUNT(reserved); r++)
            if (strcmp(key, reserved[r]) == 0)
                return error_set(e, STATUS_USAGE, "--set: the key '%s' belongs to the stream", key);
        for (const char *const *own = c->tool->keys; own && *own; own++)
            if (strcmp(key, *own) == 0)
                return error_set(e, STATUS_USAGE, "--set: the key '%s' is %s's own", key,
                                 c->tool->name);
        if (twice) return error_set(e, STATUS_USAGE, "--set: the key '%s' is given twice", key);
    }
    return true;
}

/* ---- Inputs --------------------------------------------------------------------------------- */

/* Adds the names in text[0..size), which has room for a NUL behind it. */
static bool add_names(cli *c, char *text, size_t size, char separator, error *e)
{
    for (char *name = text, *end = text + size; name < end;) {
        char *stop = memchr(name, separator, (size_t)(end - name));
        if (!stop) stop = end;
        *stop = 0;
        if (*name && !cli_strings_add(&c->inputs, name, e)) return false;
        name = stop + 1;
    }
    return true;
}

static bool read_files_from(cli *c, const char *path, bool nul_separated, error *e)
{
    struct stat status;
    char *text;
    size_t size;
    int file = input_open(path, &status, e);
    if (file < 0) return false;
    bool done = input_read_all(file, cli_input_name(path), UINT64_MAX, &text, &size, e);
    close(file);
    if (!done) return false;
    if (!cli_strings_add(&c->owned, text, e)) {
        free(text);
        return false;
    }
    if (!nul_separated && memchr(text, 0, size))
        return error_set(e, STATUS_USAGE, "%s: names end in NUL: add -0", cli_input_name(path));
    return add_names(c, text, size, nul_separated ? 0 : '\n', e);
}

static bool take_inputs(cli *c, const common_options *o, error *e)
{
    if (c->inputs.count && !c->tool->operands)
        return error_set(e, STATUS_USAGE, "takes no operands, but got '%s'", c->inputs.item[0]);
    if (o->nul_separated && o->files_from.count == 0)
        return error_set(e, STATUS_USAGE, "-0, --null is about --files-from, which is not given");
    c->inputs_given = c->inputs.count > 0 || o->files_from.count > 0;
    for (size_t i = 0; i < o->files_from.count; i++)
        if (!read_files_from(c, o->files_from.item[i], o->nul_separated, e)) return false;
    return c->inputs_given || cli_strings_add(&c->inputs, "-", e);
}

/* ---- Outputs -------------------------------------------------------------------------------- */

/* Does the i-th option name an output? `path`: NULL is standard output. */
static bool names_output(const option_set *set, size_t i, const char **path)
{
    const cli_option *o = option_at(set, i);
    if (!o->written) return false;
    *path = *(const char *const *)o->value;
    return *path || i >= set->counts[0]; /* of the common ones, -o has a default */
}

static bool check_outputs(const option_set *set, error *e)
{
    const char *one, *other;
    for (size_t i = 0; i < option_total(set); i++)
        for (size_t k = i + 1; k < option_total(set) && names_output(set, i, &one); k++)
            if (names_output(set, k, &other) && output_same(one, other))
                return error_set(e, STATUS_USAGE, "%s and %s would both write %s",
                                 option_spell(option_at(set, i)).text,
                                 option_spell(option_at(set, k)).text, output_name(one));
    return true;
}

/* ---- Start and end -------------------------------------------------------------------------- */

static int default_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > 1024 ? 1024 : (int)online;
}

/* A descriptor that is closed would become that of the next file opened, and text meant for
   standard output or standard error would end up in it. What is put there fails like a closed one:
   it cannot be read (0), or not be written (1). */
static void fill_closed_descriptors(void)
{
    static const int access[] = {O_WRONLY, O_RDONLY, O_WRONLY};
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) == -1 && open("/dev/null", access[i]) != i) _exit(STATUS_SYSTEM);
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
    note_idle(c, o);
    return take_sets(c, &o->sets, e) && take_inputs(c, o, e);
}

static void free_cli(cli *c)
{
    for (size_t i = 0; i < c->sets.count; i += 2) free((char *)c->sets.item[i]);
    cli_strings_free(&c->sets);
    cli_strings_free(&c->inputs);
    cli_strings_free(&c->given);
    for (size_t i = 0; i < c->owned.count; i++) free((char *)c->owned.item[i]);
    cli_strings_free(&c->owned);
}

/* Standard output that nothing was written to may be closed. */
static bool close_standard_output(const cli_tool *tool)
{
    error e = {0};
    bool failed = ferror(stdout) != 0;
    errno = 0;
    failed |= fclose(stdout) != 0;
    if (!failed) return true;
    if (errno == 0) errno = EIO;
    error_set(&e, STATUS_IO, "standard output: ");
    print_error(tool, &e);
    return false;
}

static bool finished;

/* Libraries end the process with 1 when there are no threads or no memory for them (GNU OpenMP
   does). That is the answer "no" only where a tool comes to its end. */
static void correct_status(int status, void *unused)
{
    if (finished || status != STATUS_NO) return;
    output_remove_unfinished();
    _exit(STATUS_SYSTEM);
}

bool cli_start(cli *c, const cli_tool *tool, int argc, char **argv)
{
    *c = (cli){.tool = tool};
    fill_closed_descriptors();
    waiting_short();
    on_exit(correct_status, NULL);
    signal(SIGPIPE, SIG_DFL); /* a closed pipe downstream ends the tool silently */
    signal(SIGXFSZ, SIG_IGN); /* a file over the limit fails to be written, and the tool says so */
    common_options o = {.threads = default_threads(), .seed = -1};
    cli_option common[COMMON_OPTIONS];
    size_t count = fill_common_table(common, &o, tool);
    option_set set = {{tool->options, common}, {tool->option_count, count}};
    error e = {0};
    bool parsed = options_parse(&set, argc, argv, &c->inputs, &c->given, &e);
    bool printed = o.help || (parsed && o.version);
    if (o.help)
        help_print(tool, &set, o.verbose, stdout);
    else if (printed)
        print_version(tool);
    bool good = !printed && parsed && cpu_environment_check(&e) && check_outputs(&set, &e) &&
                take_common(c, &o, &e);
    cli_strings_free(&o.sets);
    cli_strings_free(&o.files_from);
    if (good) return true;
    if (!printed) print_error(tool, &e);
    c->status = !printed ? e.status : close_standard_output(tool) ? STATUS_DONE : STATUS_IO;
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

int cli_finish_status(cli *c, const error *e, int status)
{
    finished = true;
    if (e->status) {
        print_error(c->tool, e);
        status = e->status;
        fclose(stdout);
    } else if (!close_standard_output(c->tool)) {
        status = STATUS_IO;
    }
    if (c->error_count > 0 && !e->status) {
        bool decides = status == STATUS_DONE && c->error_count > c->max_errors;
        if (decides) status = STATUS_DATA;
        (decides ? cli_warn : cli_note)(c, "%lld error record%s written", (long long)c->error_count,
                                        plural((size_t)c->error_count));
    }
    free_cli(c);
    return status;
}
