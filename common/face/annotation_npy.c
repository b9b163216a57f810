/* Landmarks in NumPy's .npy files. Pickled objects are never executed; only None is recognised. */
#include "face/annotation_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MOST = 4096, NONE_MOST = 1024, DIMENSIONS_MOST = 4 };

typedef struct npy {
    char type;    /* 'f', 'i', 'u' or 'O' */
    int size;     /* bytes of a number */
    bool swapped; /* big-endian */
    bool column_major;
    int dimensions;
    long long shape[DIMENSIONS_MOST];
    const unsigned char *data;
    size_t data_size;
} npy;

/* The text behind 'key': in the header's dictionary. */
static const char *header_value(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (at == NULL) return NULL;
    at = strchr(at, ':');
    if (at == NULL) return NULL;
    at++;
    while (*at == ' ') at++;
    return at;
}

static bool type_read(npy *n, const char *header)
{
    const char *at = header_value(header, "'descr'");
    if (at == NULL || *at != '\'' || at[1] == '\0') return false;
    n->swapped = at[1] == '>';
    n->type = at[2];
    n->size = atoi(at[2] == '\0' ? "" : at + 3);
    if (n->type == 'O') return true;
    if (n->type == 'f') return n->size == 4 || n->size == 8;
    return (n->type == 'i' || n->type == 'u') && n->size >= 1 && n->size <= 8 &&
           (n->size & (n->size - 1)) == 0;
}

static bool shape_read(npy *n, const char *header)
{
    const char *at = header_value(header, "'shape'");
    if (at == NULL || *at++ != '(') return false;
    for (;;) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == ')') return true;
        char *end;
        long long length = strtoll(at, &end, 10);
        if (end == at || length < 0 || length > 1000000 || n->dimensions == DIMENSIONS_MOST) {
            return false;
        }
        n->shape[n->dimensions++] = length;
        at = end;
    }
}

static bool header_read(npy *n, const char *bytes, size_t size, error *e)
{
    const unsigned char *b = (const unsigned char *)bytes;
    char header[HEADER_MOST + 1];
    if (size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0) {
        return error_set(e, STATUS_DATA, "is no NumPy file");
    }
    bool first = b[6] == 1;
    size_t start = first ? 10 : 12;
    size_t length = (size_t)b[8] | (size_t)b[9] << 8;
    if (!first) length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > HEADER_MOST || length > size - start) {
        return error_set(e, STATUS_DATA, "is cut short in its NumPy header");
    }
    memcpy(header, bytes + start, length);
    header[length] = '\0';
    const char *order = header_value(header, "'fortran_order'");
    if (!type_read(n, header) || !shape_read(n, header) || order == NULL) {
        return error_set(e, STATUS_DATA, "has a NumPy header that is not understood");
    }
    n->column_major = strncmp(order, "True", 4) == 0;
    n->data = b + start + length;
    n->data_size = size - start - length;
    return true;
}

static double number_at(const npy *n, size_t index)
{
    const unsigned char *p = n->data + index * (size_t)n->size;
    uint64_t bits = 0;
    for (int i = 0; i < n->size; i++) {
        bits |= (uint64_t)p[n->swapped ? n->size - 1 - i : i] << 8 * i;
    }
    if (n->type == 'f' && n->size == 8) {
        double number;
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    if (n->type == 'f') {
        uint32_t half = (uint32_t)bits;
        float number;
        memcpy(&number, &half, sizeof number);
        return (double)number;
    }
    if (n->type == 'u') return (double)bits;
    int unused = 64 - 8 * n->size;
    return (double)((int64_t)(bits << unused) >> unused);
}

/* Is the pickle one of an array that holds nothing but None? Such a pickle ends in its list of
   items:
   "]", perhaps a memo, "N" "a" or "(" "N"... "e", then "t", perhaps a memo, "b", perhaps a memo,
   ".". */
static bool pickle_is_none(const unsigned char *p, size_t size)
{
    if (size > NONE_MOST || size == 0) return false;
    size_t at = size;
    while (at > 0 && p[at - 1] != ']') at--;
    if (at == 0) return false;
    int nones = 0;
    for (; at < size; at++) {
        if (p[at] == 'q') {
            at++;
        } else if (p[at] == 'N') {
            nones++;
        } else if (strchr("\x94"
                          "(aetb.",
                          p[at]) == NULL ||
                   p[at] == '\0') {
            return false;
        }
    }
    return nones > 0;
}

/* (points, 2) is one face, (faces, points, 2) many. */
static bool faces_add(annotations *a, const npy *n, error *e)
{
    long long faces = n->dimensions == 3 ? n->shape[0] : 1;
    const long long *shape = n->shape + (n->dimensions == 3);
    if (n->dimensions == 1 && n->shape[0] == 0) return true;
    if ((n->dimensions != 2 && n->dimensions != 3) || (faces > 0 && shape[1] != 2) ||
        shape[0] > LANDMARKS_MOST) {
        return error_set(e, STATUS_DATA, "its shape is not (68, 2) or (faces, 68, 2)");
    }
    long long points = faces == 0 ? 0 : shape[0];
    if ((size_t)(faces * points * 2) > n->data_size / (size_t)n->size) {
        return error_set(e, STATUS_DATA, "its data ends early");
    }
    for (long long f = 0; f < faces; f++) {
        double landmarks[2 * LANDMARKS_MOST];
        for (long long p = 0; p < points; p++) {
            for (long long k = 0; k < 2; k++) {
                long long index =
                    n->column_major ? (k * points + p) * faces + f : (f * points + p) * 2 + k;
                landmarks[2 * p + k] = number_at(n, (size_t)index);
            }
        }
        if (!annotations_add_face(a, NULL, landmarks, (int)points, e)) return false;
    }
    return true;
}

bool annotations_read_npy(annotations *a, const char *name, const char *bytes, size_t size,
                          error *e)
{
    npy n = {.dimensions = 0};
    if (!header_read(&n, bytes, size, e)) return false;
    annotation *entry = annotations_add(a, name, strlen(name), e);
    if (entry == NULL) return false;
    entry->no_suffix = true;
    if (n.type != 'O') return faces_add(a, &n, e);
    if (pickle_is_none(n.data, n.data_size)) return true;
    return error_set(e, STATUS_DATA,
                     "holds pickled Python objects other than None, which are not "
                     "executed; save the landmarks as an array of numbers");
}
