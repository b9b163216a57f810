/* Tags of records, and sets of the different texts seen. */
#include "pretext/values.h"
#include "cli/hash.h"
#include "cli/memory.h"
#include "cli/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tags ----------------------------------------------------------------------------------- */

const msgpack_object *tag_value(const msgpack_object *record, const char *tag)
{
    const msgpack_object *value = object_get(object_get(record, "exif"), tag);
    return value ? value : object_get(record, tag);
}

bool tag_text(const msgpack_object *record, const char *tag, char text[TAG_TEXT_MAX + 1])
{
    const msgpack_object *value = tag_value(record, tag);
    if (!value) return false;
    switch (value->type) {
    case MSGPACK_OBJECT_STR:
        if (value->via.str.size == 0 || value->via.str.size > TAG_TEXT_MAX ||
            memchr(value->via.str.ptr, 0, value->via.str.size))
            return false;
        /* names made of tags are to be good in headers, models and JSON */
        text[utf8_mend(text, value->via.str.ptr, value->via.str.size, "?")] = 0;
        return true;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        snprintf(text, TAG_TEXT_MAX + 1, "%" PRIu64, value->via.u64);
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        snprintf(text, TAG_TEXT_MAX + 1, "%" PRId64, value->via.i64);
        return true;
    case MSGPACK_OBJECT_BOOLEAN:
        snprintf(text, TAG_TEXT_MAX + 1, "%s", value->via.boolean ? "true" : "false");
        return true;
    default:
        return false;
    }
}

double tag_number(const msgpack_object *record, const char *tag)
{
    double number = NAN;
    const msgpack_object *exif = object_get(record, "exif");
    if (!object_number(object_get(exif, tag) ? exif : record, tag, &number)) return NAN;
    return number;
}

/* ---- Sets of texts -------------------------------------------------------------------------- */

static bool same_text(const void *items, uint32_t number, const void *key)
{
    const value_set *s = items;
    return strcmp(s->text[number], key) == 0;
}

static uint64_t value_hash(const char *text)
{
    return hash_bytes(text, strlen(text), HASH_BASIS);
}

int value_set_find(const value_set *s, const char *text)
{
    return (int)slot_table_find(&s->slots, value_hash(text), same_text, s, text);
}

int value_set_add(value_set *s, const char *text, error *e)
{
    int found = value_set_find(s, text);
    if (found >= 0) return found;
    if (s->count == VALUES_MAX) {
        error_set(e, STATUS_DATA, "more than %d different values", VALUES_MAX);
        return -1;
    }
    char **grown = array_grow(s->text, s->count + 1, &s->capacity, sizeof *grown, e);
    if (!grown) return -1;
    s->text = grown;
    char *copy = memory_allocate(strlen(text) + 1, 1, e);
    if (!copy) return -1;
    s->text[s->count++] = strcpy(copy, text);
    if (!slot_table_add(&s->slots, value_hash(text), s->count - 1, e)) return -1;
    return (int)s->count - 1;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

uint32_t *value_set_sort(value_set *s, error *e)
{
    char **sorted = memory_allocate(s->count + 1, sizeof *sorted, e);
    uint32_t *new_number = memory_allocate(s->count + 1, sizeof *new_number, e);
    if (sorted && new_number && s->count > 0) {
        memcpy(sorted, s->text, s->count * sizeof *sorted);
        qsort(sorted, s->count, sizeof *sorted, compare_texts);
        for (uint32_t i = 0; i < s->count; i++) {
            char **found = bsearch(&s->text[i], sorted, s->count, sizeof *sorted, compare_texts);
            new_number[i] = (uint32_t)(found - sorted);
        }
        memcpy(s->text, sorted, s->count * sizeof *sorted);
        slot_table_free(&s->slots);
        for (uint32_t i = 0; i < s->count; i++)
            if (!slot_table_add(&s->slots, value_hash(s->text[i]), i, e)) break;
    }
    free(sorted);
    if (!e->status) return new_number;
    free(new_number);
    return NULL;
}

void value_set_free(value_set *s)
{
    for (uint32_t i = 0; i < s->count; i++) free(s->text[i]);
    free(s->text);
    slot_table_free(&s->slots);
    *s = (value_set){0};
}
