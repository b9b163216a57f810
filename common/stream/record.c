/* Looking into msgpack maps, and building them. */
#include "stream/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading -------------------------------------------------------------------------------- */

bool text_is(const char *text, size_t length, const char *string)
{
    return length == strlen(string) && memcmp(text, string, length) == 0;
}

static bool is_string(const msgpack_object *o, const char *string)
{
    return o->type == MSGPACK_OBJECT_STR && text_is(o->via.str.ptr, o->via.str.size, string);
}

const msgpack_object *object_get(const msgpack_object *map, const char *key)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP) return NULL;
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (is_string(&map->via.map.ptr[i].key, key)) return &map->via.map.ptr[i].val;
    return NULL;
}

bool object_text(const msgpack_object *map, const char *key, const char **text, size_t *length)
{
    const msgpack_object *o = object_get(map, key);
    if (!o || o->type != MSGPACK_OBJECT_STR) return false;
    *text = o->via.str.ptr;
    *length = o->via.str.size;
    return true;
}

bool object_as_number(const msgpack_object *o, double *number)
{
    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        *number = (double)o->via.u64;
        return true;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        *number = (double)o->via.i64;
        return true;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        *number = o->via.f64;
        return true;
    default:
        return false;
    }
}

bool object_number(const msgpack_object *map, const char *key, double *number)
{
    const msgpack_object *o = object_get(map, key);
    double value;
    if (!o || !object_as_number(o, &value) || !isfinite(value)) return false;
    *number = value;
    return true;
}

bool object_integer(const msgpack_object *map, const char *key, int64_t *integer)
{
    const msgpack_object *o = object_get(map, key);
    if (!o) return false;
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *integer = o->via.i64;
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
        *integer = (int64_t)o->via.u64;
    else
        return false;
    return true;
}

bool object_boolean(const msgpack_object *map, const char *key, bool *boolean)
{
    const msgpack_object *o = object_get(map, key);
    if (!o || o->type != MSGPACK_OBJECT_BOOLEAN) return false;
    *boolean = o->via.boolean;
    return true;
}

bool object_binary(const msgpack_object *map, const char *key, const void **bytes, size_t *size)
{
    const msgpack_object *o = object_get(map, key);
    if (!o || o->type != MSGPACK_OBJECT_BIN) return false;
    *bytes = o->via.bin.ptr;
    *size = o->via.bin.size;
    return true;
}

bool object_text_is(const msgpack_object *map, const char *key, const char *text)
{
    const msgpack_object *o = object_get(map, key);
    return o && is_string(o, text);
}

char *object_text_copy(const msgpack_object *map, const char *key)
{
    const char *text;
    size_t length;
    if (!object_text(map, key, &text, &length) || memchr(text, 0, length)) return NULL;
    return strndup(text, length);
}

bool object_copy_make(object_copy *c, const msgpack_object *from, error *e)
{
    msgpack_sbuffer bytes;
    msgpack_packer p;
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&p, &bytes, msgpack_sbuffer_write);
    bool packed = msgpack_pack_object(&p, *from) == 0;
    *c = (object_copy){.bytes = bytes.data};
    if (!packed ||
        msgpack_unpack_next(&c->unpacked, bytes.data, bytes.size, NULL) != MSGPACK_UNPACK_SUCCESS)
        return error_set(e, STATUS_SYSTEM, "out of memory");
    c->object = c->unpacked.data;
    return true;
}

void object_copy_free(object_copy *c)
{
    msgpack_unpacked_destroy(&c->unpacked);
    free(c->bytes);
    *c = (object_copy){0};
}

/* ---- Building ------------------------------------------------------------------------------- */

void stream_chunk_clear(stream_chunk *k)
{
    k->bytes.size = 0;
    k->records = k->errors = 0;
    k->depth = 0;
}

void stream_chunk_free(stream_chunk *k)
{
    msgpack_sbuffer_destroy(&k->bytes);
    *k = (stream_chunk){0};
}

static void append(stream_chunk *k, const void *bytes, size_t size)
{
    if (!k->failed && msgpack_sbuffer_write(&k->bytes, bytes, size) != 0) k->failed = true;
}

/* Makes room for `size` more bytes; large buffers grow by half, for the copying. */
static bool room_grow(msgpack_sbuffer *b, size_t size)
{
    if (b->alloc - b->size >= size) return true;
    size_t most = SIZE_MAX / 2, alloc = b->alloc + b->alloc / 2;
    if (size > most || b->size > most) return false;
    if (alloc < b->size + size) alloc = b->size + size;
    char *data = realloc(b->data, alloc);
    if (data == NULL) return false;
    b->data = data;
    b->alloc = alloc;
    return true;
}

static msgpack_packer packer_of(stream_chunk *k)
{
    msgpack_packer p;
    msgpack_packer_init(&p, &k->bytes, msgpack_sbuffer_write);
    return p;
}

static void put_string(stream_chunk *k, const char *text, size_t length)
{
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_str(&p, length) != 0) k->failed = true;
    append(k, text, length);
}

/* Writes the key of a value to come and counts it; a NULL key belongs to an array. */
static void put_key(stream_chunk *k, const char *key)
{
    if (!key) return;
    put_string(k, key, strlen(key));
    k->keys[k->depth - 1]++;
}

/* Maps are written as map32 with the count filled in at the end. */
static void open_map(stream_chunk *k)
{
    if (k->depth == (int)(sizeof k->keys / sizeof k->keys[0])) {
        k->failed = true;
        return;
    }
    k->start[k->depth] = k->bytes.size;
    k->keys[k->depth++] = 0;
    append(k, "\xdf\0\0\0\0", 5);
}

static void close_map(stream_chunk *k)
{
    if (k->failed || k->depth == 0) return;
    uint32_t keys = k->keys[--k->depth];
    unsigned char *count = (unsigned char *)k->bytes.data + k->start[k->depth] + 1;
    for (int i = 0; i < 4; i++) count[i] = (unsigned char)(keys >> (24 - 8 * i));
}

void record_begin(stream_chunk *k, const char *type)
{
    open_map(k);
    put_text(k, "type", type);
}

void record_end(stream_chunk *k)
{
    close_map(k);
    k->records++;
}

void record_abandon(stream_chunk *k)
{
    if (k->depth == 0) return;
    k->bytes.size = k->start[0];
    k->depth = 0;
}

void put_text(stream_chunk *k, const char *key, const char *text)
{
    put_text_n(k, key, text, strlen(text));
}

void put_text_n(stream_chunk *k, const char *key, const char *text, size_t length)
{
    put_key(k, key);
    put_string(k, text, length);
}

void put_integer(stream_chunk *k, const char *key, int64_t value)
{
    put_key(k, key);
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_int64(&p, value) != 0) k->failed = true;
}

void put_number(stream_chunk *k, const char *key, double value)
{
    put_key(k, key);
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_double(&p, value) != 0) k->failed = true;
}

void put_boolean(stream_chunk *k, const char *key, bool value)
{
    put_key(k, key);
    append(k, value ? "\xc3" : "\xc2", 1);
}

void *put_binary_room(stream_chunk *k, const char *key, size_t size)
{
    put_key(k, key);
    if (size > UINT32_MAX) k->failed = true;
    msgpack_packer p = packer_of(k);
    if (k->failed || msgpack_pack_bin(&p, size) != 0 || !room_grow(&k->bytes, size)) {
        k->failed = true;
        return NULL;
    }
    void *room = k->bytes.data + k->bytes.size;
    k->bytes.size += size;
    return room;
}

void put_binary(stream_chunk *k, const char *key, const void *bytes, size_t size)
{
    void *room = put_binary_room(k, key, size);
    if (room != NULL && size > 0) memcpy(room, bytes, size);
}

void put_object(stream_chunk *k, const char *key, const msgpack_object *value)
{
    put_key(k, key);
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_object(&p, *value) != 0) k->failed = true;
}

void put_map_begin(stream_chunk *k, const char *key)
{
    put_key(k, key);
    open_map(k);
}

void put_map_end(stream_chunk *k)
{
    close_map(k);
}

void put_array(stream_chunk *k, const char *key, size_t count)
{
    put_key(k, key);
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_array(&p, count) != 0) k->failed = true;
}

static bool is_set(const cli *c, const msgpack_object *key)
{
    return key->type == MSGPACK_OBJECT_STR && cli_set_has(c, key->via.str.ptr, key->via.str.size);
}

static bool is_own(const char *const *own, const msgpack_object *key)
{
    for (; own && *own; own++)
        if (is_string(key, *own)) return true;
    return is_string(key, "type");
}

static void put_pair(stream_chunk *k, const msgpack_object_kv *pair)
{
    msgpack_packer p = packer_of(k);
    if (msgpack_pack_object(&p, pair->key) != 0 || msgpack_pack_object(&p, pair->val) != 0)
        k->failed = true;
    k->keys[k->depth - 1]++;
}

void put_rest(stream_chunk *k, const cli *c, const msgpack_object *from, const char *const *own)
{
    for (uint32_t i = 0; from && i < from->via.map.size; i++) {
        const msgpack_object_kv *pair = &from->via.map.ptr[i];
        if (!is_own(own, &pair->key) && !is_set(c, &pair->key)) put_pair(k, pair);
    }
    put_sets(k, c);
}

void put_sets(stream_chunk *k, const cli *c)
{
    for (size_t i = 0; c && i < c->sets.count; i += 2)
        put_text(k, c->sets.item[i], c->sets.item[i + 1]);
}

static bool is_scalar(const msgpack_object *o)
{
    return o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BOOLEAN ||
           o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
           o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER || o->type == MSGPACK_OBJECT_FLOAT32 ||
           o->type == MSGPACK_OBJECT_FLOAT64;
}

void put_error_record(stream_chunk *k, const cli *c, const char *id, const char *reason,
                      const msgpack_object *from)
{
    static const char *const own[] = {"id", "stage", "reason", NULL};
    record_begin(k, "error");
    put_text(k, "id", id);
    put_text(k, "stage", c->tool->name);
    put_text(k, "reason", reason);
    for (uint32_t i = 0; from && i < from->via.map.size; i++) {
        const msgpack_object_kv *pair = &from->via.map.ptr[i];
        if (is_scalar(&pair->val) && !is_own(own, &pair->key) && !is_set(c, &pair->key))
            put_pair(k, pair);
    }
    put_sets(k, c);
    record_end(k);
    k->records--;
    k->errors++;
}

const char *error_reason(const char *id, const char *reason)
{
    const char *hash = strrchr(id, '#');
    size_t photo = hash ? (size_t)(hash - id) : 0;
    const struct {
        const char *text;
        size_t length;
    } names[] = {{id, strlen(id)}, {id, photo}, {cli_input_name(id), strlen(cli_input_name(id))}};
    for (size_t i = 0; i < CLI_COUNT(names); i++)
        if (names[i].length > 0 && strncmp(reason, names[i].text, names[i].length) == 0 &&
            strncmp(reason + names[i].length, ": ", 2) == 0)
            return reason + names[i].length + 2;
    return reason;
}

static void note_error(const cli *c, const msgpack_object *record)
{
    char *id = object_text_copy(record, "id"), *reason = object_text_copy(record, "reason");
    if (id && reason) cli_note(c, "%s: %s", cli_input_name(id), error_reason(id, reason));
    free(id);
    free(reason);
}

void note_error_records(const cli *c, const stream_chunk *k, int64_t most)
{
    msgpack_unpacked record;
    size_t offset = 0;
    msgpack_unpacked_init(&record);
    for (int64_t left = k->errors < most ? k->errors : most;
         left > 0 && msgpack_unpack_next(&record, k->bytes.data, k->bytes.size, &offset) ==
                         MSGPACK_UNPACK_SUCCESS;) {
        if (!object_text_is(&record.data, "type", "error")) continue;
        note_error(c, &record.data);
        left--;
    }
    msgpack_unpacked_destroy(&record);
}
