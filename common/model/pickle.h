/* A pickle machine for state dicts: it builds numbers, texts, containers and descriptions of
   tensors, and calls nothing. Names of classes and functions are looked up in a table of known
   ones; any other is refused by name. */
#ifndef BLADES_MODEL_PICKLE_H
#define BLADES_MODEL_PICKLE_H

#include "cli/error.h"

#include <stdint.h>

enum {
    PICKLE_SIZE_LIMIT = 64 << 20, /* bytes */
    PICKLE_VALUE_LIMIT = 4000000, /* values built */
};

typedef enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOLEAN, /* integer */
    PICKLE_INTEGER,
    PICKLE_NUMBER,
    PICKLE_TEXT,    /* text, length; UTF-8 or bytes; NUL-terminated besides */
    PICKLE_TUPLE,   /* items */
    PICKLE_LIST,    /* items */
    PICKLE_DICT,    /* items: key, value, key, value, ... */
    PICKLE_GLOBAL,  /* text: "module.name" */
    PICKLE_STORAGE, /* items of the persistent id: "storage", type, key, location, size ... */
    PICKLE_TENSOR,  /* items: storage, offset, size, stride ... */
    PICKLE_OPAQUE,  /* known and of no interest */
} pickle_kind;

typedef struct pickle_value pickle_value;
struct pickle_value {
    pickle_kind kind;
    int64_t integer;
    double number;
    const char *text;
    size_t length;
    pickle_value **items;
    size_t count, capacity;
};

/* Where values live until pickle_arena_free. Start from `pickle_arena a = {0}`. */
typedef struct pickle_arena {
    struct pickle_block *blocks;
    pickle_value **arrays; /* every items array, to be freed */
    size_t array_count, array_capacity, values;
} pickle_arena;

void pickle_arena_free(pickle_arena *a);

/* Runs one pickle at the start of bytes[0..size). Returns its value and sets *used to the bytes it
   took; NULL on error (STATUS_DATA with the position; `path` is for the message). Memory is bounded
   by `size`. The value may share and even contain itself: walk it with a limit. */
const pickle_value *pickle_read(pickle_arena *a, const unsigned char *bytes, size_t size,
                                size_t *used, const char *path, error *e);

/* The value of a text key; NULL when `dict` is not a dictionary or lacks the key. The last of equal
 * keys counts. */
const pickle_value *pickle_get(const pickle_value *dict, const char *key);

#endif
