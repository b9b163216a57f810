/* Finds items by their hash. */
#include "pretext/slot_table.h"

#include "cli/memory.h"

#include <stdlib.h>

int64_t slot_table_find(const slot_table *t, uint64_t hash, slot_table_same *same,
                        const void *items, const void *key)
{
    if (t->size == 0) return -1;
    for (size_t i = (uint32_t)hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
        const slot_table_slot *s = &t->slot[i];
        if (!s->number) return -1;
        if (s->hash == (uint32_t)hash && same(items, s->number - 1, key)) return s->number - 1;
    }
}

static void put_slot(slot_table *t, slot_table_slot slot)
{
    size_t i = slot.hash & (t->size - 1);
    while (t->slot[i].number) i = (i + 1) & (t->size - 1);
    t->slot[i] = slot;
}

static bool grow(slot_table *t, error *e)
{
    slot_table grown = {.size = t->size ? 2 * t->size : 64, .used = t->used};
    grown.slot = memory_zeroed(grown.size, sizeof *grown.slot, e);
    if (!grown.slot) return false;
    for (size_t i = 0; i < t->size; i++)
        if (t->slot[i].number) put_slot(&grown, t->slot[i]);
    free(t->slot);
    *t = grown;
    return true;
}

bool slot_table_add(slot_table *t, uint64_t hash, uint32_t number, error *e)
{
    if (2 * t->used >= t->size && !grow(t, e)) return false;
    put_slot(t, (slot_table_slot){(uint32_t)hash, number + 1});
    t->used++;
    return true;
}

void slot_table_free(slot_table *t)
{
    free(t->slot);
    *t = (slot_table){0};
}
