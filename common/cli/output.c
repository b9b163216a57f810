/* Output files that appear complete or not at all. */
#include "cli/output.h"

#include "cli/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporary files that a signal must remove. The handler may run on any thread, between any two
   steps of another: whoever takes an entry out of the list owns its text. */
enum { UNFINISHED_MAX = 16 };
static _Atomic(char *) unfinished[UNFINISHED_MAX];

static const int fatal_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
enum { FATAL_SIGNALS = sizeof fatal_signals / sizeof fatal_signals[0] };

void output_remove_unfinished(void)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        char *path = atomic_exchange(&unfinished[i], NULL);
        if (path) unlink(path);
    }
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

static bool list_unfinished(char *path)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&unfinished[i], &none, path)) return true;
    }
    return false;
}

/* Frees the name of a file that is gone, unless a signal's handler has taken it. */
static void forget_unfinished(char *path)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        char *listed = path;
        if (!atomic_compare_exchange_strong(&unfinished[i], &listed, NULL)) continue;
        free(path);
        return;
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

static bool is_standard(const char *path)
{
    return !path || strcmp(path, "-") == 0;
}

const char *output_name(const char *path)
{
    return is_standard(path) ? "standard output" : path;
}

/* Those of open descriptors (/dev/stdout leads there) are not names of their files. */
static bool is_descriptor(const char *path)
{
    return strncmp(path, "/proc/", 6) == 0;
}

/* The folder of a path with the slash behind it, "" for the current one, has this length. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* What one symbolic link leads to; NULL with errno 0 when `path` is not a link. The caller frees.
 */
static char *follow_link(const char *path)
{
    char text[PATH_MAX], *next;
    ssize_t length = readlink(path, text, sizeof text - 1);
    errno = 0;
    if (length < 0) return NULL;
    text[length] = 0;
    int folder = *text == '/' ? 0 : (int)folder_length(path);
    return asprintf(&next, "%.*s%s", folder, path, text) < 0 ? NULL : next;
}

/* Where symbolic links lead to, whether there is a file or not. NULL with errno set on failure. The
   caller frees. */
static char *follow_links(const char *path)
{
    enum { LINKS_MOST = 40 };
    char *target = strdup(path), *next = NULL;
    for (int i = 0; target && !is_descriptor(target) && (next = follow_link(target)); i++) {
        free(target);
        target = next;
        if (i < LINKS_MOST) continue;
        free(target);
        errno = ELOOP;
        return NULL;
    }
    return target;
}

/* The folder that a path is in, without symbolic links. NULL on failure. The caller frees. */
static char *real_folder(const char *path)
{
    char *folder = NULL;
    if (asprintf(&folder, "%.*s.", (int)folder_length(path), path) < 0) return NULL;
    char *real = realpath(folder, NULL);
    free(folder);
    return real;
}

bool output_same(const char *one, const char *other)
{
    struct stat status;
    if (is_standard(one) || is_standard(other)) return is_standard(one) && is_standard(other);
    if (stat(one, &status) == 0 && !S_ISREG(status.st_mode)) return false;
    char *first = follow_links(one), *second = follow_links(other);
    char *folder = first ? real_folder(first) : NULL, *beside = second ? real_folder(second) : NULL;
    bool same = folder && beside && strcmp(folder, beside) == 0 &&
                strcmp(first + folder_length(first), second + folder_length(second)) == 0;
    free(first);
    free(second);
    free(folder);
    free(beside);
    return same;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static bool open_standard_output(output *o, bool binary, error *e)
{
    if (binary && isatty(STDOUT_FILENO))
        return error_set(e, STATUS_USAGE,
                         "refusing to write a binary stream to a terminal; use -o FILE or a pipe");
    o->file = stdout;
    return true;
}

/* A target that exists and is not a regular file (a device, a named pipe) is written directly. */
static bool open_directly(output *o, const char *path, error *e)
{
    o->file = fopen(path, "wb");
    if (!o->file) return error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    return true;
}

static mode_t new_file_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static bool open_temporary(output *o, const char *path, mode_t mode, error *e)
{
    size_t size = strlen(o->target) + sizeof ".XXXXXX";
    o->temporary = memory_allocate(size, 1, e);
    if (!o->temporary) return false;
    snprintf(o->temporary, size, "%s.XXXXXX", o->target);
    guard_signals();
    /* Before there is a file, whose name is written into this very text. */
    if (!list_unfinished(o->temporary)) {
        free(o->temporary);
        o->temporary = NULL;
        return error_set(e, STATUS_INTERNAL, "%s: too many output files at once", path);
    }
    int descriptor = mkostemp(o->temporary, O_CLOEXEC);
    if (descriptor < 0) {
        error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
        forget_unfinished(o->temporary);
        o->temporary = NULL;
        return false;
    }
    fchmod(descriptor, mode);
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
    if (is_standard(path)) return open_standard_output(o, binary, e);
    struct stat status;
    bool exists = stat(path, &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    }
    o->path = strdup(path);
    o->target = follow_links(path);
    if (!o->path || !o->target) {
        error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
        output_discard(o);
        return false;
    }
    bool direct = exists && (!S_ISREG(status.st_mode) || is_descriptor(o->target));
    mode_t mode = exists ? status.st_mode & 07777 : new_file_mode();
    if (direct ? open_directly(o, path, e) : open_temporary(o, path, mode, e)) return true;
    output_discard(o);
    return false;
}

bool output_check(const char *path, bool binary, error *e)
{
    struct stat status;
    output target;
    if (!is_standard(path) && stat(path, &status) == 0 && !S_ISREG(status.st_mode) &&
        !S_ISDIR(status.st_mode))
        return true;
    if (!output_open(&target, path, binary, e)) return false;
    output_discard(&target);
    return true;
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
    const char *name = output_name(o->path);
    bool written = sync_file(o);
    if (!written) error_set(e, STATUS_IO, "%s: ", name);
    if (o->path) {
        bool closed = fclose(o->file) == 0;
        o->file = NULL;
        if (written && !closed) written = error_set(e, STATUS_IO, "%s: ", name);
    }
    if (written && o->temporary) {
        if (rename(o->temporary, o->target) != 0) {
            error_set(e, STATUS_CANNOT_CREATE, "%s: ", name);
        } else {
            forget_unfinished(o->temporary);
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
        forget_unfinished(o->temporary);
    }
    free(o->path);
    free(o->target);
    *o = (output){0};
}
