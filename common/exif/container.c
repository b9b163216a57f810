/* Telling image formats apart, and the list of EXIF blocks. */
#include "exif/container.h"

#include <stdlib.h>
#include <string.h>

void exif_container_add(exif_container *c, uint64_t offset, uint64_t size)
{
    if (c->place_count < CONTAINER_BLOCKS)
        c->place[c->place_count++] = (exif_place){offset, size, NULL};
}

void exif_container_add_chunk(exif_container *c, exif_source *s, uint64_t offset, uint32_t size)
{
    const unsigned char *p = size >= 6 ? exif_source_view(s, offset, 6) : NULL;
    uint32_t prefix = p && !memcmp(p, "Exif\0", 5) ? 6 : 0;
    uint64_t left = s->size - offset;
    exif_container_add(c, offset + prefix, (size < left ? size : left) - prefix);
}

void exif_container_add_bytes(exif_container *c, unsigned char *bytes, uint64_t size)
{
    if (c->place_count < CONTAINER_BLOCKS)
        c->place[c->place_count++] = (exif_place){0, size, bytes};
    else
        free(bytes);
}

bool exif_container_read(exif_container *c, exif_source *s)
{
    c->format = NULL;
    c->width = c->height = 0;
    c->place_count = 0;
    size_t n = s->size < 12 ? (size_t)s->size : 12;
    unsigned char head[12] = {0};
    const unsigned char *view = exif_source_view(s, 0, n);
    if (!view) return false;
    memcpy(head, view, n);
    if (head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff) {
        c->format = "JPEG";
        jpeg_find_exif(c, s);
    } else if (!memcmp(head, "\x89PNG\r\n\x1a\n", 8)) {
        c->format = "PNG";
        png_find_exif(c, s);
    } else if (!memcmp(head, "RIFF", 4) && !memcmp(head + 8, "WEBP", 4)) {
        c->format = "WebP";
        webp_find_exif(c, s);
    } else if (is_tiff_header(head)) {
        c->format = "TIFF";
        exif_container_add(c, 0, s->size);
    }
    return c->format != NULL;
}

void exif_container_free(exif_container *c)
{
    for (int i = 0; i < c->place_count; i++) free(c->place[i].bytes);
    c->place_count = 0;
}
