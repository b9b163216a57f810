/* Fitting Gaussian mixtures: starts, the maximisation step, and what to do with components that
 * collapse. */
#include "detect/gmm.h"

#include "cli/memory.h"
#include "detect/kmeans.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A component that holds less than half a point explains nothing any more. */
static const double EMPTY_COUNT = 0.5;
enum { RESEEDS_PER_COMPONENT = 3, MENDING_STEPS = 12 };

typedef struct fit {
    gmm *m;
    const points *p;
    const gmm_options *o;
    gmm_result *result;
    double *responsibilities; /* (n, k) */
    double *log_likelihoods;  /* (n) */
    double *counts;           /* (k): sum of responsibilities */
    double *shrinkages;       /* (k): of the covariances, as last updated */
    double *tied;             /* tied: scatter about the overall mean, lower triangle; else NULL */
    double *overall;          /* (d): the overall mean */
} fit;

static void say(const fit *f, bool iteration, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(const fit *f, bool iteration, const char *format, ...)
{
    char text[200];
    va_list arguments;
    if (!f->o->say) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    f->o->say(f->o->context, iteration, text);
}

/* counts, weights and means from responsibilities; as scikit-learn, 10 epsilon is added to the
 * counts. */
static void update_means(fit *f)
{
    size_t n = f->p->count, k = f->m->components, d = f->m->dimension;
    double total = 0;
#pragma omp parallel for schedule(dynamic) num_threads(f->o->threads)
    for (size_t c = 0; c < k; c++) {
        double *mean = f->m->means + c * d, count = 0;
        memset(mean, 0, d * sizeof *mean);
        for (size_t i = 0; i < n; i++) {
            double r = f->responsibilities[i * k + c];
            if (r == 0) continue;
            count += r;
            const float *row = points_row(f->p, i);
            for (size_t j = 0; j < d; j++) mean[j] += r * (double)row[j];
        }
        f->counts[c] = count += 10 * DBL_EPSILON;
        for (size_t j = 0; j < d; j++) mean[j] /= count;
    }
    for (size_t c = 0; c < k; c++) total += f->counts[c];
    for (size_t c = 0; c < k; c++) f->m->weights[c] = f->counts[c] / total;
}

/* The share of a sample covariance (d, d) of n points by the oracle approximating formula. */
static double oracle_shrinkage(const double *covariance, size_t d, double n)
{
    double trace = 0, square = 0, size = (double)d;
    for (size_t i = 0; i < d; i++) {
        trace += covariance[i * d + i];
        for (size_t j = 0; j < d; j++) square += covariance[i * d + j] * covariance[i * d + j];
    }
    double mean = trace / size, mean_square = square / (size * size);
    double above = mean_square + mean * mean, below = (n + 1) * (mean_square - mean * mean / size);
    return below > above ? above / below : 1;
}

/* Divides the lower triangle by count, mirrors it, shrinks it, adds the regularisation to the
   diagonal. The share it was shrunk by. */
static double finish_covariance(double *covariance, size_t d, double count, const gmm_options *o)
{
    double share = o->shrinkage, mean = 0;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j <= i; j++)
            covariance[j * d + i] = covariance[i * d + j] = covariance[i * d + j] / count;
        mean += covariance[i * d + i] / (double)d;
    }
    if (share == GMM_SHRINKAGE_OAS) share = oracle_shrinkage(covariance, d, count);
    for (size_t i = 0; share > 0 && i < d * d; i++) covariance[i] *= 1 - share;
    for (size_t i = 0; i < d; i++) covariance[i * d + i] += share * mean + o->regularisation;
    return share;
}

static bool update_full(fit *f, error *e)
{
    size_t k = f->m->components, d = f->m->dimension, tiles = scatter_tiles(d);
    double *buffers = memory_allocate((size_t)f->o->threads * SCATTER_BUFFER, sizeof *buffers, e);
    if (!buffers) return false;
#pragma omp parallel for schedule(dynamic) num_threads(f->o->threads)
    for (size_t t = 0; t < k * tiles; t++) {
        size_t c = t / tiles;
        scatter_tile(f->p, f->responsibilities + c, k, f->m->means + c * d, t % tiles,
                     f->m->covariances + c * d * d,
                     buffers + (size_t)omp_get_thread_num() * SCATTER_BUFFER);
    }
    free(buffers);
#pragma omp parallel for schedule(dynamic) num_threads(f->o->threads)
    for (size_t c = 0; c < k; c++)
        f->shrinkages[c] = finish_covariance(f->m->covariances + c * d * d, d, f->counts[c], f->o);
    return true;
}

static void update_diagonal(fit *f)
{
    size_t n = f->p->count, k = f->m->components, d = f->m->dimension;
#pragma omp parallel for schedule(dynamic) num_threads(f->o->threads)
    for (size_t c = 0; c < k; c++) {
        double *variance = f->m->covariances + c * d;
        const double *mean = f->m->means + c * d;
        memset(variance, 0, d * sizeof *variance);
        for (size_t i = 0; i < n; i++) {
            double r = f->responsibilities[i * k + c];
            if (r == 0) continue;
            const float *row = points_row(f->p, i);
            for (size_t j = 0; j < d; j++) {
                double difference = (double)row[j] - mean[j];
                variance[j] += r * difference * difference;
            }
        }
        for (size_t j = 0; j < d; j++)
            variance[j] = variance[j] / f->counts[c] + f->o->regularisation;
    }
}

/* The pooled scatter about the components' means is the scatter about the overall mean less that of
   the means, since every point's responsibilities add up to one. */
static void update_tied(fit *f)
{
    size_t k = f->m->components, d = f->m->dimension;
    double *covariance = f->m->covariances, total = 0;
    for (size_t c = 0; c < k; c++) total += f->counts[c];
#pragma omp parallel for schedule(dynamic, 16) num_threads(f->o->threads)
    for (size_t i = 0; i < d; i++) {
        memcpy(covariance + i * d, f->tied + i * d, (i + 1) * sizeof *covariance);
        for (size_t c = 0; c < k; c++) {
            const double *mean = f->m->means + c * d;
            double scale = f->counts[c] * (mean[i] - f->overall[i]);
            for (size_t j = 0; j <= i; j++)
                covariance[i * d + j] -= scale * (mean[j] - f->overall[j]);
        }
    }
    double share = finish_covariance(covariance, d, total, f->o);
    for (size_t c = 0; c < k; c++) f->shrinkages[c] = share;
}

/* Adds to the diagonals of the covariances that cannot be factored, ten times more each time. */
static bool prepare_mended(fit *f, error *e)
{
    gmm *m = f->m;
    double extra = f->o->regularisation > 0 ? f->o->regularisation : 1e-12;
    for (int step = 0; step < MENDING_STEPS; step++, extra *= 10) {
        error unfit = {0};
        if (gmm_prepare(m, f->o->threads, &unfit)) return true;
        if (unfit.status != STATUS_DATA) return error_set(e, unfit.status, "%s", unfit.text);
        size_t d = m->dimension, matrices = m->covariance == GMM_FULL ? m->components : 1;
        f->result->mended++;
        if (m->covariance == GMM_DIAGONAL) {
            for (size_t j = 0; j < m->components * d; j++)
                if (!(m->covariances[j] > 0)) m->covariances[j] = extra;
            say(f, false, "a variance collapsed: raised to %g", extra);
            continue;
        }
        for (size_t c = 0; c < matrices; c++) {
            if (isfinite(m->logs[c])) continue;
            for (size_t j = 0; j < d; j++) m->covariances[c * d * d + j * (d + 1)] += extra;
            say(f, false, "the covariance of component %zu collapsed: regularised by another %g",
                c + 1, extra);
        }
    }
    return error_set(
        e, STATUS_DATA,
        "the covariances cannot be factored: raise --regularisation, or are the values "
        "of the embeddings finite and of a sensible size?");
}

static bool maximise(fit *f, error *e)
{
    update_means(f);
    if (f->m->covariance == GMM_DIAGONAL) update_diagonal(f);
    if (f->m->covariance == GMM_TIED) update_tied(f);
    if (f->m->covariance == GMM_FULL && !update_full(f, e)) return false;
    return prepare_mended(f, e);
}

static bool expect(fit *f, double *mean, error *e)
{
    size_t n = f->p->count;
    if (!gmm_log_likelihoods(f->m, f->p, f->o->threads, f->log_likelihoods, f->responsibilities, e))
        return false;
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += f->log_likelihoods[i];
    *mean = sum / (double)n;
    if (!isfinite(*mean))
        return error_set(e, STATUS_INTERNAL, "the log-likelihood is no longer finite");
    return true;
}

/* Gives a component that lost its points the n/k least likely ones. True when any was. */
static bool reseed_empty(fit *f, int *budget)
{
    size_t n = f->p->count, k = f->m->components;
    bool any = false;
    for (size_t c = 0; c < k; c++) {
        double count = 0;
        for (size_t i = 0; i < n; i++) count += f->responsibilities[i * k + c];
        if (count >= EMPTY_COUNT || *budget == 0) continue;
        (*budget)--;
        f->result->reseeded++;
        any = true;
        say(f, false, "component %zu lost its points: re-seeded on the least likely ones", c + 1);
        for (size_t taken = 0; taken < (n + k - 1) / k; taken++) {
            size_t least = 0;
            for (size_t i = 1; i < n; i++)
                if (f->log_likelihoods[i] < f->log_likelihoods[least]) least = i;
            f->log_likelihoods[least] = INFINITY;
            for (size_t other = 0; other < k; other++)
                f->responsibilities[least * k + other] = other == c ? 1 : 0;
        }
    }
    return any;
}

static bool start_from_kmeans(fit *f, int start, error *e)
{
    size_t n = f->p->count, k = f->m->components;
    uint32_t *labels = memory_allocate(n, sizeof *labels, e);
    bool done = labels && kmeans_fit(f->p, k, f->o->seed, (uint64_t)start, f->o->threads, labels,
                                     f->m->means, e);
    if (done) {
        memset(f->responsibilities, 0, n * k * sizeof *f->responsibilities);
        for (size_t i = 0; i < n; i++) f->responsibilities[i * k + labels[i]] = 1;
    }
    free(labels);
    return done && maximise(f, e);
}

static void copy_mixture(gmm *to, const gmm *from)
{
    size_t k = from->components, d = from->dimension;
    size_t size = gmm_covariance_size(k, d, from->covariance) * sizeof(double);
    memcpy(to->weights, from->weights, k * sizeof(double));
    memcpy(to->means, from->means, k * d * sizeof(double));
    memcpy(to->covariances, from->covariances, size);
    memcpy(to->whiteners, from->whiteners, size);
    memcpy(to->logs, from->logs, k * sizeof(double));
}

static bool begin(fit *f, int start, error *e)
{
    if (f->o->initial) {
        copy_mixture(f->m, f->o->initial);
        return true;
    }
    if (!f->o->responsibilities) return start_from_kmeans(f, start, e);
    memcpy(f->responsibilities, f->o->responsibilities,
           f->p->count * f->m->components * sizeof(double));
    return maximise(f, e);
}

static bool fit_once(fit *f, int start, error *e)
{
    if (!begin(f, start, e)) return false;
    double before = -INFINITY, now = 0;
    int budget = RESEEDS_PER_COMPONENT * (int)f->m->components;
    f->result->converged = false;
    f->result->iterations = 0;
    for (int iteration = 1; iteration <= f->o->max_iterations; iteration++) {
        if (!expect(f, &now, e)) return false;
        bool moved = reseed_empty(f, &budget);
        if (!maximise(f, e)) return false;
        f->result->iterations = iteration;
        say(f, true, "start %d, iteration %d: mean log-likelihood %.6f", start + 1, iteration, now);
        if (!moved && fabs(now - before) < f->o->tolerance) {
            f->result->converged = true;
            break;
        }
        before = moved ? -INFINITY : now;
    }
    if (f->o->max_iterations == 0 && !expect(f, &now, e)) return false;
    f->result->log_likelihood = now;
    f->result->start = start;
    f->result->least_shrinkage = f->result->most_shrinkage = f->shrinkages[0];
    for (size_t c = 1; c < f->m->components; c++) {
        f->result->least_shrinkage = fmin(f->result->least_shrinkage, f->shrinkages[c]);
        f->result->most_shrinkage = fmax(f->result->most_shrinkage, f->shrinkages[c]);
    }
    return true;
}

static bool allocate(fit *f, error *e)
{
    size_t n = f->p->count, k = f->o->components, d = f->p->dimension;
    f->responsibilities = memory_allocate(n * k, sizeof(double), e);
    f->log_likelihoods = memory_allocate(n, sizeof(double), e);
    f->counts = memory_zeroed(k, sizeof(double), e);
    f->shrinkages = memory_zeroed(k, sizeof(double), e);
    f->overall = memory_zeroed(d, sizeof(double), e);
    if (!f->responsibilities || !f->log_likelihoods || !f->counts || !f->shrinkages || !f->overall)
        return false;
    if (f->o->covariance != GMM_TIED) return true;
    points_mean(f->p, f->overall);
    f->tied = memory_zeroed(d * d, sizeof(double), e);
    return f->tied && points_scatter(f->p, NULL, 1, f->overall, f->tied, f->o->threads, e);
}

static bool fit_starts(fit *f, gmm *m, int starts, gmm_result *best, error *e)
{
    gmm candidate = {0};
    bool done =
        starts == 1 || gmm_create(&candidate, m->components, m->dimension, m->covariance, e);
    for (int start = 0; done && start < starts; start++) {
        gmm_result result = {0};
        f->m = start == 0 ? m : &candidate;
        /* cppcheck-suppress autoVariables ; for fit_once alone */
        f->result = &result;
        done = fit_once(f, start, e);
        if (!done || (start > 0 && result.log_likelihood <= best->log_likelihood)) continue;
        *best = result;
        if (start > 0) copy_mixture(m, &candidate);
    }
    gmm_free(&candidate);
    return done;
}

bool gmm_fit(gmm *m, const points *p, const gmm_options *o, gmm_result *result, error *e)
{
    fit f = {.p = p, .o = o};
    if (o->components == 0 || o->components > p->count)
        return error_set(e, STATUS_DATA, "%zu points are too few for %zu components", p->count,
                         o->components);
    if (!gmm_create(m, o->components, p->dimension, o->covariance, e)) return false;
    int starts = o->initial || o->responsibilities || o->starts < 1 ? 1 : o->starts;
    bool done = allocate(&f, e) && fit_starts(&f, m, starts, result, e);
    free(f.responsibilities);
    free(f.log_likelihoods);
    free(f.counts);
    free(f.shrinkages);
    free(f.tied);
    free(f.overall);
    if (!done) gmm_free(m);
    return done;
}
