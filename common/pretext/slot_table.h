/* Finds items by their hash: open addressing over the numbers of items that the caller keeps. */
#ifndef BLADES_PRETEXT_SLOT_TABLE_H
#define BLADES_PRETEXT_SLOT_TABLE_H

#include "cli/error.h"

#include <stdint.h>

typedef struct slot_table_slot {
    uint32_t hash;
    uint32_t number; /* of the item, + 1; 0: free */
} slot_table_slot;

/* Start from `slot_table t = {0}`. */
typedef struct slot_table {
    slot_table_slot *slot;
    size_t size, used; /* size: a power of 2, or 0 */
} slot_table;

/* Has item `number` of `items` this key? */
typedef bool slot_table_same(const void *items, uint32_t number, const void *key);

/* The number of the item with this key; -1: none was added. */
int64_t slot_table_find(const slot_table *t, uint64_t hash, slot_table_same *same,
                        const void *items, const void *key);
/* Adds an item that is not there. STATUS_SYSTEM. */
bool slot_table_add(slot_table *t, uint64_t hash, uint32_t number, error *e);
void slot_table_free(slot_table *t);

#endif
