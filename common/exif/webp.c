/* The chunks of a WebP file (RFC 9649): EXIF blocks and the canvas size. */
#include "exif/container.h"

#include <string.h>

enum { CHUNK_LIMIT = 65536 };

static uint32_t little_endian_24(const unsigned char *p)
{
    return (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

/* The size in the first chunk that tells one: VP8X counts before VP8 and VP8L, and comes before
 * them. */
static void read_size(exif_container *c, exif_source *s, const char *name, uint64_t at,
                      uint32_t size)
{
    const unsigned char *p = exif_source_view(s, at, size < 10 ? size : 10);
    if (!p || c->width) return;
    if (!memcmp(name, "VP8X", 4) && size >= 10) {
        c->width = 1 + little_endian_24(p + 4);
        c->height = 1 + little_endian_24(p + 7);
    } else if (!memcmp(name, "VP8L", 4) && size >= 5 && p[0] == 0x2f) {
        uint32_t bits = little_endian_32(p + 1);
        c->width = 1 + (bits & 0x3fff);
        c->height = 1 + (bits >> 14 & 0x3fff);
    } else if (!memcmp(name, "VP8 ", 4) && size >= 10 && !memcmp(p + 3, "\x9d\x01\x2a", 3)) {
        c->width = little_endian_16(p + 6) & 0x3fff;
        c->height = little_endian_16(p + 8) & 0x3fff;
    }
}

/* The block may begin with JPEG's prefix, though the format does not want it. */
void webp_find_exif(exif_container *c, exif_source *s)
{
    unsigned char head[8];
    uint64_t at = 12;
    for (int i = 0; i < CHUNK_LIMIT && exif_source_read(s, at, head, 8); i++) {
        uint32_t size = little_endian_32(head + 4);
        at += 8;
        if (!memcmp(head, "VP8", 3))
            read_size(c, s, (const char *)head, at, size);
        else if (!memcmp(head, "EXIF", 4))
            exif_container_add_chunk(c, s, at, size);
        at += (uint64_t)size + (size & 1);
    }
}
