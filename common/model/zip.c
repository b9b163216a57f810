/* Zip archives (APPNOTE.TXT 6.3, sections 4.3 and 4.5.3): the central directory and stored entries.
 */
#include "model/zip.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    COMMENT_LIMIT = 65535,
    ENTRY_LIMIT = 200000,
    DIRECTORY_LIMIT = 64 << 20,
};

static uint64_t little(const unsigned char *at, int width)
{
    uint64_t number = 0;
    for (int i = width - 1; i >= 0; i--) number = number << 8 | at[i];
    return number;
}

static bool broken(const zip *z, const char *what, error *e)
{
    return error_set(e, STATUS_DATA, "%s: broken zip archive: %s", z->source->path, what);
}

typedef struct directory {
    uint64_t count, size, offset;
} directory;

/* The end record of zip64, when the locator before the end record leads to one. */
static bool directory64(const zip *z, int64_t end, directory *d, error *e)
{
    unsigned char locator[LOCATOR_SIZE], record[END64_SIZE];
    if (end < LOCATOR_SIZE) return true;
    if (!source_read(z->source, end - LOCATOR_SIZE, locator, LOCATOR_SIZE, e)) return false;
    if (memcmp(locator, "PK\x06\x07", 4) != 0) return true;
    uint64_t at = little(locator + 8, 8);
    if (at > (uint64_t)end) return broken(z, "zip64 end record outside the file", e);
    if (!source_read(z->source, (int64_t)at, record, END64_SIZE, e)) return false;
    if (memcmp(record, "PK\x06\x06", 4) != 0) return broken(z, "no zip64 end record", e);
    *d = (directory){little(record + 32, 8), little(record + 40, 8), little(record + 48, 8)};
    return true;
}

static bool directory_find(const zip *z, directory *d, error *e)
{
    const source *s = z->source;
    size_t size = s->size < COMMENT_LIMIT + END_SIZE ? (size_t)s->size : COMMENT_LIMIT + END_SIZE;
    if (size < END_SIZE) return broken(z, "too short", e);
    unsigned char *tail = memory_allocate(size, 1, e);
    if (!tail || !source_read(s, s->size - (int64_t)size, tail, size, e)) {
        free(tail);
        return false;
    }
    size_t at = size - END_SIZE;
    while (at > 0 && memcmp(tail + at, "PK\x05\x06", 4) != 0) at--;
    bool found = memcmp(tail + at, "PK\x05\x06", 4) == 0;
    *d = (directory){little(tail + at + 10, 2), little(tail + at + 12, 4),
                     little(tail + at + 16, 4)};
    free(tail);
    if (!found) return broken(z, "no end record (is the file complete?)", e);
    return directory64(z, s->size - (int64_t)size + (int64_t)at, d, e);
}

/* Sizes and offsets that do not fit 32 bits are in the extra field 0x0001, in this order. */
static void extra64(const unsigned char *extra, size_t size, uint64_t *plain, uint64_t *packed,
                    uint64_t *header)
{
    while (size >= 4) {
        size_t length = little(extra + 2, 2);
        if (length > size - 4) return;
        if (little(extra, 2) == 1) {
            const unsigned char *at = extra + 4, *end = at + length;
            uint64_t *const field[3] = {plain, packed, header};
            for (int i = 0; i < 3; i++) {
                if (*field[i] != UINT32_MAX || end - at < 8) continue;
                *field[i] = little(at, 8);
                at += 8;
            }
        }
        extra += 4 + length;
        size -= 4 + length;
    }
}

/* One entry of the central directory; returns the bytes it takes, 0 when it is broken. */
static size_t entry_parse(zip_entry *entry, const unsigned char *at, size_t left, int64_t file_size,
                          error *e)
{
    if (left < 46 || memcmp(at, "PK\x01\x02", 4) != 0) return 0;
    size_t name = little(at + 28, 2), extra = little(at + 30, 2), comment = little(at + 32, 2);
    if (left - 46 < name + extra + comment) return 0;
    uint64_t packed = little(at + 20, 4), plain = little(at + 24, 4), header = little(at + 42, 4);
    extra64(at + 46 + name, extra, &plain, &packed, &header);
    if (plain > (uint64_t)file_size || header > (uint64_t)file_size || memchr(at + 46, 0, name))
        return 0;
    *entry = (zip_entry){.header = (int64_t)header,
                         .size = (int64_t)plain,
                         .crc = (uint32_t)little(at + 16, 4),
                         .method = (int)little(at + 10, 2)};
    entry->name = memory_allocate(name + 1, 1, e);
    if (!entry->name) return 0;
    memcpy(entry->name, at + 46, name);
    entry->name[name] = 0;
    return 46 + name + extra + comment;
}

static int entry_compare(const void *a, const void *b)
{
    return strcmp(((const zip_entry *)a)->name, ((const zip_entry *)b)->name);
}

bool zip_open(zip *z, const source *s, error *e)
{
    directory d = {0};
    *z = (zip){.source = s};
    if (!directory_find(z, &d, e)) return false;
    if (d.count > ENTRY_LIMIT || d.size > DIRECTORY_LIMIT || d.offset > (uint64_t)s->size ||
        d.size > (uint64_t)s->size - d.offset || d.count > d.size / 46) {
        return broken(z, "its directory lies outside the file", e);
    }
    unsigned char *bytes = memory_allocate((size_t)d.size + 1, 1, e);
    z->entries = memory_zeroed((size_t)d.count + 1, sizeof *z->entries, e);
    bool ok = bytes && z->entries && source_read(s, (int64_t)d.offset, bytes, (size_t)d.size, e);
    for (size_t at = 0; ok && z->count < d.count;) {
        size_t used =
            entry_parse(&z->entries[z->count], bytes + at, (size_t)d.size - at, s->size, e);
        if (used == 0) {
            ok = broken(z, "a directory entry", e);
        } else {
            z->count++;
            at += used;
        }
    }
    free(bytes);
    if (ok) {
        qsort(z->entries, z->count, sizeof *z->entries, entry_compare);
        for (size_t i = 1; i < z->count && ok; i++) {
            if (entry_compare(&z->entries[i - 1], &z->entries[i]) == 0)
                ok = broken(z, "two entries of one name", e);
        }
    }
    if (!ok) zip_close(z);
    return ok;
}

void zip_close(zip *z)
{
    for (size_t i = 0; i < z->count; i++) free(z->entries[i].name);
    free(z->entries);
    *z = (zip){0};
}

const zip_entry *zip_find(const zip *z, const char *name)
{
    zip_entry key = {.name = (char *)name};
    return bsearch(&key, z->entries, z->count, sizeof *z->entries, entry_compare);
}

unsigned char *zip_read(const zip *z, const zip_entry *entry, error *e)
{
    unsigned char local[30], *bytes = NULL;
    if (entry->method != 0) {
        error_set(e, STATUS_DATA,
                  "%s: entry %.200s is compressed; PyTorch stores entries as they are",
                  z->source->path, entry->name);
        return NULL;
    }
    if (!source_read(z->source, entry->header, local, sizeof local, e)) return NULL;
    if (memcmp(local, "PK\x03\x04", 4) != 0) {
        broken(z, "no local header where the directory says", e);
        return NULL;
    }
    int64_t at =
        entry->header + 30 + (int64_t)little(local + 26, 2) + (int64_t)little(local + 28, 2);
    bytes = memory_allocate((size_t)entry->size + 1, 1, e);
    if (!bytes || !source_read(z->source, at, bytes, (size_t)entry->size, e)) goto failed;
    bytes[entry->size] = 0;
    uLong crc = crc32_z(crc32_z(0, NULL, 0), bytes, (size_t)entry->size);
    if (crc == entry->crc) return bytes;
    error_set(e, STATUS_DATA, "%s: entry %.200s is damaged (its CRC differs)", z->source->path,
              entry->name);
failed:
    free(bytes);
    return NULL;
}
