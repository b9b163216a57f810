/* JPEGs made by recipe and then damaged: a window cut out of the scan is what decoding without
   cutting gives, its errors included. The first bytes of the input are the recipe, the others what
   to damage. */
#include "cli/error.h"
#include "image/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { RECIPE = 12 };

typedef struct jpeg_bytes {
    unsigned char *bytes;
    unsigned long size;
} jpeg_bytes;

static jpeg_bytes jpeg_make(const uint8_t recipe[RECIPE])
{
    jpeg_bytes made = {0};
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &made.bytes, &made.size);
    c.input_components = recipe[0] % 4 == 0 ? 1 : recipe[0] % 4 == 1 ? 4 : 3;
    c.in_color_space = c.input_components == 1   ? JCS_GRAYSCALE
                       : c.input_components == 4 ? JCS_CMYK
                                                 : JCS_RGB;
    c.image_width = 64 + recipe[1];
    c.image_height = recipe[2] < 224 ? 64 + recipe[2] / 2 : 4 * recipe[2];
    jpeg_set_defaults(&c);
    if (c.input_components == 4 && recipe[0] & 4) jpeg_set_colorspace(&c, JCS_YCCK);
    jpeg_set_quality(&c, 1 + recipe[3] % 100, TRUE);
    if (c.jpeg_color_space != JCS_YCCK) {
        c.comp_info[0].h_samp_factor = 1 + recipe[4] % 4;
        c.comp_info[0].v_samp_factor = recipe[4] % 4 == 3 ? 1 : 1 + recipe[4] / 4 % 2;
    }
    c.optimize_coding = recipe[4] & 16;
    c.restart_interval = recipe[4] & 32 ? recipe[5] : 0;
    jpeg_start_compress(&c, TRUE);
    uint8_t row[4 * 320];
    while (c.next_scanline < c.image_height) {
        for (unsigned i = 0; i < c.image_width * (unsigned)c.input_components; i++) {
            row[i] = (uint8_t)(i * (1 + recipe[6]) + c.next_scanline * recipe[7] +
                               i * c.next_scanline / (1u + recipe[8]));
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return made;
}

static void jpeg_damage(jpeg_bytes *j, const uint8_t *damage, size_t count)
{
    for (; count >= 4; damage += 4, count -= 4) {
        size_t at = (size_t)(damage[0] << 16 | damage[1] << 8 | damage[2]) % j->size;
        if (damage[3] == 0 && at > 0) j->size = at;
        j->bytes[at % j->size] ^= damage[3];
    }
}

static bool same_pixels(const image *a, image_window at, const image *b, image_window bt,
                        image_window w)
{
    for (int y = w.top; y < w.bottom; y++) {
        const uint8_t *left = a->pixels + 3 * ((y - at.top) * a->width + w.left - at.left);
        const uint8_t *right = b->pixels + 3 * ((y - bt.top) * b->width + w.left - bt.left);
        if (memcmp(left, right, 3 * (size_t)(w.right - w.left)) != 0) return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < RECIPE) return 0;
    jpeg_bytes j = jpeg_make(bytes);
    jpeg_damage(&j, bytes + RECIPE, size - RECIPE);
    error e = {0}, f = {0};
    image_info info;
    image cut = {0}, plain = {0};
    image_limits limits = {.pixels = 1 << 20, .bytes = 1 << 20};
    if (image_probe(j.bytes, j.size, limits, &info, &e)) {
        int denominator = 1 << bytes[9] % 4;
        int width = (info.width + denominator - 1) / denominator,
            height = (info.height + denominator - 1) / denominator;
        image_window w = {.left = bytes[10] % width, .top = bytes[11] % height};
        w.right = w.left + 30 < width ? w.left + 30 : width;
        w.bottom = w.top + 20 < height ? w.top + 20 : height;
        image_window a = w, b = w;
        bool done = jpeg_decode(j.bytes, j.size, denominator, &a, &cut, &e);
        bool plainly = jpeg_decode_plainly(j.bytes, j.size, denominator, &b, &plain, &f);
        if (done != plainly || strcmp(e.text, f.text) != 0) abort();
        if (done && !same_pixels(&cut, a, &plain, b, w)) abort();
    }
    image_free(&cut);
    image_free(&plain);
    free(j.bytes);
    return 0;
}
