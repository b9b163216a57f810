/* JPEG through libjpeg-turbo, with its errors, its warnings about lost data and its work bounded.
 */
#include "cli/memory.h"
#include "image/codec.h"
#include "image/jpeg_window.h"

#include <limits.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>

#define SCANS_MOST 100
#define SCAN_PIXELS_MOST 2e9

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    error *e;
    uint8_t *spare; /* a row; freed with the reader */
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

/* What setjmp's caller looks at after longjmp must be volatile. */
bool jpeg_probe(const unsigned char *bytes, size_t size, image_info *info, error *e)
{
    jpeg_reader *r = memory_zeroed(1, sizeof *r, e);
    if (r == NULL) return false;
    volatile bool done = false;
    *info = (image_info){.format = IMAGE_JPEG};
    if (setjmp(r->failed) == 0) {
        jpeg_reader_start(r, bytes, size, e);
        jpeg_read_header(&r->info, TRUE);
        info->width = (int)r->info.image_width;
        info->height = (int)r->info.image_height;
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

static void rows_read(jpeg_reader *r, image *out)
{
    struct jpeg_decompress_struct *info = &r->info;
    bool four = info->num_components == 4;
    size_t stride = (size_t)out->width * 3;
    for (int y = 0; y < out->height;) {
        uint8_t *row = out->pixels + (size_t)y * stride;
        if (four) {
            jpeg_read_scanlines(info, &r->spare, 1);
            cmyk_row(r->spare, row, out->width, info->saw_Adobe_marker);
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

/* Upsampling reads chroma beyond the window, so decode this many more pixels on each side. */
#define WINDOW_MARGIN 8

static void window_widen(image_window *w, int width, int height)
{
    w->left = w->left > WINDOW_MARGIN ? w->left - WINDOW_MARGIN : 0;
    w->top = w->top > WINDOW_MARGIN ? w->top - WINDOW_MARGIN : 0;
    w->right = w->right < width - WINDOW_MARGIN ? w->right + WINDOW_MARGIN : width;
    w->bottom = w->bottom < height - WINDOW_MARGIN ? w->bottom + WINDOW_MARGIN : height;
}

/* Makes the decompressor leave columns out, and the window what will come out, widened and within
   the image. */
static void window_start(jpeg_reader *r, image_window *w)
{
    int width = (int)r->info.output_width;
    window_widen(w, width, (int)r->info.output_height);
    if (w->left > 0 || w->right < width) {
        JDIMENSION left = (JDIMENSION)w->left, columns = (JDIMENSION)(w->right - w->left);
        jpeg_crop_scanline(&r->info, &left, &columns);
        w->left = (int)left;
        w->right = (int)(left + columns);
    }
}

/* True if nothing but entropy-coded data and restart markers follows, up to EOI. */
static bool scan_ends(const unsigned char *at, const unsigned char *end)
{
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

/* Checks the rows below the window: by scanning for EOI where that is enough, else by decoding the
   last row, which exists only if all before it do. */
static void rest_check(jpeg_reader *r)
{
    struct jpeg_decompress_struct *info = &r->info;
    const struct jpeg_source_mgr *source = info->src;
    JDIMENSION rest = info->output_height - info->output_scanline;
    bool one_scan = !info->progressive_mode && !jpeg_has_multiple_scans(info);
    bool in_scan = info->unread_marker == 0 ||
                   (info->unread_marker >= JPEG_RST0 && info->unread_marker <= JPEG_RST0 + 7);
    if (rest > 0 && one_scan && in_scan &&
        scan_ends(source->next_input_byte, source->next_input_byte + source->bytes_in_buffer)) {
        return;
    }
    if (rest > 1) jpeg_skip_scanlines(info, rest - 1);
    if (rest > 0) jpeg_read_scanlines(info, &r->spare, 1);
    jpeg_finish_decompress(info);
}

static void output_start(jpeg_reader *r, int denominator)
{
    struct jpeg_decompress_struct *info = &r->info;
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    info->scale_num = 1;
    info->scale_denom = (unsigned)denominator;
    /* All coefficients of a progressive file are held, none on the disk: the limit on pixels bounds
       them, whatever the environment (JPEGMEM) says. */
    info->mem->max_memory_to_use = LONG_MAX;
    jpeg_start_decompress(info);
}

static bool rows_start(jpeg_reader *r, int width, int height, image *out)
{
    if (!image_allocate(out, width, height, r->e)) return false;
    r->spare = memory_allocate(r->info.output_width, 4, r->e);
    return r->spare != NULL;
}

static void jpeg_reader_end(jpeg_reader *r)
{
    jpeg_destroy_decompress(&r->info);
    free(r->spare);
    free(r);
}

static bool part_run(jpeg_reader *r, const jpeg_reader *whole, const jpeg_part *p, int denominator,
                     image *out)
{
    jpeg_reader_start(r, p->bytes, p->size, r->e);
    jpeg_read_header(&r->info, TRUE);
    r->info.jpeg_color_space = whole->info.jpeg_color_space;
    r->info.saw_Adobe_marker = whole->info.saw_Adobe_marker;
    output_start(r, denominator);
    if (!rows_start(r, (int)r->info.output_width, (int)r->info.output_height, out)) return false;
    rows_read(r, out);
    return true;
}

static bool part_decode(const jpeg_reader *whole, const jpeg_part *p, int denominator, image *out)
{
    error e = {0};
    jpeg_reader *r = memory_zeroed(1, sizeof *r, &e);
    if (r == NULL) return false;
    r->e = &e;
    volatile bool done = false;
    if (setjmp(r->failed) == 0) done = part_run(r, whole, p, denominator, out);
    jpeg_reader_end(r);
    return done;
}

/* Decodes a part of the file alone, where that is quicker and nothing is wrong with the rest. */
static bool window_decode(const jpeg_reader *whole, int denominator, image_window *window,
                          image *out)
{
    const struct jpeg_decompress_struct *info = &whole->info;
    const struct jpeg_source_mgr *source = info->src;
    int n = denominator;
    image_window w = *window;
    window_widen(&w, ((int)info->image_width + n - 1) / n, ((int)info->image_height + n - 1) / n);
    jpeg_part p;
    if (!jpeg_part_cut(info, (image_window){n * w.left, n * w.top, n * w.right, n * w.bottom},
                       &p)) {
        return false;
    }
    bool done = scan_ends(p.rest, source->next_input_byte + source->bytes_in_buffer) &&
                part_decode(whole, &p, n, out);
    free(p.bytes);
    if (!done) return false;
    int left = p.units.left * p.unit_width / n, top = p.units.top * p.unit_height / n;
    *window = (image_window){left, top, left + out->width, top + out->height};
    return true;
}

static bool jpeg_run(jpeg_reader *r, const unsigned char *bytes, size_t size, int denominator,
                     bool cut, image_window *window, image *out)
{
    jpeg_reader_start(r, bytes, size, r->e);
    jpeg_read_header(&r->info, TRUE);
    if (cut && window_decode(r, denominator, window, out)) return true;
    output_start(r, denominator);
    window_start(r, window);
    if (!rows_start(r, window->right - window->left, window->bottom - window->top, out)) {
        return false;
    }
    jpeg_skip_scanlines(&r->info, (JDIMENSION)window->top);
    rows_read(r, out);
    rest_check(r);
    return true;
}

static bool decode(const unsigned char *bytes, size_t size, int denominator, bool cut,
                   image_window *window, image *out, error *e)
{
    jpeg_reader *r = memory_zeroed(1, sizeof *r, e);
    if (r == NULL) return false;
    r->e = e;
    volatile bool done = false;
    if (setjmp(r->failed) == 0) done = jpeg_run(r, bytes, size, denominator, cut, window, out);
    jpeg_reader_end(r);
    return done;
}

bool jpeg_decode(const unsigned char *bytes, size_t size, int denominator, image_window *window,
                 image *out, error *e)
{
    return decode(bytes, size, denominator, true, window, out, e);
}

bool jpeg_decode_plainly(const unsigned char *bytes, size_t size, int denominator,
                         image_window *window, image *out, error *e)
{
    return decode(bytes, size, denominator, false, window, out, e);
}
