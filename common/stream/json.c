/* msgpack to JSON through jansson. */
#include "stream/json.h"

#include "cli/text.h"
#include "stream/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ---------------------------------------------------------------------------------------
 */

static json_t *text_to_json(const char *text, size_t length)
{
    json_t *json = json_stringn(text, length);
    if (json) return json;
    char *mended = malloc(3 * length + 1);
    size_t used = 0;
    for (size_t i = 0; mended && i < length;) {
        size_t valid = utf8_length((const unsigned char *)text + i, length - i);
        memcpy(mended + used, valid ? text + i : "\xef\xbf\xbd", valid ? valid : 3);
        used += valid ? valid : 3;
        i += valid ? valid : 1;
    }
    json = mended ? json_stringn(mended, used) : NULL;
    free(mended);
    return json;
}

/* ---- Binary -------------------------------------------------------------------------------------
 */

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

/* ---- Values -------------------------------------------------------------------------------------
 */

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

static json_t *map_to_json(const json_context *context, const msgpack_object_map *map)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object && i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        if (key->type != MSGPACK_OBJECT_STR) continue; /* the stream format knows no other keys */
        json_context inner = {context->header, context->key, &key->via.str, context->base64};
        json_t *name = text_to_json(key->via.str.ptr, key->via.str.size);
        int failed = !name || json_object_setn_new_nocheck(object, json_string_value(name),
                                                           json_string_length(name),
                                                           value_to_json(&inner, &map->ptr[i].val));
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
        return text_to_json(o->via.str.ptr, o->via.str.size);
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
