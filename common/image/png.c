/* PNG through libpng, with its errors and limits. */
#include "cli/memory.h"
#include "image/codec.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct png_input {
    const unsigned char *bytes;
    size_t size, at;
    error *e;
} png_input;

static _Noreturn void png_failed(png_structp png, png_const_charp text)
{
    png_input *in = png_get_error_ptr(png);
    error_set(in->e, STATUS_DATA, "PNG: %s", text);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp text) {}

static void png_bytes(png_structp png, png_bytep to, size_t size)
{
    png_input *in = png_get_io_ptr(png);
    if (size > in->size - in->at) png_error(png, "the data ends early");
    memcpy(to, in->bytes + in->at, size);
    in->at += size;
}

static png_structp png_start(png_input *in, png_infop *info)
{
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, in, png_failed, png_warned);
    *info = png == NULL ? NULL : png_create_info_struct(png);
    if (*info == NULL) {
        png_destroy_read_struct(&png, NULL, NULL);
        error_set(in->e, STATUS_SYSTEM, "out of memory");
        return NULL;
    }
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_set_chunk_cache_max(png, 128);
    png_set_read_fn(png, in, png_bytes);
    return png;
}

/* Text, profiles and the like are skipped unread. */
static void ancillary_skip(png_structp png)
{
    static const png_byte kept[] = "tRNS";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, kept, 1);
}

bool png_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    png_input in = {bytes, size, 0, e};
    png_infop head;
    png_structp png = png_start(&in, &head);
    if (png == NULL) return false;
    *info = (image_info){.format = IMAGE_PNG};
    volatile bool done = false;
    if (setjmp(png_jmpbuf(png)) == 0) {
        ancillary_skip(png);
        png_read_info(png, head);
        info->width = (int)png_get_image_width(png, head);
        info->height = (int)png_get_image_height(png, head);
        done = true;
    }
    png_destroy_read_struct(&png, &head, NULL);
    return done;
}

static void png_run(png_structp png, png_infop head, image *out, png_bytep **rows, error *e)
{
    ancillary_skip(png);
    png_read_info(png, head);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, head);
    int width = (int)png_get_image_width(png, head), height = (int)png_get_image_height(png, head);
    if (png_get_rowbytes(png, head) != (size_t)width * 3) png_error(png, "no RGB image came out");
    *rows = NULL;
    if (!image_allocate(out, width, height, e) ||
        (*rows = memory_allocate((size_t)height, sizeof **rows, e)) == NULL) {
        png_longjmp(png, 1);
    }
    for (int y = 0; y < height; y++) (*rows)[y] = out->pixels + (size_t)y * (size_t)width * 3;
    png_read_image(png, *rows);
    png_read_end(png, NULL);
}

bool png_decode(const unsigned char *bytes, size_t size, image *out, error *e)
{
    png_input in = {bytes, size, 0, e};
    png_infop head;
    png_structp png = png_start(&in, &head);
    if (png == NULL) return false;
    png_bytep **rows = memory_zeroed(1, sizeof *rows, e);
    volatile bool done = false;
    if (rows != NULL && setjmp(png_jmpbuf(png)) == 0) {
        png_run(png, head, out, rows, e);
        done = true;
    }
    if (rows != NULL) free(*rows);
    free(rows);
    png_destroy_read_struct(&png, &head, NULL);
    return done;
}
