/* Detector files: safetensors in and out. */
#include "detect/detector.h"

#include "cli/memory.h"
#include "cli/quantile.h"
#include "model/safetensors.h"
#include "stream/json.h"
#include "stream/number.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COMPONENT_LIMIT = 10000, ENTRIES = 6, PAIRS = 10 };

/* ---- Writing -------------------------------------------------------------------------------- */

typedef struct file_plan {
    safetensors_entry entries[ENTRIES];
    size_t entry_count;
    safetensors_pair pairs[PAIRS];
    size_t pair_count;
} file_plan;

static void plan_tensor(file_plan *f, const char *name, tensor_type type, int rank,
                        const size_t *shape, const void *data)
{
    safetensors_entry *entry = &f->entries[f->entry_count++];
    *entry = (safetensors_entry){.name = name, .type = type, .rank = rank, .data = data};
    for (int i = 0; i < rank; i++) entry->shape[i] = (int64_t)shape[i];
}

static void plan_pair(file_plan *f, const char *key, const char *value)
{
    f->pairs[f->pair_count++] = (safetensors_pair){key, value};
}

static void plan_mixture(file_plan *f, const gmm *m)
{
    size_t k = m->components, d = m->dimension, full[] = {k, d, d};
    plan_tensor(f, "weights", TENSOR_F64, 1, full, m->weights);
    plan_tensor(f, "means", TENSOR_F64, 2, full, m->means);
    plan_tensor(f, "covariances", TENSOR_F64, m->covariance == GMM_FULL ? 3 : 2,
                m->covariance == GMM_TIED ? full + 1 : full, m->covariances);
    plan_pair(f, "covariance", gmm_covariance_names[m->covariance]);
}

static void plan_network(file_plan *f, const perceptron *p)
{
    size_t first[] = {p->hidden, p->inputs}, second[] = {2, p->hidden ? p->hidden : p->inputs};
    if (p->hidden) {
        plan_tensor(f, "fc1.weight", TENSOR_F32, 2, first, p->weight1);
        plan_tensor(f, "fc1.bias", TENSOR_F32, 1, first, p->bias1);
    }
    plan_tensor(f, "fc2.weight", TENSOR_F32, 2, second, p->weight2);
    plan_tensor(f, "fc2.bias", TENSOR_F32, 1, second, p->bias2);
}

bool detector_write(const detector *d, const cli *c, const msgpack_object *input_header, error *e)
{
    file_plan f = {.entry_count = 0};
    char threshold[NUMBER_TEXT_SIZE], rate[NUMBER_TEXT_SIZE], k[24], *provenance = NULL;
    size_t shape[] = {d->stored.count, d->stored.dimension};
    if (d->kind == DETECTOR_GMM) plan_mixture(&f, &d->mixture);
    if (d->kind == DETECTOR_MLP || d->kind == DETECTOR_LINEAR) plan_network(&f, &d->network);
    if (d->kind == DETECTOR_KNN) {
        plan_tensor(&f, "vectors", TENSOR_F32, 2, shape, d->stored.vectors);
        plan_tensor(&f, "labels", TENSOR_U8, 1, shape, d->stored.labels);
        snprintf(k, sizeof k, "%zu", d->stored.k);
        plan_pair(&f, "k", k);
    }
    if (d->calibration_count)
        plan_tensor(&f, "calibration_scores", TENSOR_F64, 1, &d->calibration_count,
                    d->calibration_scores);
    number_text(d->threshold, threshold);
    number_text(d->false_alarm_rate, rate);
    plan_pair(&f, "blades_kind", detector_kind_names[d->kind]);
    plan_pair(&f, "higher", detector_higher_is_photographic(d) ? "photographic" : "generated");
    plan_pair(&f, "threshold", threshold);
    plan_pair(&f, "calibration", d->calibration ? d->calibration : "none");
    if (!isnan(d->false_alarm_rate)) plan_pair(&f, "false_alarm_rate", rate);
    if (d->model) plan_pair(&f, "model", d->model);
    if (c->provenance && !(provenance = json_provenance(c, input_header, e))) return false;
    if (provenance) plan_pair(&f, "provenance", provenance);
    bool done = safetensors_write(c->output, f.entries, f.entry_count, f.pairs, f.pair_count, e);
    free(provenance);
    return done;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static bool parse_number(const tensor_file *f, const char *key, double *number, error *e)
{
    const char *text = tensor_file_metadata(f, key);
    char *end = NULL;
    if (text) *number = strtod(text, &end);
    if (text && end != text && *end == 0 && isfinite(*number)) return true;
    return error_set(e, STATUS_DATA, "%s: its metadata has no number '%s'", f->path, key);
}

/* The index of a metadata text in a NULL-ended list, or -1 with the error set. */
static int parse_choice(const tensor_file *f, const char *key, const char *const *names, error *e)
{
    const char *text = tensor_file_metadata(f, key);
    for (int i = 0; text && names[i]; i++)
        if (strcmp(text, names[i]) == 0) return i;
    error_set(e, STATUS_DATA, "%s: it is no detector that this version knows (%s: %s)", f->path,
              key, text ? text : "missing");
    return -1;
}

static const tensor *find_tensor(const tensor_file *f, const char *name, int rank,
                                 const int64_t *shape, error *e)
{
    const tensor *t = tensor_file_find(f, name);
    bool fits = t && t->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = shape[i] < 0 ? t->shape[i] > 0 : t->shape[i] == shape[i];
    if (fits) return t;
    error_set(e, STATUS_DATA, "%s: the tensor '%s' is missing or has a wrong shape", f->path, name);
    return NULL;
}

/* Reads a tensor into an array of its size. */
static bool read_doubles(const tensor_file *f, const char *name, int rank, const int64_t *shape,
                         double *out, error *e)
{
    const tensor *t = find_tensor(f, name, rank, shape, e);
    if (!t || !tensor_read_doubles(f, t, out, e)) return false;
    for (int64_t i = 0; i < t->count; i++)
        if (!isfinite(out[i]))
            return error_set(e, STATUS_DATA, "%s: '%s' holds a value that is not finite", f->path,
                             name);
    return true;
}

static bool read_floats(const tensor_file *f, const char *name, int rank, const int64_t *shape,
                        float *out, error *e)
{
    const tensor *t = find_tensor(f, name, rank, shape, e);
    if (!t || !tensor_read_floats(f, t, out, e)) return false;
    for (int64_t i = 0; i < t->count; i++)
        if (!isfinite(out[i]))
            return error_set(e, STATUS_DATA, "%s: '%s' holds a value that is not finite", f->path,
                             name);
    return true;
}

static bool read_mixture(detector *d, const tensor_file *f, int threads, error *e)
{
    int64_t any[] = {-1, -1};
    int covariance = parse_choice(f, "covariance", gmm_covariance_names, e);
    const tensor *means = covariance < 0 ? NULL : find_tensor(f, "means", 2, any, e);
    if (!means) return false;
    int64_t k = means->shape[0], n = means->shape[1], full[] = {k, n, n};
    if (k > COMPONENT_LIMIT || n > DIMENSION_LIMIT)
        return error_set(e, STATUS_DATA, "%s: the mixture is too large", f->path);
    /* Before memory is taken for it: the covariances must really be there. */
    if (!find_tensor(f, "covariances", covariance == GMM_FULL ? 3 : 2,
                     covariance == GMM_TIED ? full + 1 : full, e) ||
        !gmm_create(&d->mixture, (size_t)k, (size_t)n, (gmm_covariance)covariance, e))
        return false;
    gmm *m = &d->mixture;
    if (!read_doubles(f, "weights", 1, full, m->weights, e) ||
        !read_doubles(f, "means", 2, full, m->means, e) ||
        !read_doubles(f, "covariances", covariance == GMM_FULL ? 3 : 2,
                      covariance == GMM_TIED ? full + 1 : full, m->covariances, e))
        return false;
    double sum = 0;
    for (int64_t c = 0; c < k; c++) {
        if (m->weights[c] < 0)
            return error_set(e, STATUS_DATA, "%s: a weight is negative", f->path);
        sum += m->weights[c];
    }
    if (fabs(sum - 1) > 1e-3)
        return error_set(e, STATUS_DATA, "%s: the weights do not add up to 1", f->path);
    return gmm_prepare(m, threads, e) || error_context(e, "%s", f->path);
}

static bool read_network(detector *d, const tensor_file *f, error *e)
{
    int64_t any[] = {-1, -1}, two[] = {2, -1};
    bool hidden = d->kind == DETECTOR_MLP;
    const tensor *t =
        hidden ? find_tensor(f, "fc1.weight", 2, any, e) : find_tensor(f, "fc2.weight", 2, two, e);
    if (!t) return false;
    int64_t first[] = {t->shape[0], t->shape[1]},
            second[] = {2, hidden ? t->shape[0] : t->shape[1]};
    if (first[0] > 16 * DIMENSION_LIMIT || first[1] > DIMENSION_LIMIT)
        return error_set(e, STATUS_DATA, "%s: the network is too large", f->path);
    if (!find_tensor(f, "fc2.weight", 2, second, e)) return false;
    perceptron *p = &d->network;
    return perceptron_create(p, (size_t)first[1], hidden ? (size_t)first[0] : 0, e) &&
           (!hidden || (read_floats(f, "fc1.weight", 2, first, p->weight1, e) &&
                        read_floats(f, "fc1.bias", 1, first, p->bias1, e))) &&
           read_floats(f, "fc2.weight", 2, second, p->weight2, e) &&
           read_floats(f, "fc2.bias", 1, second, p->bias2, e);
}

static bool read_neighbours(detector *d, const tensor_file *f, error *e)
{
    int64_t any[] = {-1, -1};
    double k = 0;
    const tensor *t = find_tensor(f, "vectors", 2, any, e);
    if (!t || !parse_number(f, "k", &k, e)) return false;
    const tensor *l = find_tensor(f, "labels", 1, t->shape, e);
    if (!l) return false;
    if (t->shape[1] > DIMENSION_LIMIT || t->shape[0] > UINT32_MAX || k < 1 || l->type != TENSOR_U8)
        return error_set(e, STATUS_DATA, "%s: its stored faces make no sense", f->path);
    points p = {NULL, NULL, (size_t)t->shape[0], (size_t)t->shape[1]};
    float *vectors = memory_allocate(p.count * p.dimension, sizeof *vectors, e);
    uint8_t *labels = memory_allocate(p.count, 1, e);
    bool done = vectors && labels && read_floats(f, "vectors", 2, t->shape, vectors, e) &&
                tensor_read_bytes(f, l, labels, e);
    for (size_t i = 0; done && i < p.count; i++)
        if (labels[i] > 1)
            done = error_set(e, STATUS_DATA, "%s: a label is neither 0 nor 1", f->path);
    p.value = vectors;
    done = done &&
           neighbours_create(&d->stored, &p, labels, k < (double)p.count ? (size_t)k : p.count, e);
    free(vectors);
    free(labels);
    return done;
}

static bool read_calibration(detector *d, const tensor_file *f, error *e)
{
    int64_t any[] = {-1};
    const char *name = tensor_file_metadata(f, "calibration");
    const char *model = tensor_file_metadata(f, "model");
    d->false_alarm_rate = NAN;
    if (!parse_number(f, "threshold", &d->threshold, e)) return false;
    if (tensor_file_metadata(f, "false_alarm_rate") &&
        !parse_number(f, "false_alarm_rate", &d->false_alarm_rate, e))
        return false;
    d->calibration = d->text = strdup(name ? name : "none");
    if (model) d->model = strdup(model);
    if (!d->text || (model && !d->model)) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (!tensor_file_find(f, "calibration_scores")) return true;
    const tensor *t = find_tensor(f, "calibration_scores", 1, any, e);
    if (!t) return false;
    d->calibration_count = (size_t)t->count;
    d->calibration_scores = memory_allocate(d->calibration_count, sizeof(double), e);
    if (!d->calibration_scores ||
        !read_doubles(f, "calibration_scores", 1, t->shape, d->calibration_scores, e))
        return false;
    sort_ascending(d->calibration_scores, d->calibration_count);
    return true;
}

bool detector_read(detector *d, const char *path, int threads, error *e)
{
    *d = (detector){0};
    tensor_file *f = safetensors_open(path, e);
    if (!f) return false;
    int kind = parse_choice(f, "blades_kind", detector_kind_names, e);
    bool done = kind >= 0;
    d->kind = done ? (detector_kind)kind : DETECTOR_GMM;
    if (done && kind == DETECTOR_GMM) done = read_mixture(d, f, threads, e);
    if (done && kind == DETECTOR_KNN) done = read_neighbours(d, f, e);
    if (done && (kind == DETECTOR_MLP || kind == DETECTOR_LINEAR)) done = read_network(d, f, e);
    done = done && read_calibration(d, f, e);
    tensor_file_close(f);
    if (!done) detector_free(d);
    return done;
}
