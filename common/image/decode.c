/* Reading image files: which format, how large, within the limits, decoded. */
#include "image/decode.h"

#include "cli/input.h"
#include "cli/memory.h"
#include "image/codec.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below this no ratio of pixels to bytes is suspicious. */
#define SMALL_PIXELS 16000000
#define PIXELS_PER_BYTE 1000

static bool bytes_read(int file, unsigned char *bytes, size_t size, error *e)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = input_read(file, bytes + done, size - done);
        if (n < 0) return error_set(e, STATUS_IO, "cannot be read: ");
        if (n == 0) return error_set(e, STATUS_DATA, "became shorter while it was read");
        done += (size_t)n;
    }
    return true;
}

/* Somewhat more than is needed: the next photo is often a little larger. */
static bool room_make(file_bytes *file, size_t size, error *e)
{
    if (file->capacity < size) {
        size_t capacity = size + size / 8;
        free(file->bytes);
        *file = (file_bytes){.bytes = memory_allocate(capacity, 1, e)};
        if (file->bytes == NULL) return false;
        file->capacity = capacity;
    }
    file->size = size;
    return true;
}

bool image_file_read(const char *path, image_limits limits, file_bytes *file, error *e)
{
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) return error_set(e, STATUS_NO_INPUT, "cannot be opened: ");
    struct stat s;
    bool done = false;
    if (fstat(opened, &s) != 0) {
        error_set(e, STATUS_IO, "cannot be read: ");
    } else if (!S_ISREG(s.st_mode)) {
        error_set(e, STATUS_DATA, "is no regular file");
    } else if (s.st_size == 0) {
        error_set(e, STATUS_DATA, "is empty");
    } else if (s.st_size > limits.bytes) {
        error_set(e, STATUS_DATA, "has %jd bytes, more than the limit of %" PRId64,
                  (intmax_t)s.st_size, limits.bytes);
    } else if (room_make(file, (size_t)s.st_size, e)) {
        done = bytes_read(opened, file->bytes, file->size, e);
    }
    close(opened);
    return done;
}

static bool head_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return jpeg_probe(bytes, size, info, e);
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return png_probe(bytes, size, info, e);
    if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) {
        return webp_probe(bytes, size, info, e);
    }
    return error_set(e, STATUS_DATA, "is no JPEG, PNG or WebP image");
}

bool image_probe(const unsigned char *bytes, size_t size, image_limits limits, image_info *info,
                 error *e)
{
    if (!head_probe(bytes, size, info, e)) return false;
    int64_t pixels = (int64_t)info->width * info->height;
    if (pixels > limits.pixels) {
        return error_set(e, STATUS_DATA,
                         "claims %d x %d pixels, more than the limit of %" PRId64 " pixels",
                         info->width, info->height, limits.pixels);
    }
    if (pixels > SMALL_PIXELS && pixels / PIXELS_PER_BYTE > (int64_t)size) {
        return error_set(e, STATUS_DATA, "claims %d x %d pixels in only %zu bytes", info->width,
                         info->height, size);
    }
    return true;
}

static bool format_decode(const unsigned char *bytes, size_t size, const image_info *info,
                          int denominator, image_window *window, image *out, error *e)
{
    if (info->format == IMAGE_JPEG) return jpeg_decode(bytes, size, denominator, window, out, e);
    *window = (image_window){0, 0, info->width, info->height};
    if (info->format == IMAGE_PNG) return png_decode(bytes, size, out, e);
    return webp_decode(bytes, size, out, e);
}

bool image_decode_window(const unsigned char *bytes, size_t size, const image_info *info,
                         int denominator, image_window *window, image *out, error *e)
{
    bool done = format_decode(bytes, size, info, denominator, window, out, e);
    int width = window->right - window->left, height = window->bottom - window->top;
    if (done && (out->width != width || out->height != height)) {
        done = error_set(e, STATUS_DATA, "decodes to %d x %d pixels, not %d x %d", out->width,
                         out->height, width, height);
    }
    if (!done) image_free(out);
    return done;
}

bool image_decode(const unsigned char *bytes, size_t size, const image_info *info, int denominator,
                  image *out, error *e)
{
    image_window all = {0, 0, INT_MAX, INT_MAX};
    return image_decode_window(bytes, size, info, denominator, &all, out, e);
}
