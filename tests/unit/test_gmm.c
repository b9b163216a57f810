/* Gaussian mixtures against a naive implementation, and their behaviour at the edges. */
#include "cli/quantile.h"
#include "cli/random.h"
#include "detect/gmm.h"
#include "detect/kmeans.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 700, D = 5, K = 3 };

static float *clusters(size_t n, size_t d, size_t k)
{
    float *x = malloc(n * d * sizeof *x);
    random_state r = random_keyed(1, "clusters", 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            x[i * d + j] =
                (float)(3 * (double)((i % k) == j) + (0.5 + 0.1 * (double)j) * random_normal(&r) +
                        (j ? 0.4 * x[i * d + j - 1] : 0));
    return x;
}

static gmm_options options(size_t k, gmm_covariance covariance)
{
    return (gmm_options){.components = k,
                         .covariance = covariance,
                         .regularisation = 1e-6,
                         .tolerance = 1e-3,
                         .max_iterations = 100,
                         .starts = 1,
                         .threads = 2,
                         .seed = 3};
}

/* log N(x; mean, covariance) by Gauss elimination. */
static double naive_log_density(const float *x, const double *mean, const double *covariance,
                                size_t d)
{
    double a[D][D + 1], log_determinant = 0, square = 0;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++) a[i][j] = covariance[i * d + j];
        a[i][d] = (double)x[i] - mean[i];
    }
    for (size_t i = 0; i < d; i++) {
        log_determinant += log(a[i][i]);
        for (size_t r = i + 1; r < d; r++) {
            double factor = a[r][i] / a[i][i];
            for (size_t j = i; j <= d; j++) a[r][j] -= factor * a[i][j];
        }
        square += a[i][d] * a[i][d] / a[i][i];
    }
    return -0.5 * ((double)d * log(2 * M_PI) + log_determinant + square);
}

static void full_covariance(const gmm *m, size_t c, double *out)
{
    size_t d = m->dimension;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            out[i * d + j] =
                m->covariance == GMM_DIAGONAL
                    ? (i == j ? m->covariances[c * d + j] : 0)
                    : m->covariances[(m->covariance == GMM_FULL ? c * d * d : 0) + i * d + j];
}

/* Responsibilities of no meaning, whose rows sum to 1; caller frees. */
static double *made_responsibilities(void)
{
    double *r = malloc(N * K * sizeof *r);
    random_state random = random_keyed(2, "responsibilities", 0);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t c = 0; c < K; c++) sum += r[i * K + c] = random_uniform(&random);
        for (size_t c = 0; c < K; c++) r[i * K + c] /= sum;
    }
    return r;
}

/* Weights, means and covariances against naive maximisation. */
static void check_maximised(const gmm *m, const float *x, const double *r)
{
    double covariances[K][D * D] = {{0}}, pooled[D * D] = {0}, actual[D * D];
    for (size_t c = 0; c < K; c++) {
        double count = 0, mean[D] = {0};
        for (size_t i = 0; i < N; i++) {
            count += r[i * K + c];
            for (size_t j = 0; j < D; j++) mean[j] += r[i * K + c] * (double)x[i * D + j];
        }
        for (size_t j = 0; j < D; j++) {
            mean[j] /= count;
            assert_float_equal(mean[j], m->means[c * D + j], 1e-12);
        }
        assert_float_equal(count / N, m->weights[c], 1e-12);
        for (size_t i = 0; i < N; i++)
            for (size_t a = 0; a < D; a++)
                for (size_t b = 0; b < D; b++) {
                    double v = r[i * K + c] * ((double)x[i * D + a] - mean[a]) *
                               ((double)x[i * D + b] - mean[b]);
                    covariances[c][a * D + b] += v / count;
                    pooled[a * D + b] += v / N;
                }
    }
    for (size_t c = 0; c < K; c++) {
        full_covariance(m, c, actual);
        for (size_t a = 0; a < D; a++)
            for (size_t b = 0; b < D; b++) {
                double expected =
                    m->covariance == GMM_TIED ? pooled[a * D + b] : covariances[c][a * D + b];
                if (m->covariance == GMM_DIAGONAL && a != b) expected = 0;
                assert_float_equal(actual[a * D + b], expected + (a == b ? 1e-6 : 0), 1e-11);
            }
    }
}

/* The log-likelihoods l (N) and their mean against naive densities. */
static void check_densities(const gmm *m, const float *x, const double *l, double mean)
{
    double actual[D * D], sum = 0;
    for (size_t i = 0; i < N; i++) {
        double density = 0;
        for (size_t c = 0; c < K; c++) {
            full_covariance(m, c, actual);
            density +=
                m->weights[c] * exp(naive_log_density(x + i * D, m->means + c * D, actual, D));
        }
        assert_float_equal(l[i], log(density), 1e-9);
        sum += l[i];
    }
    assert_float_equal(mean, sum / N, 1e-9);
}

static void check_one_step(gmm_covariance covariance)
{
    error e = {0};
    float *x = clusters(N, D, K);
    points p = {x, NULL, N, D};
    double *r = made_responsibilities(), *l = malloc(N * sizeof *l);
    gmm m;
    gmm_result result;
    gmm_options o = options(K, covariance);
    o.responsibilities = r;
    o.max_iterations = 0;
    assert_true(gmm_fit(&m, &p, &o, &result, &e));
    assert_true(gmm_log_likelihoods(&m, &p, 2, l, NULL, &e));
    assert_int_equal(m.covariance, covariance);
    check_maximised(&m, x, r);
    check_densities(&m, x, l, result.log_likelihood);
    gmm_free(&m);
    free(x), free(r), free(l);
}

static void test_full(void **state)
{
    check_one_step(GMM_FULL);
}
static void test_diagonal(void **state)
{
    check_one_step(GMM_DIAGONAL);
}
static void test_tied(void **state)
{
    check_one_step(GMM_TIED);
}

static void test_threads_change_nothing(void **state)
{
    error e = {0};
    enum { DIMENSION = 300 };
    float *x = clusters(N, DIMENSION, K);
    points p = {x, NULL, N, DIMENSION};
    for (int covariance = 0; covariance < 3; covariance++) {
        gmm a, b;
        gmm_result ra, rb;
        gmm_options o = options(K, (gmm_covariance)covariance);
        o.threads = 1;
        o.max_iterations = 3;
        assert_true(gmm_fit(&a, &p, &o, &ra, &e));
        o.threads = 3;
        assert_true(gmm_fit(&b, &p, &o, &rb, &e));
        size_t size = gmm_covariance_size(K, DIMENSION, (gmm_covariance)covariance);
        assert_memory_equal(a.covariances, b.covariances, size * sizeof(double));
        assert_memory_equal(a.means, b.means, K * DIMENSION * sizeof(double));
        assert_true(ra.log_likelihood == rb.log_likelihood);
        gmm_free(&a);
        gmm_free(&b);
    }
    free(x);
}

static void test_finds_clusters(void **state)
{
    error e = {0};
    float *x = clusters(N, D, K);
    points p = {x, NULL, N, D};
    gmm m;
    gmm_result result;
    double best_bic = INFINITY;
    size_t best = 0;
    for (size_t k = 1; k <= 5; k++) {
        gmm_options o = options(k, GMM_FULL);
        o.starts = 3;
        assert_true(gmm_fit(&m, &p, &o, &result, &e));
        assert_true(result.converged);
        double bic = gmm_bic(&m, result.log_likelihood, N);
        if (bic < best_bic) {
            best_bic = bic;
            best = k;
        }
        gmm_free(&m);
    }
    assert_int_equal(best, K);
    assert_float_equal(gmm_parameter_count(&(gmm){.components = 2, .dimension = 3}), 19, 0);
    free(x);
}

static void test_few_points(void **state)
{
    error e = {0};
    float x[6 * 40];
    random_state r = random_keyed(5, "few", 0);
    for (size_t i = 0; i < 6 * 40; i++) x[i] = (float)random_normal(&r);
    memcpy(x + 40, x, 40 * sizeof *x); /* a duplicate */
    points p = {x, NULL, 6, 40};
    gmm m;
    gmm_result result;
    gmm_options o = options(7, GMM_FULL);
    assert_false(gmm_fit(&m, &p, &o, &result, &e));
    assert_int_equal(e.status, STATUS_DATA);
    for (int covariance = 0; covariance < 3; covariance++) {
        error none = {0};
        o = options(6, (gmm_covariance)covariance);
        assert_true(gmm_fit(&m, &p, &o, &result, &none));
        assert_true(isfinite(result.log_likelihood));
        gmm_free(&m);
    }
}

static void test_empty_component_is_reseeded(void **state)
{
    error e = {0};
    float *x = clusters(N, D, 2);
    points p = {x, NULL, N, D};
    double *r = calloc(N * 3, sizeof *r);
    for (size_t i = 0; i < N; i++) r[i * 3 + i % 2] = 1; /* the third has nothing */
    gmm m;
    gmm_result result;
    gmm_options o = options(3, GMM_FULL);
    o.responsibilities = r;
    assert_true(gmm_fit(&m, &p, &o, &result, &e));
    assert_true(result.reseeded > 0);
    for (size_t c = 0; c < 3; c++) assert_true(m.weights[c] > 1.0 / N);
    gmm_free(&m);
    free(x), free(r);
}

static void test_collapsed_covariance_is_mended(void **state)
{
    error e = {0};
    float x[8 * 2] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7}; /* on a line */
    points p = {x, NULL, 8, 2};
    gmm m;
    gmm_result result;
    gmm_options o = options(1, GMM_FULL);
    o.regularisation = 0;
    assert_true(gmm_fit(&m, &p, &o, &result, &e));
    assert_true(result.mended > 0);
    gmm_free(&m);
}

/* The covariance of one component, shrunk, by hand: entries off the diagonal shrink by the share,
   the trace stays. */
static void check_shrinkage(double shrinkage, double expected, gmm_covariance covariance)
{
    error e = {0};
    enum { COUNT = 30 };
    float *x = clusters(COUNT, D, K);
    points p = {x, NULL, COUNT, D};
    gmm plain, shrunk;
    gmm_result result;
    gmm_options o = options(1, covariance);
    o.regularisation = 0;
    assert_true(gmm_fit(&plain, &p, &o, &result, &e));
    assert_float_equal(result.most_shrinkage, 0, 0);
    o.shrinkage = shrinkage;
    assert_true(gmm_fit(&shrunk, &p, &o, &result, &e));
    double trace = 0, squares = 0;
    for (size_t i = 0; i < D * D; i++) squares += plain.covariances[i] * plain.covariances[i];
    for (size_t i = 0; i < D; i++) trace += plain.covariances[i * D + i];
    if (isnan(expected))
        expected = (squares + trace * trace) / ((COUNT + 1) * (squares - trace * trace / D));
    assert_true(expected > 0 && expected < 1);
    assert_float_equal(result.least_shrinkage, expected, 1e-12);
    assert_float_equal(result.most_shrinkage, expected, 1e-12);
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++)
            assert_float_equal(shrunk.covariances[i * D + j],
                               (1 - expected) * plain.covariances[i * D + j] +
                                   (i == j ? expected * trace / D : 0),
                               1e-12);
    gmm_free(&plain);
    gmm_free(&shrunk);
    free(x);
}

static void test_shrinkage(void **state)
{
    check_shrinkage(0.3, 0.3, GMM_FULL);
    check_shrinkage(0.3, 0.3, GMM_TIED);
    check_shrinkage(GMM_SHRINKAGE_OAS, NAN, GMM_FULL);
    check_shrinkage(GMM_SHRINKAGE_OAS, NAN, GMM_TIED);
}

static void test_cholesky_blocks(void **state)
{
    enum { SIZE = 150 };
    double *a = calloc(SIZE * SIZE, sizeof *a), *l = malloc(SIZE * SIZE * sizeof *l);
    double *inverse = malloc(SIZE * SIZE * sizeof *inverse);
    random_state r = random_keyed(9, "cholesky", 0);
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j <= i; j++) a[i * SIZE + j] = i == j ? SIZE : random_normal(&r);
    memcpy(l, a, SIZE * SIZE * sizeof *l);
    assert_true(cholesky_factor(l, SIZE));
    triangle_invert(l, SIZE, inverse);
    for (size_t i = 0; i < SIZE; i++)
        for (size_t j = 0; j <= i; j++) {
            double product = 0, unit = 0;
            for (size_t k = 0; k <= j; k++) product += l[i * SIZE + k] * l[j * SIZE + k];
            for (size_t k = 0; k < SIZE; k++) unit += l[i * SIZE + k] * inverse[k * SIZE + j];
            assert_float_equal(product, a[i * SIZE + j], 1e-9);
            assert_float_equal(unit, i == j, 1e-9);
        }
    a[0] = -1;
    assert_false(cholesky_factor(a, SIZE));
    free(a), free(l), free(inverse);
}

static void test_kmeans(void **state)
{
    error e = {0};
    enum { COUNT = 90 };
    float x[COUNT * 2];
    random_state r = random_keyed(4, "kmeans test", 0);
    for (size_t i = 0; i < COUNT; i++) {
        x[2 * i] = (float)(10.0 * (double)(i % 3) + 0.1 * random_normal(&r));
        x[2 * i + 1] = (float)(0.1 * random_normal(&r));
    }
    points p = {x, NULL, COUNT, 2};
    uint32_t labels[COUNT];
    double centres[6], distances[COUNT];
    for (uint64_t start = 0; start < 5; start++) {
        assert_true(kmeans_fit(&p, 3, 1, start, 2, labels, centres, &e));
        kmeans_assign(&p, 3, centres, 1, labels, distances);
        for (size_t i = 0; i < COUNT; i++) {
            assert_int_equal(labels[i], labels[i % 3]);
            assert_true(distances[i] < 1);
        }
    }
    float same[8] = {1, 2, 1, 2, 1, 2, 1, 2};
    p = (points){same, NULL, 4, 2};
    assert_true(kmeans_fit(&p, 3, 1, 0, 1, labels, centres, &e));
}

static void test_quantiles(void **state)
{
    double x[] = {5, 1, 4, 2, 3};
    sort_ascending(x, 5);
    assert_float_equal(quantile_sorted(x, 5, 0), 1, 0);
    assert_float_equal(quantile_sorted(x, 5, 0.05), 1.2, 1e-12);
    assert_float_equal(quantile_sorted(x, 5, 1), 5, 0);
    assert_float_equal(quantile_sorted(x, 1, 0.05), 1, 0);
    double infinite[] = {-INFINITY, -INFINITY};
    assert_true(log_sum_exp(infinite, 2) == -INFINITY);
}

int main(void)
{
    points_single_threaded_blas();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_diagonal),
        cmocka_unit_test(test_tied),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_finds_clusters),
        cmocka_unit_test(test_few_points),
        cmocka_unit_test(test_empty_component_is_reseeded),
        cmocka_unit_test(test_collapsed_covariance_is_mended),
        cmocka_unit_test(test_shrinkage),
        cmocka_unit_test(test_cholesky_blocks),
        cmocka_unit_test(test_kmeans),
        cmocka_unit_test(test_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
