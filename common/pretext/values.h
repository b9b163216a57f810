/* Tags of records, and sets of the different texts seen. */
#ifndef BLADES_PRETEXT_VALUES_H
#define BLADES_PRETEXT_VALUES_H

#include "pretext/slot_table.h"
#include "stream/record.h"

enum { TAG_TEXT_MAX = 256 };

/* The value of a tag: of the record's map `exif`, else of the record itself. NULL: absent. */
const msgpack_object *tag_value(const msgpack_object *record, const char *tag);
/* As text: text itself ('?' for bytes that are no UTF-8), integers and booleans spelt out. False
   when absent, another type, empty or longer than TAG_TEXT_MAX bytes. */
bool tag_text(const msgpack_object *record, const char *tag, char text[TAG_TEXT_MAX + 1]);
/* As a finite number; NaN when it is none. */
double tag_number(const msgpack_object *record, const char *tag);

/* Different texts, numbered in the order they came. Start from `value_set s = {0}`. */
typedef struct value_set {
    char **text;
    uint32_t count;
    size_t capacity;
    slot_table slots; /* of the texts */
} value_set;

enum { VALUES_MAX = 1 << 20 };

/* The number of a text, added when new; -1 with STATUS_SYSTEM, or STATUS_DATA over VALUES_MAX. */
int value_set_add(value_set *s, const char *text, error *e);
int value_set_find(const value_set *s, const char *text); /* -1: it was not added */
/* Puts the texts in order of their bytes. Returns the new number of each old one (caller frees);
   NULL with STATUS_SYSTEM. */
uint32_t *value_set_sort(value_set *s, error *e);
void value_set_free(value_set *s);

#endif
