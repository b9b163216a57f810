/* Annotations in JSON: our own lines, FDF's metadata. */
#include "face/annotation_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int json_numbers(const json_t *array, size_t group, double *to, int most)
{
    if (!json_is_array(array)) return -1;
    int count = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (json_is_array(item)) {
            if (json_array_size(item) < 2 || json_array_size(item) > group) return -1;
            int more = json_numbers(item, 0, to + count, most - count);
            if (more < 0) return -1;
            count += 2;
            continue;
        }
        if (count == most || (!json_is_number(item) && !json_is_null(item))) return -1;
        to[count++] = json_is_null(item) ? NAN : json_number_value(item);
    }
    return count;
}

/* The numbers of a key: 0 when it is absent or null. */
static bool key_numbers(const json_t *object, const char *key, double *to, int most, int *count,
                        error *e)
{
    const json_t *value = json_object_get(object, key);
    *count = 0;
    if (value == NULL || json_is_null(value)) return true;
    *count = json_numbers(value, 2, to, most);
    if (*count >= 0) return true;
    return error_set(e, STATUS_DATA, "%s is no array of at most %d numbers", key, most);
}

static bool numbers_fit(int sides, int numbers, error *e)
{
    if (sides != 0 && sides != 4) return error_set(e, STATUS_DATA, "a box has %d numbers", sides);
    if (numbers % 2 != 0) return error_set(e, STATUS_DATA, "landmarks are not in pairs");
    return true;
}

static size_t blanks_skip(const char *bytes, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0') at++;
    return at;
}

/* A copy of an object without some keys and without those that are null, which say nothing; NULL
   when nothing is left. */
static json_t *rest_of(const json_t *object, const char *const *without)
{
    json_t *all = (json_t *)object, *rest = json_copy(all), *value;
    const char *key;
    for (; rest != NULL && *without != NULL; without++) json_object_del(rest, *without);
    json_object_foreach(all, key, value)
    {
        if (json_is_null(value)) json_object_del(rest, key);
    }
    if (rest != NULL && json_object_size(rest) == 0) {
        json_decref(rest);
        return NULL;
    }
    return rest;
}

/* ---- Our own -------------------------------------------------------------------------------- */

/* A scheme is text or a number, and says how many landmarks there are. */
static bool own_scheme_check(const json_t *scheme, int points, error *e)
{
    if (points == 0 || scheme == NULL || json_is_null(scheme)) return true;
    char text[24] = "";
    if (json_is_integer(scheme)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(scheme));
    }
    const char *said = json_is_string(scheme) ? json_string_value(scheme) : text;
    char wanted[16];
    snprintf(wanted, sizeof wanted, "%d", points);
    if (strcmp(said, wanted) == 0) return true;
    return error_set(e, STATUS_DATA, "a face of scheme '%.20s' has %d landmarks", said, points);
}

static bool own_face_add(annotations *a, const json_t *object, error *e)
{
    static const char *const read[] = {"box", "landmarks", "scheme", NULL};
    double box[4], landmarks[2 * LANDMARKS_MOST];
    int sides, numbers;
    if (!json_is_object(object)) return error_set(e, STATUS_DATA, "a face is no object");
    if (!key_numbers(object, "box", box, 4, &sides, e) ||
        !key_numbers(object, "landmarks", landmarks, 2 * LANDMARKS_MOST, &numbers, e)) {
        return false;
    }
    if (!numbers_fit(sides, numbers, e) ||
        !own_scheme_check(json_object_get(object, "scheme"), numbers / 2, e)) {
        return false;
    }
    size_t before = a->face_count;
    if (!annotations_add_face(a, sides == 4 ? box : NULL, landmarks, numbers / 2, e)) return false;
    if (a->face_count > before) a->face[before].extra = rest_of(object, read);
    return true;
}

/* Its path, else its id; NULL when it has neither. */
static const json_t *own_name(const json_t *object, error *e)
{
    static const char *const keys[] = {"path", "id", NULL};
    for (int i = 0; keys[i] != NULL; i++) {
        const json_t *name = json_object_get(object, keys[i]);
        if (json_is_string(name)) return name;
        if (name != NULL && !json_is_null(name)) {
            error_set(e, STATUS_DATA, "%s is no text", keys[i]);
            return NULL;
        }
    }
    error_set(e, STATUS_DATA, "an entry has no path and no id");
    return NULL;
}

static bool own_upright(const json_t *object, uprightness *upright, error *e)
{
    const json_t *said = json_object_get(object, "upright");
    *upright = said == NULL || json_is_null(said) ? UPRIGHT_NOT_SAID
               : json_is_true(said)               ? UPRIGHT_YES
                                                  : UPRIGHT_NO;
    return *upright != UPRIGHT_NO || json_is_false(said) ||
           error_set(e, STATUS_DATA, "upright is neither true nor false");
}

static bool own_add(annotations *a, const json_t *object, error *e)
{
    static const char *const read[] = {"path", "id", "faces", "upright", NULL};
    uprightness upright;
    if (!json_is_object(object)) return error_set(e, STATUS_DATA, "no object");
    const json_t *name = own_name(object, e);
    if (name == NULL || !own_upright(object, &upright, e)) return false;
    const json_t *faces = json_object_get(object, "faces");
    if (faces != NULL && !json_is_array(faces) && !json_is_null(faces)) {
        return error_set(e, STATUS_DATA, "faces is no array");
    }
    annotation *entry = annotations_add(a, json_string_value(name), json_string_length(name), e);
    if (entry == NULL) return false;
    entry->extra = rest_of(object, read);
    entry->upright = upright;
    for (size_t i = 0; i < json_array_size(faces); i++) {
        if (!own_face_add(a, json_array_get(faces, i), e)) return false;
    }
    return true;
}

static bool own_array_read(annotations *a, const char *bytes, size_t size, error *e)
{
    json_error_t problem;
    json_t *array = json_loadb(bytes, size, 0, &problem);
    if (array == NULL) return error_set(e, STATUS_DATA, "line %d: %s", problem.line, problem.text);
    bool done = true;
    for (size_t i = 0; done && i < json_array_size(array); i++) {
        done = own_add(a, json_array_get(array, i), e) || error_context(e, "entry %zu", i + 1);
    }
    json_decref(array);
    return done;
}

/* One object behind the other, of one line or several; `line` is that of bytes[at]. */
static bool own_objects_read(annotations *a, const char *bytes, size_t size, size_t at, size_t line,
                             error *e)
{
    while (at < size) {
        json_error_t problem;
        json_t *object = json_loadb(bytes + at, size - at, JSON_DISABLE_EOF_CHECK, &problem);
        bool done = object != NULL;
        if (!done) {
            error_set(e, STATUS_DATA, "%s", problem.text);
            if (problem.line > 1) error_context(e, "in its line %d", problem.line);
        }
        done = done && own_add(a, object, e);
        json_decref(object);
        if (!done) return error_context(e, "line %zu", line);
        size_t next = blanks_skip(bytes, size, at + (size_t)problem.position);
        for (; at < next; at++) line += bytes[at] == '\n';
    }
    return true;
}

bool annotations_read_lines(annotations *a, const char *name, const char *bytes, size_t size,
                            error *e)
{
    size_t at = blanks_skip(bytes, size, 0), line = 1;
    if (at < size && bytes[at] == '[') return own_array_read(a, bytes, size, e);
    for (size_t i = 0; i < at; i++) line += bytes[i] == '\n';
    return own_objects_read(a, bytes, size, at, line, e);
}

/* ---- FDF ------------------------------------------------------------------------------------ */

static bool fdf_add(annotations *a, const char *key, const json_t *object, error *e)
{
    double box[4], landmarks[2 * LANDMARKS_MOST];
    int sides, numbers;
    if (!json_is_object(object)) return error_set(e, STATUS_DATA, "is no object");
    if (!key_numbers(object, "bounding_box", box, 4, &sides, e) ||
        !key_numbers(object, "landmark", landmarks, 2 * LANDMARKS_MOST, &numbers, e) ||
        !numbers_fit(sides, numbers, e)) {
        return false;
    }
    annotation *entry = annotations_add(a, key, strlen(key), e);
    if (entry == NULL) return false;
    entry->no_suffix = true;
    entry->relative = true;
    return annotations_add_face(a, sides == 4 ? box : NULL, landmarks, numbers / 2, e);
}

/* Parses one value and moves *at behind it, so that a file of gigabytes is never a tree in memory.
 */
static json_t *value_read(const char *bytes, size_t size, size_t *at, error *e)
{
    json_error_t problem;
    json_t *value =
        json_loadb(bytes + *at, size - *at, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &problem);
    if (value == NULL) {
        error_set(e, STATUS_DATA, "byte %zu: %s", *at + (size_t)problem.position, problem.text);
        return NULL;
    }
    *at += (size_t)problem.position;
    return value;
}

bool annotations_read_fdf(annotations *a, const char *name, const char *bytes, size_t size,
                          error *e)
{
    size_t at = blanks_skip(bytes, size, 0);
    if (at == size || bytes[at] != '{') return error_set(e, STATUS_DATA, "is no JSON object");
    for (at = blanks_skip(bytes, size, at + 1); at < size && bytes[at] != '}';) {
        json_t *key = value_read(bytes, size, &at, e);
        if (key == NULL) return false;
        at = blanks_skip(bytes, size, at);
        bool done = json_is_string(key) && at < size && bytes[at] == ':';
        if (!done) error_set(e, STATUS_DATA, "byte %zu: no key of an object", at);
        at++;
        json_t *value = done ? value_read(bytes, size, &at, e) : NULL;
        done = value != NULL && (fdf_add(a, json_string_value(key), value, e) ||
                                 error_context(e, "entry %s", json_string_value(key)));
        json_decref(value);
        json_decref(key);
        if (!done) return false;
        at = blanks_skip(bytes, size, at);
        if (at < size && bytes[at] == ',') {
            at = blanks_skip(bytes, size, at + 1);
        } else if (at < size && bytes[at] != '}') {
            return error_set(e, STATUS_DATA, "byte %zu: no comma between entries", at);
        }
    }
    if (at >= size) return error_set(e, STATUS_DATA, "the JSON object ends early");
    at = blanks_skip(bytes, size, at + 1);
    return at == size || error_set(e, STATUS_DATA, "byte %zu: more than one JSON object", at);
}
