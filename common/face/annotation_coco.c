/* Annotations in COCO's JSON: images, annotations, categories. */
#include "face/annotation_internal.h"

#include "cli/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MOST = 3 * 200 };

enum { SEVEN = 7, SEVEN_NOSE = 0, SEVEN_FACE = 3 }; /* nose and eyes, then ears and shoulders */

/* x, y, visibility triples; a point with visibility 0 is not there. The first seven of the 17
   points of a person are FDF's seven; ears and shoulders, which serve nothing, are put on the nose
   when they are not there. */
static int keypoints_read(const json_t *object, const char *key, double *landmarks)
{
    double triples[NUMBERS_MOST];
    int numbers = json_numbers(json_object_get(object, key), 0, triples, NUMBERS_MOST);
    int points = numbers / 3 == 17 ? SEVEN : numbers / 3;
    if (numbers <= 0 || numbers % 3 != 0 || !landmark_scheme_known(points)) return 0;
    for (int i = 0; i < points; i++) {
        bool seen = triples[3 * i + 2] > 0;
        if (!seen && (points != SEVEN || i < SEVEN_FACE)) return 0;
        int from = seen ? i : SEVEN_NOSE;
        landmarks[2 * i] = triples[3 * from];
        landmarks[2 * i + 1] = triples[3 * from + 1];
    }
    return points;
}

typedef struct coco_category {
    json_int_t id;
    const char *name;
    bool face; /* its annotations are faces */
} coco_category;

/* An annotation, in the order of images. */
typedef struct coco_face {
    json_int_t image;
    size_t index;
} coco_face;

typedef struct coco {
    annotations *a;
    const json_t *images, *faces;
    coco_face *order;
    size_t count;
    coco_category *category; /* in the order of their ids */
    size_t category_count;
    bool chosen; /* some categories are of faces, and no other counts */
} coco;

/* ---- Categories ----------------------------------------------------------------------------- */

static int category_compare(const void *a, const void *b)
{
    const coco_category *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Is a word, or its plural, in a name? In any case of letters. */
static bool has_word(const char *name, const char *word)
{
    for (const char *at = name; (at = strcasestr(at, word)) != NULL; at++) {
        const char *end = at + strlen(word);
        if (*end == 's') end++;
        bool begins = at == name || !isalpha((unsigned char)at[-1]);
        if (begins && !isalpha((unsigned char)*end)) return true;
    }
    return false;
}

static void categories_choose(coco *c)
{
    static const char *const words[] = {"face", "head", NULL};
    for (int i = 0; words[i] != NULL && !c->chosen; i++) {
        for (size_t k = 0; k < c->category_count; k++) {
            coco_category *category = &c->category[k];
            category->face = has_word(category->name, words[i]);
            c->chosen |= category->face;
        }
    }
}

static bool categories_read(coco *c, const json_t *array, error *e)
{
    c->category = memory_allocate(json_array_size(array) + 1, sizeof *c->category, e);
    if (c->category == NULL) return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *object = json_array_get(array, i);
        const json_t *id = json_object_get(object, "id"), *name = json_object_get(object, "name");
        if (!json_is_integer(id) || !json_is_string(name)) {
            return error_set(e, STATUS_DATA,
                             "category %zu: no whole number as id, or no text as name", i + 1);
        }
        c->category[c->category_count++] =
            (coco_category){json_integer_value(id), json_string_value(name), false};
    }
    qsort(c->category, c->category_count, sizeof *c->category, category_compare);
    categories_choose(c);
    return true;
}

/* NULL: the annotation names none that the file has. */
static const coco_category *category_find(const coco *c, const json_t *id)
{
    coco_category wanted = {.id = json_integer_value(id)};
    if (!json_is_integer(id)) return NULL;
    return bsearch(&wanted, c->category, c->category_count, sizeof wanted, category_compare);
}

/* ---- Faces ---------------------------------------------------------------------------------- */

/* x, y, width, height; null, and an array of nothing, are no box. False on error. */
static bool sides_read(const json_t *sides, double box[4], bool *has_box, error *e)
{
    *has_box = sides != NULL && !json_is_null(sides) &&
               !(json_is_array(sides) && json_array_size(sides) == 0);
    if (!*has_box) return true;
    if (json_numbers(sides, 0, box, 4) != 4) {
        return error_set(e, STATUS_DATA, "a box is no array of four numbers");
    }
    box[2] += box[0];
    box[3] += box[1];
    return true;
}

/* A box of another category than faces, without landmarks, may be of anything. */
static void doubt_count(annotations *a, const coco_category *category)
{
    if (category == NULL || category->face) return;
    if (a->doubtful == 0) {
        snprintf(a->doubtful_category, sizeof a->doubtful_category, "%s", category->name);
    }
    a->doubtful++;
}

static bool coco_face_add(coco *c, const json_t *object, error *e)
{
    double landmarks[2 * LANDMARKS_MOST], box[4];
    const json_t *category_id = json_object_get(object, "category_id");
    const coco_category *category = category_find(c, category_id);
    if (c->chosen && json_is_integer(category_id) && (category == NULL || !category->face)) {
        c->a->others++;
        return true;
    }
    bool whole_body = json_is_array(json_object_get(object, "face_box"));
    bool person = json_array_size(json_object_get(object, "keypoints")) == 3 * 17;
    bool boxed = whole_body || !person, has_box = false;
    int points = keypoints_read(object, whole_body ? "face_kpts" : "keypoints", landmarks);
    const json_t *sides = json_object_get(object, whole_body ? "face_box" : "bbox");
    if (boxed && !sides_read(sides, box, &has_box, e)) return false;
    size_t before = c->a->face_count;
    if (!annotations_add_face(c->a, has_box ? box : NULL, landmarks, points, e)) return false;
    if (c->a->face_count > before && !whole_body && points == 0) doubt_count(c->a, category);
    return true;
}

static int coco_face_compare(const void *a, const void *b)
{
    const coco_face *x = a, *y = b;
    if (x->image != y->image) return x->image < y->image ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static bool faces_order(coco *c, error *e)
{
    c->count = json_array_size(c->faces);
    c->order = memory_allocate(c->count + 1, sizeof *c->order, e);
    if (c->order == NULL) return false;
    for (size_t i = 0; i < c->count; i++) {
        const json_t *id = json_object_get(json_array_get(c->faces, i), "image_id");
        c->order[i] = (coco_face){json_integer_value(id), i};
        if (!json_is_integer(id)) {
            return error_set(e, STATUS_DATA, "annotation %zu: no whole number as image_id", i + 1);
        }
    }
    qsort(c->order, c->count, sizeof *c->order, coco_face_compare);
    return true;
}

/* ---- Images --------------------------------------------------------------------------------- */

static bool coco_image_add(coco *c, const json_t *picture, error *e)
{
    const json_t *name = json_object_get(picture, "file_name");
    if (!json_is_string(name)) return error_set(e, STATUS_DATA, "an image has no file_name");
    annotation *entry = annotations_add(c->a, json_string_value(name), json_string_length(name), e);
    if (entry == NULL) return false;
    double width = json_number_value(json_object_get(picture, "width"));
    double height = json_number_value(json_object_get(picture, "height"));
    if (width > 0 && height > 0) {
        entry->width = width;
        entry->height = height;
    }
    const json_t *id = json_object_get(picture, "id");
    if (!json_is_integer(id))
        return error_set(e, STATUS_DATA, "an image has no whole number as id");
    coco_face wanted = {json_integer_value(id), 0};
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (coco_face_compare(&c->order[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < c->count && c->order[low].image == wanted.image; low++) {
        if (!coco_face_add(c, json_array_get(c->faces, c->order[low].index), e)) {
            return error_context(e, "annotation %zu", c->order[low].index + 1);
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
static bool coco_ids_check(coco *c, error *e)
{
    size_t image_count = json_array_size(c->images), at = 0;
    json_int_t *ids = memory_allocate(image_count + 1, sizeof *ids, e);
    if (ids == NULL) return false;
    for (size_t i = 0; i < image_count; i++) {
        ids[i] = json_integer_value(json_object_get(json_array_get(c->images, i), "id"));
    }
    qsort(ids, image_count, sizeof *ids, id_compare);
    bool done = true;
    for (size_t i = 1; i < image_count && done; i++) {
        if (ids[i] != ids[i - 1]) continue;
        done = error_set(e, STATUS_DATA, "two images have the id %lld", (long long)ids[i]);
    }
    for (size_t i = 0; i < c->count && done; i++) {
        while (at < image_count && ids[at] < c->order[i].image) at++;
        if (at == image_count || ids[at] != c->order[i].image) c->a->strays++;
    }
    free(ids);
    return done;
}

static bool coco_read(coco *c, const json_t *root, error *e)
{
    c->images = json_object_get(root, "images");
    c->faces = json_object_get(root, "annotations");
    if (!json_is_array(c->images) || !json_is_array(c->faces)) {
        return error_set(e, STATUS_DATA, "has no arrays images and annotations");
    }
    if (!categories_read(c, json_object_get(root, "categories"), e) || !faces_order(c, e)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(c->images); i++) {
        if (!coco_image_add(c, json_array_get(c->images, i), e)) {
            return error_context(e, "image %zu", i + 1);
        }
    }
    return coco_ids_check(c, e);
}

bool annotations_read_coco(annotations *a, const char *name, const char *bytes, size_t size,
                           error *e)
{
    json_error_t problem;
    json_t *root = json_loadb(bytes, size, 0, &problem);
    if (root == NULL) return error_set(e, STATUS_DATA, "line %d: %s", problem.line, problem.text);
    coco c = {.a = a};
    bool done = coco_read(&c, root, e);
    free(c.category);
    free(c.order);
    json_decref(root);
    return done;
}
