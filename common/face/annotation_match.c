/* Which annotation belongs to a photo. */
#include "cli/memory.h"
#include "face/annotation_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct span {
    const char *text;
    size_t length;
} span;

static int span_compare(span a, span b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.text, b.text, shorter);
    if (order != 0) return order;
    return a.length < b.length ? -1 : a.length > b.length;
}

static bool span_is(span a, const char *text)
{
    return span_compare(a, (span){text, strlen(text)}) == 0;
}

/* A path split into the file name's stem and suffix (from its last dot; none in a leading dot's
   name) and what comes before. */
typedef struct name_parts {
    span folders, stem, suffix;
} name_parts;

static name_parts name_split(const char *name, bool no_suffix)
{
    const char *slash = strrchr(name, '/');
    const char *file = slash == NULL ? name : slash + 1;
    const char *dot = no_suffix ? NULL : strrchr(file, '.');
    size_t length = strlen(file);
    size_t stem = dot == NULL || dot == file ? length : (size_t)(dot - file);
    return (name_parts){{name, (size_t)(file - name)}, {file, stem}, {file + stem, length - stem}};
}

/* Takes the last folder off; false when none is left whose name is known: what stands before ".."
   is not. Empty and "." folders are skipped. */
static bool folder_pop(span *folders, span *last)
{
    for (;;) {
        while (folders->length > 0 && folders->text[folders->length - 1] == '/') folders->length--;
        if (folders->length == 0) return false;
        size_t start = folders->length;
        while (start > 0 && folders->text[start - 1] != '/') start--;
        *last = (span){folders->text + start, folders->length - start};
        folders->length = start;
        if (span_is(*last, "..")) return false;
        if (!span_is(*last, ".")) return true;
    }
}

/* What an entry is compared with, in the order of the entries: first the stems, then the folders
   from the last to the first, then suffixes, then names. Each comparison includes the ones before.
 */
typedef enum depth {
    DEPTH_STEM,
    DEPTH_WITHIN,  /* the entry's last folders are these */
    DEPTH_FOLDERS, /* these are all it has */
    DEPTH_SUFFIX,
    DEPTH_NAME,
} depth;

typedef struct sought {
    const char *name;
    bool no_suffix;
    name_parts parts;
} sought;

/* From the last folder on; `within`: an entry that has more folders is equal. */
static int folders_compare(span entry, span folders, bool within)
{
    span x, y;
    for (;;) {
        bool entry_has = folder_pop(&entry, &x), wanted = folder_pop(&folders, &y);
        if (!wanted) return entry_has && !within;
        if (!entry_has) return -1;
        int order = span_compare(x, y);
        if (order != 0) return order;
    }
}

static int entry_compare(const annotation *entry, const sought *to, depth d)
{
    name_parts have = name_split(entry->name, entry->no_suffix);
    int order = span_compare(have.stem, to->parts.stem);
    if (order == 0 && d >= DEPTH_WITHIN) {
        order = folders_compare(have.folders, to->parts.folders, d == DEPTH_WITHIN);
    }
    if (order == 0 && d >= DEPTH_SUFFIX) order = entry->no_suffix - to->no_suffix;
    if (order == 0 && d >= DEPTH_SUFFIX) order = span_compare(have.suffix, to->parts.suffix);
    if (order == 0 && d >= DEPTH_NAME) order = strcmp(entry->name, to->name);
    return order;
}

static int entries_order(const void *a, const void *b)
{
    const annotation *x = *(annotation *const *)a, *y = *(annotation *const *)b;
    sought to = {y->name, y->no_suffix, name_split(y->name, y->no_suffix)};
    int order = entry_compare(x, &to, DEPTH_NAME);
    return order != 0 ? order : (x > y) - (x < y);
}

bool annotations_sort(annotations *a, error *e)
{
    a->ordered = memory_allocate(a->count + 1, sizeof(annotation *), e);
    if (a->ordered == NULL) return false;
    for (size_t i = 0; i < a->count; i++) a->ordered[i] = &a->entry[i];
    qsort(a->ordered, a->count, sizeof(annotation *), entries_order);
    return true;
}

/* Ordered entries begin..end-1. */
typedef struct range {
    size_t begin, end;
} range;

/* The first position within a range whose entry is not before (`behind`: is behind) what is sought.
 */
static size_t position_find(const annotations *a, range r, const sought *to, depth d, bool behind)
{
    while (r.begin < r.end) {
        size_t middle = r.begin + (r.end - r.begin) / 2;
        int order = entry_compare(a->ordered[middle], to, d);
        if (order < 0 || (behind && order == 0)) {
            r.begin = middle + 1;
        } else {
            r.end = middle;
        }
    }
    return r.begin;
}

static range range_find(const annotations *a, range within, const sought *to, depth d)
{
    size_t begin = position_find(a, within, to, d, false);
    return (range){begin, position_find(a, (range){begin, within.end}, to, d, true)};
}

/* Entries that are equally good, and one of them. */
typedef struct candidates {
    size_t count;
    annotation *entry;
} candidates;

static void candidates_add(const annotations *a, range r, candidates *to)
{
    if (r.begin == r.end) return;
    to->count += r.end - r.begin;
    to->entry = a->ordered[r.begin];
}

/* Entries of the photo's suffix, or called without one. */
static candidates suffixed_find(const annotations *a, range r, const sought *wanted, depth d)
{
    candidates found = {0};
    sought bare = *wanted;
    bare.no_suffix = true;
    bare.parts.suffix.length = 0;
    candidates_add(a, range_find(a, r, wanted, d), &found);
    candidates_add(a, range_find(a, r, &bare, d), &found);
    return found;
}

/* The same among entries whose folders differ, which their order does not separate by suffix. */
static candidates suffixed_scan(const annotations *a, range r, const sought *wanted)
{
    candidates found = {0};
    for (size_t i = r.begin; i < r.end && found.count < 2; i++) {
        const annotation *entry = a->ordered[i];
        span suffix = name_split(entry->name, entry->no_suffix).suffix;
        if (entry->no_suffix || span_compare(suffix, wanted->parts.suffix) == 0) {
            candidates_add(a, (range){i, i + 1}, &found);
        }
    }
    return found;
}

/* Takes folder after folder of the photo, from its last, as long as entries agree. */
static candidates agreeing_find(const annotations *a, const sought *wanted)
{
    candidates same = {0}, other = {0};
    sought taken = *wanted; /* with the folders taken so far */
    span rest = wanted->parts.folders, last;
    const char *end = rest.text + rest.length;
    taken.parts.folders = (span){end, 0};
    range r = range_find(a, (range){0, a->count}, wanted, DEPTH_STEM);
    while (r.begin < r.end) {
        bool more = folder_pop(&rest, &last);
        range fit = more ? range_find(a, r, &taken, DEPTH_FOLDERS) : r;
        candidates all = {0};
        candidates_add(a, fit, &all);
        candidates suffixed =
            more ? suffixed_find(a, fit, &taken, DEPTH_SUFFIX) : suffixed_scan(a, fit, wanted);
        if (all.count > 0) other = all;
        if (suffixed.count > 0) same = suffixed;
        if (!more) break;
        taken.parts.folders = (span){last.text, (size_t)(end - last.text)};
        r = range_find(a, r, &taken, DEPTH_WITHIN);
    }
    return same.count > 0 ? same : other;
}

match annotations_find(annotations *a, const char *path, annotation **found)
{
    sought wanted = {path, false, name_split(path, false)};
    candidates best = suffixed_find(a, (range){0, a->count}, &wanted, DEPTH_NAME);
    if (best.count == 0) best = agreeing_find(a, &wanted);
    *found = best.count == 1 ? best.entry : NULL;
    if (best.count != 1) return best.count == 0 ? MATCH_NONE : MATCH_AMBIGUOUS;
    (*found)->photos++;
    return MATCH_ONE;
}
