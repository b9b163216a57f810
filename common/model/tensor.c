/* Element types and their conversion, and what the readers of weight files have in common. */
#include "model/tensor.h"

#include "cli/memory.h"
#include "model/pytorch.h"
#include "model/safetensors.h"
#include "nn/bf16.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[TENSOR_TYPES] = {
    [TENSOR_F64] = {"F64", 8},   [TENSOR_F32] = {"F32", 4}, [TENSOR_F16] = {"F16", 2},
    [TENSOR_BF16] = {"BF16", 2}, [TENSOR_I64] = {"I64", 8}, [TENSOR_I32] = {"I32", 4},
    [TENSOR_I16] = {"I16", 2},   [TENSOR_I8] = {"I8", 1},   [TENSOR_U8] = {"U8", 1},
    [TENSOR_BOOL] = {"BOOL", 1},
};

const char *tensor_type_name(tensor_type type)
{
    return types[type].name;
}

size_t tensor_type_size(tensor_type type)
{
    return types[type].size;
}

tensor_type tensor_type_named(const char *name)
{
    int type = 0;
    while (type < TENSOR_TYPES && strcmp(types[type].name, name) != 0) type++;
    return (tensor_type)type;
}

float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             mantissa = half & 1023;
    if (exponent == 0) {
        float value = ldexpf((float)mantissa, -24);
        return sign ? -value : value;
    }
    uint32_t bits = exponent == 31 ? sign | 0x7f800000 | mantissa << 13
                                   : sign | (exponent + 112) << 23 | mantissa << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t tensor_shape_count(int rank, const int64_t *shape)
{
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return -1;
        if (shape[i] == 0) {
            empty = true;
        } else if (__builtin_mul_overflow(count, shape[i], &count) || count > INT64_MAX / 16) {
            return -1;
        }
    }
    return empty ? 0 : count;
}

char *tensor_shape_text(char text[128], int rank, const int64_t *shape)
{
    size_t used = 0;
    strcpy(text, "scalar");
    for (int i = 0; i < rank && used < 100; i++) {
        const char *times = i ? "x" : "";
        int size = shape[i] < 0 ? snprintf(text + used, 128 - used, "%sany", times)
                                : snprintf(text + used, 128 - used, "%s%" PRId64, times, shape[i]);
        used += (size_t)size;
    }
    return text;
}

static int tensor_compare(const void *a, const void *b)
{
    return strcmp(((const tensor *)a)->name, ((const tensor *)b)->name);
}

static int pair_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool tensor_file_sort(tensor_file *f, error *e)
{
    if (f->count) qsort(f->tensors, f->count, sizeof *f->tensors, tensor_compare);
    if (f->metadata_count)
        qsort(f->metadata, f->metadata_count, 2 * sizeof *f->metadata, pair_compare);
    for (size_t i = 1; i < f->count; i++) {
        if (strcmp(f->tensors[i - 1].name, f->tensors[i].name) == 0) {
            return error_set(e, STATUS_DATA, "%s: tensor '%.200s' appears twice", f->path,
                             f->tensors[i].name);
        }
    }
    return true;
}

const tensor *tensor_file_find(const tensor_file *f, const char *name)
{
    if (!f->count) return NULL;
    tensor key = {.name = name};
    return bsearch(&key, f->tensors, f->count, sizeof *f->tensors, tensor_compare);
}

const char *tensor_file_metadata(const tensor_file *f, const char *key)
{
    if (!f->metadata_count) return NULL;
    const char **pair =
        bsearch(&key, f->metadata, f->metadata_count, 2 * sizeof *f->metadata, pair_compare);
    return pair ? pair[1] : NULL;
}

tensor_file *tensor_file_open(const char *path, error *e)
{
    source s;
    unsigned char head[PYTORCH_HEAD];
    if (!source_open(&s, path, e)) return NULL;
    size_t size = s.size < PYTORCH_HEAD ? (size_t)s.size : PYTORCH_HEAD;
    if (!source_read(&s, 0, head, size, e)) {
        source_close(&s);
        return NULL;
    }
    return pytorch_looks_like(head, size) ? pytorch_from_source(s, e)
                                          : safetensors_from_source(s, e);
}

void tensor_file_close(tensor_file *f)
{
    if (!f) return;
    f->close(f);
    free(f->tensors);
    free(f->metadata);
    free(f->path);
    free(f);
}

bool tensor_read_bytes(const tensor_file *f, const tensor *t, void *out, error *e)
{
    return t->count == 0 || f->load(f, t, out, e);
}

/* The i-th element of a typed array, which need not be aligned. */
static double element_number(tensor_type type, const unsigned char *bytes, int64_t i)
{
    const unsigned char *at = bytes + (size_t)i * types[type].size;
    union {
        double f64;
        float f32;
        int64_t i64;
        int32_t i32;
        int16_t i16;
        uint16_t u16;
    } u;
    memcpy(&u, at, types[type].size);
    switch (type) {
    case TENSOR_F64:
        return u.f64;
    case TENSOR_F32:
        return u.f32;
    case TENSOR_F16:
        return half_to_float(u.u16);
    case TENSOR_BF16:
        return bf16_to_float(u.u16);
    case TENSOR_I64:
        return (double)u.i64;
    case TENSOR_I32:
        return u.i32;
    case TENSOR_I16:
        return u.i16;
    case TENSOR_I8:
        return (int8_t)*at;
    case TENSOR_BOOL:
        return *at != 0;
    default:
        return *at;
    }
}

/* The bytes of a tensor in a new buffer. */
static unsigned char *tensor_bytes_new(const tensor_file *f, const tensor *t, error *e)
{
    unsigned char *bytes = memory_allocate((size_t)t->count, types[t->type].size, e);
    if (bytes && tensor_read_bytes(f, t, bytes, e)) return bytes;
    free(bytes);
    return NULL;
}

bool tensor_read_floats(const tensor_file *f, const tensor *t, float *out, error *e)
{
    if (t->type == TENSOR_F32 || t->count == 0) return tensor_read_bytes(f, t, out, e);
    unsigned char *bytes = tensor_bytes_new(f, t, e);
    if (!bytes) return false;
    for (int64_t i = 0; i < t->count; i++) out[i] = (float)element_number(t->type, bytes, i);
    free(bytes);
    return true;
}

bool tensor_read_doubles(const tensor_file *f, const tensor *t, double *out, error *e)
{
    if (t->type == TENSOR_F64 || t->count == 0) return tensor_read_bytes(f, t, out, e);
    unsigned char *bytes = tensor_bytes_new(f, t, e);
    if (!bytes) return false;
    for (int64_t i = 0; i < t->count; i++) out[i] = element_number(t->type, bytes, i);
    free(bytes);
    return true;
}

bool tensor_read_integers(const tensor_file *f, const tensor *t, int64_t *out, error *e)
{
    if (t->type == TENSOR_I64 || t->count == 0) return tensor_read_bytes(f, t, out, e);
    unsigned char *bytes = tensor_bytes_new(f, t, e);
    if (!bytes) return false;
    bool whole = true;
    for (int64_t i = 0; i < t->count && whole; i++) {
        double number = element_number(t->type, bytes, i);
        whole = number >= -9007199254740992.0 && number <= 9007199254740992.0 &&
                number == floor(number);
        if (whole) out[i] = (int64_t)number;
    }
    free(bytes);
    return whole || error_set(e, STATUS_DATA, "%s: tensor '%.200s' should hold whole numbers",
                              f->path, t->name);
}

float *tensor_read_new(const tensor_file *f, const char *name, int rank, int64_t *shape, error *e)
{
    const tensor *t = tensor_file_find(f, name);
    if (!t) {
        error_set(e, STATUS_DATA, "%s: there is no tensor '%s'", f->path, name);
        return NULL;
    }
    bool fits = t->rank == rank;
    for (int i = 0; fits && i < rank; i++) fits = shape[i] == -1 || shape[i] == t->shape[i];
    if (!fits) {
        char is[128], wanted[128];
        error_set(e, STATUS_DATA, "%s: tensor '%s' is %s, but must be %s", f->path, name,
                  tensor_shape_text(is, t->rank, t->shape), tensor_shape_text(wanted, rank, shape));
        return NULL;
    }
    float *out = memory_allocate((size_t)t->count + 1, sizeof *out, e);
    if (out && !tensor_read_floats(f, t, out, e)) {
        free(out);
        return NULL;
    }
    if (out && rank) memcpy(shape, t->shape, (size_t)rank * sizeof *shape);
    return out;
}
