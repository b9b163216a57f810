/* Reading an EXIF block: the bounded walk through its directories, and the cut-down block for
 * libexif. */
#include "exif/block.h"

#include "exif/container.h"
#include "exif/parse.h"

#include <stdlib.h>
#include <string.h>

enum {
    ENTRY_LIMIT = 1000,   /* of a directory; the rest is ignored */
    DIRECTORY_LIMIT = 4,  /* visited in a block */
    BAD_ENTRY_LIMIT = 10, /* after which a directory is given up */
    ENTRY_BYTES = 12,
    EXIF_POINTER = 0x8769,
};

/* Where the value of one tag lies. */
typedef struct found_value {
    bool found;
    unsigned format;
    uint32_t count;
    uint64_t offset; /* in the block */
} found_value;

typedef struct block_walk {
    exif_source *source;
    uint64_t start, size;
    bool big_endian;
    int directories;
    uint32_t visited[DIRECTORY_LIMIT];
    found_value value[KEY_COUNT];
} block_walk;

static uint32_t get_16(const block_walk *w, const unsigned char *p)
{
    return w->big_endian ? big_endian_16(p) : little_endian_16(p);
}

static uint32_t get_32(const block_walk *w, const unsigned char *p)
{
    return w->big_endian ? big_endian_32(p) : little_endian_32(p);
}

/* Bytes of one item of a TIFF format 1..13. */
static unsigned format_size(unsigned format)
{
    static const unsigned char size[14] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4};
    return format < sizeof size ? size[format] : 0;
}

static bool read_block(const block_walk *w, uint64_t offset, void *to, size_t n)
{
    return offset <= w->size && n <= w->size - offset &&
           exif_source_read(w->source, w->start + offset, to, n);
}

static bool visit(block_walk *w, uint32_t offset)
{
    if (w->directories == DIRECTORY_LIMIT || offset < 8) return false;
    for (int i = 0; i < w->directories; i++)
        if (w->visited[i] == offset) return false;
    w->visited[w->directories++] = offset;
    return true;
}

typedef struct directory {
    uint64_t start, end;
    unsigned count;
    unsigned char entry[ENTRY_LIMIT * ENTRY_BYTES];
} directory;

/* A directory counts only when all of its entries are there. */
static bool directory_load(block_walk *w, uint32_t offset, directory *d)
{
    unsigned char count[2];
    if (!visit(w, offset) || !exif_source_view(w->source, w->start + offset, 2) ||
        !read_block(w, offset, count, 2))
        return false;
    d->count = get_16(w, count);
    d->start = offset;
    d->end = offset + 2 + (uint64_t)d->count * ENTRY_BYTES;
    if (d->end > w->size) return false;
    if (d->count > ENTRY_LIMIT) d->count = ENTRY_LIMIT;
    return read_block(w, offset + 2, d->entry, (size_t)d->count * ENTRY_BYTES);
}

/* Finds the value of an entry; false when it lies outside the block, or over its own directory. */
static bool locate_value(const block_walk *w, const directory *d, unsigned i, found_value *v)
{
    const unsigned char *p = d->entry + (size_t)i * ENTRY_BYTES;
    v->format = get_16(w, p + 2);
    v->count = get_32(w, p + 4);
    uint64_t size = (uint64_t)v->count * format_size(v->format);
    v->offset = d->start + 2 + (uint64_t)i * ENTRY_BYTES + 8;
    v->found = size > 0;
    if (size <= 4) return true;
    v->offset = get_32(w, p + 8);
    bool overlaps = v->offset < d->end && v->offset + size > d->start;
    return v->offset >= 8 && v->offset <= w->size && size <= w->size - v->offset && !overlaps;
}

static void walk_directory(block_walk *w, uint32_t offset);

/* Notes the entry's value if it is one of ours; false when the entry is broken. */
static bool walk_entry(block_walk *w, const directory *d, unsigned i)
{
    const unsigned char *p = d->entry + (size_t)i * ENTRY_BYTES;
    unsigned tag = get_16(w, p);
    if (tag == EXIF_POINTER) {
        walk_directory(w, get_32(w, p + 8));
        return true;
    }
    photo_key key = photo_key_of(tag);
    if (key == KEY_COUNT) return true;
    found_value v;
    if (!locate_value(w, d, i, &v)) return false;
    if (v.found && !(w->value[key].found && photo_tag_table[key].first_wins)) w->value[key] = v;
    return true;
}

static void walk_directory(block_walk *w, uint32_t offset)
{
    directory d;
    if (!directory_load(w, offset, &d)) return;
    int bad = 0;
    for (unsigned i = 0; i < d.count && bad <= BAD_ENTRY_LIMIT; i++) {
        unsigned format = get_16(w, d.entry + (size_t)i * ENTRY_BYTES + 2);
        if (format_size(format) == 0) {
            if (i == 0) return; /* no directory at all */
            bad += format != 0;
        } else if (!walk_entry(w, &d, i)) {
            bad++;
        }
    }
}

static void put_16(unsigned char *p, unsigned x, bool big)
{
    p[big] = (unsigned char)x;
    p[!big] = (unsigned char)(x >> 8);
}

static void put_32(unsigned char *p, uint32_t x, bool big)
{
    put_16(p + 2 * big, x & 0xffff, big);
    put_16(p + 2 * !big, x >> 16, big);
}

/* "Exif\0\0", header, IFD0, Exif IFD, values. Offsets count from the header. */
typedef struct small_block {
    unsigned char bytes[SMALL_BLOCK_BYTES];
    uint32_t used; /* from the header on */
    bool big;
} small_block;

/* Items of a value that are kept: texts to VALUE_TEXT_BYTES, numbers to VALUE_ITEMS. */
static uint32_t kept_count(const found_value *v)
{
    uint32_t most = v->format == 2 || v->format == 7 ? VALUE_TEXT_BYTES : VALUE_ITEMS;
    return v->count < most ? v->count : most;
}

static void put_entry(small_block *b, unsigned char *entry, unsigned tag, const block_walk *w,
                      const found_value *v)
{
    uint32_t count = kept_count(v), size = count * format_size(v->format);
    unsigned char *to = size <= 4 ? entry + 8 : b->bytes + 6 + b->used;
    put_16(entry, tag, b->big);
    put_16(entry + 2, v->format == 13 ? 4 : v->format, b->big);
    put_32(entry + 4, count, b->big);
    if (!read_block(w, v->offset, to, size)) memset(to, 0, size);
    if (size <= 4) return;
    put_32(entry + 8, b->used, b->big);
    b->used += size + (size & 1);
}

/* Writes one directory at `at`, with a pointer to the Exif IFD when `exif_at` is not 0. */
static void put_directory(small_block *b, uint32_t at, bool main_directory, uint32_t exif_at,
                          const block_walk *w)
{
    unsigned char *start = b->bytes + 6 + at, *entry = start + 2;
    for (photo_key key = 0; key < KEY_COUNT; key++) {
        if (!w->value[key].found || photo_tag_table[key].main_directory != main_directory) continue;
        put_entry(b, entry, photo_tag_table[key].number, w, &w->value[key]);
        entry += ENTRY_BYTES;
    }
    if (exif_at) {
        put_16(entry, EXIF_POINTER, b->big);
        put_16(entry + 2, 4, b->big);
        put_32(entry + 4, 1, b->big);
        put_32(entry + 8, exif_at, b->big);
        entry += ENTRY_BYTES;
    }
    put_16(start, (unsigned)((entry - start - 2) / ENTRY_BYTES), b->big);
}

static void small_block_build(small_block *b, const block_walk *w)
{
    uint32_t in_main = 1, in_exif = 0;
    for (photo_key key = 0; key < KEY_COUNT; key++) {
        if (!w->value[key].found) continue;
        in_main += photo_tag_table[key].main_directory;
        in_exif += !photo_tag_table[key].main_directory;
    }
    b->big = w->big_endian;
    uint32_t exif_at = 8 + 2 + in_main * ENTRY_BYTES + 4;
    b->used = exif_at + 2 + in_exif * ENTRY_BYTES + 4;
    memset(b->bytes, 0, 6 + b->used);
    memcpy(b->bytes, "Exif\0", 6);
    memcpy(b->bytes + 6, b->big ? "MM" : "II", 2);
    put_16(b->bytes + 8, 42, b->big);
    put_32(b->bytes + 10, 8, b->big);
    put_directory(b, 8, true, exif_at, w);
    put_directory(b, exif_at, false, 0, w);
}

bool exif_block_read(exif_source *s, uint64_t offset, uint64_t size, photo_tags *t)
{
    block_walk w = {.source = s, .start = offset, .size = size};
    if (offset > s->size) return false;
    if (size > s->size - offset) w.size = s->size - offset;
    unsigned char head[8];
    if (!read_block(&w, 0, head, 8) || !is_tiff_header(head)) return false;
    w.big_endian = head[0] == 'M';
    walk_directory(&w, get_32(&w, head + 4));
    small_block b;
    small_block_build(&b, &w);
    exif_small_block_parse(b.bytes, 6 + b.used, t);
    return true;
}
