/* A metadata file: its text, where its objects lie, and the index of the names they give their
 * photos. */
#include "exif/metadata.h"

#include "cli/input.h"
#include "cli/memory.h"
#include "exif/metadata_object.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct object_span {
    size_t start, size; /* in the text */
} object_span;

/* A name, and the object that gives it. */
typedef struct named {
    size_t object;
    char text[];
} named;

/* How much of a name must agree. */
enum { LEVEL_PATH, LEVEL_FILE, LEVEL_STEM, LEVELS };

typedef struct name_entry {
    const char *name; /* in `names` */
    size_t length;    /* of the part that counts */
    size_t object;
} name_entry;

struct metadata_table {
    char *text;
    size_t size;
    object_span *span;
    size_t count, capacity;
    named **name; /* owned */
    size_t name_count, name_capacity;
    name_entry *index[LEVELS]; /* sorted; name_count each */
};

/* ---- Reading the text ----------------------------------------------------------------------- */

static bool read_text(metadata_table *m, const char *path, error *e)
{
    struct stat status;
    int file = input_open(path, &status, e);
    if (file < 0) return false;
    bool good = input_read_all(file, cli_input_name(path), UINT64_MAX, &m->text, &m->size, e);
    close(file);
    return good;
}

/* ---- Finding the objects -------------------------------------------------------------------- */

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static size_t line_of(const metadata_table *m, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at && i < m->size; i++) line += m->text[i] == '\n';
    return line;
}

static bool add_name(metadata_table *m, const char *name, size_t object, error *e)
{
    named **grown = array_grow(m->name, m->name_count + 1, &m->name_capacity, sizeof *grown, e);
    if (!grown) return false;
    m->name = grown;
    size_t size = strlen(name) + 1;
    named *copy = memory_allocate(sizeof *copy + size, 1, e);
    if (!copy) return false;
    copy->object = object;
    memcpy(copy->text, name, size);
    m->name[m->name_count++] = copy;
    return true;
}

static bool add_object(metadata_table *m, size_t start, size_t size, const json_t *object, error *e)
{
    char buffer[32];
    object_span *grown = array_grow(m->span, m->count + 1, &m->capacity, sizeof *grown, e);
    if (!grown) return false;
    m->span = grown;
    for (int i = 0; metadata_name_keys[i]; i++) {
        const char *name =
            metadata_name_value(metadata_names(object), metadata_name_keys[i], buffer);
        if (name && !add_name(m, name, m->count, e)) return false;
    }
    m->span[m->count++] = (object_span){start, size};
    return true;
}

/* Reads the object at *at and moves behind it. */
static bool read_object(metadata_table *m, size_t *at, const char *path, error *e)
{
    json_error_t problem;
    json_t *object = metadata_json_load(m->text + *at, m->size - *at, &problem);
    if (!object)
        return error_set(e, STATUS_DATA, "%s: line %zu: not JSON: %s", path,
                         line_of(m, *at) + (problem.line > 1 ? (size_t)problem.line - 1 : 0),
                         problem.text);
    bool good = add_object(m, *at, (size_t)problem.position, object, e);
    *at += (size_t)problem.position;
    json_decref(object);
    return good;
}

/* Arrays of objects and objects, one after the other; commas between the items of an array. */
static bool index_objects(metadata_table *m, const char *path, error *e)
{
    bool in_array = false, want_comma = false;
    size_t at = m->size >= 3 && !memcmp(m->text, "\xef\xbb\xbf", 3) ? 3 : 0; /* a byte order mark */
    for (;;) {
        while (at < m->size && is_blank(m->text[at])) at++;
        if (at == m->size) break;
        char ch = m->text[at];
        if (ch == '{' && !(in_array && want_comma)) {
            if (!read_object(m, &at, path, e)) return false;
            want_comma = true;
        } else if (ch == '[' && !in_array) {
            in_array = true;
            want_comma = false;
            at++;
        } else if (ch == ',' && in_array && want_comma) {
            want_comma = false;
            at++;
        } else if (ch == ']' && in_array) {
            in_array = false;
            at++;
        } else {
            return error_set(e, STATUS_DATA, "%s: line %zu: expected a JSON object for each photo",
                             path, line_of(m, at));
        }
    }
    return !in_array || error_set(e, STATUS_DATA, "%s: line %zu: the JSON array does not end", path,
                                  line_of(m, at));
}

/* ---- The index ------------------------------------------------------------------------------ */

/* The part of a name that counts at a level. */
static name_entry name_at_level(const char *name, int level)
{
    while (!strncmp(name, "./", 2)) name += 2;
    const char *slash = level > LEVEL_PATH ? strrchr(name, '/') : NULL;
    if (slash) name = slash + 1;
    const char *dot = level == LEVEL_STEM ? strrchr(name, '.') : NULL;
    return (name_entry){name, dot && dot > name ? (size_t)(dot - name) : strlen(name), 0};
}

static int compare_names(const void *a, const void *b)
{
    const name_entry *x = a, *y = b;
    int order = memcmp(x->name, y->name, x->length < y->length ? x->length : y->length);
    if (order) return order;
    return (x->length > y->length) - (x->length < y->length);
}

static int compare_entries(const void *a, const void *b)
{
    const name_entry *x = a, *y = b;
    int order = compare_names(a, b);
    return order ? order : (x->object > y->object) - (x->object < y->object);
}

static bool build_index(metadata_table *m, error *e)
{
    if (m->name_count == 0) return true;
    for (int level = 0; level < LEVELS; level++) {
        name_entry *index = memory_allocate(m->name_count, sizeof *index, e);
        if (!index) return false;
        for (size_t i = 0; i < m->name_count; i++) {
            index[i] = name_at_level(m->name[i]->text, level);
            index[i].object = m->name[i]->object;
        }
        qsort(index, m->name_count, sizeof *index, compare_entries);
        m->index[level] = index;
    }
    return true;
}

/* The object of this name, if it is the only one of it. */
static bool find_at_level(const metadata_table *m, const char *path, int level, size_t *object)
{
    name_entry wanted = name_at_level(path, level);
    const name_entry *index = m->index[level];
    size_t low = 0, high = m->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_names(&index[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == m->name_count || compare_names(&index[low], &wanted)) return false;
    *object = index[low].object;
    for (size_t i = low + 1; i < m->name_count && !compare_names(&index[i], &wanted); i++)
        if (index[i].object != *object) return false;
    return true;
}

/* The photos without an object look for one at a level; `claims` counts how many ask for an object.
 */
static void join_level(const metadata_table *m, int level, const char *const *paths, size_t count,
                       size_t *match, unsigned char *taken, unsigned char *claims)
{
    size_t object;
    memset(claims, 0, m->count);
    for (size_t i = 0; i < count; i++)
        if (match[i] == METADATA_NONE && find_at_level(m, paths[i], level, &object))
            claims[object] += claims[object] < 2;
    for (size_t i = 0; i < count; i++) {
        if (match[i] != METADATA_NONE || !find_at_level(m, paths[i], level, &object)) continue;
        if (!taken[object] && (claims[object] == 1 || level == LEVEL_PATH)) match[i] = object;
    }
    for (size_t i = 0; i < m->count; i++) taken[i] |= claims[i] > 0;
}

bool metadata_join(const metadata_table *m, const char *const *paths, size_t count, size_t *match,
                   error *e)
{
    for (size_t i = 0; i < count; i++) match[i] = METADATA_NONE;
    if (m->name_count == 0) return true;
    unsigned char *taken = memory_zeroed(2 * m->count, 1, e);
    if (!taken) return false;
    for (int level = 0; level < LEVELS; level++)
        join_level(m, level, paths, count, match, taken, taken + m->count);
    free(taken);
    return true;
}

/* ---- The table ------------------------------------------------------------------------------ */

metadata_table *metadata_open(const char *path, error *e)
{
    metadata_table *m = memory_zeroed(1, sizeof *m, e);
    if (!m) return NULL;
    if (read_text(m, path, e) && index_objects(m, cli_input_name(path), e) && build_index(m, e))
        return m;
    metadata_close(m);
    return NULL;
}

void metadata_close(metadata_table *m)
{
    if (!m) return;
    for (size_t i = 0; i < m->name_count; i++) free(m->name[i]);
    for (int level = 0; level < LEVELS; level++) free(m->index[level]);
    free(m->name);
    free(m->span);
    free(m->text);
    free(m);
}

size_t metadata_count(const metadata_table *m)
{
    return m->count;
}

metadata_object *metadata_get(const metadata_table *m, size_t index)
{
    metadata_object *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    json_error_t problem;
    o->json = metadata_json_load(m->text + m->span[index].start, m->span[index].size, &problem);
    if (o->json) return o;
    free(o);
    return NULL;
}
