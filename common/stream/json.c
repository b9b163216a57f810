/* msgpack to JSON through jansson. */
#include "stream/json.h"

#include "cli/text.h"
#include "stream/number.h"
#include "stream/writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ----------------------------------------------------------------------------------- */

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

json_t *json_from_text(const char *text, size_t length, const char *instead)
{
    json_t *json = json_stringn(text, length);
    if (json) return json;
    char *mended = malloc(strlen(instead) * length + 1);
    json = mended ? json_stringn(mended, utf8_mend(mended, text, length, instead)) : NULL;
    free(mended);
    return json;
}

/* ---- Binary --------------------------------------------------------------------------------- */

static json_t *base64_to_json(const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = (size + 2) / 3 * 4;
    char *text = malloc(length + 1), *p = text;
    for (size_t i = 0; text && i < size; i += 3) {
        size_t left = size - i;
        unsigned bits = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        *p++ = digits[bits >> 18];
        *p++ = digits[bits >> 12 & 63];
        *p++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *p++ = left > 2 ? digits[bits & 63] : '=';
    }
    json_t *json = text ? json_pack("{s:o}", "base64", json_stringn(text, length)) : NULL;
    free(text);
    return json;
}

typedef enum binary_form { FORM_BYTES, FORM_FLOAT32, FORM_INT32, FORM_UINT8 } binary_form;

static json_t *number_to_json(const unsigned char *p, binary_form form)
{
    if (form == FORM_UINT8) return json_integer(*p);
    uint32_t bits = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    if (form == FORM_INT32) return json_integer((int32_t)bits);
    float number;
    memcpy(&number, &bits, 4);
    return isfinite(number) ? json_real((double)number) : json_null();
}

static json_t *numbers_to_json(const unsigned char *bytes, size_t size, binary_form form)
{
    json_t *array = json_array();
    size_t step = form == FORM_UINT8 ? 1 : 4;
    for (size_t i = 0; array && i < size; i += step)
        if (json_array_append_new(array, number_to_json(bytes + i, form)) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* Labels are float32, int32 or uint8 by the kind of their task, which stands in the batch header.
 */
static binary_form label_form(const msgpack_object *header, const msgpack_object_str *name)
{
    const msgpack_object *tasks = object_get(header, "tasks");
    for (uint32_t i = 0; tasks && tasks->type == MSGPACK_OBJECT_ARRAY && i < tasks->via.array.size;
         i++) {
        const msgpack_object *task = &tasks->via.array.ptr[i];
        const char *text;
        size_t length;
        if (!object_text(task, "name", &text, &length) || length != name->size ||
            memcmp(text, name->ptr, length))
            continue;
        return object_text_is(task, "kind", "ordinal") ? FORM_FLOAT32
               : object_text_is(task, "kind", "fine")  ? FORM_UINT8
                                                       : FORM_INT32;
    }
    return FORM_BYTES;
}

static bool key_is(const msgpack_object_str *key, const char *text)
{
    return text_is(key->ptr, key->size, text);
}

/* ---- Values --------------------------------------------------------------------------------- */

/* What surrounds a value. */
typedef struct json_context {
    const msgpack_object *header; /* of the stream */
    const msgpack_object_str *parent, *key;
    bool base64;
} json_context;

static json_t *binary_to_json(const json_context *context, const msgpack_object_bin *binary)
{
    const unsigned char *bytes = (const unsigned char *)binary->ptr;
    if (context->base64) return base64_to_json(bytes, binary->size);
    binary_form form = FORM_BYTES;
    if (context->parent && key_is(context->parent, "labels"))
        form = label_form(context->header, context->key);
    else if (context->key && (key_is(context->key, "vector") || key_is(context->key, "landmarks")))
        form = FORM_FLOAT32;
    if (form == FORM_BYTES || (form != FORM_UINT8 && binary->size % 4))
        return json_pack("{s:I}", "bytes", (json_int_t)binary->size);
    return numbers_to_json(bytes, binary->size, form);
}

static json_t *value_to_json(const json_context *context, const msgpack_object *o);

/* Of equal keys the first counts, as for whoever reads the record. Takes the value. */
static bool set_first(json_t *object, const json_t *name, json_t *value)
{
    const char *key = json_string_value(name);
    size_t length = json_string_length(name);
    if (!json_object_getn(object, key, length))
        return json_object_setn_new_nocheck(object, key, length, value) == 0;
    json_decref(value);
    return true;
}

static json_t *map_to_json(const json_context *context, const msgpack_object_map *map)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object && i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        if (key->type != MSGPACK_OBJECT_STR) continue; /* the stream format knows no other keys */
        json_context inner = {context->header, context->key, &key->via.str, context->base64};
        json_t *name = json_from_text(key->via.str.ptr, key->via.str.size, replacement);
        bool failed = !name || !set_first(object, name, value_to_json(&inner, &map->ptr[i].val));
        json_decref(name);
        if (failed) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *array_to_json(const json_context *context, const msgpack_object_array *items)
{
    json_t *array = json_array();
    for (uint32_t i = 0; array && i < items->size; i++)
        if (json_array_append_new(array, value_to_json(context, &items->ptr[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *value_to_json(const json_context *context, const msgpack_object *o)
{
    switch (o->type) {
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(o->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return o->via.u64 <= INT64_MAX ? json_integer((json_int_t)o->via.u64)
                                       : json_real((double)o->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(o->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return isfinite(o->via.f64) ? json_real(o->via.f64) : json_null();
    case MSGPACK_OBJECT_STR:
        return json_from_text(o->via.str.ptr, o->via.str.size, replacement);
    case MSGPACK_OBJECT_BIN:
        return binary_to_json(context, &o->via.bin);
    case MSGPACK_OBJECT_MAP:
        return map_to_json(context, &o->via.map);
    case MSGPACK_OBJECT_ARRAY:
        return array_to_json(context, &o->via.array);
    default:
        return json_null();
    }
}

bool json_print_record(const msgpack_object *map, const msgpack_object *header, bool base64,
                       FILE *to, const char *name, error *e)
{
    json_context context = {.header = header, .base64 = base64};
    json_t *json = value_to_json(&context, map);
    bool printed = number_json_print(json, JSON_COMPACT, to, name, e);
    json_decref(json);
    return printed;
}

json_t *json_from_object(const msgpack_object *o)
{
    const json_context context = {0};
    return value_to_json(&context, o);
}

/* This tool's entry alone; NULL when out of memory. */
static json_t *own_provenance(const cli *c)
{
    stream_chunk chunk = {0};
    msgpack_unpacked record;
    json_t *json = NULL;
    record_begin(&chunk, "provenance");
    put_provenance(&chunk, c, NULL);
    record_end(&chunk);
    msgpack_unpacked_init(&record);
    if (!chunk.failed && msgpack_unpack_next(&record, chunk.bytes.data, chunk.bytes.size, NULL) ==
                             MSGPACK_UNPACK_SUCCESS)
        json = json_from_object(object_get(&record.data, "provenance"));
    msgpack_unpacked_destroy(&record);
    stream_chunk_free(&chunk);
    return json;
}

/* Takes the list. */
static char *provenance_text(const cli *c, json_t *list, error *e)
{
    json_t *own = own_provenance(c);
    if (!json_is_array(list)) {
        json_decref(list);
        list = json_array();
    }
    char *text = own && json_array_extend(list, own) == 0 ? json_dumps(list, JSON_COMPACT) : NULL;
    if (!text) error_set(e, STATUS_SYSTEM, "out of memory");
    json_decref(own);
    json_decref(list);
    return text;
}

char *json_provenance(const cli *c, const msgpack_object *previous, error *e)
{
    const msgpack_object *list = object_get(previous, "provenance");
    return provenance_text(c, list ? json_from_object(list) : NULL, e);
}

char *json_provenance_after(const cli *c, const char *previous, error *e)
{
    return provenance_text(c, previous ? json_loads(previous, 0, NULL) : NULL, e);
}

/* ---- From JSON ------------------------------------------------------------------------------ */

/* Windows programs begin UTF-8 with a byte order mark. */
static void skip_byte_order_mark(FILE *file)
{
    static const unsigned char mark[3] = {0xef, 0xbb, 0xbf};
    for (size_t i = 0; i < sizeof mark; i++) {
        int byte = getc(file);
        if (byte == mark[i]) continue;
        ungetc(byte, file);
        return;
    }
}

json_t *json_file_read(const char *path, error *e)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        error_set(e, STATUS_NO_INPUT, "%s: ", path);
        return NULL;
    }
    json_error_t where;
    skip_byte_order_mark(file);
    json_t *root = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
    if (ferror(file)) /* a folder, too, can be opened */
        error_set(e, STATUS_IO, "%s: ", path);
    else if (!root)
        error_set(e, STATUS_DATA, "%s:%d: %s", path, where.line, where.text);
    fclose(file);
    if (!e->status) return root;
    json_decref(root);
    return NULL;
}

static msgpack_object json_to_object(const json_t *value, msgpack_zone *zone, bool *failed);

static void *zone_room(msgpack_zone *zone, size_t count, size_t size, bool *failed)
{
    void *room = msgpack_zone_malloc(zone, count * size);
    if (room == NULL) *failed = true;
    return room;
}

static msgpack_object json_to_text(const char *text, size_t length)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_STR};
    o.via.str.ptr = text;
    o.via.str.size = (uint32_t)length;
    return o;
}

static msgpack_object json_to_array(const json_t *value, msgpack_zone *zone, bool *failed)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_ARRAY};
    size_t count = json_array_size(value);
    o.via.array.ptr = zone_room(zone, count, sizeof *o.via.array.ptr, failed);
    for (size_t i = 0; i < count && !*failed; i++) {
        o.via.array.ptr[i] = json_to_object(json_array_get(value, i), zone, failed);
        o.via.array.size++;
    }
    return o;
}

static msgpack_object json_to_map(const json_t *value, msgpack_zone *zone, bool *failed)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_MAP};
    const char *name;
    size_t length;
    json_t *inner;
    o.via.map.ptr = zone_room(zone, json_object_size(value), sizeof *o.via.map.ptr, failed);
    json_object_keylen_foreach((json_t *)value, name, length, inner)
    {
        if (*failed) break;
        msgpack_object_kv *pair = &o.via.map.ptr[o.via.map.size++];
        pair->key = json_to_text(name, length);
        pair->val = json_to_object(inner, zone, failed);
    }
    return o;
}

/* Texts stay those of the JSON value. */
static msgpack_object json_to_object(const json_t *value, msgpack_zone *zone, bool *failed)
{
    msgpack_object o = {.type = MSGPACK_OBJECT_NIL};
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_to_text(json_string_value(value), json_string_length(value));
    case JSON_INTEGER:
        o.type = json_integer_value(value) < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER
                                               : MSGPACK_OBJECT_POSITIVE_INTEGER;
        o.via.i64 = json_integer_value(value);
        return o;
    case JSON_REAL:
        o.type = MSGPACK_OBJECT_FLOAT64;
        o.via.f64 = json_real_value(value);
        return o;
    case JSON_TRUE:
    case JSON_FALSE:
        o.type = MSGPACK_OBJECT_BOOLEAN;
        o.via.boolean = json_is_true(value);
        return o;
    case JSON_ARRAY:
        return json_to_array(value, zone, failed);
    case JSON_OBJECT:
        return json_to_map(value, zone, failed);
    default:
        return o;
    }
}

void put_json(stream_chunk *k, const char *key, const json_t *value)
{
    msgpack_zone zone;
    bool failed = !msgpack_zone_init(&zone, MSGPACK_ZONE_CHUNK_SIZE);
    if (!failed) {
        msgpack_object o = json_to_object(value, &zone, &failed);
        if (!failed) put_object(k, key, &o);
        msgpack_zone_destroy(&zone);
    }
    k->failed |= failed;
}
