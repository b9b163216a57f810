/* One object of a metadata file: its names and its tags. */
#include "exif/metadata_object.h"

#include "exif/aliases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NESTING_LIMIT = 4, METADATA_JSON_FLAGS = JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL };

const char *const metadata_name_keys[] = {"SourceFile", "path",      "file",  "filename",
                                          "FileName",   "file_name", "image", "photo",
                                          "photo_id",   "id",        NULL};

/* Objects that hold tags, beside exiftool's groups. Of records as written here `exif` has the
   values in units of the method; `exif_raw`, those as stored (APEX), would be mistaken for them. */
static const char *const tag_holders[] = {"exif", "tags", "metadata", "photo", NULL};

json_t *metadata_json_load(const char *text, size_t size, json_error_t *problem)
{
    json_t *object = json_loadb(text, size, METADATA_JSON_FLAGS, problem);
    if (object || json_error_code(problem) != json_error_numeric_overflow) return object;
    return json_loadb(text, size, METADATA_JSON_FLAGS | JSON_DECODE_INT_AS_REAL, problem);
}

const char *metadata_name_value(const json_t *object, const char *key, char buffer[32])
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value) && *json_string_value(value)) return json_string_value(value);
    if (!json_is_integer(value)) return NULL;
    snprintf(buffer, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return buffer;
}

typedef struct tag_reader {
    photo_tags *tags;
    int rank[KEY_COUNT]; /* of the spelling that set it; lower ones may replace it */
} tag_reader;

/* Shortest decimal text of a number: exiftool writes a model named "5700" as a number. Without an
   exponent, which number_text writes from 1e15 on. */
static void set_number_as_text(photo_tags *t, photo_key key, double x)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x && !strchr(text, 'e')) break;
    }
    photo_tags_set_text(t, key, text, strlen(text));
}

static void set_number(photo_tags *t, photo_key key, double x)
{
    tag_value *v = &t->value[key];
    if (photo_tag_table[key].text)
        set_number_as_text(t, key, x);
    else if (x == floor(x) && fabs(x) < 9e15)
        *v = (tag_value){.kind = VALUE_INTEGER, .count = 1, .integer = {(int64_t)x}};
    else
        *v = (tag_value){.kind = VALUE_REAL, .count = 1, .real = {x}};
}

/* [100, 200]: several numbers of one tag; of texts the first counts. */
static bool set_list(photo_tags *t, photo_key key, const json_t *list)
{
    const json_t *first = json_array_get(list, 0);
    if (json_is_string(first)) {
        photo_tags_set_text(t, key, json_string_value(first), json_string_length(first));
        return true;
    }
    tag_value v = {.kind = VALUE_REAL};
    for (size_t i = 0; i < json_array_size(list) && v.count < VALUE_ITEMS; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_number(item)) return false;
        v.real[v.count++] = json_number_value(item);
    }
    if (v.count) t->value[key] = v;
    return v.count > 0;
}

static bool set_value(photo_tags *t, photo_key key, const json_t *value)
{
    if (json_is_object(value))
        value = json_object_get(value, "_content"); /* Flickr wraps its texts */
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        photo_tags_set_text(t, key, json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        set_number(t, key, json_number_value(value));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        photo_tags_set_text(t, key, json_is_true(value) ? "true" : "false", 5);
        return true;
    case JSON_ARRAY:
        return set_list(t, key, value);
    default:
        return false;
    }
}

static bool take_tag(tag_reader *r, const char *name, const json_t *value)
{
    bool known = false;
    for (const alias *a = alias_find(name, NULL); a; a = alias_find(name, a)) {
        known = true;
        if (a->rank < r->rank[a->key] && set_value(r->tags, a->key, value))
            r->rank[a->key] = a->rank;
    }
    return known;
}

/* flickr.photos.getExif: [{"tagspace": "IFD0", "tag": "Make", "label": "Make", "raw": ..., "clean":
 * ...}]. */
static void take_flickr(tag_reader *r, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i), *value = json_object_get(item, "raw");
        const char *space = json_string_value(json_object_get(item, "tagspace"));
        const char *tag = json_string_value(json_object_get(item, "tag"));
        const char *label = json_string_value(json_object_get(item, "label"));
        if (!value) value = json_object_get(item, "clean");
        if (space && !alias_group_is_standard(space, strlen(space))) continue;
        if (!(tag && take_tag(r, tag, value)) && label) take_tag(r, label, value);
    }
}

static bool holds_tags(const char *key)
{
    for (int i = 0; tag_holders[i]; i++)
        if (!strcmp(tag_holders[i], key)) return true;
    return alias_group_is_standard(key, strlen(key));
}

static void take_object(tag_reader *r, const json_t *object, int depth)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        if (!json_is_object(value) && !(json_is_array(value) && !strcmp(key, "exif")))
            take_tag(r, key, value);
    }
    /* Nested ones after the object's own: equal ranks do not replace. */
    json_object_foreach((json_t *)object, key, value)
    {
        if (!holds_tags(key)) continue;
        if (json_is_object(value) && depth < NESTING_LIMIT)
            take_object(r, value, depth + 1);
        else if (json_is_array(value))
            take_flickr(r, value);
    }
}

void metadata_photo(const metadata_object *o, exif_photo *p)
{
    tag_reader r = {.tags = &p->tags};
    for (int i = 0; i < KEY_COUNT; i++) r.rank[i] = 100;
    exif_photo_clear(p);
    take_object(&r, o->json, 0);
    exif_photo_take_size_tags(p);
}

const json_t *metadata_names(const json_t *object)
{
    char buffer[32];
    const json_t *photo = json_object_get(object, "photo");
    for (int i = 0; metadata_name_keys[i]; i++)
        if (metadata_name_value(object, metadata_name_keys[i], buffer)) return object;
    return photo ? photo : object;
}

const char *metadata_name(const metadata_object *o)
{
    for (int i = 0; metadata_name_keys[i]; i++) {
        const char *name =
            metadata_name_value(metadata_names(o->json), metadata_name_keys[i], (char *)o->id);
        if (name) return name;
    }
    return "";
}

const char *metadata_text(const metadata_object *o, const char *key)
{
    return json_string_value(json_object_get(o->json, key));
}

void metadata_object_free(metadata_object *o)
{
    if (o) json_decref(o->json);
    free(o);
}
