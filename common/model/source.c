/* Random access to the bytes of an input. */
#include "model/source.h"

#include "cli/cli.h"
#include "cli/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool source_open(source *s, const char *path, error *e)
{
    struct stat status;
    *s = (source){.path = cli_input_name(path), .fd = input_open(path, &status, e)};
    if (s->fd < 0) return false;
    if (S_ISREG(status.st_mode) && strcmp(path, "-") != 0) {
        s->size = status.st_size;
        return true;
    }
    char *bytes;
    size_t size;
    bool read_all = input_read_all(s->fd, s->path, UINT64_MAX, &bytes, &size, e);
    close(s->fd);
    s->fd = -1;
    s->bytes = (unsigned char *)bytes;
    s->size = (int64_t)size;
    return read_all;
}

bool source_read(const source *s, int64_t offset, void *out, size_t size, error *e)
{
    if (offset < 0 || offset > s->size || (uint64_t)size > (uint64_t)(s->size - offset)) {
        return error_set(e, STATUS_DATA, "%s: is cut short", s->path);
    }
    if (s->fd < 0) {
        if (size) memcpy(out, s->bytes + offset, size);
        return true;
    }
    if (input_read_at(s->fd, out, size, (uint64_t)offset) == size) return true;
    if (errno) return error_set(e, STATUS_IO, "%s: ", s->path);
    return error_set(e, STATUS_DATA, "%s: became shorter while it was read", s->path);
}

void source_close(source *s)
{
    if (s->fd >= 0) close(s->fd);
    free(s->bytes);
    *s = (source){.fd = -1};
}
