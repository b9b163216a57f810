/* Named tensors in one flat vector. */
#include "nn/parameter.h"

#include "cli/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool parameter_table_add(parameter_table *t, const char *name, int rank, const size_t *shape,
                         parameter_layout layout, parameter_group group, bool buffer, error *e)
{
    parameter *item = array_grow(t->item, t->count + 1, &t->capacity, sizeof *item, e);
    if (!item) return false;
    t->item = item;
    parameter p = {.rank = rank, .layout = layout, .group = group, .buffer = buffer, .count = 1};
    for (int i = 0; i < rank; i++) {
        p.shape[i] = shape[i];
        if (__builtin_mul_overflow(p.count, shape[i], &p.count) || p.count > SIZE_MAX / 64)
            return error_set(e, STATUS_DATA, "%s: too large", name);
    }
    p.name = memory_allocate(strlen(name) + 1, 1, e);
    if (!p.name) return false;
    strcpy(p.name, name);
    p.offset = t->total;
    t->item[t->count++] = p;
    t->total += (p.count + 15) / 16 * 16;
    return true;
}

const parameter *parameter_table_find(const parameter_table *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->item[i].name, name)) return &t->item[i];
    return NULL;
}

bool parameter_offset(const parameter_table *t, const char *name, size_t count, size_t *offset,
                      error *e)
{
    const parameter *p = parameter_table_find(t, name);
    if (!p || p->count != count)
        return error_set(e, STATUS_INTERNAL, "%s is missing or has another size", name);
    *offset = p->offset;
    return true;
}

void parameter_table_free(parameter_table *t)
{
    for (size_t i = 0; i < t->count; i++) free(t->item[i].name);
    free(t->item);
    *t = (parameter_table){0};
}

/* A file's tensor as (out, in, places), and the memory's as (places, in, out): copies either way.
 */
static void transpose(const parameter *p, const float *from, float *to, bool to_file)
{
    size_t out = p->shape[0], in = p->shape[1];
    size_t places = p->layout == PARAMETER_CONVOLUTION ? p->shape[2] * p->shape[3] : 1;
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t k = 0; k < places; k++) {
                size_t file = (o * in + i) * places + k, memory = (k * in + i) * out + o;
                if (to_file)
                    to[file] = from[memory];
                else
                    to[memory] = from[file];
            }
}

void parameter_to_file(const parameter *p, const float *flat, float *file)
{
    if (p->layout == PARAMETER_PLAIN)
        memcpy(file, flat + p->offset, p->count * sizeof *file);
    else
        transpose(p, flat + p->offset, file, true);
}

void parameter_from_file(const parameter *p, const float *file, float *flat)
{
    if (p->layout == PARAMETER_PLAIN)
        memcpy(flat + p->offset, file, p->count * sizeof *file);
    else
        transpose(p, file, flat + p->offset, false);
}
