/* Reading a file here and there, through one window. */
#include "exif/source.h"

#include "cli/input.h"

#include <string.h>

void exif_source_file(exif_source *s, int file, uint64_t size)
{
    s->file = file;
    s->memory = NULL;
    s->size = size;
    s->window_start = 0;
    s->window_size = 0;
}

void exif_source_memory(exif_source *s, const void *bytes, uint64_t size)
{
    exif_source_file(s, -1, size);
    s->memory = bytes;
}

static bool inside(const exif_source *s, uint64_t offset, size_t n)
{
    return offset <= s->size && n <= s->size - offset;
}

static bool in_window(const exif_source *s, uint64_t offset, size_t n)
{
    return offset >= s->window_start && offset - s->window_start <= s->window_size &&
           n <= s->window_size - (offset - s->window_start);
}

const unsigned char *exif_source_view(exif_source *s, uint64_t offset, size_t n)
{
    if (!inside(s, offset, n) || n > SOURCE_WINDOW) return NULL;
    if (s->memory) return s->memory + offset;
    if (!in_window(s, offset, n)) {
        uint64_t left = s->size - offset;
        size_t wanted = left < SOURCE_WINDOW ? (size_t)left : SOURCE_WINDOW;
        s->window_start = offset;
        s->window_size = input_read_at(s->file, s->window, wanted, offset);
        if (s->window_size < n) return NULL;
    }
    return s->window + (offset - s->window_start);
}

bool exif_source_read(exif_source *s, uint64_t offset, void *to, size_t n)
{
    if (!inside(s, offset, n)) return false;
    if (s->memory || in_window(s, offset, n)) {
        memcpy(to, s->memory ? s->memory + offset : s->window + (offset - s->window_start), n);
        return true;
    }
    return input_read_at(s->file, to, n, offset) == n;
}
