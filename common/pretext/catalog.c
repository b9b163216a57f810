/* The faces of a face stream without their pixels. */
#include "pretext/catalog.h"
#include "cli/hash.h"
#include "cli/memory.h"
#include "cli/random.h"
#include "face/face_pixels.h"
#include "stream/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { REGIONS_MAX = 64, VARIANTS_MAX = 1 << 30 };

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
    slot_table_free(&c->slots);
    free(c->member[0]);
    free(c->member[1]);
    *c = (catalog){0};
}

/* ---- Reading one record --------------------------------------------------------------------- */

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

const char *manipulation_drawn_name(const char *name)
{
    return strcmp(name, "affine") == 0 ? "warp" : name;
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
    face->photo = hash_bytes(photo, photo_length, HASH_BASIS);
    if (object_integer(record, "face", &number)) {
        char index[32];
        size_t n = (size_t)snprintf(index, sizeof index, "#%" PRId64, number);
        face->key[0] = hash_bytes(index, n, face->photo);
        face->key[1] = hash_bytes(index, n, hash_bytes(photo, photo_length, SECOND_BASIS));
    } else {
        face->key[0] = hash_bytes(id, face_length, HASH_BASIS);
        face->key[1] = hash_bytes(id, face_length, SECOND_BASIS);
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
    face->split = SPLIT_NONE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (object_text_is(record, "split", names[i].name)) face->split = names[i].split;
    return face->split != SPLIT_NONE || !object_get(record, "split");
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

/* What a record says of itself. */
typedef struct record_facts {
    catalog_face face;
    uint64_t id, regions; /* as the variant's */
    int width, height;
    char manipulation[TAG_TEXT_MAX + 1]; /* under which it is drawn */
} record_facts;

typedef enum record_use {
    RECORD_FACE,
    RECORD_DAMAGED,
    RECORD_GENERATED, /* left out for its label */
    RECORD_OUTSIDE,   /* left out for its split */
} record_use;

static record_use read_facts(const catalog *c, const msgpack_object *record, record_facts *f,
                             error *why)
{
    const char *id = "";
    size_t length = 0;
    char name[TAG_TEXT_MAX + 1] = "photographic";
    const msgpack_object *manipulation = object_get(record, "manipulation");
    face_pixels pixels;
    *f = (record_facts){0};
    if (!object_text(record, "id", &id, &length) || length == 0) {
        error_set(why, STATUS_DATA, "no id");
        return RECORD_DAMAGED;
    }
    if (!face_pixels_get(record, &pixels, why)) return RECORD_DAMAGED;
    if (!c->options.with_generated && object_text_is(record, "label", "generated"))
        return RECORD_GENERATED;
    if (manipulation &&
        (manipulation->type != MSGPACK_OBJECT_STR || !tag_text(record, "manipulation", name))) {
        error_set(why, STATUS_DATA, "manipulation must be a text of 1 to %d bytes", TAG_TEXT_MAX);
        return RECORD_DAMAGED;
    }
    if (!read_split(record, &f->face)) return RECORD_OUTSIDE;
    f->width = pixels.width;
    f->height = pixels.height;
    f->id = hash_bytes(id, length, HASH_BASIS);
    f->regions = read_regions(c, record);
    key_face(record, name, &f->face);
    strcpy(f->manipulation, manipulation_drawn_name(name));
    return RECORD_FACE;
}

/* ---- Adding --------------------------------------------------------------------------------- */

static bool same_face(const void *items, uint32_t number, const void *key)
{
    const catalog_face *faces = items;
    return memcmp(faces[number].key, key, sizeof faces->key) == 0;
}

static int64_t find_face(const catalog *c, const catalog_face *face)
{
    return slot_table_find(&c->slots, face->key[1], same_face, c->face, face->key);
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

static bool report_conflict(catalog *c, stream_place first, stream_place second, const char *of,
                            const char *key, error *e)
{
    c->conflict[0] = first;
    c->conflict[1] = second;
    c->conflicting = true;
    return error_set(e, STATUS_DATA, "the records of a %s differ in '%s'", of, key);
}

/* The key in which a record differs from those of its face that came before; NULL: in none. */
static const char *find_difference(catalog *c, const msgpack_object *record,
                                   const catalog_face *before, catalog_face *face, error *e)
{
    if (face->split != before->split) return "split";
    if (!read_group(c, record, face, e)) return NULL;
    if (face->group != before->group) return c->options.balance;
    return label_table_difference(&c->labels, before->row, record, e);
}

/* Checks a record of a face that is there already. */
static bool check_face(catalog *c, const msgpack_object *record, stream_place place, size_t number,
                       catalog_face *face, error *e)
{
    const char *key = find_difference(c, record, &c->face[number], face, e);
    if (e->status) return false;
    if (!key) return true;
    size_t first = 0;
    while (c->variant[first].face != number) first++;
    return report_conflict(c, c->variant[first].place, place, "face", key, e);
}

/* The number of the new face; -1 on error. */
static int64_t add_face(catalog *c, const msgpack_object *record, catalog_face *face, error *e)
{
    catalog_face *grown =
        array_grow(c->face, c->face_count + 1, &c->face_capacity, sizeof *grown, e);
    if (!grown) return -1;
    c->face = grown;
    face->row = (uint32_t)c->labels.rows;
    if (!read_group(c, record, face, e) || !label_table_add(&c->labels, record, e) ||
        !slot_table_add(&c->slots, face->key[1], (uint32_t)c->face_count, e))
        return -1;
    c->face[c->face_count++] = *face;
    return (int64_t)c->face_count - 1;
}

static bool add_variant(catalog *c, const face_variant *variant, error *e)
{
    if (c->variant_count == VARIANTS_MAX)
        return error_set(e, STATUS_DATA, "more than %d records", VARIANTS_MAX);
    face_variant *grown =
        array_grow(c->variant, c->variant_count + 1, &c->variant_capacity, sizeof *grown, e);
    if (!grown) return false;
    c->variant = grown;
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

int catalog_add(catalog *c, const msgpack_object *record, stream_place place, error *why, error *e)
{
    record_facts facts;
    record_use use = read_facts(c, record, &facts, why);
    if (use == RECORD_GENERATED) c->left_out.generated++;
    if (use == RECORD_OUTSIDE) c->left_out.outside++;
    if (use != RECORD_FACE) return 0;
    int manipulation = value_set_add(&c->manipulations, facts.manipulation, e);
    if (manipulation < 0) return -1;
    int64_t number = find_face(c, &facts.face);
    if (number < 0)
        number = add_face(c, record, &facts.face, e);
    else if (!check_face(c, record, place, (size_t)number, &facts.face, e))
        number = -1;
    face_variant variant = {.id = facts.id,
                            .regions = facts.regions,
                            .place = place,
                            .face = (uint32_t)number,
                            .manipulation = (uint32_t)manipulation};
    if (number < 0 || !add_variant(c, &variant, e)) return -1;
    note_size(c, facts.width, facts.height);
    return 1;
}

static bool begins_face(const catalog *c, const msgpack_object *record, record_facts *facts)
{
    error why = {0};
    return read_facts(c, record, facts, &why) == RECORD_FACE && find_face(c, &facts->face) < 0;
}

bool catalog_begins_face(const catalog *c, const msgpack_object *record)
{
    record_facts facts;
    return begins_face(c, record, &facts);
}

bool catalog_begins_photo(const catalog *c, const msgpack_object *record)
{
    record_facts facts;
    return begins_face(c, record, &facts) &&
           (c->face_count == 0 || facts.face.photo != c->face[c->face_count - 1].photo);
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

static bool sort_names(catalog *c, error *e)
{
    uint32_t *manipulations = value_set_sort(&c->manipulations, e);
    uint32_t *groups = value_set_sort(&c->groups, e);
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
            c->left_out.repeated++;
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

static stream_place first_place(const catalog *c, uint32_t face)
{
    return c->variant[c->face[face].first].place;
}

/* The split that the records of a photo's faces give; SPLIT_NONE: they give none. */
static bool given_split(catalog *c, const photo_face *list, size_t count, face_split *split,
                        error *e)
{
    uint32_t giver = 0;
    *split = SPLIT_NONE;
    for (size_t i = 0; i < count; i++) {
        const catalog_face *face = &c->face[list[i].face];
        if (face->split == SPLIT_NONE) continue;
        if (*split != SPLIT_NONE && *split != face->split)
            return report_conflict(c, first_place(c, giver), first_place(c, list[i].face), "photo",
                                   "split", e);
        *split = face->split;
        giver = list[i].face;
    }
    return true;
}

/* A photo's part of the list. */
typedef struct photo_range {
    size_t first, count;
} photo_range;

/* When all photos came to one side, moves the one to the other whose draw is nearest to it, of
   those whose records name no split: nearest[side], if there is one. */
static void fill_side(catalog *c, const photo_face *list, const photo_range nearest[2])
{
    face_split empty = c->photo_count[SPLIT_VAL] == 0 ? SPLIT_VAL : SPLIT_TRAIN;
    photo_range moved = nearest[empty];
    if (c->photo_count[empty] > 0 || c->photo_count[!empty] < 2 || moved.count == 0) return;
    split_photo(c, list + moved.first, moved.count, empty);
    c->photo_count[empty]++;
    c->photo_count[!empty]--;
    c->val_chosen = true;
}

/* Photos whose records name no split go by their draw. `list` is sorted. */
static bool split_photos(catalog *c, const photo_face *list, size_t count, error *e)
{
    const catalog_options *o = &c->options;
    photo_range photo, nearest[2] = {{0}};
    for (size_t i = 0; i < count; i += photo.count) {
        photo = (photo_range){i, 1};
        while (i + photo.count < count && list[i + photo.count].photo == list[i].photo)
            photo.count++;
        face_split split;
        if (!given_split(c, list + i, photo.count, &split, e)) return false;
        if (split == SPLIT_NONE) {
            split = list[i].draw < o->val_fraction ? SPLIT_VAL : SPLIT_TRAIN;
            if (nearest[SPLIT_VAL].count == 0) nearest[SPLIT_VAL] = photo;
            nearest[SPLIT_TRAIN] = photo;
        }
        if (o->val_from_train) split = SPLIT_TRAIN;
        split_photo(c, list + i, photo.count, split);
        c->photo_count[split]++;
    }
    if (o->fill_sides && !o->val_from_train && o->val_fraction > 0) fill_side(c, list, nearest);
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
    slot_table_free(&c->slots);
    if (!sort_names(c, e) || !sort_faces(c, e)) return false;
    sort_variants(c);
    return split_faces(c, e) && list_members(c, e) && resolve_tasks(c, e);
}
