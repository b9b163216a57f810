/* Splits, passes and windows of faces that become batches. */
#include "unit.h"

#include "cli/hash.h"
#include "pretext/batch_window.h"

#include <stdlib.h>
#include <string.h>

static const char tasks_json[] = "[{\"name\":\"iso\",\"kind\":\"ordinal\",\"template\":\"{}\"},"
                                 "{\"name\":\"coarse\",\"kind\":\"coarse\",\"template\":\"{}\"}]";

/* Faces of one photo each, of 2 x 2 pixels. */
typedef struct fixture {
    task_list *tasks;
    catalog faces;
    draw_table draws;
    error e;
} fixture;

static void open_fixture(fixture *f, catalog_options options)
{
    *f = (fixture){0};
    f->tasks = task_list_parse(tasks_json, sizeof tasks_json - 1, &f->e);
    assert_true(catalog_open(&f->faces, &options, f->tasks, &f->e));
    assert_true(draw_table_default(&f->draws, &f->e));
}

static void close_fixture(fixture *f)
{
    catalog_close(&f->faces);
    draw_table_free(&f->draws);
    task_list_free(f->tasks);
}

static int add(fixture *f, const char *photo, const char *manipulation, const char *split,
               const char *source)
{
    char id[100];
    error why = {0};
    unsigned char pixels[12] = {0};
    stream_chunk k = {0};
    msgpack_unpacked map;
    size_t used = 0;
    snprintf(id, sizeof id, "%s#0/%s", photo, manipulation);
    record_begin(&k, "face");
    put_text(&k, "id", id);
    put_text(&k, "photo", photo);
    put_integer(&k, "face", 0);
    put_text(&k, "manipulation", manipulation);
    put_integer(&k, "width", 2);
    put_integer(&k, "height", 2);
    put_binary(&k, "pixels", pixels, sizeof pixels);
    if (split) put_text(&k, "split", split);
    if (source) put_text(&k, "source", source);
    record_end(&k);
    msgpack_unpacked_init(&map);
    assert_int_equal(msgpack_unpack_next(&map, k.bytes.data, k.bytes.size, &used),
                     MSGPACK_UNPACK_SUCCESS);
    int added = catalog_add(&f->faces, &map.data, (stream_place){0}, &why, &f->e);
    msgpack_unpacked_destroy(&map);
    stream_chunk_free(&k);
    return added;
}

static void add_photos(fixture *f, size_t count, const char *decided)
{
    for (size_t i = 0; i < count; i++) {
        char photo[32];
        snprintf(photo, sizeof photo, "p%zu", i);
        bool given = decided && strcmp(decided, photo) == 0;
        assert_int_equal(
            add(f, photo, "photographic", given ? "train" : NULL, i == 0 ? "rare" : "common"), 1);
    }
}

static void kept_faces_are_unique(void **state)
{
    fixture f;
    open_fixture(&f, (catalog_options){.val_fraction = 0.2, .balance = "source"});
    add_photos(&f, 31, NULL);
    assert_true(catalog_finish(&f.faces, &f.e));
    const batch_settings settings = {.batch = 16, .window = 31};
    sampler s;
    assert_true(sampler_open(&s, &f.faces, &f.draws, 16, &f.e));
    uint32_t *kept = NULL;
    size_t count = batch_kept_choose(&settings, &s, &kept, &f.e);
    assert_true(count > 1);
    bool seen[31] = {false};
    for (size_t i = 0; i < count; i++) {
        assert_false(seen[kept[i]]);
        seen[kept[i]] = true;
    }
    free(kept);
    sampler_close(&s);
    close_fixture(&f);
}

/* The photo that a split without any validation photo was filled up with. */
static uint64_t chosen_photo(const char *decided)
{
    fixture f;
    open_fixture(&f, (catalog_options){.val_fraction = 1e-9, .fill_sides = true});
    add_photos(&f, 12, decided);
    assert_true(catalog_finish(&f.faces, &f.e));
    assert_int_equal(f.faces.photo_count[SPLIT_VAL], 1);
    assert_true(f.faces.val_chosen);
    uint64_t photo = f.faces.face[f.faces.member[SPLIT_VAL][0]].photo;
    close_fixture(&f);
    return photo;
}

static void an_empty_side_gets_the_nearest_undecided_photo(void **state)
{
    uint64_t nearest = chosen_photo(NULL);
    for (int i = 0; i < 12; i++) {
        char photo[32];
        snprintf(photo, sizeof photo, "p%d", i);
        bool taken = hash_bytes(photo, strlen(photo), HASH_BASIS) == nearest;
        assert_int_equal(chosen_photo(photo) == nearest, !taken);
    }
}

static void no_photo_is_moved_when_all_are_decided(void **state)
{
    fixture f;
    open_fixture(&f, (catalog_options){.val_fraction = 0.5, .fill_sides = true});
    add(&f, "a", "photographic", "train", NULL);
    add(&f, "b", "photographic", "train", NULL);
    assert_true(catalog_finish(&f.faces, &f.e));
    assert_int_equal(f.faces.photo_count[SPLIT_VAL], 0);
    assert_false(f.faces.val_chosen);
    close_fixture(&f);
}

static void affine_is_a_warp(void **state)
{
    fixture f;
    open_fixture(&f, (catalog_options){.val_fraction = 0.1});
    add(&f, "a", "affine", NULL, NULL);
    add(&f, "a", "warp", NULL, NULL);
    assert_int_equal(f.faces.face_count, 1);
    assert_int_equal(f.faces.variant[0].manipulation, f.faces.variant[1].manipulation);
    size_t entries = f.draws.count;
    assert_true(draw_table_set(&f.draws, "affine=3", &f.e));
    assert_int_equal(f.draws.count, entries);
    assert_true(draw_table_set(&f.draws, "blur=2", &f.e));
    assert_false(draw_weight_used(&f.draws.entry[entries], &f.faces));
    add(&f, "a", "blur", NULL, NULL);
    assert_true(draw_weight_used(&f.draws.entry[entries], &f.faces));
    close_fixture(&f);
}

static void the_side_is_that_of_the_faces(void **state)
{
    catalog c = {.width = 32, .height = 32};
    batch_settings settings = {.shift = 4};
    error e = {0};
    int side = 0;
    assert_true(batch_side_find(&settings, &c, &side, &e));
    assert_int_equal(side, 28);
    c.width = c.height = 40; /* a later window's */
    assert_false(batch_side_find(&settings, &c, &side, &e));
    e = (error){0};
    side = 0;
    settings.shift = 40;
    assert_false(batch_side_find(&settings, &c, &side, &e));
    assert_non_null(strstr(e.text, "--shift 40"));
    e = (error){0};
    settings.size = 24;
    c.sizes_differ = true;
    assert_true(batch_side_find(&settings, &c, &side, &e));
    assert_int_equal(side, 24);
}

static void large_batches_are_refused(void **state)
{
    error e = {0};
    task_list *tasks = task_list_parse(tasks_json, sizeof tasks_json - 1, &e);
    assert_true(batch_size_check(tasks, 65536, 64, &e));
    assert_true(batch_size_check(tasks, 21, 4096, &e));
    assert_false(batch_size_check(tasks, 22, 4096, &e));
    assert_int_equal(e.status, STATUS_USAGE);
    task_list_free(tasks);
}

static bool same_number(const void *items, uint32_t number, const void *key)
{
    return ((const int *)items)[number] == *(const int *)key;
}

static void slots_find_what_was_added(void **state)
{
    enum { COUNT = 1000 };
    int items[COUNT];
    slot_table t = {0};
    error e = {0};
    for (int i = 0; i < COUNT; i++) {
        items[i] = 7 * i;
        assert_int_equal(slot_table_find(&t, (uint64_t)(i % 50), same_number, items, &items[i]),
                         -1);
        assert_true(slot_table_add(&t, (uint64_t)(i % 50), (uint32_t)i, &e)); /* they collide */
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(slot_table_find(&t, (uint64_t)(i % 50), same_number, items, &items[i]), i);
    slot_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_faces_are_unique),
        cmocka_unit_test(an_empty_side_gets_the_nearest_undecided_photo),
        cmocka_unit_test(no_photo_is_moved_when_all_are_decided),
        cmocka_unit_test(affine_is_a_warp),
        cmocka_unit_test(the_side_is_that_of_the_faces),
        cmocka_unit_test(large_batches_are_refused),
        cmocka_unit_test(slots_find_what_was_added),
    };
    return RUN_TESTS(tests);
}
