/* A line on standard error that says how far long work is, its rate and the time left. */
#ifndef BLADES_CLI_PROGRESS_H
#define BLADES_CLI_PROGRESS_H

#include "cli/cli.h"

typedef struct progress {
    bool shown;
    const char *tool, *unit; /* "images" */
    int64_t done, total;     /* total 0: unknown */
    double share; /* of the work that is done, 0 to 1, where the total is unknown; 0: too */
    double started, drawn; /* seconds, monotonic */
} progress;

void progress_start(progress *p, const cli *c, const char *unit, int64_t total);
/* Counts `n` more; redraws at most five times a second. `extra` (may be NULL) is shown at the end.
 */
void progress_add(progress *p, int64_t n, const char *extra);
/* The same, where no total but the share of the input that was read is known. */
void progress_add_share(progress *p, int64_t n, double share);
/* Leaves the last line standing. */
void progress_end(progress *p);
/* Takes the line away, so that a message can be printed; the next one is drawn below it. */
void progress_clear(void);

/* Seconds on the monotonic clock. */
double clock_seconds(void);

#endif
