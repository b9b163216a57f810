/* The faces of a face stream without their pixels. */
#include "face/catalog.h"
#include "cli/random.h"
#include "stream/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 1 << 14, REGIONS_MAX = 64, VARIANTS_MAX = 1 << 30 };

#define SECOND_BASIS 0x6c62272e07bb0142u

/* ---- Opening and closing -------------------------------------------------------------------- */

static bool name_regions(catalog *c, error *e)
{
    const task_list *tasks = c->labels.tasks;
    for (size_t i = 0; i < tasks->count; i++) {
        const task *t = &tasks->task[i];
        for (size_t k = 0; t->kind == TASK_FINE && k < t->class_count; k++) {
            int number = value_set_add(&c->regions, t->classes[k], e);
            if (number < 0) return false;
            if (number >= REGIONS_MAX)
                return error_set(e, STATUS_DATA, "fine tasks name more than %d regions",
                                 REGIONS_MAX);
        }
    }
    return true;
}

bool catalog_open(catalog *c, const catalog_options *options, task_list *tasks, error *e)
{
    *c = (catalog){.options = *options};
    if (!label_table_open(&c->labels, tasks, e)) return false;
    c->photographic = value_set_add(&c->manipulations, "photographic", e);
    return c->photographic >= 0 && name_regions(c, e);
}

void catalog_close(catalog *c)
{
    if (c->labels.tasks) label_table_close(&c->labels);
    value_set_free(&c->manipulations);
    value_set_free(&c->groups);
    value_set_free(&c->regions);
    free(c->variant);
    free(c->face);
    free(c->slots);
    free(c->member[0]);
    free(c->member[1]);
    *c = (catalog){0};
}

/* ---- Reading one record --------------------------------------------------------------------- */

bool face_record_check(const msgpack_object *record, int *width, int *height, char reason[80])
{
    int64_t w = 0, h = 0;
    const void *pixels;
    size_t size = 0;
    if (!object_integer(record, "width", &w) || !object_integer(record, "height", &h) || w < 1 ||
        h < 1 || w > SIDE_MAX || h > SIDE_MAX) {
        snprintf(reason, 80, "width and height must be 1 to %d", SIDE_MAX);
        return false;
    }
    if (!object_binary(record, "pixels", &pixels, &size)) {
        snprintf(reason, 80, "no pixels");
        return false;
    }
    bool raw = !object_get(record, "coding") || object_text_is(record, "coding", "raw");
    if (!raw && !object_text_is(record, "coding", "png")) {
        snprintf(reason, 80, "coding must be raw or png");
        return false;
    }
    if (raw && size != (size_t)w * (size_t)h * 3) {
        snprintf(reason, 80, "%zu bytes of pixels, but %" PRId64 "x%" PRId64 " RGB needs %" PRId64,
                 size, w, h, w * h * 3);
        return false;
    }
    *width = (int)w;
    *height = (int)h;
    return true;
}

/* The part of a record's id that names the face: without "/" and what follows, when that begins
   with the manipulation. */
static size_t face_id_length(const char *id, size_t length, const char *manipulation)
{
    size_t name = strlen(manipulation);
    for (size_t i = length; i-- > 0;) {
        if (id[i] != '/') continue;
        size_t rest = length - i - 1;
        bool same = rest >= name && memcmp(id + i + 1, manipulation, name) == 0;
        return same && (rest == name || id[i + 1 + name] == '@') ? i : length;
    }
    return length;
}

/* Keys a face by its photo and index, or by its id where the record does not say them. */
static void key_face(const msgpack_object *record, const char *manipulation, catalog_face *face)
{
    const char *id = "", *photo;
    size_t id_length = 0, photo_length;
    int64_t number = -1;
    object_text(record, "id", &id, &id_length);
    size_t face_length = face_id_length(id, id_length, manipulation);
    if (!object_text(record, "photo", &photo, &photo_length)) {
        photo = id;
        photo_length = face_length;
    }
    face->photo = text_hash(photo, photo_length, HASH_BASIS);
    if (object_integer(record, "face", &number)) {
        char index[32];
        size_t n = (size_t)snprintf(index, sizeof index, "#%" PRId64, number);
        face->key[0] = text_hash(index, n, face->photo);
        face->key[1] = text_hash(index, n, text_hash(photo, photo_length, SECOND_BASIS));
    } else {
        face->key[0] = text_hash(id, face_length, HASH_BASIS);
        face->key[1] = text_hash(id, face_length, SECOND_BASIS);
    }
}

static bool read_split(const msgpack_object *record, catalog_face *face)
{
    static const struct {
        const char *name;
        face_split split;
    } names[] = {{"train", SPLIT_TRAIN},
                 {"training", SPLIT_TRAIN},
                 {"val", SPLIT_VAL},
                 {"valid", SPLIT_VAL},
                 {"validation", SPLIT_VAL}};
    face->split_given = object_get(record, "split") != NULL;
    face->split = SPLIT_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (object_text_is(record, "split", names[i].name)) face->split = names[i].split;
    return !face->split_given || face->split != SPLIT_NONE;
}

static uint64_t read_regions(const catalog *c, const msgpack_object *record)
{
    const msgpack_object *list = object_get(record, "regions");
    uint64_t regions = 0;
    if (!list || list->type != MSGPACK_OBJECT_ARRAY) return 0;
    for (uint32_t i = 0; i < list->via.array.size; i++) {
        const msgpack_object *name = &list->via.array.ptr[i];
        if (name->type != MSGPACK_OBJECT_STR) continue;
        for (uint32_t k = 0; k < c->regions.count; k++)
            if (strlen(c->regions.text[k]) == name->via.str.size &&
                memcmp(c->regions.text[k], name->via.str.ptr, name->via.str.size) == 0)
                regions |= (uint64_t)1 << k;
    }
    return regions;
}

static int read_manipulation(catalog *c, const msgpack_object *record, error *e)
{
    char name[TAG_TEXT_MAX + 1];
    const msgpack_object *value = object_get(record, "manipulation");
    if (!value) return c->photographic;
    if (value->type != MSGPACK_OBJECT_STR || !tag_text(record, "manipulation", name)) return -1;
    return value_set_add(&c->manipulations, name, e);
}

/* ---- Adding --------------------------------------------------------------------------------- */

static uint32_t *find_slot(const catalog *c, const uint64_t key[2])
{
    size_t i = key[1] & (c->slot_count - 1);
    while (c->slots[i] && memcmp(c->face[c->slots[i] - 1].key, key, sizeof c->face->key) != 0)
        i = (i + 1) & (c->slot_count - 1);
    return &c->slots[i];
}

static bool grow_slots(catalog *c, error *e)
{
    size_t count = c->slot_count ? 2 * c->slot_count : 256;
    uint32_t *slots = memory_zeroed(count, sizeof *slots, e);
    if (!slots) return false;
    free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    for (size_t i = 0; i < c->face_count; i++) *find_slot(c, c->face[i].key) = (uint32_t)i + 1;
    return true;
}

static bool read_group(catalog *c, const msgpack_object *record, catalog_face *face, error *e)
{
    char text[TAG_TEXT_MAX + 1] = "";
    if (!c->options.balance) return true;
    if (!tag_text(record, c->options.balance, text)) {
        double number = tag_number(record, c->options.balance);
        if (isfinite(number)) number_text(number, text);
    }
    int group = value_set_add(&c->groups, text, e);
    face->group = (uint32_t)group;
    return group >= 0 || error_context(e, "--balance %s", c->options.balance);
}

/* The number of the face with this key, added when new; -1 on error. */
static int64_t find_face(catalog *c, const msgpack_object *record, catalog_face *face, error *e)
{
    if (2 * c->face_count >= c->slot_count && !grow_slots(c, e)) return -1;
    uint32_t *slot = find_slot(c, face->key);
    if (*slot) return *slot - 1;
    if (c->face_count == c->face_capacity) {
        size_t capacity = c->face_capacity ? c->face_capacity + c->face_capacity / 2 : 256;
        catalog_face *grown = memory_resize(c->face, capacity, sizeof *grown, e);
        if (!grown) return -1;
        c->face = grown;
        c->face_capacity = capacity;
    }
    face->row = (uint32_t)c->labels.rows;
    if (!read_group(c, record, face, e) || !label_table_add(&c->labels, record, e)) return -1;
    c->face[c->face_count++] = *face;
    *slot = (uint32_t)c->face_count;
    return (int64_t)c->face_count - 1;
}

static bool add_variant(catalog *c, const face_variant *variant, error *e)
{
    if (c->variant_count == c->variant_capacity) {
        size_t capacity = c->variant_capacity ? c->variant_capacity + c->variant_capacity / 2 : 256;
        if (capacity > VARIANTS_MAX)
            return error_set(e, STATUS_DATA, "more than %d records", VARIANTS_MAX);
        face_variant *grown = memory_resize(c->variant, capacity, sizeof *grown, e);
        if (!grown) return false;
        c->variant = grown;
        c->variant_capacity = capacity;
    }
    c->variant[c->variant_count++] = *variant;
    return true;
}

static void note_size(catalog *c, int width, int height)
{
    if (c->width == 0) {
        c->width = width;
        c->height = height;
    }
    c->sizes_differ |= width != c->width || height != c->height;
}

int catalog_add(catalog *c, const msgpack_object *record, stream_place place, char reason[80],
                error *e)
{
    int width, height;
    const char *id = "";
    size_t length = 0;
    reason[0] = 0;
    if (!object_text(record, "id", &id, &length) || length == 0) {
        snprintf(reason, 80, "no id");
        return 0;
    }
    if (!face_record_check(record, &width, &height, reason)) return 0;
    if (!c->options.with_generated && object_text_is(record, "label", "generated")) {
        c->generated++;
        return 0;
    }
    int manipulation = read_manipulation(c, record, e);
    if (manipulation < 0) {
        if (e->status) return -1;
        snprintf(reason, 80, "manipulation must be a text of 1 to %d bytes", TAG_TEXT_MAX);
        return 0;
    }
    catalog_face face = {0};
    if (!read_split(record, &face)) {
        c->outside++;
        return 0;
    }
    key_face(record, c->manipulations.text[manipulation], &face);
    int64_t number = find_face(c, record, &face, e);
    face_variant variant = {.id = text_hash(id, length, HASH_BASIS),
                            .regions = read_regions(c, record),
                            .place = place,
                            .face = (uint32_t)number,
                            .manipulation = (uint32_t)manipulation};
    if (number < 0 || !add_variant(c, &variant, e)) return -1;
    note_size(c, width, height);
    return 1;
}

bool catalog_has_face(const catalog *c, const msgpack_object *record)
{
    char manipulation[TAG_TEXT_MAX + 1] = "photographic";
    const msgpack_object *value = object_get(record, "manipulation");
    if (value && value->type == MSGPACK_OBJECT_STR && value->via.str.size <= TAG_TEXT_MAX) {
        memcpy(manipulation, value->via.str.ptr, value->via.str.size);
        manipulation[value->via.str.size] = 0;
    }
    catalog_face face = {0};
    key_face(record, manipulation, &face);
    return c->slot_count > 0 && *find_slot(c, face.key) != 0;
}

/* ---- Grouping ------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    const catalog_face *x = a, *y = b;
    if (x->key[0] != y->key[0]) return x->key[0] < y->key[0] ? -1 : 1;
    return (x->key[1] > y->key[1]) - (x->key[1] < y->key[1]);
}

/* By face, then manipulation (numbers are already in the order of the names), then id. */
static int compare_variants(const void *a, const void *b)
{
    const face_variant *x = a, *y = b;
    if (x->face != y->face) return x->face < y->face ? -1 : 1;
    if (x->manipulation != y->manipulation) return x->manipulation < y->manipulation ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Puts the texts in order of their bytes; new_number[old number] is where each went. */
static uint32_t *sort_values(value_set *s, error *e)
{
    char **sorted = memory_allocate(s->count + 1, sizeof *sorted, e);
    uint32_t *new_number = memory_allocate(s->count + 1, sizeof *new_number, e);
    if (sorted && new_number && s->count > 0) {
        memcpy(sorted, s->text, s->count * sizeof *sorted);
        qsort(sorted, s->count, sizeof *sorted, compare_texts);
        for (uint32_t i = 0; i < s->count; i++) {
            char **found = bsearch(&s->text[i], sorted, s->count, sizeof *sorted, compare_texts);
            new_number[i] = (uint32_t)(found - sorted);
        }
        memcpy(s->text, sorted, s->count * sizeof *sorted);
        for (uint32_t i = 0; i < s->slot_count; i++)
            if (s->slots[i]) s->slots[i] = new_number[s->slots[i] - 1] + 1;
    }
    free(sorted);
    if (!e->status) return new_number;
    free(new_number);
    return NULL;
}

static bool sort_names(catalog *c, error *e)
{
    uint32_t *manipulations = sort_values(&c->manipulations, e);
    uint32_t *groups = sort_values(&c->groups, e);
    if (manipulations && groups) {
        c->photographic = (int)manipulations[c->photographic];
        for (size_t i = 0; i < c->variant_count; i++)
            c->variant[i].manipulation = manipulations[c->variant[i].manipulation];
        for (size_t i = 0; c->options.balance && i < c->face_count; i++)
            c->face[i].group = groups[c->face[i].group];
    }
    free(manipulations);
    free(groups);
    return !e->status;
}

/* Sorts the faces by key and tells the variants their new numbers; uses `row`, which is the number
   before (rows are added with faces). */
static bool sort_faces(catalog *c, error *e)
{
    if (c->face_count > 0) qsort(c->face, c->face_count, sizeof *c->face, compare_keys);
    uint32_t *new_number = memory_allocate(c->face_count + 1, sizeof *new_number, e);
    if (!new_number) return false;
    for (size_t i = 0; i < c->face_count; i++) new_number[c->face[i].row] = (uint32_t)i;
    for (size_t i = 0; i < c->variant_count; i++)
        c->variant[i].face = new_number[c->variant[i].face];
    free(new_number);
    return true;
}

/* Sorts the variants, leaves out repeated ones, and tells the faces where theirs are. */
static void sort_variants(catalog *c)
{
    if (c->variant_count > 0)
        qsort(c->variant, c->variant_count, sizeof *c->variant, compare_variants);
    size_t kept = 0;
    for (size_t i = 0; i < c->variant_count; i++) {
        if (kept > 0 && compare_variants(&c->variant[kept - 1], &c->variant[i]) == 0) {
            c->repeated++;
            continue;
        }
        c->variant[kept++] = c->variant[i];
    }
    c->variant_count = kept;
    for (size_t i = 0; i < kept; i++) {
        catalog_face *face = &c->face[c->variant[i].face];
        if (face->count++ == 0) face->first = (uint32_t)i;
    }
}

/* ---- Splitting ------------------------------------------------------------------------------ */

typedef struct photo_face {
    double draw; /* uniform, keyed by photo */
    uint64_t photo;
    uint32_t face;
} photo_face;

static int compare_photos(const void *a, const void *b)
{
    const photo_face *x = a, *y = b;
    if (x->draw != y->draw) return x->draw < y->draw ? -1 : 1;
    if (x->photo != y->photo) return x->photo < y->photo ? -1 : 1;
    return (x->face > y->face) - (x->face < y->face);
}

static void split_photo(catalog *c, const photo_face *list, size_t count, face_split split)
{
    for (size_t i = 0; i < count; i++) c->face[list[i].face].split = split;
}

/* The split that the records of a photo's faces give; SPLIT_NONE: they give none. */
static bool given_split(const catalog *c, const photo_face *list, size_t count, face_split *split,
                        error *e)
{
    *split = SPLIT_NONE;
    for (size_t i = 0; i < count; i++) {
        const catalog_face *face = &c->face[list[i].face];
        if (!face->split_given) continue;
        if (*split != SPLIT_NONE && *split != face->split)
            return error_set(e, STATUS_DATA, "the faces of a photo name different splits");
        *split = face->split;
    }
    return true;
}

/* When all photos were drawn to one side, moves the one nearest to the other: the first of the
   list, or the last, which begins at `last`. */
static void fill_side(catalog *c, const photo_face *list, size_t last, size_t count)
{
    face_split empty = c->photo_count[SPLIT_VAL] == 0 ? SPLIT_VAL : SPLIT_TRAIN;
    if (c->photo_count[empty] > 0 || c->photo_count[!empty] < 2) return;
    size_t from = empty == SPLIT_VAL ? 0 : last, to = from;
    while (to < count && list[to].photo == list[from].photo) to++;
    face_split given;
    error none = {0};
    if (!given_split(c, list + from, to - from, &given, &none) || given != SPLIT_NONE) return;
    split_photo(c, list + from, to - from, empty);
    c->photo_count[empty]++;
    c->photo_count[!empty]--;
    c->val_chosen = true;
}

/* Photos whose records name no split go by their draw. `list` is sorted. */
static bool split_photos(catalog *c, const photo_face *list, size_t count, error *e)
{
    double fraction = c->options.val_fraction;
    size_t last = 0; /* where the last photo begins */
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && list[next].photo == list[i].photo;) next++;
        face_split split;
        if (!given_split(c, list + i, next - i, &split, e)) return false;
        bool held_out = !c->options.val_from_train && list[i].draw < fraction;
        if (split == SPLIT_NONE) split = held_out ? SPLIT_VAL : SPLIT_TRAIN;
        split_photo(c, list + i, next - i, split);
        c->photo_count[split]++;
        last = i;
    }
    if (c->options.fill_sides && !c->options.val_from_train && fraction > 0)
        fill_side(c, list, last, count);
    return true;
}

static bool split_faces(catalog *c, error *e)
{
    photo_face *list = memory_allocate(c->face_count + 1, sizeof *list, e);
    if (!list) return false;
    for (size_t i = 0; i < c->face_count; i++) {
        random_state r = random_keyed(c->options.seed ^ c->face[i].photo, "split", 0);
        list[i] = (photo_face){random_uniform(&r), c->face[i].photo, (uint32_t)i};
    }
    qsort(list, c->face_count, sizeof *list, compare_photos);
    bool split = split_photos(c, list, c->face_count, e);
    free(list);
    return split;
}

static bool list_members(catalog *c, error *e)
{
    for (size_t i = 0; i < c->face_count; i++) c->member_count[c->face[i].split]++;
    for (int side = 0; side < 2; side++) {
        c->member[side] = memory_allocate(c->member_count[side] + 1, sizeof *c->member[side], e);
        if (!c->member[side]) return false;
        size_t n = 0;
        for (size_t i = 0; i < c->face_count; i++)
            if ((int)c->face[i].split == side) c->member[side][n++] = (uint32_t)i;
    }
    return true;
}

static bool resolve_tasks(catalog *c, error *e)
{
    bool *training = memory_zeroed(c->face_count + 1, sizeof *training, e);
    if (!training) return false;
    for (size_t i = 0; i < c->face_count; i++)
        training[c->face[i].row] = c->face[i].split == SPLIT_TRAIN;
    bool resolved = label_table_resolve(&c->labels, training, e);
    free(training);
    return resolved;
}

bool catalog_finish(catalog *c, error *e)
{
    free(c->slots);
    c->slots = NULL;
    c->slot_count = 0;
    if (!sort_names(c, e) || !sort_faces(c, e)) return false;
    sort_variants(c);
    return split_faces(c, e) && list_members(c, e) && resolve_tasks(c, e);
}
