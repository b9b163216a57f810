/* The command-line contract that all tools share: options as a table, common options, inputs, the
   one way to end. A tool's main is

       int main(int argc, char **argv)
       {
           cli c;
           error e = {0};
           if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
           run(&c, &e);
           return cli_finish(&c, &e);
       }
*/
#ifndef BLADES_CLI_CLI_H
#define BLADES_CLI_CLI_H

#include "cli/error.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef enum cli_kind {
    CLI_FLAG,    /* bool * */
    CLI_INTEGER, /* int64_t *, within minimum..maximum */
    CLI_NUMBER,  /* double *, within minimum..maximum, finite */
    CLI_STRING,  /* const char ** */
    CLI_CHOICE,  /* int *: index into choices */
    CLI_LIST,    /* cli_strings *: the option may be repeated */
} cli_kind;

/* A growing list of strings; the list owns the array, not the strings. */
typedef struct cli_strings {
    const char **item;
    size_t count, capacity;
} cli_strings;

typedef struct cli_option {
    const char *name; /* long name, without dashes */
    char letter;      /* short name, or 0 */
    cli_kind kind;
    void *value; /* where the value goes; holds the default before parsing */
    double minimum, maximum;
    const char *const *choices; /* NULL-ended, for CLI_CHOICE; the help lists them */
    const char *argument;       /* "N", "FILE", ... in the help */
    const char *help;           /* one line; keep it under 50 characters */
    bool unrecorded;            /* left out of the provenance (a path of an output, a log) */
    bool written;               /* the path of an output: no two may be the same */
    bool rare;                  /* listed by name only, unless -v is given */
    bool idle;                  /* accepted but without effect; not shown in the help */
} cli_option;

/* Common options that not every tool obeys. All take them, so that a script may give them
   everywhere; a tool that does not obey one says so. --files-from and -0 are those of tools with
   operands. */
enum cli_common {
    CLI_SEED = 1,       /* --seed */
    CLI_SET = 2,        /* --set */
    CLI_MAX_ERRORS = 4, /* --max-errors */
    CLI_PROVENANCE = 8, /* --no-provenance */
};

typedef struct cli_tool {
    const char *name;
    const char *operands; /* "[FILE...]" as the synopsis shows it; NULL: takes none */
    const char *summary;  /* one sentence */
    const cli_option *options;
    size_t option_count;
    unsigned common;         /* of enum cli_common */
    bool folder_output;      /* -o names a folder, which must be given */
    const char *const *keys; /* that it writes into its records, so that --set cannot; NULL: none */
} cli_tool;

/* What a tool knows after parsing. Fields are read-only for tools, but for error_count. */
typedef struct cli {
    const cli_tool *tool;
    const char *output; /* -o; NULL: standard output */
    cli_strings inputs; /* operands and --files-from, in order; at least one: "-" when none given */
    bool inputs_given;  /* false: inputs is "-" by default */
    cli_strings sets;   /* --set: key, value, key, value, ... */
    cli_strings given;  /* options as given, but for those that cannot change the result */
    int threads;        /* -j */
    uint64_t seed;      /* --seed */
    bool seed_given;
    bool quiet;
    int verbose;
    bool show_progress;
    bool provenance; /* false: --no-provenance */
    int64_t max_errors;
    int64_t error_count; /* error records this tool added */
    int status;          /* set when cli_start returns false */
    cli_strings owned;   /* texts of --files-from */
} cli;

/* Parses the command line. False when there is nothing left to do: help or version were printed,
   or the line was wrong and said so; cli_status then is the exit status. */
bool cli_start(cli *c, const cli_tool *tool, int argc, char **argv);
int cli_status(const cli *c);

/* Ends the tool: reports the error if one is set, flushes and closes standard output, compares
   error_count with --max-errors, frees. Returns the exit status. */
int cli_finish(cli *c, const error *e);
/* The same for tools that can answer "no": `status` is returned when all else went well. */
int cli_finish_status(cli *c, const error *e, int status);

/* "tool: ..." on standard error. A note is silent under -q, detail is shown from -v on. */
void cli_warn(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_note(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_detail(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Does --set give this key (`length` bytes)? Never when c is NULL. */
bool cli_set_has(const cli *c, const char *key, size_t length);

bool cli_strings_add(cli_strings *list, const char *string, error *e);
void cli_strings_free(cli_strings *list);

/* As messages name an input: its path, or "standard input" for "-". */
const char *cli_input_name(const char *path);

#define CLI_COUNT(table) (sizeof(table) / sizeof((table)[0]))

#endif
