/* The pickle machine: opcodes of protocols 2 to 5 that state dicts use (Python's Lib/pickletools.py
 * describes them). */
#include "model/pickle.h"

#include "cli/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 16 };

struct pickle_block {
    struct pickle_block *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
};

typedef struct machine {
    pickle_arena *arena;
    const unsigned char *bytes;
    size_t at, size;
    const char *path;
    pickle_value **stack;
    size_t depth, stack_capacity;
    pickle_value *
        *memo; /* indexed by what the pickle says; grown on demand, less than `size` entries */
    size_t memo_capacity, memo_next;
    size_t copied; /* items */
    error *e;
} machine;

/* What a known name does when it is called (REDUCE, NEWOBJ). */
typedef enum action {
    ACTION_DICT,   /* makes a dictionary */
    ACTION_TENSOR, /* makes a tensor of its arguments */
    ACTION_FIRST,  /* gives its first argument */
    ACTION_OPAQUE, /* gives something of no interest */
} action;

static const struct {
    const char *name;
    action does;
} known[] = {
    {"collections.OrderedDict", ACTION_DICT},
    {"collections.defaultdict", ACTION_DICT},
    {"collections.Counter", ACTION_DICT},
    {"argparse.Namespace", ACTION_DICT},
    {"types.SimpleNamespace", ACTION_DICT},
    {"torch._utils._rebuild_tensor", ACTION_TENSOR},
    {"torch._utils._rebuild_tensor_v2", ACTION_TENSOR},
    {"torch._utils._rebuild_parameter", ACTION_FIRST},
    {"torch._utils._rebuild_parameter_with_state", ACTION_FIRST},
    {"torch.Size", ACTION_FIRST},
    {"torch.device", ACTION_OPAQUE},
    {"torch.DoubleStorage", ACTION_OPAQUE},
    {"torch.FloatStorage", ACTION_OPAQUE},
    {"torch.HalfStorage", ACTION_OPAQUE},
    {"torch.BFloat16Storage", ACTION_OPAQUE},
    {"torch.LongStorage", ACTION_OPAQUE},
    {"torch.IntStorage", ACTION_OPAQUE},
    {"torch.ShortStorage", ACTION_OPAQUE},
    {"torch.CharStorage", ACTION_OPAQUE},
    {"torch.ByteStorage", ACTION_OPAQUE},
    {"torch.BoolStorage", ACTION_OPAQUE},
    {"torch.float64", ACTION_OPAQUE},
    {"torch.float32", ACTION_OPAQUE},
    {"torch.float16", ACTION_OPAQUE},
    {"torch.bfloat16", ACTION_OPAQUE},
    {"torch.int64", ACTION_OPAQUE},
    {"torch.int32", ACTION_OPAQUE},
    {"builtins.set", ACTION_OPAQUE},
    {"__builtin__.set", ACTION_OPAQUE},
    {"_codecs.encode", ACTION_OPAQUE},
    {"numpy.dtype", ACTION_OPAQUE},
    {"numpy.core.multiarray.scalar", ACTION_OPAQUE},
    {"numpy._core.multiarray.scalar", ACTION_OPAQUE},
};

/* Classes of TorchScript archives: their attributes are what a state dict would hold. */
static const char script_class[] = "__torch__.", script_builder[] = "torch.jit._pickle.";

static bool global_action(const char *name, action *does)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            *does = known[i].does;
            return true;
        }
    }
    *does = strncmp(name, script_class, strlen(script_class)) == 0 ? ACTION_DICT : ACTION_FIRST;
    return *does == ACTION_DICT || strncmp(name, script_builder, strlen(script_builder)) == 0;
}

/* ---- Memory --------------------------------------------------------------------------------- */

void pickle_arena_free(pickle_arena *a)
{
    /* The arrays' owners lie in the blocks. */
    for (size_t i = 0; i < a->array_count; i++) free(a->arrays[i]->items);
    free(a->arrays);
    while (a->blocks) {
        struct pickle_block *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    *a = (pickle_arena){0};
}

static void *arena_allocate(pickle_arena *a, size_t size, error *e)
{
    size = (size + 15) & ~(size_t)15;
    if (!a->blocks || a->blocks->size - a->blocks->used < size) {
        size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
        struct pickle_block *block = memory_allocate(1, sizeof *block + room, e);
        if (!block) return NULL;
        *block = (struct pickle_block){.next = a->blocks, .size = room};
        a->blocks = block;
    }
    void *memory = a->blocks->bytes + a->blocks->used;
    a->blocks->used += size;
    return memory;
}

static bool fail(machine *m, const char *what)
{
    error_set(m->e, STATUS_DATA, "%s: pickle, byte %zu: %s", m->path, m->at, what);
    return false;
}

static pickle_value *value_new(machine *m, pickle_kind kind)
{
    if (m->arena->values++ >= PICKLE_VALUE_LIMIT) {
        fail(m, "too many values");
        return NULL;
    }
    pickle_value *value = arena_allocate(m->arena, sizeof *value, m->e);
    if (value) *value = (pickle_value){.kind = kind};
    return value;
}

static bool array_register(pickle_arena *a, pickle_value *owner, error *e)
{
    pickle_value **arrays =
        array_grow(a->arrays, a->array_count + 1, &a->array_capacity, sizeof *arrays, e);
    if (!arrays) return false;
    a->arrays = arrays;
    a->arrays[a->array_count++] = owner;
    return true;
}

static bool items_append(machine *m, pickle_value *owner, pickle_value *const *items, size_t count)
{
    if (owner->capacity - owner->count < count) {
        if (!owner->capacity && !array_register(m->arena, owner, m->e)) return false;
        size_t capacity =
            owner->count + count > 2 * owner->capacity ? owner->count + count : 2 * owner->capacity;
        pickle_value **grown = memory_resize(owner->items, capacity, sizeof *grown, m->e);
        if (!grown) return false;
        owner->items = grown;
        owner->capacity = capacity;
    }
    if (count) memcpy(owner->items + owner->count, items, count * sizeof *items);
    owner->count += count;
    return true;
}

/* Copies items that stay where they are. What is on the stack is appended once and costs a byte
   each, but a short opcode can copy a long container again and again: honest pickles copy each
   once at most, so not more items than they have bytes. */
static bool items_copy(machine *m, pickle_value *owner, const pickle_value *from)
{
    if (from->count > m->size - m->copied)
        return fail(m, "copies containers again and again, to more items than it has bytes");
    m->copied += from->count;
    return items_append(m, owner, from->items, from->count);
}

/* ---- Stack and memo ------------------------------------------------------------------------- */

/* A mark on the stack is a NULL. */
static bool push(machine *m, pickle_value *value)
{
    pickle_value **stack =
        array_grow(m->stack, m->depth + 1, &m->stack_capacity, sizeof *stack, m->e);
    if (!stack) return false;
    m->stack = stack;
    m->stack[m->depth++] = value;
    return true;
}

static bool push_new(machine *m, pickle_value *value)
{
    return value && push(m, value);
}

static pickle_value *pop(machine *m)
{
    if (m->depth == 0 || !m->stack[m->depth - 1]) {
        fail(m, "takes a value from an empty stack");
        return NULL;
    }
    return m->stack[--m->depth];
}

static pickle_value *top(machine *m)
{
    pickle_value *value = pop(m);
    if (value) m->depth++;
    return value;
}

/* Takes everything above the last mark, and the mark: the items stay valid until the next push. */
static bool pop_to_mark(machine *m, pickle_value ***items, size_t *count)
{
    size_t at = m->depth;
    while (at > 0 && m->stack[at - 1]) at--;
    if (at == 0) return fail(m, "has no mark");
    *items = m->stack + at;
    *count = m->depth - at;
    m->depth = at - 1;
    return true;
}

static bool memo_put(machine *m, size_t index)
{
    pickle_value *value = top(m);
    if (!value) return false;
    if (index >= m->size) return fail(m, "memo index out of range");
    if (index >= m->memo_capacity) {
        size_t before = m->memo_capacity;
        pickle_value **memo = array_grow(m->memo, index + 1, &m->memo_capacity, sizeof *memo, m->e);
        if (!memo) return false;
        memset(memo + before, 0, (m->memo_capacity - before) * sizeof *memo);
        m->memo = memo;
    }
    m->memo[index] = value;
    return true;
}

static bool memo_get(machine *m, size_t index)
{
    if (index >= m->memo_capacity || !m->memo[index])
        return fail(m, "memo entry that was never made");
    return push(m, m->memo[index]);
}

/* ---- Operands ------------------------------------------------------------------------------- */

static bool take(machine *m, size_t count, const unsigned char **bytes)
{
    if (count > m->size - m->at) return fail(m, "ends in the middle");
    *bytes = m->bytes + m->at;
    m->at += count;
    return true;
}

/* An unsigned little-endian number of `width` bytes. */
static bool take_number(machine *m, int width, uint64_t *number)
{
    const unsigned char *bytes;
    if (!take(m, (size_t)width, &bytes)) return false;
    *number = 0;
    for (int i = width - 1; i >= 0; i--) *number = *number << 8 | bytes[i];
    return true;
}

static bool take_line(machine *m, const char **line, size_t *length)
{
    const unsigned char *end = memchr(m->bytes + m->at, '\n', m->size - m->at);
    if (!end) return fail(m, "ends in the middle of a name");
    *line = (const char *)m->bytes + m->at;
    *length = (size_t)(end - (m->bytes + m->at));
    m->at += *length + 1;
    return true;
}

static bool push_integer(machine *m, pickle_kind kind, int64_t integer)
{
    pickle_value *value = value_new(m, kind);
    if (value) value->integer = integer;
    return push_new(m, value);
}

static pickle_value *text_new(machine *m, const char *text, size_t length)
{
    pickle_value *value = value_new(m, PICKLE_TEXT);
    char *copy = value ? arena_allocate(m->arena, length + 1, m->e) : NULL;
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = 0;
    value->text = copy;
    value->length = length;
    return value;
}

static bool op_text(machine *m, int width)
{
    uint64_t length;
    const unsigned char *bytes;
    if (!take_number(m, width, &length)) return false;
    if (length > m->size) return fail(m, "a text longer than the pickle");
    return take(m, (size_t)length, &bytes) &&
           push_new(m, text_new(m, (const char *)bytes, (size_t)length));
}

/* Whole numbers of more than eight bytes (the magic number of old checkpoints) are kept as their
 * bytes. */
static bool op_long(machine *m, int width)
{
    uint64_t length;
    const unsigned char *bytes;
    if (!take_number(m, width, &length)) return false;
    if (length > 1024) return fail(m, "a whole number too long");
    if (!take(m, (size_t)length, &bytes)) return false;
    if (length > 8) return push_new(m, text_new(m, (const char *)bytes, (size_t)length));
    uint64_t number = length && bytes[length - 1] & 128 ? UINT64_MAX : 0;
    for (int i = (int)length - 1; i >= 0; i--) number = number << 8 | bytes[i];
    return push_integer(m, PICKLE_INTEGER, (int64_t)number);
}

static bool op_float(machine *m, int unused)
{
    const unsigned char *bytes;
    if (!take(m, 8, &bytes)) return false;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
    pickle_value *value = value_new(m, PICKLE_NUMBER);
    if (value) memcpy(&value->number, &bits, sizeof bits);
    return push_new(m, value);
}

static bool push_global(machine *m, const char *module, size_t module_length, const char *name,
                        size_t name_length)
{
    if (module_length > 200 || name_length > 200 || memchr(module, 0, module_length) ||
        memchr(name, 0, name_length)) {
        return fail(m, "a name of a class that is too long");
    }
    char full[402];
    memcpy(full, module, module_length);
    full[module_length] = '.';
    memcpy(full + module_length + 1, name, name_length);
    full[module_length + 1 + name_length] = 0;
    action does;
    if (!global_action(full, &does)) {
        return error_set(m->e, STATUS_DATA,
                         "%s: pickle: refers to '%s', which no state dict needs; save "
                         "model.state_dict() instead",
                         m->path, full);
    }
    pickle_value *value = text_new(m, full, strlen(full));
    if (value) value->kind = PICKLE_GLOBAL;
    return push_new(m, value);
}

static bool op_global(machine *m, int unused)
{
    const char *module, *name;
    size_t module_length, name_length;
    return take_line(m, &module, &module_length) && take_line(m, &name, &name_length) &&
           push_global(m, module, module_length, name, name_length);
}

static bool op_stack_global(machine *m, int unused)
{
    pickle_value *name = pop(m), *module = name ? pop(m) : NULL;
    if (!module) return false;
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        return fail(m, "a class without a name");
    return push_global(m, module->text, module->length, name->text, name->length);
}

/* ---- Containers and calls ------------------------------------------------------------------- */

static bool push_items(machine *m, pickle_kind kind, pickle_value *const *items, size_t count)
{
    if (kind == PICKLE_DICT && count % 2) return fail(m, "a dictionary with a key without a value");
    pickle_value *value = value_new(m, kind);
    return value && items_append(m, value, items, count) && push(m, value);
}

static bool push_copy(machine *m, pickle_kind kind, const pickle_value *from)
{
    pickle_value *value = value_new(m, kind);
    return value && items_copy(m, value, from) && push(m, value);
}

static bool op_empty(machine *m, int kind)
{
    return push_items(m, (pickle_kind)kind, NULL, 0);
}

static bool op_marked(machine *m, int kind)
{
    pickle_value **items;
    size_t count;
    return pop_to_mark(m, &items, &count) && push_items(m, (pickle_kind)kind, items, count);
}

/* Takes the last values; they stay valid until the next push. */
static bool pop_last(machine *m, size_t count, pickle_value ***items)
{
    for (size_t i = 0; i < count; i++) {
        if (m->depth <= i || !m->stack[m->depth - 1 - i])
            return fail(m, "takes a value from an empty stack");
    }
    m->depth -= count;
    *items = m->stack + m->depth;
    return true;
}

static bool op_tuple(machine *m, int count)
{
    pickle_value **items;
    return pop_last(m, (size_t)count, &items) && push_items(m, PICKLE_TUPLE, items, (size_t)count);
}

/* Adds items to the container below them; what is opaque swallows them. */
static bool add_items(machine *m, pickle_kind kind, pickle_value *const *items, size_t count)
{
    pickle_value *container = top(m);
    if (!container) return false;
    if (container->kind == PICKLE_OPAQUE) return true;
    if (container->kind != kind) return fail(m, "adds items to what holds none");
    if (kind == PICKLE_DICT && count % 2) return fail(m, "a dictionary with a key without a value");
    return items_append(m, container, items, count);
}

static bool op_add_marked(machine *m, int kind)
{
    pickle_value **items;
    size_t count;
    return pop_to_mark(m, &items, &count) && add_items(m, (pickle_kind)kind, items, count);
}

static bool op_add_last(machine *m, int kind)
{
    size_t count = kind == PICKLE_DICT ? 2 : 1;
    pickle_value **items;
    return pop_last(m, count, &items) && add_items(m, (pickle_kind)kind, items, count);
}

/* OrderedDict([[key, value], ...]) of Python 2; without arguments an empty one. */
static bool push_dict(machine *m, const pickle_value *arguments)
{
    pickle_value *dict = value_new(m, PICKLE_DICT);
    if (!dict) return false;
    const pickle_value *pairs = arguments->count == 1 ? arguments->items[0] : NULL;
    if (pairs && pairs->kind == PICKLE_DICT) {
        if (!items_copy(m, dict, pairs)) return false;
    } else if (pairs && (pairs->kind == PICKLE_LIST || pairs->kind == PICKLE_TUPLE)) {
        for (size_t i = 0; i < pairs->count; i++) {
            const pickle_value *pair = pairs->items[i];
            if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->count != 2) {
                return fail(m, "a dictionary of items that are not pairs");
            }
            if (!items_copy(m, dict, pair)) return false;
        }
    }
    return push(m, dict);
}

static bool op_call(machine *m, int unused)
{
    pickle_value *arguments = pop(m), *function = arguments ? pop(m) : NULL;
    action does;
    if (!function) return false;
    if (arguments->kind != PICKLE_TUPLE || function->kind != PICKLE_GLOBAL ||
        !global_action(function->text, &does)) {
        return fail(m, "calls what cannot be called");
    }
    switch (does) {
    case ACTION_DICT:
        return push_dict(m, arguments);
    case ACTION_TENSOR:
        if (arguments->count < 4)
            return fail(m, "a tensor without storage, offset, size and stride");
        return push_copy(m, PICKLE_TENSOR, arguments);
    case ACTION_FIRST:
        if (arguments->count < 1) return fail(m, "a call without arguments");
        return push(m, arguments->items[0]);
    default:
        return push_new(m, value_new(m, PICKLE_OPAQUE));
    }
}

/* Attributes set on an object: those of TorchScript modules and namespaces are kept, an
 * OrderedDict's (_metadata) are not. */
static bool op_build(machine *m, int unused)
{
    pickle_value *state = pop(m), *object = state ? top(m) : NULL;
    if (!object) return false;
    if (object->kind != PICKLE_DICT || object->count > 0 || state->kind != PICKLE_DICT) return true;
    return items_copy(m, object, state);
}

static bool op_persistent(machine *m, int unused)
{
    pickle_value *id = pop(m);
    if (!id) return false;
    if (id->kind != PICKLE_TUPLE || id->count < 5)
        return fail(m, "a persistent id that is not a storage");
    return push_copy(m, PICKLE_STORAGE, id);
}

static bool op_put(machine *m, int width)
{
    uint64_t index;
    return take_number(m, width, &index) && memo_put(m, (size_t)index);
}

static bool op_get(machine *m, int width)
{
    uint64_t index;
    return take_number(m, width, &index) && memo_get(m, (size_t)index);
}

static bool op_memoize(machine *m, int unused)
{
    return memo_put(m, m->memo_next++);
}

static bool op_none(machine *m, int unused)
{
    return push_new(m, value_new(m, PICKLE_NONE));
}

static bool op_boolean(machine *m, int value)
{
    return push_integer(m, PICKLE_BOOLEAN, value);
}

static bool op_integer(machine *m, int width)
{
    uint64_t number;
    if (!take_number(m, width, &number)) return false;
    return push_integer(m, PICKLE_INTEGER,
                        width == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

static bool op_skip(machine *m, int count)
{
    const unsigned char *bytes;
    return take(m, (size_t)count, &bytes);
}

static bool op_mark(machine *m, int unused)
{
    return push(m, NULL);
}

static bool op_pop_mark(machine *m, int unused)
{
    pickle_value **items;
    size_t count;
    return pop_to_mark(m, &items, &count);
}

static bool op_pop(machine *m, int unused)
{
    if (m->depth == 0) return fail(m, "takes a value from an empty stack");
    m->depth--;
    return true;
}

static bool op_duplicate(machine *m, int unused)
{
    return push_new(m, top(m));
}

/* What each opcode runs, and with which argument: a width in bytes, a count, a kind. */
static const struct {
    bool (*run)(machine *m, int argument);
    int argument;
} opcodes[256] = {
    [0x80] = {op_skip, 1},                 /* PROTO */
    [0x95] = {op_skip, 8},                 /* FRAME */
    ['('] = {op_mark, 0},                  /* MARK */
    ['0'] = {op_pop, 0},                   /* POP */
    ['1'] = {op_pop_mark, 0},              /* POP_MARK */
    ['2'] = {op_duplicate, 0},             /* DUP */
    ['N'] = {op_none, 0},                  /* NONE */
    [0x88] = {op_boolean, 1},              /* NEWTRUE */
    [0x89] = {op_boolean, 0},              /* NEWFALSE */
    ['J'] = {op_integer, 4},               /* BININT */
    ['K'] = {op_integer, 1},               /* BININT1 */
    ['M'] = {op_integer, 2},               /* BININT2 */
    [0x8a] = {op_long, 1},                 /* LONG1 */
    [0x8b] = {op_long, 4},                 /* LONG4 */
    ['G'] = {op_float, 0},                 /* BINFLOAT */
    [0x8c] = {op_text, 1},                 /* SHORT_BINUNICODE */
    ['X'] = {op_text, 4},                  /* BINUNICODE */
    [0x8d] = {op_text, 8},                 /* BINUNICODE8 */
    ['U'] = {op_text, 1},                  /* SHORT_BINSTRING */
    ['T'] = {op_text, 4},                  /* BINSTRING */
    ['C'] = {op_text, 1},                  /* SHORT_BINBYTES */
    ['B'] = {op_text, 4},                  /* BINBYTES */
    ['}'] = {op_empty, PICKLE_DICT},       /* EMPTY_DICT */
    [']'] = {op_empty, PICKLE_LIST},       /* EMPTY_LIST */
    [')'] = {op_empty, PICKLE_TUPLE},      /* EMPTY_TUPLE */
    [0x8f] = {op_empty, PICKLE_LIST},      /* EMPTY_SET */
    [0x90] = {op_add_marked, PICKLE_LIST}, /* ADDITEMS */
    [0x85] = {op_tuple, 1},                /* TUPLE1 */
    [0x86] = {op_tuple, 2},                /* TUPLE2 */
    [0x87] = {op_tuple, 3},                /* TUPLE3 */
    ['t'] = {op_marked, PICKLE_TUPLE},     /* TUPLE */
    ['l'] = {op_marked, PICKLE_LIST},      /* LIST */
    ['d'] = {op_marked, PICKLE_DICT},      /* DICT */
    ['a'] = {op_add_last, PICKLE_LIST},    /* APPEND */
    ['e'] = {op_add_marked, PICKLE_LIST},  /* APPENDS */
    ['s'] = {op_add_last, PICKLE_DICT},    /* SETITEM */
    ['u'] = {op_add_marked, PICKLE_DICT},  /* SETITEMS */
    ['c'] = {op_global, 0},                /* GLOBAL */
    [0x93] = {op_stack_global, 0},         /* STACK_GLOBAL */
    ['R'] = {op_call, 0},                  /* REDUCE */
    [0x81] = {op_call, 0},                 /* NEWOBJ */
    ['b'] = {op_build, 0},                 /* BUILD */
    ['Q'] = {op_persistent, 0},            /* BINPERSID */
    ['q'] = {op_put, 1},                   /* BINPUT */
    ['r'] = {op_put, 4},                   /* LONG_BINPUT */
    [0x94] = {op_memoize, 0},              /* MEMOIZE */
    ['h'] = {op_get, 1},                   /* BINGET */
    ['j'] = {op_get, 4},                   /* LONG_BINGET */
};

static bool step(machine *m, unsigned char opcode)
{
    if (opcodes[opcode].run) return opcodes[opcode].run(m, opcodes[opcode].argument);
    return error_set(m->e, STATUS_DATA,
                     "%s: pickle, byte %zu: opcode 0x%02x, which no state dict needs", m->path,
                     m->at - 1, opcode);
}

const pickle_value *pickle_read(pickle_arena *a, const unsigned char *bytes, size_t size,
                                size_t *used, const char *path, error *e)
{
    machine m = {.arena = a, .bytes = bytes, .size = size, .path = path, .e = e};
    const pickle_value *result = NULL;
    bool running = true;
    while (running) {
        if (m.at == size) {
            running = fail(&m, "ends in the middle");
        } else if (bytes[m.at] == '.') {
            m.at++;
            result = pop(&m);
            running = false;
        } else {
            running = step(&m, bytes[m.at++]);
        }
    }
    free(m.stack);
    free(m.memo);
    *used = m.at;
    return result;
}

const pickle_value *pickle_get(const pickle_value *dict, const char *key)
{
    if (!dict || dict->kind != PICKLE_DICT) return NULL;
    for (size_t i = dict->count; i >= 2; i -= 2) {
        const pickle_value *name = dict->items[i - 2];
        if (name->kind == PICKLE_TEXT && strcmp(name->text, key) == 0) return dict->items[i - 1];
    }
    return NULL;
}
