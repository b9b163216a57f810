/* The chunks of a PNG file (PNG third edition; ImageMagick's raw profiles): EXIF blocks and the
 * image size. */
#include "exif/container.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK_LIMIT = 1 << 20, PROFILE_LIMIT = 8, PROFILE_BYTES = 1 << 20 };

static const char profile_exif[] = "Raw profile type exif";
static const char profile_app1[] = "Raw profile type APP1";

static int hex_digit(unsigned char ch)
{
    return ch >= '0' && ch <= '9'   ? ch - '0'
           : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
           : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                    : -1;
}

/* "\nexif\n    1234\n4578...": a name, the number of bytes, and the bytes in hexadecimal. */
static void add_profile(exif_container *c, const unsigned char *text, size_t size)
{
    size_t i = 0, lines = 0, n = 0;
    while (i < size && lines < 3) lines += text[i++] == '\n';
    unsigned char *bytes = malloc(size / 2 + 1);
    int high = -1;
    for (; bytes && i < size; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0) continue;
        if (high >= 0) bytes[n++] = (unsigned char)(high << 4 | digit);
        high = high >= 0 ? -1 : digit;
    }
    if (n > 6 && !memcmp(bytes, "Exif\0", 5)) {
        n -= 6;
        memmove(bytes, bytes + 6, n);
        exif_container_add_bytes(c, bytes, n);
    } else {
        free(bytes);
    }
}

/* Inflates up to PROFILE_BYTES; the caller frees. */
static unsigned char *inflate_profile(const unsigned char *in, size_t size, size_t *out_size)
{
    uLongf length = PROFILE_BYTES;
    unsigned char *out = malloc(length);
    if (out && uncompress(out, &length, in, size) != Z_OK) {
        free(out);
        out = NULL;
    }
    *out_size = length;
    return out;
}

/* Reads a text chunk; true when it is an EXIF profile. */
static bool read_text(exif_container *c, exif_source *s, bool compressed, uint64_t at,
                      uint32_t size)
{
    const size_t keyword = sizeof profile_exif; /* with its NUL byte */
    const unsigned char *p =
        size > keyword + 1 && size <= PROFILE_BYTES ? exif_source_view(s, at, keyword) : NULL;
    if (!p || (memcmp(p, profile_exif, keyword) && memcmp(p, profile_app1, keyword))) return false;
    unsigned char *text = malloc(size);
    if (text && exif_source_read(s, at, text, size)) {
        size_t n = size - keyword;
        if (!compressed) {
            add_profile(c, text + keyword, n);
        } else if (text[keyword] == 0) { /* the only method: deflate */
            unsigned char *plain = inflate_profile(text + keyword + 1, n - 1, &n);
            if (plain) add_profile(c, plain, n);
            free(plain);
        }
    }
    free(text);
    return true;
}

void png_find_exif(exif_container *c, exif_source *s)
{
    unsigned char head[8];
    uint64_t at = 8;
    int profiles = 0;
    for (int i = 0; i < CHUNK_LIMIT && exif_source_read(s, at, head, 8); i++) {
        uint32_t size = big_endian_32(head);
        const unsigned char *name = head + 4, *p;
        at += 8;
        if (!memcmp(name, "IHDR", 4) && i == 0 && size >= 8 && (p = exif_source_view(s, at, 8))) {
            c->width = big_endian_32(p);
            c->height = big_endian_32(p + 4);
        } else if (!memcmp(name, "eXIf", 4)) {
            exif_container_add_chunk(c, s, at, size);
        } else if (!memcmp(name, "tEXt", 4) || !memcmp(name, "zTXt", 4)) {
            if (profiles < PROFILE_LIMIT) profiles += read_text(c, s, name[0] == 'z', at, size);
        } else if (!memcmp(name, "IEND", 4)) {
            break;
        }
        at += (uint64_t)size + 4;
    }
}
