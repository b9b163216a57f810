/* Gaussian mixtures: their densities, and the expectation step. */
#include "detect/gmm.h"

#include "cli/memory.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 256, PANEL = 128 }; /* a block of points; columns of the whitened block at a time */
static const double LOG_TWO_PI = 1.8378770664093454836;

const char *const gmm_covariance_names[] = {"full", "diagonal", "tied", NULL};

size_t gmm_covariance_size(size_t components, size_t dimension, gmm_covariance covariance)
{
    if (covariance == GMM_DIAGONAL) return components * dimension;
    return (covariance == GMM_FULL ? components : 1) * dimension * dimension;
}

bool gmm_create(gmm *m, size_t components, size_t dimension, gmm_covariance covariance, error *e)
{
    size_t size = gmm_covariance_size(components, dimension, covariance);
    *m = (gmm){.components = components, .dimension = dimension, .covariance = covariance};
    m->weights = memory_zeroed(components, sizeof *m->weights, e);
    m->means = memory_zeroed(components * dimension, sizeof *m->means, e);
    m->covariances = memory_zeroed(size, sizeof *m->covariances, e);
    m->whiteners = memory_zeroed(size, sizeof *m->whiteners, e);
    m->logs = memory_zeroed(components, sizeof *m->logs, e);
    if (m->weights && m->means && m->covariances && m->whiteners && m->logs) return true;
    gmm_free(m);
    return false;
}

void gmm_free(gmm *m)
{
    free(m->weights);
    free(m->means);
    free(m->covariances);
    free(m->whiteners);
    free(m->logs);
    *m = (gmm){0};
}

static bool prepare_diagonal(gmm *m, error *e)
{
    size_t d = m->dimension;
    for (size_t c = 0; c < m->components; c++) {
        double sum = 0;
        for (size_t j = c * d; j < (c + 1) * d; j++) {
            if (!(m->covariances[j] > 0) || !isfinite(m->covariances[j]))
                return error_set(e, STATUS_DATA,
                                 "component %zu has a variance that is not positive", c + 1);
            m->whiteners[j] = 1 / sqrt(m->covariances[j]);
            sum += log(m->whiteners[j]);
        }
        m->logs[c] = sum;
    }
    return true;
}

bool gmm_prepare(gmm *m, int threads, error *e)
{
    if (m->covariance == GMM_DIAGONAL) return prepare_diagonal(m, e);
    size_t d = m->dimension, matrices = m->covariance == GMM_FULL ? m->components : 1;
    bool bad = false;
#pragma omp parallel for schedule(dynamic) reduction(|| : bad) num_threads(threads)
    for (size_t c = 0; c < matrices; c++) {
        /* The factor is made where the next step keeps the whitener, and inverted out of a copy. */
        double *whitener = m->whiteners + c * d * d;
        double *factor = malloc(d * d * sizeof *factor);
        if (!factor) {
            bad = true;
            continue;
        }
        memcpy(factor, m->covariances + c * d * d, d * d * sizeof *factor);
        if (cholesky_factor(factor, d)) {
            triangle_invert(factor, d, whitener);
            double sum = 0;
            for (size_t j = 0; j < d; j++) sum += log(whitener[j * d + j]);
            m->logs[c] = sum;
        } else {
            m->logs[c] = NAN;
            bad = true;
        }
        free(factor);
    }
    if (bad) return error_set(e, STATUS_DATA, "a covariance is not positive definite");
    for (size_t c = 1; c < m->components && matrices == 1; c++) m->logs[c] = m->logs[0];
    return true;
}

/* squares (rows) = |W (x - mean)|^2, W lower triangular, by column panels of the product. Always of
   ROWS rows, as other numbers of them may be rounded in other ways: a face's density must not
   depend on those beside it. */
static void distances_full(const double *whitener, double *centred, size_t rows, size_t d,
                           double *panel, double *squares)
{
    memset(squares, 0, rows * sizeof *squares);
    memset(centred + rows * d, 0, (ROWS - rows) * d * sizeof *centred);
    for (size_t first = 0; first < d; first += PANEL) {
        size_t width = d - first < PANEL ? d - first : PANEL;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ROWS, (int)width, (int)(first + width),
                    1, centred, (int)d, whitener + first * d, (int)d, 0, panel, PANEL);
        for (size_t i = 0; i < rows; i++) {
            const double *y = panel + i * PANEL;
            double sum = 0;
            for (size_t j = 0; j < width; j++) sum += y[j] * y[j];
            squares[i] += sum;
        }
    }
}

static void distances_diagonal(const double *whitener, const double *centred, size_t rows, size_t d,
                               double *squares)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < d; j++) {
            double y = centred[i * d + j] * whitener[j];
            sum += y * y;
        }
        squares[i] = sum;
    }
}

/* joint (rows, k): log(weight) + log density. */
static void log_joint(const gmm *m, const points *p, size_t first, size_t rows, double *centred,
                      double *panel, double *squares, double *joint)
{
    size_t d = m->dimension, k = m->components;
    for (size_t c = 0; c < k; c++) {
        if (!(m->weights[c] > 0)) {
            for (size_t i = 0; i < rows; i++) joint[i * k + c] = -INFINITY;
            continue;
        }
        points_centred(p, first, rows, m->means + c * d, centred);
        if (m->covariance == GMM_DIAGONAL)
            distances_diagonal(m->whiteners + c * d, centred, rows, d, squares);
        else
            distances_full(m->whiteners + (m->covariance == GMM_FULL ? c * d * d : 0), centred,
                           rows, d, panel, squares);
        double constant = log(m->weights[c]) + m->logs[c] - 0.5 * (double)d * LOG_TWO_PI;
        for (size_t i = 0; i < rows; i++) joint[i * k + c] = constant - 0.5 * squares[i];
    }
}

bool gmm_log_likelihoods(const gmm *m, const points *p, int threads, double *log_likelihood,
                         double *responsibilities, error *e)
{
    size_t k = m->components, d = m->dimension, blocks = (p->count + ROWS - 1) / ROWS;
    size_t each = ROWS * (d + PANEL + 1 + k);
    if (threads < 1) threads = 1;
    if ((size_t)threads > blocks) threads = blocks ? (int)blocks : 1;
    double *buffers = memory_allocate((size_t)threads * each, sizeof *buffers, e);
    if (!buffers) return false;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t b = 0; b < blocks; b++) {
        double *centred = buffers + (size_t)omp_get_thread_num() * each;
        double *panel = centred + ROWS * d, *squares = panel + ROWS * PANEL,
               *joint = squares + ROWS;
        size_t first = b * ROWS, rows = p->count - first < ROWS ? p->count - first : ROWS;
        log_joint(m, p, first, rows, centred, panel, squares, joint);
        for (size_t i = 0; i < rows; i++) {
            double total = log_sum_exp(joint + i * k, k);
            log_likelihood[first + i] = total;
            if (!responsibilities) continue;
            for (size_t c = 0; c < k; c++)
                responsibilities[(first + i) * k + c] = exp(joint[i * k + c] - total);
        }
    }
    free(buffers);
    return true;
}

double gmm_parameter_count(const gmm *m)
{
    double k = (double)m->components, d = (double)m->dimension, covariance = k * d;
    if (m->covariance == GMM_FULL) covariance = k * d * (d + 1) / 2;
    if (m->covariance == GMM_TIED) covariance = d * (d + 1) / 2;
    return covariance + k * d + k - 1;
}

double gmm_bic(const gmm *m, double mean_log_likelihood, size_t n)
{
    return -2 * mean_log_likelihood * (double)n + gmm_parameter_count(m) * log((double)n);
}
