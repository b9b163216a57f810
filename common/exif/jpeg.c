/* The segments of a JPEG file before its first scan (ITU-T T.81, annex B): EXIF blocks and the
 * frame size. */
#include "exif/container.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Bounds the walk through a hostile file; real ones have some dozens of segments. */
enum { SEGMENT_LIMIT = 4096, GARBAGE_LIMIT = 1 << 20 };

typedef struct segment {
    int marker;
    uint64_t offset; /* of the contents */
    uint32_t size;   /* of the contents */
} segment;

/* The pieces of one EXIF block: more than one when a block over 64 KiB goes on in the segments that
 * follow. */
typedef struct exif_pieces {
    exif_place *piece; /* owned; `bytes` is unused */
    size_t count, capacity;
    uint64_t bytes;
} exif_pieces;

typedef struct segment_walk {
    exif_source *source;
    uint64_t at;     /* where the next segment is looked for */
    uint64_t passed; /* bytes between segments so far */
} segment_walk;

/* Skips to the next marker code: any garbage up to 0xff, then fill bytes. */
static bool next_marker(segment_walk *w, int *marker)
{
    bool after_ff = false;
    for (;;) {
        const unsigned char *p = exif_source_view(w->source, w->at, 1);
        if (!p || ++w->passed > GARBAGE_LIMIT) return false;
        w->at++;
        if (*p == 0xff) {
            after_ff = true;
        } else if (after_ff) {
            *marker = *p;
            return true;
        }
    }
}

static bool is_standalone(int marker)
{
    return marker == 0x00 || marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

static bool is_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Finds the next segment and moves behind it; false at the first scan or the end. */
static bool next_segment(segment_walk *w, segment *g)
{
    do {
        if (!next_marker(w, &g->marker)) return false;
    } while (is_standalone(g->marker));
    if (g->marker == 0xd9 || g->marker == 0xda) return false;
    const unsigned char *p = exif_source_view(w->source, w->at, 2);
    if (!p || big_endian_16(p) < 2) return false;
    g->offset = w->at + 2;
    g->size = big_endian_16(p) - 2;
    w->at = g->offset + g->size;
    return w->at <= w->source->size; /* one that is cut off is not to be trusted */
}

/* The length of "Exif\0" and the byte after it, before which some writers leave up to four bytes; 0
   when the segment holds no EXIF. */
static uint32_t exif_prefix(exif_source *s, const segment *g)
{
    uint32_t n = g->size < 10 ? g->size : 10;
    if (g->marker != 0xe1 || n < 6) return 0;
    const unsigned char *p = exif_source_view(s, g->offset, n);
    for (uint32_t i = 0; p && i + 6 <= n; i++)
        if (!strncasecmp((const char *)p + i, "Exif", 5)) return i + 6;
    return 0;
}

static bool starts_block(exif_source *s, uint64_t offset, uint32_t size)
{
    const unsigned char *p = size >= 4 ? exif_source_view(s, offset, 4) : NULL;
    return p && is_tiff_header(p);
}

static void pieces_add(exif_pieces *b, uint64_t offset, uint32_t size)
{
    if (b->bytes + size > CONTAINER_EXTENDED_BYTES) return;
    error ignored = {0}; /* a block that is cut is still read */
    exif_place *grown = array_grow(b->piece, b->count + 1, &b->capacity, sizeof *grown, &ignored);
    if (!grown) return;
    b->piece = grown;
    b->piece[b->count++] = (exif_place){offset, size, NULL};
    b->bytes += size;
}

/* Hands the block gathered so far over to the container. */
static void pieces_finish(exif_pieces *b, exif_container *c, exif_source *s)
{
    if (b->count == 1) {
        exif_container_add(c, b->piece[0].offset, b->piece[0].size);
    } else if (b->count > 1) {
        unsigned char *bytes = malloc(b->bytes);
        uint64_t n = 0;
        for (size_t i = 0; bytes && i < b->count; i++) {
            if (!exif_source_read(s, b->piece[i].offset, bytes + n, b->piece[i].size)) break;
            n += b->piece[i].size;
        }
        if (bytes) exif_container_add_bytes(c, bytes, n);
    }
    b->count = 0;
    b->bytes = 0;
}

void jpeg_find_exif(exif_container *c, exif_source *s)
{
    exif_pieces block = {0};
    segment g;
    segment_walk w = {.source = s, .at = 2};
    for (int i = 0; i < SEGMENT_LIMIT && next_segment(&w, &g); i++) {
        uint32_t prefix = exif_prefix(s, &g);
        bool more = prefix == 6 && block.count && !starts_block(s, g.offset + 6, g.size - 6);
        if (!more) pieces_finish(&block, c, s);
        if (prefix) pieces_add(&block, g.offset + prefix, g.size - prefix);
        const unsigned char *p = is_frame(g.marker) ? exif_source_view(s, g.offset, 5) : NULL;
        if (p && !c->width) {
            c->height = big_endian_16(p + 1);
            c->width = big_endian_16(p + 3);
        }
    }
    pieces_finish(&block, c, s);
    free(block.piece);
}
