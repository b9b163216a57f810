/* What is mistaken for a stream. */
#include "stream/foreign.h"

#include <string.h>

typedef struct foreign_format {
    size_t offset, length;
    const char *magic;
    const char *what, *advice;
} foreign_format;

static const char photos_advice[] = "give it to exif-extract first";
static const char compressed_advice[] = "decompress it first";

static const foreign_format formats[] = {
    {0, 3, "\xff\xd8\xff", "a JPEG image", photos_advice},
    {0, 8, "\x89PNG\r\n\x1a\n", "a PNG image", photos_advice},
    {8, 4, "WEBP", "a WebP image", photos_advice},
    {0, 4, "II*\0", "a TIFF image", photos_advice},
    {0, 4, "MM\0*", "a TIFF image", photos_advice},
    {0, 2, "\x1f\x8b", "compressed by gzip", compressed_advice},
    {0, 4, "\x28\xb5\x2f\xfd", "compressed by zstd", compressed_advice},
    /* A length below 2^24, and the JSON that it counts. */
    {3, 6, "\0\0\0\0\0{", "a safetensors file (a model or detector)", "give it by its option"},
    {0, 1, "{", "JSON text", "face-locate -a takes annotations, exif-extract -m metadata"},
    {0, 1, "[", "JSON text", "face-locate -a takes annotations, exif-extract -m metadata"},
};

bool stream_foreign_check(const char *input, const unsigned char *head, size_t size, error *e)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const foreign_format *f = &formats[i];
        if (size < f->offset + f->length || memcmp(head + f->offset, f->magic, f->length) != 0)
            continue;
        return error_set(e, STATUS_DATA, "%s: is %s, not a stream: %s", input, f->what, f->advice);
    }
    return true;
}
