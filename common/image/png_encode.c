/* PNG through libpng. */
#include "image/png_encode.h"

#include "cli/memory.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define COMPRESSION 4 /* zlib's level: near the best for photos, much faster */

typedef struct png_output {
    unsigned char *bytes;
    size_t size, capacity;
    error *e;
} png_output;

static _Noreturn void png_failed(png_structp png, png_const_charp text)
{
    png_output *out = png_get_error_ptr(png);
    error_set(out->e, STATUS_SYSTEM, "PNG: %s", text);
    png_longjmp(png, 1);
}

static void png_grow(png_structp png, png_bytep bytes, size_t size)
{
    png_output *out = png_get_io_ptr(png);
    unsigned char *more = array_grow(out->bytes, out->size + size, &out->capacity, 1, out->e);
    if (more == NULL) png_longjmp(png, 1);
    out->bytes = more;
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static void png_write(png_structp png, png_infop head, const image *i)
{
    png_set_IHDR(png, head, (png_uint_32)i->width, (png_uint_32)i->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, COMPRESSION);
    png_write_info(png, head);
    for (int y = 0; y < i->height; y++) {
        png_write_row(png, i->pixels + (size_t)y * (size_t)i->width * 3);
    }
    png_write_end(png, head);
}

bool png_encode(const image *i, unsigned char **bytes, size_t *size, error *e)
{
    *bytes = NULL;
    png_output *out = memory_zeroed(1, sizeof *out, e);
    if (out == NULL) return false;
    out->e = e;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, out, png_failed, NULL);
    png_infop head = png == NULL ? NULL : png_create_info_struct(png);
    if (head == NULL) {
        error_set(e, STATUS_SYSTEM, "out of memory");
    } else if (setjmp(png_jmpbuf(png)) == 0) {
        png_set_write_fn(png, out, png_grow, NULL);
        png_write(png, head, i);
    }
    png_destroy_write_struct(&png, &head);
    bool done = e->status == 0;
    if (done) {
        *bytes = out->bytes;
        *size = out->size;
    } else {
        free(out->bytes);
    }
    free(out);
    return done;
}
