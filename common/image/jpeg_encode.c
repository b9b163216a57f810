/* Encoding JPEG, with an EXIF block if there is one. */
#include "image/jpeg_encode.h"

#include "cli/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

/* libjpeg's way out of an error. */
typedef struct escape {
    struct jpeg_error_mgr manager; /* first, as libjpeg knows only this part */
    jmp_buf back;
    char text[JMSG_LENGTH_MAX];
} escape;

static void on_error(j_common_ptr info)
{
    escape *out = (escape *)info->err;
    info->err->format_message(info, out->text);
    longjmp(out->back, 1);
}

static void set_options(struct jpeg_compress_struct *c, const image *i, const jpeg_options *options)
{
    c->image_width = (JDIMENSION)i->width;
    c->image_height = (JDIMENSION)i->height;
    c->input_components = 3;
    c->in_color_space = JCS_RGB;
    jpeg_set_defaults(c);
    jpeg_set_quality(c, options->quality, TRUE);
    int sampling = options->chroma_subsampling ? 2 : 1;
    c->comp_info[0].h_samp_factor = c->comp_info[0].v_samp_factor = sampling;
    c->optimize_coding = TRUE;
    c->write_JFIF_header = options->exif == NULL;
}

static void compress(struct jpeg_compress_struct *c, const image *i, const jpeg_options *options)
{
    jpeg_start_compress(c, TRUE);
    if (options->exif)
        jpeg_write_marker(c, JPEG_APP0 + 1, options->exif, (unsigned)options->exif_size);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = i->pixels + (size_t)3 * (size_t)i->width * c->next_scanline;
        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
}

bool jpeg_encode(const image *i, const jpeg_options *options, unsigned char **bytes, size_t *size,
                 error *e)
{
    /* In allocated memory, whose contents a longjmp leaves as they are. */
    struct {
        struct jpeg_compress_struct c;
        escape out;
        unsigned char *bytes;
        unsigned long size;
    } * work;
    if (options->exif_size > 65533)
        return error_set(e, STATUS_INTERNAL, "the EXIF block does not fit into a JPEG segment");
    work = memory_zeroed(1, sizeof *work, e);
    if (!work) return false;
    struct jpeg_compress_struct *c = &work->c;
    c->err = jpeg_std_error(&work->out.manager);
    work->out.manager.error_exit = on_error;
    if (setjmp(work->out.back)) {
        error_set(e, STATUS_SYSTEM, "encoding JPEG: %s", work->out.text);
        free(work->bytes);
        work->bytes = NULL;
    } else {
        jpeg_create_compress(c);
        jpeg_mem_dest(c, &work->bytes, &work->size);
        set_options(c, i, options);
        compress(c, i, options);
    }
    *bytes = work->bytes;
    *size = work->size;
    jpeg_destroy_compress(c);
    free(work);
    return *bytes != NULL;
}
