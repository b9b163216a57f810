/* Allocation that reports its failure. */
#ifndef BLADES_CLI_MEMORY_H
#define BLADES_CLI_MEMORY_H

#include "cli/error.h"

#include <stddef.h>

/* malloc, calloc and realloc of count * size bytes, overflow checked: NULL and STATUS_SYSTEM set on
   failure. The caller frees. */
void *memory_allocate(size_t count, size_t size, error *e);
void *memory_zeroed(size_t count, size_t size, error *e);
void *memory_resize(void *block, size_t count, size_t size, error *e);

/* Makes room for `count` items of `size` bytes, at least doubling *capacity where it is less.
   Returns the array's new place, or NULL when out of memory: the array is then as it was. */
void *array_grow(void *items, size_t count, size_t *capacity, size_t size, error *e);

static inline size_t size_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
