/* Annotations in JSON: our own lines, FDF's metadata, COCO. */
#include "cli/memory.h"
#include "face/annotation_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MOST = 3 * 200 };

/* Numbers of a JSON array, flat or in arrays of `group`, of which the first two count: at most
   `most`; null is NaN. -1 when it is no such array, or longer. */
static int json_numbers(const json_t *array, size_t group, double *to, int most)
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

/* A copy of an object without some keys; NULL when nothing is left. */
static json_t *rest_of(const json_t *object, const char *const *without)
{
    json_t *rest = json_copy((json_t *)object);
    for (; rest != NULL && *without != NULL; without++) json_object_del(rest, *without);
    if (rest != NULL && json_object_size(rest) == 0) {
        json_decref(rest);
        return NULL;
    }
    return rest;
}

/* ---- Our own ------------------------------------------------------------------------------------
 */

/* A box is x0, y0, x1, y1. */
static bool own_box_check(const double box[4], error *e)
{
    if (!(box[2] < box[0] || box[3] < box[1])) return true;
    return error_set(e, STATUS_DATA, "box %g,%g,%g,%g is turned round; it must be x0, y0, x1, y1",
                     box[0], box[1], box[2], box[3]);
}

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
    if (!numbers_fit(sides, numbers, e) || (sides == 4 && !own_box_check(box, e)) ||
        !own_scheme_check(json_object_get(object, "scheme"), numbers / 2, e)) {
        return false;
    }
    size_t before = a->face_count;
    if (!annotations_add_face(a, sides == 4 ? box : NULL, landmarks, numbers / 2, e)) return false;
    if (a->face_count > before) a->face[before].extra = rest_of(object, read);
    return true;
}

static bool own_add(annotations *a, const json_t *object, error *e)
{
    static const char *const read[] = {"path", "id", "faces", "upright", NULL};
    const json_t *name = json_object_get(object, "path");
    if (!json_is_string(name)) name = json_object_get(object, "id");
    if (!json_is_string(name)) return error_set(e, STATUS_DATA, "an entry has no path and no id");
    const json_t *faces = json_object_get(object, "faces");
    if (faces != NULL && !json_is_array(faces) && !json_is_null(faces)) {
        return error_set(e, STATUS_DATA, "faces is no array");
    }
    annotation *entry = annotations_add(a, json_string_value(name), json_string_length(name), e);
    if (entry == NULL) return false;
    entry->extra = rest_of(object, read);
    const json_t *upright = json_object_get(object, "upright");
    if (json_is_boolean(upright)) {
        entry->upright = json_is_true(upright) ? UPRIGHT_YES : UPRIGHT_NO;
    }
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

bool annotations_read_lines(annotations *a, const char *name, const char *bytes, size_t size,
                            error *e)
{
    size_t space = 0;
    while (space < size && strchr(" \t\r\n", bytes[space]) != NULL) space++;
    if (space < size && bytes[space] == '[') return own_array_read(a, bytes, size, e);
    size_t number = 1;
    for (size_t at = 0; at < size; number++) {
        const char *end = memchr(bytes + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - bytes) - at;
        bool blank = true;
        for (size_t i = 0; i < length && blank; i++) blank = strchr(" \t\r", bytes[at + i]) != NULL;
        if (!blank) {
            json_error_t problem;
            json_t *line = json_loadb(bytes + at, length, 0, &problem);
            bool done = line == NULL           ? error_set(e, STATUS_DATA, "%s", problem.text)
                        : json_is_object(line) ? own_add(a, line, e)
                                               : error_set(e, STATUS_DATA, "no object");
            json_decref(line);
            if (!done) return error_context(e, "line %zu", number);
        }
        at += length + 1;
    }
    return true;
}

/* ---- FDF ----------------------------------------------------------------------------------------
 */

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

static size_t blanks_skip(const char *bytes, size_t size, size_t at)
{
    while (at < size && strchr(" \t\r\n", bytes[at]) != NULL && bytes[at] != '\0') at++;
    return at;
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

/* ---- COCO ---------------------------------------------------------------------------------------
 */

/* x, y, visibility triples; a point with visibility 0 is not there. The first seven of the 17
   points of a person are FDF's seven. */
static int keypoints_read(const json_t *object, const char *key, double *landmarks)
{
    double triples[NUMBERS_MOST];
    int numbers = json_numbers(json_object_get(object, key), 0, triples, NUMBERS_MOST);
    int points = numbers / 3 == 17 ? 7 : numbers / 3;
    if (numbers <= 0 || numbers % 3 != 0 || !landmark_scheme_known(points)) return 0;
    for (int i = 0; i < points; i++) {
        bool seen = triples[3 * i + 2] > 0;
        bool needed = points != 7 || i < 3; /* ears and shoulders serve nothing */
        if (!seen && needed) return 0;
        landmarks[2 * i] = triples[3 * i];
        landmarks[2 * i + 1] = triples[3 * i + 1];
    }
    return points;
}

static bool coco_face_add(annotations *a, const json_t *object, error *e)
{
    double landmarks[2 * LANDMARKS_MOST], box[4];
    bool whole_body = json_is_array(json_object_get(object, "face_box"));
    bool person = json_array_size(json_object_get(object, "keypoints")) == 3 * 17;
    int points = keypoints_read(object, whole_body ? "face_kpts" : "keypoints", landmarks);
    const json_t *sides = json_object_get(object, whole_body ? "face_box" : "bbox");
    bool has_box = (whole_body || !person) && sides != NULL && !json_is_null(sides);
    if (has_box && json_numbers(sides, 0, box, 4) != 4) {
        return error_set(e, STATUS_DATA, "a box is no array of four numbers");
    }
    if (has_box) {
        box[2] += box[0];
        box[3] += box[1];
    }
    return annotations_add_face(a, has_box ? box : NULL, landmarks, points, e);
}

typedef struct coco_face {
    json_int_t image;
    size_t index;
} coco_face;

static int coco_face_compare(const void *a, const void *b)
{
    const coco_face *x = a, *y = b;
    if (x->image != y->image) return x->image < y->image ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool coco_image_add(annotations *a, const json_t *picture, const json_t *faces,
                           const coco_face *order, size_t count, error *e)
{
    const json_t *name = json_object_get(picture, "file_name");
    if (!json_is_string(name)) return error_set(e, STATUS_DATA, "an image has no file_name");
    if (!annotations_add(a, json_string_value(name), json_string_length(name), e)) return false;
    const json_t *id = json_object_get(picture, "id");
    if (!json_is_integer(id))
        return error_set(e, STATUS_DATA, "an image has no whole number as id");
    coco_face wanted = {json_integer_value(id), 0};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (coco_face_compare(&order[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < count && order[low].image == wanted.image; low++) {
        if (!coco_face_add(a, json_array_get(faces, order[low].index), e)) {
            return error_context(e, "annotation %zu", order[low].index + 1);
        }
    }
    return true;
}

static int id_compare(const void *a, const void *b)
{
    json_int_t x = *(const json_int_t *)a, y = *(const json_int_t *)b;
    return (x > y) - (x < y);
}

/* An id is one image's; faces of images that are not there are counted. */
static bool coco_ids_check(annotations *a, const json_t *images, const coco_face *order,
                           size_t count, error *e)
{
    size_t image_count = json_array_size(images), at = 0;
    json_int_t *ids = memory_allocate(image_count + 1, sizeof *ids, e);
    if (ids == NULL) return false;
    for (size_t i = 0; i < image_count; i++) {
        ids[i] = json_integer_value(json_object_get(json_array_get(images, i), "id"));
    }
    qsort(ids, image_count, sizeof *ids, id_compare);
    bool done = true;
    for (size_t i = 1; i < image_count && done; i++) {
        if (ids[i] != ids[i - 1]) continue;
        done = error_set(e, STATUS_DATA, "two images have the id %lld", (long long)ids[i]);
    }
    for (size_t i = 0; i < count && done; i++) {
        while (at < image_count && ids[at] < order[i].image) at++;
        if (at == image_count || ids[at] != order[i].image) a->strays++;
    }
    free(ids);
    return done;
}

bool annotations_read_coco(annotations *a, const char *name, const char *bytes, size_t size,
                           error *e)
{
    json_error_t problem;
    json_t *root = json_loadb(bytes, size, 0, &problem);
    if (root == NULL) return error_set(e, STATUS_DATA, "line %d: %s", problem.line, problem.text);
    const json_t *images = json_object_get(root, "images");
    const json_t *faces = json_object_get(root, "annotations");
    size_t count = json_array_size(faces);
    coco_face *order = memory_allocate(count + 1, sizeof *order, e);
    bool done = order != NULL;
    if (done && (!json_is_array(images) || !json_is_array(faces))) {
        done = error_set(e, STATUS_DATA, "has no arrays images and annotations");
    }
    for (size_t i = 0; done && i < count; i++) {
        const json_t *id = json_object_get(json_array_get(faces, i), "image_id");
        order[i] = (coco_face){json_integer_value(id), i};
        if (!json_is_integer(id)) {
            done = error_set(e, STATUS_DATA, "annotation %zu: no whole number as image_id", i + 1);
        }
    }
    if (done) qsort(order, count, sizeof *order, coco_face_compare);
    for (size_t i = 0; done && i < json_array_size(images); i++) {
        done = coco_image_add(a, json_array_get(images, i), faces, order, count, e) ||
               error_context(e, "image %zu", i + 1);
    }
    done = done && coco_ids_check(a, images, order, count, e);
    free(order);
    json_decref(root);
    return done;
}
