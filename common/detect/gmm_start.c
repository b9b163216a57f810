/* A start for a mixture from a file. */
#include "detect/gmm_start.h"

#include "cli/memory.h"
#include "cli/plural.h"
#include "detect/kmeans.h"
#include "model/safetensors.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct start_reading {
    const tensor_file *file;
    gmm_start *start;
    gmm_covariance covariance;
    const points *p;
    int threads;
} start_reading;

typedef struct tensor_size {
    int rank;
    size_t side[3];
} tensor_size;

static size_t size_count(tensor_size size)
{
    size_t count = 1;
    for (int i = 0; i < size.rank; i++) count *= size.side[i];
    return count;
}

static bool has_size(const tensor *t, tensor_size size)
{
    bool same = t->rank == size.rank;
    for (int i = 0; same && i < size.rank; i++) same = (size_t)t->shape[i] == size.side[i];
    return same;
}

/* Values of a tensor of exactly this size; NULL with the error set. */
static double *read_values(const start_reading *r, const char *name, tensor_size size, error *e)
{
    const tensor *t = tensor_file_find(r->file, name);
    size_t count = size_count(size);
    if (!t || !has_size(t, size)) {
        char sides[80] = "";
        for (int i = 0, used = 0; i < size.rank; i++)
            used += snprintf(sides + used, sizeof sides - (size_t)used, "%s%zu", i ? " x " : "",
                             size.side[i]);
        error_set(e, STATUS_DATA, "%s: '%s' is missing or has not %s numbers", r->file->path, name,
                  sides);
        return NULL;
    }
    double *values = memory_allocate(count, sizeof *values, e);
    if (values && !tensor_read_doubles(r->file, t, values, e)) {
        free(values);
        return NULL;
    }
    for (size_t i = 0; values && i < count; i++)
        if (!isfinite(values[i])) {
            error_set(e, STATUS_DATA, "%s: '%s' holds a value that is not finite", r->file->path,
                      name);
            free(values);
            return NULL;
        }
    return values;
}

static bool copy_values(const start_reading *r, const char *name, double *out, tensor_size size,
                        error *e)
{
    double *values = read_values(r, name, size, e);
    if (values) memcpy(out, values, size_count(size) * sizeof *values);
    free(values);
    return values != NULL;
}

/* Replaces a symmetric positive definite matrix by its inverse. */
static bool invert(double *a, size_t n, error *e)
{
    double *inverse = memory_allocate(n * n, sizeof *inverse, e);
    if (!inverse) return false;
    bool good = cholesky_factor(a, n);
    if (good) {
        triangle_invert(a, n, inverse);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)n, (int)n, 1, inverse,
                    (int)n, inverse, (int)n, 0, a, (int)n);
    }
    free(inverse);
    return good || error_set(e, STATUS_DATA, "a precision is not positive definite");
}

static tensor_size covariance_size(const start_reading *r)
{
    size_t k = r->start->components, d = r->p->dimension;
    if (r->covariance == GMM_FULL) return (tensor_size){3, {k, d, d}};
    return (tensor_size){2, {r->covariance == GMM_DIAGONAL ? k : d, d}};
}

static bool read_precisions(const start_reading *r, error *e)
{
    gmm *m = &r->start->mixture;
    size_t d = m->dimension, size = gmm_covariance_size(m->components, d, r->covariance);
    if (!copy_values(r, "precisions", m->covariances, covariance_size(r), e)) return false;
    if (r->covariance == GMM_DIAGONAL) {
        for (size_t i = 0; i < size; i++) m->covariances[i] = 1 / m->covariances[i];
        return true;
    }
    for (size_t first = 0; first < size; first += d * d)
        if (!invert(m->covariances + first, d, e)) return error_context(e, "%s", r->file->path);
    return true;
}

static bool read_mixture(const start_reading *r, error *e)
{
    gmm *m = &r->start->mixture;
    size_t k = r->start->components, d = r->p->dimension;
    if (!gmm_create(m, k, d, r->covariance, e) ||
        !copy_values(r, "means", m->means, (tensor_size){2, {k, d}}, e) ||
        !copy_values(r, "weights", m->weights, (tensor_size){1, {k}}, e))
        return false;
    double sum = 0;
    for (size_t c = 0; c < k; c++) sum += m->weights[c] < 0 ? INFINITY : m->weights[c];
    if (!(fabs(sum - 1) < 1e-3))
        return error_set(e, STATUS_DATA, "%s: its weights are no shares that add up to 1",
                         r->file->path);
    bool read = tensor_file_find(r->file, "precisions")
                    ? read_precisions(r, e)
                    : copy_values(r, "covariances", m->covariances, covariance_size(r), e);
    if (!read) return false;
    return gmm_prepare(m, r->threads, e) || error_context(e, "%s", r->file->path);
}

static bool nearest_means(const start_reading *r, error *e)
{
    size_t k = r->start->components, n = r->p->count;
    double *means = read_values(r, "means", (tensor_size){2, {k, r->p->dimension}}, e);
    uint32_t *labels = means ? memory_zeroed(n, sizeof *labels, e) : NULL;
    r->start->responsibilities = labels ? memory_zeroed(n * k, sizeof(double), e) : NULL;
    if (r->start->responsibilities) {
        kmeans_assign(r->p, k, means, r->threads, labels, NULL);
        for (size_t i = 0; i < n; i++) r->start->responsibilities[i * k + labels[i]] = 1;
    }
    free(means);
    free(labels);
    return r->start->responsibilities != NULL;
}

/* Each point's responsibilities are shares that add up to 1. */
static bool check_shares(const start_reading *r, size_t n, size_t k, error *e)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t c = 0; c < k; c++) {
            double share = r->start->responsibilities[i * k + c];
            sum += share < 0 ? INFINITY : share;
        }
        if (!(fabs(sum - 1) < 1e-3))
            return error_set(e, STATUS_DATA,
                             "%s: row %zu of the responsibilities is no shares that add up to 1",
                             r->file->path, i + 1);
    }
    return true;
}

static bool check_model(const start_reading *r, const char *model, error *e)
{
    const char *own = tensor_file_metadata(r->file, "model");
    if (!own || !model || strcmp(own, model) == 0) return true;
    return error_set(e, STATUS_DATA, "%s: made for embeddings of the model %s, not of %s",
                     r->file->path, own, model);
}

static bool read_start(const start_reading *r, error *e)
{
    const tensor *responsibilities = tensor_file_find(r->file, "responsibilities");
    const tensor *means = tensor_file_find(r->file, "means");
    if (responsibilities) {
        size_t n = r->p->count;
        if (responsibilities->rank != 2 || (size_t)responsibilities->shape[0] != n ||
            responsibilities->shape[1] < 1)
            return error_set(e, STATUS_DATA,
                             "%s: responsibilities need %zu row%s, one for each face fitted to",
                             r->file->path, n, plural(n));
        r->start->components = (size_t)responsibilities->shape[1];
        size_t k = r->start->components;
        r->start->responsibilities =
            read_values(r, "responsibilities", (tensor_size){2, {n, k}}, e);
        return r->start->responsibilities && check_shares(r, n, k, e);
    }
    if (!means || means->rank != 2 || (size_t)means->shape[1] != r->p->dimension ||
        means->shape[0] < 1)
        return error_set(e, STATUS_DATA,
                         "%s: neither responsibilities nor means of the dimension %zu in it",
                         r->file->path, r->p->dimension);
    r->start->components = (size_t)means->shape[0];
    return tensor_file_find(r->file, "weights") ? read_mixture(r, e) : nearest_means(r, e);
}

bool gmm_start_read(gmm_start *s, const char *path, const char *model, gmm_covariance covariance,
                    const points *p, int threads, error *e)
{
    *s = (gmm_start){0};
    tensor_file *file = safetensors_open(path, e);
    if (!file) return false;
    start_reading r = {file, s, covariance, p, threads};
    bool done = (check_model(&r, model, e) && read_start(&r, e)) || error_context(e, "--init");
    tensor_file_close(file);
    if (!done) gmm_start_free(s);
    return done;
}

void gmm_start_free(gmm_start *s)
{
    gmm_free(&s->mixture);
    free(s->responsibilities);
    *s = (gmm_start){0};
}
