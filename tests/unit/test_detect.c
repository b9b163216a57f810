/* Metrics, perceptrons, neighbours, the quadtree and layouts against naive versions. */
#include "cli/random.h"
#include "detect/detector.h"
#include "detect/evaluation.h"
#include "detect/metrics.h"
#include "detect/pca.h"
#include "detect/quadtree.h"
#include "detect/scatter_svg.h"
#include "detect/table.h"
#include "detect/tsne.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Metrics -------------------------------------------------------------------------------- */

enum { ITEMS = 200 };

static size_t make_items(ranked_item *items)
{
    random_state r = random_keyed(1, "items", 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        bool generated = i % 3 == 0;
        double score = floor(4 * (random_normal(&r) + generated)); /* many ties */
        items[i] = (ranked_item){score, i, generated,
                                 score > 2 ? DECISION_GENERATED : DECISION_PHOTOGRAPHIC};
    }
    return ITEMS;
}

static void test_auc_counts_pairs(void **state)
{
    ranked_item items[ITEMS];
    metrics m;
    size_t n = make_items(items);
    double pairs = 0, won = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (items[i].generated && !items[j].generated) {
                pairs++;
                won += items[i].score > items[j].score    ? 1
                       : items[i].score == items[j].score ? 0.5
                                                          : 0;
            }
    ranked_sort(items, n);
    metrics_compute(items, n, NULL, &m);
    assert_float_equal(m.value[METRIC_AUC], won / pairs, 1e-12);
    assert_float_equal(m.value[METRIC_TPR] + m.value[METRIC_FNR], 1, 1e-12);
    assert_float_equal(m.value[METRIC_TNR] + m.value[METRIC_FPR], 1, 1e-12);
}

static void test_a_perfect_detector(void **state)
{
    ranked_item items[] = {{3, 0, true, DECISION_GENERATED},
                           {2, 1, true, DECISION_GENERATED},
                           {1, 2, false, DECISION_PHOTOGRAPHIC},
                           {0, 3, false, DECISION_PHOTOGRAPHIC}};
    metrics m;
    metrics_compute(items, 4, NULL, &m);
    static const metric_name one[] = {METRIC_ACCURACY, METRIC_AUC,     METRIC_AP,
                                      METRIC_TNR,      METRIC_TPR,     METRIC_F,
                                      METRIC_TPR_AT_1, METRIC_TPR_AT_5};
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) assert_float_equal(m.value[one[i]], 1, 0);
    items[1].decided = DECISION_NONE;
    metrics_compute(items, 4, NULL, &m);
    assert_true(isnan(m.value[METRIC_ACCURACY]) && m.value[METRIC_AUC] == 1);
    metrics_compute(items, 2, NULL, &m);
    assert_true(isnan(m.value[METRIC_AUC]));
}

static void test_one_class_alone(void **state)
{
    ranked_item items[] = {{1, 0, true, DECISION_GENERATED}, {0, 1, false, DECISION_PHOTOGRAPHIC}};
    for (int generated = 0; generated < 2; generated++) {
        metrics m;
        metrics_compute(&items[!generated], 1, NULL, &m);
        assert_true(isnan(m.value[METRIC_ACCURACY]) && isnan(m.value[METRIC_F]));
        assert_float_equal(m.value[generated ? METRIC_TPR : METRIC_TNR], 1, 0);
        assert_true(isnan(m.value[generated ? METRIC_TNR : METRIC_TPR]));
    }
}

static void test_counts_stand_for_copies(void **state)
{
    ranked_item items[ITEMS], copies[3 * ITEMS];
    uint32_t counts[ITEMS];
    size_t n = make_items(items), total = 0;
    for (uint32_t i = 0; i < n; i++) {
        counts[i] = i * 7 % 4;
        for (uint32_t k = 0; k < counts[i]; k++) copies[total++] = items[i];
    }
    metrics a, b;
    ranked_sort(items, n);
    ranked_sort(copies, total);
    metrics_compute(items, n, counts, &a);
    metrics_compute(copies, total, NULL, &b);
    for (size_t k = 0; k < METRICS; k++) assert_float_equal(a.value[k], b.value[k], 1e-12);
    assert_int_equal(a.generated + a.photographic, total);
}

/* ---- Classifiers ---------------------------------------------------------------------------- */

enum { FACES = 300, D = 20 };

/* Two classes that no straight line divides: generated ones lie on both sides of the others. */
static void make_faces(float *x, uint8_t *labels)
{
    random_state r = random_keyed(2, "faces", 0);
    for (size_t i = 0; i < FACES; i++) {
        labels[i] = i % 3 == 0;
        for (size_t j = 0; j < D; j++) x[i * D + j] = (float)(0.3 * random_normal(&r));
        if (labels[i]) x[i * D] += i % 2 ? 2 : -2;
    }
}

static double accuracy(const double *p, const uint8_t *labels)
{
    double right = 0;
    for (size_t i = 0; i < FACES; i++) right += (p[i] > 0.5) == labels[i];
    return right / FACES;
}

static perceptron_options training(size_t hidden, int threads)
{
    return (perceptron_options){.hidden = hidden,
                                .learning_rate = 1e-2,
                                .weight_decay = 1e-2,
                                .batch = 32,
                                .epochs = 60,
                                .patience = 100,
                                .balanced = true,
                                .threads = threads,
                                .seed = 4};
}

static void test_perceptron_learns(void **state)
{
    static float x[FACES * D];
    static double p[FACES], q[FACES];
    uint8_t labels[FACES];
    error e = {0};
    make_faces(x, labels);
    points fit = {x, NULL, FACES, D}, none = {x, NULL, 0, D};
    perceptron a, b;
    perceptron_result result;
    perceptron_options o = training(100, 1), three = training(100, 3), linear = training(0, 2);
    assert_true(perceptron_fit(&a, &fit, labels, &none, labels, &o, &result, &e));
    assert_true(perceptron_fit(&b, &fit, labels, &fit, labels, &three, &result, &e));
    assert_true(result.held_out_accuracy > 0.97);
    assert_true(perceptron_predict(&b, &fit, 2, q, &e));
    perceptron_free(&b);
    assert_true(perceptron_fit(&b, &fit, labels, &none, labels, &three, &result, &e));
    assert_memory_equal(a.weight1, b.weight1, 100 * D * sizeof(float));
    assert_memory_equal(a.weight2, b.weight2, 200 * sizeof(float));
    assert_true(perceptron_predict(&a, &fit, 2, p, &e));
    assert_true(accuracy(p, labels) > 0.97 && accuracy(q, labels) > 0.97);
    for (size_t i = 0; i < 5; i++) { /* by hand */
        double out[2] = {(double)a.bias2[0], (double)a.bias2[1]};
        for (size_t h = 0; h < 100; h++) {
            double sum = (double)a.bias1[h];
            for (size_t j = 0; j < D; j++)
                sum += (double)a.weight1[h * D + j] * (double)x[i * D + j];
            for (size_t c = 0; c < 2 && sum > 0; c++)
                out[c] += sum * (double)a.weight2[c * 100 + h];
        }
        assert_float_equal(p[i], 1 / (1 + exp(out[0] - out[1])), 1e-5);
    }
    perceptron_free(&a);
    perceptron_free(&b);
    assert_true(perceptron_fit(&a, &fit, labels, &none, labels, &linear, &result, &e));
    assert_true(perceptron_predict(&a, &fit, 2, p, &e));
    assert_true(accuracy(p, labels) < 0.9); /* what a line cannot do, it does not */
    perceptron_free(&a);
    memset(labels, 0, sizeof labels);
    assert_false(perceptron_fit(&a, &fit, labels, &none, labels, &o, &result, &e));
    assert_int_equal(e.status, STATUS_DATA);
}

static void test_neighbours_are_the_nearest(void **state)
{
    static float x[FACES * D];
    uint8_t labels[FACES];
    enum { K = 7 };
    static uint32_t index[FACES * K];
    static float distance[FACES * K];
    static double p[FACES];
    error e = {0};
    make_faces(x, labels);
    points all = {x, NULL, FACES, D};
    assert_true(neighbours_of_points(&all, K, 2, index, distance, &e));
    for (size_t i = 0; i < FACES; i++) {
        double farthest = (double)distance[i * K + K - 1];
        size_t nearer = 0;
        for (size_t j = 0; j < FACES; j++) {
            double sum = 0;
            for (size_t c = 0; c < D; c++) {
                double difference = (double)x[i * D + c] - (double)x[j * D + c];
                sum += difference * difference;
            }
            nearer += j != i && sum < farthest - 1e-4;
        }
        assert_true(nearer <= K - 1);
        for (size_t j = 0; j < K; j++) {
            assert_true(index[i * K + j] != i);
            assert_true(j == 0 || distance[i * K + j] >= distance[i * K + j - 1]);
        }
    }
    neighbours n;
    assert_true(neighbours_create(&n, &all, labels, 1, &e));
    assert_true(neighbours_predict(&n, &all, 2, p, &e)); /* each is its own nearest */
    for (size_t i = 0; i < FACES; i++) assert_float_equal(p[i], labels[i], 0);
    neighbours_free(&n);
}

/* One nearer face, two places for six that are equally far. */
static void test_neighbours_share_ties(void **state)
{
    enum { N = 9, K = 3 };
    static const float near[2] = {1, 0.1f}, tied[2] = {1, 0.5f}, far[2] = {0, 1};
    static const uint8_t labels[2][N] = {{0, 0, 1, 1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 0, 1, 0, 1}};
    error e = {0};
    float x[N][2];
    uint32_t first = 0;
    for (size_t i = 0; i < N; i++) memcpy(x[i], i == 6 ? near : i > 6 ? far : tied, sizeof x[i]);
    points all = {&x[0][0], NULL, N, 2}, query = {&x[6][0], &first, 1, 2};
    for (size_t order = 0; order < 2; order++) {
        neighbours n;
        double p, generated = (1 + 4 * 2 / 6.0) / 6, photographic = 2 * 2 / 6.0 / 3;
        assert_true(neighbours_create(&n, &all, labels[order], K, &e));
        assert_true(neighbours_predict(&n, &query, 1, &p, &e));
        assert_float_equal(p, generated / (generated + photographic), 1e-12);
        neighbours_free(&n);
    }
}

static void test_calibration(void **state)
{
    detector d = {.kind = DETECTOR_GMM, .false_alarm_rate = NAN};
    double *scores = malloc(21 * sizeof *scores);
    for (size_t i = 0; i < 21; i++) scores[i] = (double)(20 - i);
    detector_calibrate(&d, scores, 21, 0.05, "heldout");
    assert_float_equal(d.threshold, 1, 1e-12);
    assert_true(detector_says_generated(&d, 0.5) && !detector_says_generated(&d, 1));
    assert_float_equal(detector_p_value(&d, 0), 1.0 / 21, 1e-12);
    assert_float_equal(detector_p_value(&d, -1), 0, 0);
    assert_float_equal(detector_p_value(&d, 99), 1, 0);
    d.kind = DETECTOR_MLP; /* a higher score is the odd one */
    assert_float_equal(detector_p_value(&d, 20), 1.0 / 21, 1e-12);
    assert_float_equal(detector_p_value(&d, 0), 1, 0);
    detector_free(&d);
    assert_true(isnan(detector_p_value(&d, 0)));
}

static void test_an_interval_holds_its_share(void **state)
{
    double values[103];
    interval i = {.value = 50};
    for (int v = 0; v < 103; v++) values[v] = v <= 100 ? 100 - v : NAN; /* undefined replicates */
    interval_set(&i, values, 103, 0.9);
    assert_float_equal(i.low, 5, 1e-9);
    assert_float_equal(i.high, 95, 1e-9);
    i.value = NAN; /* no figure, no interval */
    interval_set(&i, values, 101, 0.9);
    assert_true(isnan(i.low) && isnan(i.high));
}

/* ---- Layouts -------------------------------------------------------------------------------- */

static void test_quadtree_sums_all_pairs(void **state)
{
    enum { COUNT = 400 };
    static double y[2 * COUNT];
    quadtree t;
    error e = {0};
    random_state r = random_keyed(3, "tree", 0);
    for (size_t i = 0; i < COUNT; i++) {
        y[2 * i] = random_normal(&r) + (i % 4 == 0 ? 20 : 0);
        y[2 * i + 1] = random_normal(&r);
    }
    for (size_t i = 0; i < 12; i++)
        y[2 * i] = y[2 * i + 1] = 5; /* more in one place than a leaf holds */
    assert_true(quadtree_create(&t, COUNT, &e));
    quadtree_build(&t, y, COUNT);
    for (size_t place = 0; place < COUNT; place++) {
        size_t i = t.order[place];
        double sum = 0, force[2] = {0}, exact[2], rough[2];
        for (size_t j = 0; j < COUNT; j++) {
            double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1],
                   q = 1 / (1 + dx * dx + dy * dy);
            sum += j == i ? 0 : q;
            force[0] += q * q * dx;
            force[1] += q * q * dy;
        }
        assert_float_equal(quadtree_repulsion(&t, place, 0, exact), sum, 1e-9);
        assert_float_equal(exact[0], force[0], 1e-9);
        assert_float_equal(exact[1], force[1], 1e-9);
        assert_float_equal(quadtree_repulsion(&t, place, 0.5, rough), sum, 0.03 * sum);
    }
    quadtree_free(&t);
}

static void test_tsne_keeps_clusters_apart(void **state)
{
    enum { COUNT = 90 };
    static float x[COUNT * D];
    static double one[2 * COUNT], three[2 * COUNT];
    error e = {0};
    random_state r = random_keyed(6, "tsne", 0);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < D; j++)
            x[i * D + j] = (float)(0.1 * random_normal(&r) + (i % 3 == j ? 3 : 0));
    points p = {x, NULL, COUNT, D};
    tsne_options o = {
        .perplexity = 10, .exaggeration = 12, .angle = 0.5, .iterations = 500, .threads = 1};
    double divergence, again;
    assert_true(tsne_fit(&p, &o, one, &divergence, &e));
    o.threads = 3;
    assert_true(tsne_fit(&p, &o, three, &again, &e));
    assert_memory_equal(one, three, sizeof one);
    assert_true(divergence > 0 && divergence == again && divergence < 0.5);
    for (size_t i = 0; i < COUNT; i++) { /* the nearest other point is of the same cluster */
        size_t nearest = SIZE_MAX;
        double least = INFINITY;
        for (size_t j = 0; j < COUNT; j++) {
            double distance = hypot(one[2 * i] - one[2 * j], one[2 * i + 1] - one[2 * j + 1]);
            if (j == i || distance >= least) continue;
            least = distance;
            nearest = j;
        }
        assert_int_equal(nearest % 3, i % 3);
    }
    o.perplexity = COUNT;
    assert_false(tsne_fit(&p, &o, one, &divergence, &e));
}

static void test_pca_finds_the_long_axis(void **state)
{
    enum { COUNT = 500 };
    static float x[COUNT * 3];
    static double y[2 * COUNT];
    double share[2];
    error e = {0};
    random_state r = random_keyed(8, "pca test", 0);
    for (size_t i = 0; i < COUNT; i++) {
        double along = 5 * random_normal(&r), across = random_normal(&r);
        x[3 * i] = (float)(0.6 * along - 0.8 * across + 7);
        x[3 * i + 1] = (float)(0.8 * along + 0.6 * across);
        x[3 * i + 2] = 1;
    }
    points p = {x, NULL, COUNT, 3};
    assert_true(pca_project(&p, 2, y, share, &e));
    assert_float_equal(share[0] + share[1], 1, 1e-6);
    assert_true(share[0] > 0.93);
    assert_float_equal((y[2] - y[0]), 0.6 * (double)(x[3] - x[0]) + 0.8 * (double)(x[4] - x[1]),
                       0.3);
}

/* ---- Tables --------------------------------------------------------------------------------- */

static void test_tables(void **state)
{
    char *text = NULL;
    size_t size = 0;
    table t;
    error e = {0};
    assert_true(table_create(&t, 2, 2, "a_b", &e));
    table_set(&t, 0, 0, "name");
    table_set(&t, 0, 1, "%d %%", 5);
    table_set(&t, 1, 0, "x\ty\xff");
    FILE *to = open_memstream(&text, &size);
    assert_true(table_print(&t, TABLE_TSV, to, &e));
    assert_true(table_print(&t, TABLE_LATEX, to, &e));
    assert_true(table_print(&t, TABLE_TEXT, to, &e));
    fclose(to);
    assert_true(strstr(text, "# a_b\nname\t5 %\nx?y?\t\n") == text);
    assert_non_null(strstr(text, "\\caption{a\\_b}"));
    assert_non_null(strstr(text, "name & 5 \\% \\\\\n\\midrule"));
    assert_non_null(strstr(text, "name  5 %\n---------\n"));
    free(text);
    table_free(&t);
}

static void test_latex_escapes(void **state)
{
    static const struct {
        const char *name, *written;
    } names[] = {{"[sd]", "\n{[}sd] & "},
                 {"*x", "\n{*}x & "},
                 {"<|>\"", "\n\\textless{}\\textbar{}\\textgreater{}\\char34{} & "},
                 {"&%$#_{}~^\\", "\n\\&\\%\\$\\#\\_\\{\\}\\~{}\\^{}\\textbackslash{} & "}};
    char *text = NULL;
    size_t size = 0;
    table t;
    error e = {0};
    assert_true(table_create(&t, 1 + CLI_COUNT(names), 2, "", &e));
    for (size_t i = 0; i < CLI_COUNT(names); i++) table_set(&t, 1 + i, 0, "%s", names[i].name);
    FILE *to = open_memstream(&text, &size);
    assert_true(table_print(&t, TABLE_LATEX, to, &e));
    fclose(to);
    for (size_t i = 0; i < CLI_COUNT(names); i++) assert_non_null(strstr(text, names[i].written));
    free(text);
    table_free(&t);
}

/* ---- Plots ---------------------------------------------------------------------------------- */

/* Names have the same room in any script. */
static void test_a_legend_cuts_names_by_characters(void **state)
{
    /* 24 characters, and 25 */
    char room[] = "\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f234567890abcde";
    char more[] =
        "\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f\u044f234567890abcd\u044f\u044f";
    embedding_info info[] = {{.source = room}, {.source = more}};
    embeddings s = {.info = info, .count = 2};
    const double positions[4] = {0, 0, 1, 1};
    char *text;
    size_t size;
    error e = {0};
    FILE *to = open_memstream(&text, &size);
    assert_true(scatter_svg_write(&s, positions, "", to, &e));
    fclose(to);
    assert_non_null(strstr(text, "\u044f234567890abcde, unlabelled (1)"));
    assert_non_null(strstr(text, "\u044f234567890abcd\u2026, unlabelled (1)"));
    free(text);
}

/* Of this process, in bytes. */
static rlim_t address_space(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void test_a_table_says_when_memory_is_out(void **state)
{
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
    table t;
    error e = {0};
    struct rlimit before, tight;
    FILE *to = fopen("/dev/null", "w");
    assert_true(table_create(&t, 1, 4 << 20, "", &e));
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = address_space() + (1 << 20);
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    bool printed = table_print(&t, TABLE_TEXT, to, &e);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_false(printed);
    assert_int_equal(e.status, STATUS_SYSTEM);
    fclose(to);
    table_free(&t);
}

int main(void)
{
    points_single_threaded_blas();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auc_counts_pairs),
        cmocka_unit_test(test_a_perfect_detector),
        cmocka_unit_test(test_one_class_alone),
        cmocka_unit_test(test_counts_stand_for_copies),
        cmocka_unit_test(test_perceptron_learns),
        cmocka_unit_test(test_neighbours_are_the_nearest),
        cmocka_unit_test(test_neighbours_share_ties),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_an_interval_holds_its_share),
        cmocka_unit_test(test_quadtree_sums_all_pairs),
        cmocka_unit_test(test_tsne_keeps_clusters_apart),
        cmocka_unit_test(test_pca_finds_the_long_axis),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_latex_escapes),
        cmocka_unit_test(test_a_legend_cuts_names_by_characters),
        cmocka_unit_test(test_a_table_says_when_memory_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
