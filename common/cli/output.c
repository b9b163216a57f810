/* Output files that appear complete or not at all. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary files that a signal must remove. Changed only with the signals blocked. */
enum { UNFINISHED_MAX = 16 };
static char *unfinished[UNFINISHED_MAX];

static const int fatal_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { FATAL_SIGNALS = sizeof fatal_signals / sizeof fatal_signals[0] };

void output_remove_unfinished(void)
{
    for (int i = 0; i < UNFINISHED_MAX; i++)
        if (unfinished[i]) unlink(unfinished[i]);
}

static void remove_unfinished(int signal_number)
{
    output_remove_unfinished();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* Installs the handler where the signal still has its default action: tools may bring their own. */
static void guard_signals(void)
{
    for (int i = 0; i < FATAL_SIGNALS; i++) {
        struct sigaction now, guard = {.sa_handler = remove_unfinished};
        sigemptyset(&guard.sa_mask);
        if (sigaction(fatal_signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            sigaction(fatal_signals[i], &guard, NULL);
    }
}

static bool replace_unfinished(char *from, char *to)
{
    sigset_t blocked, before;
    sigemptyset(&blocked);
    for (int i = 0; i < FATAL_SIGNALS; i++) sigaddset(&blocked, fatal_signals[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    bool found = false;
    for (int i = 0; i < UNFINISHED_MAX && !found; i++)
        if (unfinished[i] == from) {
            unfinished[i] = to;
            found = true;
        }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return found;
}

static bool open_standard_output(output *o, bool binary, error *e)
{
    if (binary && isatty(STDOUT_FILENO))
        return error_set(e, STATUS_USAGE,
                         "refusing to write a binary stream to a terminal; use -o FILE or a pipe");
    o->file = stdout;
    return true;
}

/* A target that exists and is no regular file (a device, a named pipe) is written directly. */
static bool open_directly(output *o, const char *path, error *e)
{
    o->file = fopen(path, "wb");
    if (!o->file) return error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    return true;
}

static bool open_temporary(output *o, const char *path, error *e)
{
    size_t size = strlen(path) + sizeof ".XXXXXX";
    o->temporary = memory_allocate(size, 1, e);
    if (!o->temporary) return false;
    snprintf(o->temporary, size, "%s.XXXXXX", path);
    guard_signals();
    /* Before there is a file, whose name is written into this very text. */
    bool listed = replace_unfinished(NULL, o->temporary);
    int descriptor = listed ? mkostemp(o->temporary, O_CLOEXEC) : -1;
    if (descriptor < 0) {
        if (listed) {
            error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
            replace_unfinished(o->temporary, NULL);
        } else {
            error_set(e, STATUS_INTERNAL, "%s: too many output files at once", path);
        }
        free(o->temporary);
        o->temporary = NULL;
        return false;
    }
    mode_t mask = umask(0);
    umask(mask);
    fchmod(descriptor, 0666 & ~mask);
    o->file = fdopen(descriptor, "wb");
    if (!o->file) {
        close(descriptor);
        return error_set(e, STATUS_SYSTEM, "%s: ", path);
    }
    return true;
}

bool output_open(output *o, const char *path, bool binary, error *e)
{
    *o = (output){0};
    if (!path || strcmp(path, "-") == 0) return open_standard_output(o, binary, e);
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    }
    o->path = strdup(path);
    if (!o->path) return error_set(e, STATUS_SYSTEM, "out of memory");
    bool direct = exists && !S_ISREG(status.st_mode);
    if (direct ? open_directly(o, path, e) : open_temporary(o, path, e)) return true;
    output_discard(o);
    return false;
}

const char *output_name(const output *o)
{
    return o->path ? o->path : "standard output";
}

static bool sync_file(output *o)
{
    return fflush(o->file) == 0 && !ferror(o->file) &&
           (!o->temporary || fsync(fileno(o->file)) == 0);
}

bool output_commit(output *o, error *e)
{
    if (e->status || !o->file) {
        output_discard(o);
        return e->status == 0;
    }
    const char *name = output_name(o);
    bool written = sync_file(o);
    if (!written) error_set(e, STATUS_IO, "%s: ", name);
    if (o->path) {
        bool closed = fclose(o->file) == 0;
        o->file = NULL;
        if (written && !closed) written = error_set(e, STATUS_IO, "%s: ", name);
    }
    if (written && o->temporary) {
        if (rename(o->temporary, o->path) != 0) {
            error_set(e, STATUS_CANNOT_CREATE, "%s: ", name);
        } else {
            replace_unfinished(o->temporary, NULL);
            free(o->temporary);
            o->temporary = NULL;
        }
    }
    output_discard(o);
    return e->status == 0;
}

void output_discard(output *o)
{
    if (o->file && o->file != stdout) fclose(o->file);
    if (o->temporary) {
        unlink(o->temporary);
        replace_unfinished(o->temporary, NULL);
    }
    free(o->temporary);
    free(o->path);
    *o = (output){0};
}
