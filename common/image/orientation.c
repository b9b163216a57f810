/* The orientation tag of an EXIF block, from untrusted bytes. */
#include "image/codec.h"

#include <string.h>

typedef struct tiff {
    const unsigned char *bytes;
    size_t size;
    bool big_endian;
} tiff;

static unsigned tiff_short(const tiff *t, size_t at)
{
    unsigned a = t->bytes[at], b = t->bytes[at + 1];
    return t->big_endian ? a << 8 | b : b << 8 | a;
}

static uint32_t tiff_long(const tiff *t, size_t at)
{
    uint32_t a = tiff_short(t, at), b = tiff_short(t, at + 2);
    return t->big_endian ? a << 16 | b : b << 16 | a;
}

int exif_orientation(const unsigned char *bytes, size_t size)
{
    if (size >= 6 && memcmp(bytes, "Exif\0", 6) == 0) {
        bytes += 6;
        size -= 6;
    }
    if (size < 14) return 1;
    tiff t = {bytes, size, bytes[0] == 'M'};
    if (memcmp(bytes, t.big_endian ? "MM" : "II", 2) != 0 || tiff_short(&t, 2) != 42) return 1;
    size_t at = tiff_long(&t, 4);
    if (at > size - 2) return 1;
    unsigned entries = tiff_short(&t, at);
    at += 2;
    for (unsigned i = 0; i < entries && at + 12 <= size; i++, at += 12) {
        if (tiff_short(&t, at) != 0x0112) continue;
        unsigned type = tiff_short(&t, at + 2);
        uint32_t value = type == 3 ? tiff_short(&t, at + 8) : type == 4 ? tiff_long(&t, at + 8) : 0;
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
