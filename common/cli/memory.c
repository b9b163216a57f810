/* Allocation that reports its failure. */
#include "cli/memory.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST_ITEMS = 16 };

static void *checked(void *block, size_t count, size_t size, error *e)
{
    if (!block) error_set(e, STATUS_SYSTEM, "out of memory (%zu x %zu bytes)", count, size);
    return block;
}

void *memory_allocate(size_t count, size_t size, error *e)
{
    return memory_resize(NULL, count, size, e);
}

void *memory_zeroed(size_t count, size_t size, error *e)
{
    return checked(calloc(count ? count : 1, size ? size : 1), count, size, e);
}

void *memory_resize(void *block, size_t count, size_t size, error *e)
{
    if (size && count > SIZE_MAX / size) return checked(NULL, count, size, e);
    size_t bytes = count * size;
    return checked(realloc(block, bytes ? bytes : 1), count, size, e);
}

void *array_grow(void *items, size_t count, size_t *capacity, size_t size, error *e)
{
    if (count <= *capacity) return items;
    size_t larger = *capacity ? 2 * *capacity : FIRST_ITEMS;
    if (larger < count) larger = count;
    void *grown = memory_resize(items, larger, size, e);
    if (grown) *capacity = larger;
    return grown;
}
