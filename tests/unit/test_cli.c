/* common/cli: errors that stick, options, random numbers, the ordered parallel map, outputs. */
#include "unit.h"

#include "cli/cli.h"
#include "cli/input.h"
#include "cli/memory.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/parallel.h"
#include "cli/random.h"
#include "cli/text.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void first_error_sticks(void **state)
{
    error e = {0};
    assert_false(error_set(&e, STATUS_DATA, "first %d", 1));
    assert_false(error_set(&e, STATUS_IO, "second"));
    assert_int_equal(e.status, STATUS_DATA);
    assert_string_equal(e.text, "first 1");
    error_context(&e, "file %s", "x");
    assert_string_equal(e.text, "file x: first 1");
    error system = {0};
    errno = ENOENT;
    error_set(&system, STATUS_NO_INPUT, "y: ");
    assert_string_equal(system.text, "y: No such file or directory");
    error given = {0};
    error_set(&given, STATUS_USAGE, "unknown option %s", "--x: ");
    assert_string_equal(given.text, "unknown option --x: ");
}

static void long_errors_lose_their_middle(void **state)
{
    error e = {0};
    char long_text[2000];
    memset(long_text, 'y', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    error_set(&e, STATUS_DATA, "record 7: %s", long_text);
    error_context(&e, "input");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "input: record 7: yyy", 20);
    error_context(&e, "%s", long_text);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(strstr(e.text, ": "), ": input: record 7: yyy", 22);
    error system = {0};
    errno = ENOENT;
    error_set(&system, STATUS_NO_INPUT, "%s: ", long_text);
    assert_non_null(strstr(system.text, "y: No such file or directory"));
    assert_non_null(strstr(system.text, "y...y"));
    error_context(&system, "%s", long_text);
    assert_int_equal(strlen(system.text), sizeof system.text - 1);
    assert_non_null(strstr(system.text, "y: No such file or directory"));
}

static void allocation_overflow_is_an_error(void **state)
{
    error e = {0};
    assert_null(memory_allocate(SIZE_MAX / 2, 3, &e));
    assert_int_equal(e.status, STATUS_SYSTEM);
}

/* ---- Options -------------------------------------------------------------------------------- */

static int64_t count;
static double scale;
static bool flag;
static const char *name;
static int choice;
static const char *const choices[] = {"one", "two", NULL};
static const cli_option table[] = {
    {"count", 'k', CLI_INTEGER, &count, -5, 10, .help = ""},
    {"scale", 0, CLI_NUMBER, &scale, 0, 2, .help = ""},
    {"flag", 'f', CLI_FLAG, &flag, .help = ""},
    {"name", 0, CLI_STRING, &name, .unrecorded = true},
    {"choice", 0, CLI_CHOICE, &choice, .choices = choices},
};

static int parse(cli_strings *operands, cli_strings *given, char **words)
{
    option_set set = {{table, NULL}, {CLI_COUNT(table), 0}};
    error e = {0};
    int argc = 0;
    while (words[argc]) argc++;
    options_parse(&set, argc, words, operands, given, &e);
    return e.status;
}

static void options_are_parsed_and_recorded(void **state)
{
    cli_strings operands = {0}, given = {0};
    char *words[] = {"t",  "-k7",      "a",   "--scale=0.5", "--name", "n",
                     "-f", "--choice", "two", "--",          "-b",     NULL};
    assert_int_equal(parse(&operands, &given, words), 0);
    assert_int_equal(count, 7);
    assert_true(scale == 0.5 && flag && choice == 1);
    assert_string_equal(name, "n");
    assert_int_equal(operands.count, 2);
    assert_string_equal(operands.item[1], "-b");
    assert_int_equal(given.count, 7); /* count 7 scale 0.5 flag choice two */
    assert_string_equal(given.item[4], "flag");
    cli_strings_free(&operands);
    cli_strings_free(&given);
}

static void wrong_options_are_usage_errors(void **state)
{
    static char *const wrong[][2] = {
        {"-k", "11"},       {"-k", "-6"},       {"-k", "3x"},
        {"-k", ""},         {"--scale", "nan"}, {"--scale", "inf"},
        {"--scale", "2.1"}, {"--scale", "1e"},  {"--choice", "x"},
        {"--nothing", "x"}, {"-z", "x"},        {"--flag=1", "x"},
        {"-k", NULL},       {"--count", NULL},  {"-k", "99999999999999999999"}};
    for (size_t i = 0; i < CLI_COUNT(wrong); i++) {
        cli_strings operands = {0}, given = {0};
        char *words[] = {"t", wrong[i][0], wrong[i][1], NULL};
        assert_int_equal(parse(&operands, &given, words), STATUS_USAGE);
        cli_strings_free(&operands);
        cli_strings_free(&given);
    }
}

/* ---- Random numbers ------------------------------------------------------------------------- */

static void random_numbers_have_their_moments(void **state)
{
    random_state r = random_keyed(1, "moments", 0);
    double sum[2] = {0}, square[2] = {0};
    enum { N = 200000 };
    for (int i = 0; i < N; i++) {
        double u = random_uniform(&r), n = random_normal(&r);
        assert_true(u >= 0 && u < 1);
        sum[0] += u, square[0] += u * u, sum[1] += n, square[1] += n * n;
    }
    assert_true(fabs(sum[0] / N - 0.5) < 0.005 && fabs(square[0] / N - 1.0 / 3) < 0.005);
    assert_true(fabs(sum[1] / N) < 0.01 && fabs(square[1] / N - 1) < 0.02);
}

static void random_keys_differ(void **state)
{
    random_state a = random_keyed(1, "a", 0), again = random_keyed(1, "a", 0);
    random_state parts = random_keyed_of(1, "warp", "a#0", 2),
                 joint = random_keyed(1, "warp/a#0", 2);
    assert_true(random_bits(&parts) == random_bits(&joint));
    random_state others[] = {random_keyed(2, "a", 0), random_keyed(1, "b", 0),
                             random_keyed(1, "a", 1)};
    uint64_t first = random_bits(&a);
    assert_true(first == random_bits(&again));
    for (size_t i = 0; i < CLI_COUNT(others); i++) assert_true(first != random_bits(&others[i]));
}

static void shuffle_is_a_permutation(void **state)
{
    uint32_t items[100], seen[100] = {0};
    int moved = 0;
    for (uint32_t i = 0; i < 100; i++) items[i] = i;
    random_state r = random_keyed(0, "shuffle", 0);
    random_shuffle(&r, items, 100);
    for (uint32_t i = 0; i < 100; i++) seen[items[i]]++, moved += items[i] != i;
    for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

/* ---- The parallel map ----------------------------------------------------------------------- */

typedef struct map_test {
    int next, limit, fail_at, taken, discarded;
    bool ordered;
} map_test;

static int map_next(void *context, void **item, error *e)
{
    map_test *t = context;
    if (t->next == t->limit) return 0;
    int *value = malloc(sizeof *value);
    *value = t->next++;
    *item = value;
    return 1;
}

static void map_work(void *context, void *item, int worker)
{
    if (*(int *)item % 7 == 0) usleep(300);
    *(int *)item *= 3;
}

static bool map_take(void *context, void *item, error *e)
{
    map_test *t = context;
    if (*(int *)item != 3 * t->taken) t->ordered = false;
    free(item);
    if (t->taken++ == t->fail_at) return error_set(e, STATUS_IO, "stop");
    return true;
}

static void map_discard(void *context, void *item)
{
    ((map_test *)context)->discarded++;
    free(item);
}

static void parallel_map_keeps_order_and_stops(void **state)
{
    static const parallel_plan plan = {map_next, map_work, map_take, map_discard};
    for (int threads = 1; threads <= 4; threads++) {
        error e = {0};
        map_test all = {.limit = 500, .fail_at = -1, .ordered = true};
        assert_true(parallel_map(&plan, &all, threads, 0, &e));
        assert_true(all.ordered && all.taken == 500 && all.discarded == 0);
        map_test stopped = {.limit = 500, .fail_at = 100, .ordered = true};
        assert_false(parallel_map(&plan, &stopped, threads, 8, &e));
        assert_int_equal(e.status, STATUS_IO);
        assert_true(stopped.ordered && stopped.taken == 101 &&
                    stopped.taken + stopped.discarded == stopped.next);
    }
}

/* ---- Outputs -------------------------------------------------------------------------------- */

static void output_appears_only_when_committed(void **state)
{
    char folder[] = "/tmp/blades-unit-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/out", folder);
    error e = {0}, failed = {.status = STATUS_DATA};
    output o;
    assert_true(output_open(&o, path, true, &e));
    fputs("x", o.file);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_true(output_commit(&o, &e));
    assert_int_equal(access(path, F_OK), 0);
    unlink(path);
    assert_true(output_open(&o, path, true, &e));
    fputs("x", o.file);
    assert_false(output_commit(&o, &failed));
    assert_int_equal(rmdir(folder), 0); /* nothing left in it */
}

static void outputs_are_the_same_by_name(void **state)
{
    assert_true(output_same(NULL, "-"));
    assert_false(output_same("-", "./-"));
    assert_true(output_same("x", "./x"));
    assert_true(output_same("/tmp/x", "/tmp/.//x"));
    assert_false(output_same("/tmp/x", "/tmp/y"));
    assert_false(output_same("/tmp/x", "/x"));
    assert_false(output_same("/dev/null", "/dev/null"));
}

static void arrays_grow_by_doubling(void **state)
{
    error e = {0};
    size_t capacity = 0;
    int *numbers = array_grow(NULL, 1, &capacity, sizeof *numbers, &e);
    size_t first = capacity;
    assert_non_null(numbers);
    numbers[0] = 7;
    numbers = array_grow(numbers, first + 1, &capacity, sizeof *numbers, &e);
    assert_int_equal(capacity, 2 * first);
    assert_ptr_equal(array_grow(numbers, capacity, &capacity, sizeof *numbers, &e), numbers);
    numbers = array_grow(numbers, 1000, &capacity, sizeof *numbers, &e);
    assert_int_equal(capacity, 1000);
    assert_int_equal(numbers[0], 7);
    assert_null(array_grow(numbers, SIZE_MAX / 2, &capacity, sizeof *numbers, &e));
    assert_int_equal(capacity, 1000);
    assert_int_equal(e.status, STATUS_SYSTEM);
    free(numbers);
}

/* ---- Inputs --------------------------------------------------------------------------------- */

static void nothing(int signal) {}

/* A pipe on which `text` comes after a while; `child` writes it. */
static int late_pipe(const char *text, pid_t *child)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *child = fork();
    if (*child == 0) {
        usleep(200000);
        _exit(write(ends[1], text, strlen(text)) < 0);
    }
    close(ends[1]);
    return ends[0];
}

static void reading_goes_on_after_a_signal(void **state)
{
    struct sigaction action = {.sa_handler = nothing}, before;
    struct itimerval soon = {.it_value = {.tv_usec = 20000}};
    char bytes[8];
    pid_t child;
    int file = late_pipe("late", &child);
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &soon, NULL);
    assert_int_equal(input_read(file, bytes, sizeof bytes), 4);
    sigaction(SIGALRM, &before, NULL);
    close(file);
    waitpid(child, NULL, 0);
}

static void what_is_spooled_is_read_from_its_beginning(void **state)
{
    error e = {0};
    char bytes[8] = "", folder[5000];
    pid_t child;
    int file = late_pipe("spooled", &child), spooled = input_spool(file, "pipe", &e);
    assert_true(spooled >= 0);
    assert_int_equal(input_read(spooled, bytes, sizeof bytes), 7);
    assert_string_equal(bytes, "spooled");
    close(spooled);
    waitpid(child, NULL, 0);
    memset(folder, '/', sizeof folder - 1);
    folder[sizeof folder - 1] = 0;
    setenv("TMPDIR", folder, 1);
    assert_int_equal(input_spool(file, "pipe", &e), -1);
    unsetenv("TMPDIR");
    assert_int_equal(e.status, STATUS_CANNOT_CREATE);
    assert_non_null(strstr(e.text, strerror(ENAMETOOLONG)));
    close(file);
}

static void texts_are_cut_between_characters(void **state)
{
    static const char text[] = "a\xc3\xa9\xff\xe2\x82\xac";
    assert_int_equal(text_width(text), 4);
    assert_int_equal(text_bytes(text, 2), 3);
    assert_int_equal(text_bytes(text, 3), 4);
    assert_int_equal(text_bytes(text, 9), 7);
}

static void bad_bytes_are_mended(void **state)
{
    char text[] = "\xff\xc3\xa9\xe2\x82z", wide[32];
    size_t size = utf8_mend(wide, text, strlen(text), "\xef\xbf\xbd");
    wide[size] = 0;
    assert_string_equal(wide, "\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbdz");
    assert_int_equal(utf8_mend(text, text, strlen(text), "?"), 6);
    assert_string_equal(text, "?\xc3\xa9??z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_error_sticks),
        cmocka_unit_test(long_errors_lose_their_middle),
        cmocka_unit_test(allocation_overflow_is_an_error),
        cmocka_unit_test(arrays_grow_by_doubling),
        cmocka_unit_test(options_are_parsed_and_recorded),
        cmocka_unit_test(wrong_options_are_usage_errors),
        cmocka_unit_test(random_numbers_have_their_moments),
        cmocka_unit_test(random_keys_differ),
        cmocka_unit_test(shuffle_is_a_permutation),
        cmocka_unit_test(parallel_map_keeps_order_and_stops),
        cmocka_unit_test(output_appears_only_when_committed),
        cmocka_unit_test(outputs_are_the_same_by_name),
        cmocka_unit_test(reading_goes_on_after_a_signal),
        cmocka_unit_test(what_is_spooled_is_read_from_its_beginning),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(bad_bytes_are_mended),
    };
    return RUN_TESTS(tests);
}
