/* Task files and the labels made by them. */
#include "unit.h"

#include "cli/quantile.h"
#include "pretext/labels.h"

#include <math.h>
#include <string.h>

static task_list *parse(const char *json, error *e)
{
    *e = (error){0};
    return task_list_parse(json, strlen(json), e);
}

static void prompts_are_filled_in(void **state)
{
    error e;
    task_list *tasks = parse("[{\"name\":\"a\",\"kind\":\"ordinal\",\"template\":\"the {} value\"},"
                             "{\"name\":\"b\",\"kind\":\"coarse\",\"prompts\":[\"x\",\"y\"]},"
                             "{\"name\":\"c\",\"kind\":\"fine\",\"template\":\"{}\"}]",
                             &e);
    assert_non_null(tasks);
    assert_int_equal(task_list_prompt_count(tasks), 8);
    assert_int_equal(task_list_prompt_first(tasks, 2), 5);
    assert_string_equal(tasks->task[0].prompts[1], "the medium value");
    assert_string_equal(tasks->task[0].tag, "a");
    assert_null(tasks->task[1].tag);
    assert_string_equal(tasks->task[1].prompts[1], "y");
    assert_string_equal(tasks->task[2].classes[2], "nose");
    assert_ptr_equal(task_list_find(tasks, "b"), &tasks->task[1]);
    assert_null(task_list_find(tasks, "d"));
    task_list_free(tasks);
}

static void wrong_tasks_are_refused(void **state)
{
    static const struct {
        const char *json, *says;
    } wrong[] = {
        {"{}", "array"},
        {"[]", "array"},
        {"[3]", "object"},
        {"[{\"kind\":\"coarse\",\"template\":\"{}\"}]", "name"},
        {"[{\"name\":\"a\",\"kind\":\"round\",\"template\":\"{}\"}]", "kind"},
        {"[{\"name\":\"a\",\"kind\":\"coarse\"}]", "template"},
        {"[{\"name\":\"a\",\"kind\":\"coarse\",\"template\":\"{} {}\"}]", "{} once"},
        {"[{\"name\":\"a\",\"kind\":\"coarse\",\"template\":\"{}\",\"classes\":[\"x\"]}]",
         "2 classes"},
        {"[{\"name\":\"a\",\"kind\":\"categorical\",\"template\":\"{}\"}]", "classes"},
        {"[{\"name\":\"a\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":\"auto:0\"}]",
         "auto:N"},
        {"[{\"name\":\"a\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":\"auto:3x\"}]",
         "auto:N"},
        {"[{\"name\":\"a\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":[\"x\",\"X\"]}"
         "]",
         "twice"},
        {"[{\"name\":\"a\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":[\"x\"],"
         "\"map\":{\"y\":\"z\"}}]",
         "no class"},
        {"[{\"name\":\"a\",\"kind\":\"ordinal\",\"template\":\"{}\",\"cuts\":[2,1]}]", "cuts"},
        {"[{\"name\":\"a\",\"kind\":\"ordinal\",\"tag\":\"iso\",\"template\":\"{}!\",\"cuts\":[1,"
         "1e39]}]",
         "float32"},
        {"[{\"name\":\"a\",\"kind\":\"fine\",\"template\":\"{}\",\"tag\":\"b\"}]", "tag"},
        {"[{\"name\":\"a\",\"kind\":\"coarse\",\"prompts\":[\"x\"]}]", "2 texts"},
        {"[{\"name\":\"a\",\"kind\":\"fine\",\"template\":\"{}\"},{\"name\":\"a\",\"kind\":"
         "\"fine\","
         "\"template\":\"{}\"}]",
         "another task"},
        {"[{\"name\":\"a\\u0000b\",\"kind\":\"fine\",\"template\":\"{}\"}]", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error e;
        task_list *tasks = parse(wrong[i].json, &e);
        if (tasks) print_message("accepted: %s\n", wrong[i].json);
        assert_null(tasks);
        assert_int_equal(e.status, STATUS_DATA);
        if (!strstr(e.text, wrong[i].says)) print_message("%s: %s\n", wrong[i].json, e.text);
        assert_non_null(strstr(e.text, wrong[i].says));
    }
}

static void classes_are_found(void **state)
{
    error e;
    task_list *tasks = parse(
        "[{\"name\":\"make\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":"
        "[\"Canon\",\"Nikon\",\"others\"],\"map\":{\"kodak\":\"Nikon\",\"bad\":null}},"
        "{\"name\":\"m\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":[\"Canon\"]}]",
        &e);
    assert_non_null(tasks);
    const task *t = &tasks->task[0];
    assert_int_equal(task_class(t, "CANON", 5), 0);
    assert_int_equal(task_class(t, "Canonx", 5), 0);
    assert_int_equal(task_class(t, "Kodak", 5), 1);
    assert_int_equal(task_class(t, "Leica", 5), 2);
    assert_int_equal(task_class(t, "bad", 3), -1);
    assert_int_equal(task_class(&tasks->task[1], "Leica", 5), -1);
    task_list_free(tasks);
}

static void headers_hold_what_files_say(void **state)
{
    error e;
    task_list *tasks =
        parse("[{\"name\":\"a\",\"kind\":\"ordinal\",\"tag\":\"iso\",\"template\":\"{}!\",\"cuts\":"
              "[1,2.5],"
              "\"shuffle\":true},{\"name\":\"c\",\"kind\":\"coarse\",\"template\":\"{}\"}]",
              &e);
    assert_non_null(tasks);
    stream_chunk k = {0};
    record_begin(&k, "header");
    task_list_put(&k, "tasks", tasks);
    record_end(&k);
    assert_false(k.failed);
    msgpack_unpacked map;
    msgpack_unpacked_init(&map);
    size_t used = 0;
    assert_int_equal(msgpack_unpack_next(&map, k.bytes.data, k.bytes.size, &used),
                     MSGPACK_UNPACK_SUCCESS);
    task_list *back = task_list_from_header(object_get(&map.data, "tasks"), &e);
    assert_non_null(back);
    json_t *one = task_list_json(tasks), *two = task_list_json(back);
    assert_true(json_equal(one, two));
    assert_true(back->task[0].shuffle && back->task[0].cuts[1] == 2.5);
    json_decref(one);
    json_decref(two);
    task_list_free(back);
    task_list_free(tasks);
    msgpack_unpacked_destroy(&map);
    stream_chunk_free(&k);
}

static void quantiles_are_numpys(void **state)
{
    const double values[] = {1, 2, 4, 8};
    assert_true(fabs(quantile_sorted(values, 4, 1 / 3.0) - 2) < 1e-12);
    assert_true(fabs(quantile_sorted(values, 4, 0.5) - 3) < 1e-12);
    assert_true(quantile_sorted(values, 4, 1) == 8);
    assert_true(quantile_sorted(values, 1, 2 / 3.0) == 1);
}

/* Adds a row whose tag "m" has this text (NULL: none). */
static void add_row(label_table *table, const char *text)
{
    error e = {0};
    stream_chunk k = {0};
    record_begin(&k, "face");
    if (text) put_text(&k, "m", text);
    record_end(&k);
    msgpack_unpacked map;
    msgpack_unpacked_init(&map);
    size_t used = 0;
    assert_int_equal(msgpack_unpack_next(&map, k.bytes.data, k.bytes.size, &used),
                     MSGPACK_UNPACK_SUCCESS);
    assert_true(label_table_add(table, &map.data, &e));
    msgpack_unpacked_destroy(&map);
    stream_chunk_free(&k);
}

static void automatic_classes_come_from_the_training_rows(void **state)
{
    static const char *const rows[] = {"b", "b", "B", "a", "c", "c", "d", "d", "d", "d", NULL};
    static const bool training[] = {true,  true,  true,  true, true, true,
                                    false, false, false, true, true};
    error e;
    task_list *tasks =
        parse("[{\"name\":\"m\",\"kind\":\"categorical\",\"template\":\"<{}>\",\"classes\":"
              "\"auto:3\",\"others\":true}]",
              &e);
    label_table table;
    assert_true(label_table_open(&table, tasks, &e));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) add_row(&table, rows[i]);
    assert_true(label_table_resolve(&table, training, &e));
    const task *t = &tasks->task[0];
    assert_int_equal(t->class_count, 4);
    assert_string_equal(t->classes[0],
                        "B"); /* three, whatever the case; the spelling first in order */
    assert_string_equal(t->classes[1], "c");
    assert_string_equal(t->classes[2], "a"); /* one each: in order of the bytes */
    assert_string_equal(t->prompts[3], "<others>");
    assert_int_equal(label_class(&table, 0, 0), 0);
    assert_int_equal(label_class(&table, 2, 0), 0);
    assert_int_equal(label_class(&table, 6, 0), 3);
    assert_int_equal(label_class(&table, 10, 0), -1);
    label_table_close(&table);
    task_list_free(tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_are_filled_in),
        cmocka_unit_test(wrong_tasks_are_refused),
        cmocka_unit_test(classes_are_found),
        cmocka_unit_test(headers_hold_what_files_say),
        cmocka_unit_test(quantiles_are_numpys),
        cmocka_unit_test(automatic_classes_come_from_the_training_rows),
    };
    return RUN_TESTS(tests);
}
