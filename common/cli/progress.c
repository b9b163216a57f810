/* The progress line. */
#include "cli/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/* Does a line stand that is to be drawn over? */
static atomic_bool standing;

double clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, const cli *c, const char *unit, int64_t total)
{
    *p = (progress){.shown = c->show_progress, .tool = c->tool->name, .unit = unit, .total = total};
    p->started = p->drawn = clock_seconds();
}

static void format_duration(char *text, size_t size, double seconds)
{
    long s = seconds < 0 ? 0 : seconds > 3.6e6 ? 3600000 : (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld", s / 60, s % 60);
}

static void draw(progress *p, double now, const char *extra)
{
    double elapsed = now - p->started, rate = elapsed > 0 ? (double)p->done / elapsed : 0;
    char left[32] = "";
    fprintf(stderr, "\r%s: %lld", p->tool, (long long)p->done);
    if (p->total > 0) {
        fprintf(stderr, "/%lld", (long long)p->total);
        if (rate > 0) format_duration(left, sizeof left, (double)(p->total - p->done) / rate);
    } else if (p->share > 0) {
        format_duration(left, sizeof left, elapsed * (1 / p->share - 1));
    }
    fprintf(stderr, " %s, %.*f/s", p->unit, rate < 10 ? 2 : 0, rate);
    if (*left) fprintf(stderr, ", %s left", left);
    if (extra) fprintf(stderr, ", %s", extra);
    fputs("\033[K", stderr);
    p->drawn = now;
    atomic_store(&standing, true);
}

void progress_add(progress *p, int64_t n, const char *extra)
{
    p->done += n;
    if (!p->shown) return;
    double now = clock_seconds();
    if (now - p->drawn >= 0.2) draw(p, now, extra);
}

void progress_add_share(progress *p, int64_t n, double share)
{
    p->share = share;
    progress_add(p, n, NULL);
}

void progress_end(progress *p)
{
    if (!p->shown) return;
    draw(p, clock_seconds(), NULL);
    fputc('\n', stderr);
    atomic_store(&standing, false);
    p->shown = false;
}

void progress_clear(void)
{
    if (atomic_exchange(&standing, false)) fputs("\r\033[K", stderr);
}
