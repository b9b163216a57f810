/* Which annotation belongs to a photo. */
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

/* Takes the last folder off; false when none is left. Empty and "." folders are skipped. */
static bool folder_pop(span *folders, span *last)
{
    for (;;) {
        while (folders->length > 0 && folders->text[folders->length - 1] == '/') folders->length--;
        if (folders->length == 0) return false;
        size_t start = folders->length;
        while (start > 0 && folders->text[start - 1] != '/') start--;
        *last = (span){folders->text + start, folders->length - start};
        folders->length = start;
        if (last->length != 1 || last->text[0] != '.') return true;
    }
}

/* How many folders agree from the end; -1 when they disagree before one side has no more. */
static int folders_agree(span a, span b)
{
    span x, y;
    for (int count = 0;; count++) {
        if (!folder_pop(&a, &x) || !folder_pop(&b, &y)) return count;
        if (span_compare(x, y) != 0) return -1;
    }
}

/* qsort has no context argument in POSIX. */
typedef struct stem_order {
    span stem;
    size_t entry;
} stem_order;

static int stem_order_compare(const void *a, const void *b)
{
    const stem_order *x = a, *y = b;
    int order = span_compare(x->stem, y->stem);
    return order != 0 ? order : (x->entry > y->entry) - (x->entry < y->entry);
}

bool annotations_sort(annotations *a, error *e)
{
    stem_order *order = memory_allocate(a->count + 1, sizeof *order, e);
    a->by_stem = memory_allocate(a->count + 1, sizeof *a->by_stem, e);
    bool done = order != NULL && a->by_stem != NULL;
    for (size_t i = 0; done && i < a->count; i++) {
        order[i] = (stem_order){name_split(a->entry[i].name, a->entry[i].no_suffix).stem, i};
    }
    if (done) qsort(order, a->count, sizeof *order, stem_order_compare);
    for (size_t i = 0; done && i < a->count; i++) a->by_stem[i] = order[i].entry;
    free(order);
    return done;
}

static span stem_of(const annotations *a, size_t position)
{
    const annotation *entry = &a->entry[a->by_stem[position]];
    return name_split(entry->name, entry->no_suffix).stem;
}

/* The first position whose stem is not before `stem`. */
static size_t stems_from(const annotations *a, span stem)
{
    size_t low = 0, high = a->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (span_compare(stem_of(a, middle), stem) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How good a candidate is: larger is better. */
static int64_t candidate_rank(const annotation *entry, const char *path, const name_parts *wanted)
{
    if (strcmp(entry->name, path) == 0) return INT64_MAX;
    name_parts have = name_split(entry->name, entry->no_suffix);
    int agree = folders_agree(have.folders, wanted->folders);
    bool same_suffix = entry->no_suffix || span_compare(have.suffix, wanted->suffix) == 0;
    return agree < 0 ? -1 : (int64_t)same_suffix << 32 | agree;
}

match annotations_find(annotations *a, const char *path, annotation **found)
{
    name_parts wanted = name_split(path, false);
    int64_t best = -2;
    size_t equals = 0;
    *found = NULL;
    for (size_t i = stems_from(a, wanted.stem);
         i < a->count && span_compare(stem_of(a, i), wanted.stem) == 0; i++) {
        annotation *entry = &a->entry[a->by_stem[i]];
        int64_t rank = candidate_rank(entry, path, &wanted);
        if (rank > best) {
            best = rank;
            equals = 0;
            *found = entry;
        }
        if (rank == best) equals++;
    }
    if (*found == NULL) return MATCH_NONE;
    if (equals > 1 || (best == -1 && (*found)->claimed)) return MATCH_AMBIGUOUS;
    (*found)->claimed = true;
    return MATCH_ONE;
}
