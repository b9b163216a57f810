/* A start for a mixture from a file. */
#include "detect/gmm_start.h"

#include "detect/kmeans.h"
#include "model/safetensors.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct start_reading {
    const tensor_file *file;
    gmm_start *start;
    gmm_covariance covariance;
    const points *p;
    int threads;
} start_reading;

/* Values of a tensor of exactly this many elements; NULL with the error set. */
static double *read_values(const start_reading *r, const char *name, size_t count, error *e)
{
    const tensor *t = tensor_file_find(r->file, name);
    if (!t || (size_t)t->count != count) {
        error_set(e, STATUS_DATA, "%s: '%s' is missing or does not have %zu numbers", r->file->path,
                  name, count);
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

static bool copy_values(const start_reading *r, const char *name, double *out, size_t count,
                        error *e)
{
    double *values = read_values(r, name, count, e);
    if (values) memcpy(out, values, count * sizeof *values);
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

static bool read_precisions(const start_reading *r, error *e)
{
    gmm *m = &r->start->mixture;
    size_t d = m->dimension, size = gmm_covariance_size(m->components, d, r->covariance);
    if (!copy_values(r, "precisions", m->covariances, size, e)) return false;
    if (r->covariance == GMM_DIAGONAL) {
        for (size_t i = 0; i < size; i++) m->covariances[i] = 1 / m->covariances[i];
        return true;
    }
    for (size_t first = 0; first < size; first += d * d)
        if (!invert(m->covariances + first, d, e)) return false;
    return true;
}

static bool read_mixture(const start_reading *r, error *e)
{
    gmm *m = &r->start->mixture;
    size_t k = r->start->components, d = r->p->dimension;
    if (!gmm_create(m, k, d, r->covariance, e) || !copy_values(r, "means", m->means, k * d, e) ||
        !copy_values(r, "weights", m->weights, k, e))
        return false;
    double sum = 0;
    for (size_t c = 0; c < k; c++) sum += m->weights[c] < 0 ? INFINITY : m->weights[c];
    if (!(fabs(sum - 1) < 1e-3))
        return error_set(e, STATUS_DATA, "%s: its weights are no shares that add up to 1",
                         r->file->path);
    bool read = tensor_file_find(r->file, "precisions")
                    ? read_precisions(r, e)
                    : copy_values(r, "covariances", m->covariances,
                                  gmm_covariance_size(k, d, r->covariance), e);
    return read && gmm_prepare(m, r->threads, e);
}

static bool nearest_means(const start_reading *r, error *e)
{
    size_t k = r->start->components, n = r->p->count;
    double *means = read_values(r, "means", k * r->p->dimension, e);
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

static bool read_start(const start_reading *r, error *e)
{
    const tensor *responsibilities = tensor_file_find(r->file, "responsibilities");
    const tensor *means = tensor_file_find(r->file, "means");
    if (responsibilities) {
        size_t n = r->p->count;
        if (responsibilities->rank != 2 || (size_t)responsibilities->shape[0] != n ||
            responsibilities->shape[1] < 1)
            return error_set(e, STATUS_DATA,
                             "%s: responsibilities need a row for each of the %zu faces fitted to",
                             r->file->path, n);
        r->start->components = (size_t)responsibilities->shape[1];
        r->start->responsibilities =
            read_values(r, "responsibilities", n * r->start->components, e);
        return r->start->responsibilities != NULL;
    }
    if (!means || means->rank != 2 || (size_t)means->shape[1] != r->p->dimension ||
        means->shape[0] < 1)
        return error_set(e, STATUS_DATA,
                         "%s: neither responsibilities nor means of the dimension %zu in it",
                         r->file->path, r->p->dimension);
    r->start->components = (size_t)means->shape[0];
    return tensor_file_find(r->file, "weights") ? read_mixture(r, e) : nearest_means(r, e);
}

bool gmm_start_read(gmm_start *s, const char *path, gmm_covariance covariance, const points *p,
                    int threads, error *e)
{
    *s = (gmm_start){0};
    tensor_file *file = safetensors_open(path, e);
    if (!file) return false;
    start_reading r = {file, s, covariance, p, threads};
    bool done = read_start(&r, e) || error_context(e, "--init");
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
