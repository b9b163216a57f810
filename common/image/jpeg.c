/* JPEG through libjpeg-turbo, with its errors, its warnings about lost data and its work bounded.
 */
#include "image/codec.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#define SCANS_MOST 100
#define SCAN_PIXELS_MOST 2e9
#define COEFFICIENT_BYTES 6 /* a pixel: three components of 16 bits, not subsampled */

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    error *e;
} jpeg_reader;

static _Noreturn void jpeg_failed(j_common_ptr info)
{
    jpeg_reader *r = info->client_data;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    error_set(r->e, STATUS_DATA, "JPEG: %s", text);
    longjmp(r->failed, 1);
}

/* Warnings that mean lost pixels end the decoding; the others are about trifles. */
static void jpeg_message(j_common_ptr info, int level)
{
    if (level >= 0) return;
    switch (info->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_ARITH_BAD_CODE:
        jpeg_failed(info);
    default:
        break;
    }
}

static void jpeg_scan_check(j_common_ptr info)
{
    jpeg_reader *r = info->client_data;
    double pixels = (double)r->info.image_width * r->info.image_height;
    int scans = r->info.input_scan_number;
    if (scans <= SCANS_MOST && scans * pixels <= SCAN_PIXELS_MOST) return;
    if (scans <= 1) return;
    error_set(r->e, STATUS_DATA, "JPEG: more scans than a photo has (%d so far)", scans);
    longjmp(r->failed, 1);
}

static void jpeg_reader_start(jpeg_reader *r, const unsigned char *bytes, size_t size, error *e)
{
    r->e = e;
    r->info.err = jpeg_std_error(&r->manager);
    r->manager.error_exit = jpeg_failed;
    r->manager.emit_message = jpeg_message;
    r->info.client_data = r;
    jpeg_create_decompress(&r->info);
    r->progress.progress_monitor = jpeg_scan_check;
    r->info.progress = &r->progress;
    jpeg_mem_src(&r->info, bytes, size);
}

static void orientation_find(jpeg_reader *r, image_info *info)
{
    for (jpeg_saved_marker_ptr m = r->info.marker_list; m != NULL; m = m->next) {
        if (m->data_length < 6 || memcmp(m->data, "Exif\0", 6) != 0) continue;
        info->orientation = exif_orientation(m->data, m->data_length);
        return;
    }
}

/* What setjmp's caller looks at after longjmp must be volatile. */
bool jpeg_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    jpeg_reader *r = memory_zeroed(1, sizeof *r, e);
    if (r == NULL) return false;
    volatile bool done = false;
    *info = (image_info){.format = IMAGE_JPEG, .orientation = 1};
    if (setjmp(r->failed) == 0) {
        jpeg_reader_start(r, bytes, size, e);
        jpeg_save_markers(&r->info, JPEG_APP0 + 1, 0xffff);
        jpeg_read_header(&r->info, TRUE);
        info->width = (int)r->info.image_width;
        info->height = (int)r->info.image_height;
        orientation_find(r, info);
        done = true;
    }
    jpeg_destroy_decompress(&r->info);
    free(r);
    return done;
}

/* CMYK to RGB by (1-C)(1-K); Adobe's programs store the inverse values. */
static void cmyk_row(const uint8_t *cmyk, uint8_t *rgb, int width, bool inverted)
{
    uint8_t flip = inverted ? 0 : 255;
    for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
        unsigned black = cmyk[3] ^ flip;
        for (int i = 0; i < 3; i++) rgb[i] = (uint8_t)(((cmyk[i] ^ flip) * black + 127) / 255);
    }
}

static void rows_read(jpeg_reader *r, image *out, bool four, uint8_t *spare)
{
    struct jpeg_decompress_struct *info = &r->info;
    size_t stride = (size_t)out->width * 3;
    for (int y = 0; y < out->height;) {
        uint8_t *row = out->pixels + (size_t)y * stride;
        if (four) {
            jpeg_read_scanlines(info, &spare, 1);
            cmyk_row(spare, row, out->width, info->saw_Adobe_marker);
            y++;
            continue;
        }
        JSAMPROW rows[4];
        JDIMENSION count = 0;
        while (count < 4 && y + (int)count < out->height) {
            rows[count] = row + count * stride;
            count++;
        }
        y += (int)jpeg_read_scanlines(info, rows, count);
    }
}

/* Upsampled colours at the edge of what is decoded depend on it: that many pixels more are. */
#define WINDOW_MARGIN 8

/* Makes the decompressor leave columns out, and the window what will come out, widened and within
   the image. */
static void window_start(jpeg_reader *r, image_window *w)
{
    int width = (int)r->info.output_width, height = (int)r->info.output_height;
    w->left = w->left > WINDOW_MARGIN ? w->left - WINDOW_MARGIN : 0;
    w->top = w->top > WINDOW_MARGIN ? w->top - WINDOW_MARGIN : 0;
    w->right = w->right < width - WINDOW_MARGIN ? w->right + WINDOW_MARGIN : width;
    w->bottom = w->bottom < height - WINDOW_MARGIN ? w->bottom + WINDOW_MARGIN : height;
    if (w->left > 0 || w->right < width) {
        JDIMENSION left = (JDIMENSION)w->left, columns = (JDIMENSION)(w->right - w->left);
        jpeg_crop_scanline(&r->info, &left, &columns);
        w->left = (int)left;
        w->right = (int)(left + columns);
    }
}

/* Are the rest of the file's only scan data and restarts, up to the end of the image? False: there
   is something else, or the end is missing. */
static bool scan_ends(const jpeg_reader *r)
{
    const struct jpeg_source_mgr *source = r->info.src;
    const unsigned char *at = source->next_input_byte, *end = at + source->bytes_in_buffer;
    if (r->info.unread_marker != 0 &&
        (r->info.unread_marker < JPEG_RST0 || r->info.unread_marker > JPEG_RST0 + 7)) {
        return false;
    }
    while (at < end && (at = memchr(at, 0xff, (size_t)(end - at))) != NULL) {
        while (at < end && *at == 0xff) at++;
        if (at == end) return false;
        if (*at == JPEG_EOI) return true;
        bool of_scan = *at == 0 || (*at >= JPEG_RST0 && *at <= JPEG_RST0 + 7);
        if (!of_scan) return false;
        at++;
    }
    return false;
}

/* Rows below the window: not decoded where the scan's end can be found without; else the last is
   read, which is there only if all before it is. */
static void rest_check(jpeg_reader *r, uint8_t *spare)
{
    bool one_scan = !r->info.progressive_mode && !jpeg_has_multiple_scans(&r->info);
    JDIMENSION rest = r->info.output_height - r->info.output_scanline;
    if (rest > 0 && one_scan && scan_ends(r)) return;
    if (rest > 1) jpeg_skip_scanlines(&r->info, rest - 1);
    if (rest > 0) jpeg_read_scanlines(&r->info, &spare, 1);
    jpeg_finish_decompress(&r->info);
}

static bool jpeg_run(jpeg_reader *r, const unsigned char *bytes, size_t size, int denominator,
                     image_window *window, image *out, uint8_t **spare)
{
    jpeg_reader_start(r, bytes, size, r->e);
    jpeg_read_header(&r->info, TRUE);
    bool four = r->info.num_components == 4;
    r->info.out_color_space = four ? JCS_CMYK : JCS_RGB;
    r->info.scale_num = 1;
    r->info.scale_denom = (unsigned)denominator;
    /* Room for all coefficients of a progressive file, and no file on the disk. */
    double most =
        (double)r->info.image_width * r->info.image_height * COEFFICIENT_BYTES + (8 << 20);
    r->info.mem->max_memory_to_use = most < (double)LONG_MAX ? (long)most : LONG_MAX;
    jpeg_start_decompress(&r->info);
    window_start(r, window);
    if (!image_allocate(out, window->right - window->left, window->bottom - window->top, r->e)) {
        return false;
    }
    *spare = memory_allocate(r->info.output_width, 4, r->e);
    if (*spare == NULL) return false;
    jpeg_skip_scanlines(&r->info, (JDIMENSION)window->top);
    rows_read(r, out, four, *spare);
    rest_check(r, *spare);
    return true;
}

bool jpeg_decode(const unsigned char *bytes, size_t size, int denominator, image_window *window,
                 image *out, error *e)
{
    jpeg_reader *r = memory_zeroed(1, sizeof *r, e);
    /* Kept outside the frame that longjmp returns to. */
    uint8_t **spare = memory_zeroed(1, sizeof *spare, e);
    volatile bool done = false;
    if (r != NULL && spare != NULL) {
        r->e = e;
        if (setjmp(r->failed) == 0) {
            done = jpeg_run(r, bytes, size, denominator, window, out, spare);
        }
        jpeg_destroy_decompress(&r->info);
        free(*spare);
    }
    free(spare);
    free(r);
    return done;
}
