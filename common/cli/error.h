/* The first error of an operation: what went wrong, and the exit status it means. */
#ifndef BLADES_CLI_ERROR_H
#define BLADES_CLI_ERROR_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of every tool (sysexits(3) where one fits). */
enum exit_status {
    STATUS_DONE = 0,
    STATUS_NO = 1,        /* ran, and the answer is "no" */
    STATUS_USAGE = 64,    /* a wrong option or operand */
    STATUS_DATA = 65,     /* input is not what it should be */
    STATUS_NO_INPUT = 66, /* input cannot be opened */
    STATUS_INTERNAL = 70, /* a fault of ours, or numbers that stopped being finite */
    STATUS_SYSTEM = 71,   /* out of memory, no threads */
    STATUS_CANNOT_CREATE = 73,
    STATUS_IO = 74, /* reading or writing failed */
};

/* An error that sticks: the first one set is kept, later ones are ignored.
   Start from `error e = {0}`. */
typedef struct error {
    int status;      /* 0: no error */
    char text[1000]; /* what does not fit has "..." for its middle: paths are long */
} error;

/* Sets the error (printf format; a trailing ": " appends strerror(errno)). Always returns false,
   so that `return error_set(e, ...)` ends a function that returns success as bool. */
bool error_set(error *e, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text of an error already set. Always returns false. */
bool error_context(error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "what: 'value' is none of NAME, NAME" (names NULL-ended), STATUS_USAGE. Always returns false. */
bool error_none_of(error *e, const char *what, const char *value, const char *const *names);

#endif
