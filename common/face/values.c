/* Tags of records, and sets of the different texts seen. */
#include "face/values.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t text_hash(const char *text, size_t length, uint64_t basis)
{
    uint64_t hash = basis;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3u;
    return hash;
}

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
        memcpy(text, value->via.str.ptr, value->via.str.size);
        text[value->via.str.size] = 0;
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

static uint32_t *find_slot(const value_set *s, const char *text)
{
    uint32_t i = (uint32_t)text_hash(text, strlen(text), HASH_BASIS) & (s->slot_count - 1);
    while (s->slots[i] && strcmp(s->text[s->slots[i] - 1], text) != 0)
        i = (i + 1) & (s->slot_count - 1);
    return &s->slots[i];
}

static bool grow_slots(value_set *s, error *e)
{
    uint32_t count = s->slot_count ? 2 * s->slot_count : 64;
    uint32_t *slots = memory_zeroed(count, sizeof *slots, e);
    if (!slots) return false;
    free(s->slots);
    s->slots = slots;
    s->slot_count = count;
    for (uint32_t i = 0; i < s->count; i++) *find_slot(s, s->text[i]) = i + 1;
    return true;
}

int value_set_add(value_set *s, const char *text, error *e)
{
    if (2 * s->count >= s->slot_count && !grow_slots(s, e)) return -1;
    uint32_t *slot = find_slot(s, text);
    if (*slot) return (int)*slot - 1;
    if (s->count == VALUES_MAX) {
        error_set(e, STATUS_DATA, "more than %d different values", VALUES_MAX);
        return -1;
    }
    if (s->count == s->capacity) {
        uint32_t capacity = s->capacity ? 2 * s->capacity : 32;
        char **grown = memory_resize(s->text, capacity, sizeof *grown, e);
        if (!grown) return -1;
        s->text = grown;
        s->capacity = capacity;
    }
    char *copy = memory_allocate(strlen(text) + 1, 1, e);
    if (!copy) return -1;
    s->text[s->count++] = strcpy(copy, text);
    *slot = s->count;
    return (int)s->count - 1;
}

void value_set_free(value_set *s)
{
    for (uint32_t i = 0; i < s->count; i++) free(s->text[i]);
    free(s->text);
    free(s->slots);
    *s = (value_set){0};
}
