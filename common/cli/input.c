/* Opening, reading and spooling inputs. */
#include "cli/input.h"

#include "cli/cli.h"
#include "cli/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_standard(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* Never one of the standard descriptors, not even where one of them is closed. */
static int duplicate(int descriptor)
{
    return fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* What cannot be read holds the place of a closed standard input. */
static bool is_closed(int standard)
{
    int flags = fcntl(standard, F_GETFL);
    return flags < 0 || (flags & O_ACCMODE) == O_WRONLY;
}

int input_open(const char *path, struct stat *status, error *e)
{
    if (is_standard(path) && is_closed(STDIN_FILENO)) {
        error_set(e, STATUS_NO_INPUT, "%s: is closed", cli_input_name(path));
        return -1;
    }
    int file =
        is_standard(path) ? duplicate(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0 || fstat(file, status) != 0)
        error_set(e, STATUS_NO_INPUT, "%s: ", cli_input_name(path));
    else if (S_ISDIR(status->st_mode))
        error_set(e, STATUS_NO_INPUT, "%s: is a folder; name the files in it",
                  cli_input_name(path));
    else
        return file;
    if (file >= 0) close(file);
    return -1;
}

bool input_describe(const char *path, struct stat *status)
{
    return (is_standard(path) ? fstat(STDIN_FILENO, status) : stat(path, status)) == 0;
}

ssize_t input_read(int file, void *bytes, size_t size)
{
    ssize_t got;
    do got = read(file, bytes, size);
    while (got < 0 && errno == EINTR);
    return got;
}

size_t input_read_at(int file, void *bytes, size_t size, uint64_t offset)
{
    size_t done = 0;
    while (done < size) {
        errno = 0;
        ssize_t got = pread(file, (char *)bytes + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

/* Room for what a regular file holds, a NUL, and one byte more that shows its end. */
static size_t first_room(int file, uint64_t limit)
{
    struct stat status;
    uint64_t room = 1 << 16;
    if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        room = (uint64_t)status.st_size + 2;
    return room - 1 < limit ? room : (size_t)limit + 1;
}

bool input_read_all(int file, const char *name, uint64_t limit, char **bytes, size_t *size,
                    error *e)
{
    size_t capacity = 0, wanted = first_room(file, limit);
    ssize_t got = 1;
    *bytes = NULL;
    for (*size = 0; got > 0 && *size < limit; *size += (size_t)got) {
        char *grown = array_grow(*bytes, wanted, &capacity, 1, e);
        if (!grown) goto fail;
        *bytes = grown;
        size_t room = capacity - 1 - *size;
        got = input_read(file, grown + *size, room < limit - *size ? room : limit - *size);
        if (got < 0) {
            error_set(e, STATUS_IO, "%s: ", name);
            goto fail;
        }
        wanted = *size + (size_t)got + 2;
    }
    (*bytes)[*size] = 0;
    return true;
fail:
    free(*bytes);
    *bytes = NULL;
    return false;
}

/* ---- Spooling ------------------------------------------------------------------------------- */

static bool write_bytes(int to, const char *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(to, bytes + done, size - done);
        if (put < 0 && errno != EINTR) return false;
        if (put > 0) done += (size_t)put;
    }
    return true;
}

static bool copy_bytes(int from, const char *name, int to, const char *path, error *e)
{
    char bytes[1 << 16];
    ssize_t got;
    while ((got = input_read(from, bytes, sizeof bytes)) > 0)
        if (!write_bytes(to, bytes, (size_t)got)) return error_set(e, STATUS_IO, "%s: ", path);
    if (got < 0) return error_set(e, STATUS_IO, "%s: ", name);
    return lseek(to, 0, SEEK_SET) == 0 || error_set(e, STATUS_IO, "%s: ", path);
}

int input_spool(int from, const char *name, error *e)
{
    const char *folder = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/blades.XXXXXX", folder && *folder ? folder : "/tmp") < 0) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return -1;
    }
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0) error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    if (file >= 0) unlink(path);
    if (file >= 0 && !copy_bytes(from, name, file, path, e)) {
        close(file);
        file = -1;
    }
    free(path);
    return file;
}
