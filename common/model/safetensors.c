/* The safetensors format: reading, with every number checked, and writing. */
#include "model/safetensors.h"

#include "cli/memory.h"
#include "cli/output.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEADER_LIMIT = 32 << 20, /* bytes of JSON */
    NAME_LIMIT = 1000,
};

typedef struct reader {
    source source;
    int64_t data; /* where the tensors' bytes begin */
    json_t *header;
} reader;

static bool reader_load(const tensor_file *f, const tensor *t, void *bytes, error *e)
{
    const reader *r = f->reader;
    return source_read(&r->source, r->data + t->offset, bytes,
                       (size_t)t->count * tensor_type_size(t->type), e);
}

static void reader_close(tensor_file *f)
{
    reader *r = f->reader;
    json_decref(r->header);
    source_close(&r->source);
    free(r);
}

static bool header_read(reader *r, error *e)
{
    const char *path = r->source.path;
    unsigned char prefix[8];
    if (r->source.size < 8)
        return error_set(e, STATUS_DATA, "%s: too short for a safetensors file", path);
    if (!source_read(&r->source, 0, prefix, 8, e)) return false;
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | prefix[i];
    if (length > (uint64_t)r->source.size - 8 || length > HEADER_LIMIT || length < 2) {
        return error_set(e, STATUS_DATA,
                         "%s: not a safetensors or PyTorch file (a header of %" PRIu64 " bytes)",
                         path, length);
    }
    char *text = memory_allocate((size_t)length, 1, e);
    if (!text) return false;
    bool ok = source_read(&r->source, 8, text, (size_t)length, e);
    json_error_t problem;
    if (ok) r->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &problem);
    free(text);
    if (!ok) return false;
    if (!r->header) {
        return error_set(e, STATUS_DATA, "%s: the safetensors header is not JSON: %s (byte %d)",
                         path, problem.text, problem.position);
    }
    if (!json_is_object(r->header)) {
        return error_set(e, STATUS_DATA, "%s: the safetensors header is not a JSON object", path);
    }
    r->data = 8 + (int64_t)length;
    return true;
}

static bool metadata_read(tensor_file *f, json_t *object, error *e)
{
    if (!json_is_object(object))
        return error_set(e, STATUS_DATA, "%s: __metadata__ is not a JSON object", f->path);
    f->metadata = memory_allocate(2 * json_object_size(object) + 1, sizeof *f->metadata, e);
    if (!f->metadata) return false;
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        const char *text = json_string_value(value);
        if (!text)
            return error_set(e, STATUS_DATA, "%s: metadata '%.200s' is not text", f->path, key);
        f->metadata[2 * f->metadata_count] = key;
        f->metadata[2 * f->metadata_count++ + 1] = text;
    }
    return true;
}

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} */
static bool entry_read(tensor *t, json_t *object, int64_t data_size, const char *path, error *e)
{
    const char *name = t->name;
    const char *type = json_string_value(json_object_get(object, "dtype"));
    json_t *shape = json_object_get(object, "shape"),
           *offsets = json_object_get(object, "data_offsets");
    if (strlen(name) > NAME_LIMIT)
        return error_set(e, STATUS_DATA, "%s: a tensor's name is too long", path);
    if (!type || !json_is_array(shape) || json_array_size(offsets) != 2) {
        return error_set(e, STATUS_DATA, "%s: tensor '%s' lacks dtype, shape or data_offsets", path,
                         name);
    }
    t->type = tensor_type_named(type);
    if (t->type == TENSOR_TYPES) {
        return error_set(e, STATUS_DATA, "%s: tensor '%s' has the unknown type '%.20s'", path, name,
                         type);
    }
    if (json_array_size(shape) > TENSOR_RANK_LIMIT) {
        return error_set(e, STATUS_DATA, "%s: tensor '%s' has more than %d dimensions", path, name,
                         TENSOR_RANK_LIMIT);
    }
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        json_t *side = json_array_get(shape, (size_t)i);
        t->shape[i] = json_is_integer(side) ? json_integer_value(side) : -1;
    }
    t->count = tensor_shape_count(t->rank, t->shape);
    if (t->count < 0)
        return error_set(e, STATUS_DATA, "%s: tensor '%s' has an impossible shape", path, name);
    json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    t->offset = json_is_integer(begin) ? json_integer_value(begin) : -1;
    int64_t after = json_is_integer(end) ? json_integer_value(end) : -1;
    if (t->offset < 0 || after < t->offset || after > data_size) {
        return error_set(e, STATUS_DATA, "%s: tensor '%s' lies outside the file", path, name);
    }
    if (after - t->offset != t->count * (int64_t)tensor_type_size(t->type)) {
        return error_set(e, STATUS_DATA, "%s: tensor '%s' has bytes for another shape", path, name);
    }
    return true;
}

static int offset_compare(const void *a, const void *b)
{
    const tensor *x = *(const tensor *const *)a, *y = *(const tensor *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->count > 0) - (y->count > 0);
}

/* The tensors must cover the data exactly: no gap, no overlap. */
static bool layout_check(const tensor_file *f, int64_t data_size, error *e)
{
    const tensor **order = memory_allocate(f->count + 1, sizeof *order, e);
    if (!order) return false;
    for (size_t i = 0; i < f->count; i++) order[i] = &f->tensors[i];
    qsort(order, f->count, sizeof *order, offset_compare);
    int64_t expected = 0;
    bool ok = true;
    for (size_t i = 0; i < f->count && ok; i++) {
        if (order[i]->offset != expected) {
            ok = error_set(e, STATUS_DATA, "%s: tensor '%s' %s", f->path, order[i]->name,
                           order[i]->offset < expected ? "overlaps another" : "follows a gap");
        }
        expected += order[i]->count * (int64_t)tensor_type_size(order[i]->type);
    }
    free(order);
    if (ok && expected != data_size) {
        ok = error_set(e, STATUS_DATA, "%s: %" PRId64 " bytes belong to no tensor", f->path,
                       data_size - expected);
    }
    return ok;
}

static bool table_read(tensor_file *f, reader *r, error *e)
{
    size_t size = json_object_size(r->header);
    int64_t data_size = r->source.size - r->data;
    if (size > TENSOR_COUNT_LIMIT)
        return error_set(e, STATUS_DATA, "%s: too many tensors", f->path);
    f->tensors = memory_zeroed(size + 1, sizeof *f->tensors, e);
    if (!f->tensors) return false;
    const char *key;
    json_t *value;
    json_object_foreach(r->header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            if (!metadata_read(f, value, e)) return false;
            continue;
        }
        tensor *t = &f->tensors[f->count++];
        t->name = key;
        if (!entry_read(t, value, data_size, f->path, e)) return false;
    }
    return layout_check(f, data_size, e) && tensor_file_sort(f, e);
}

tensor_file *safetensors_from_source(source s, error *e)
{
    tensor_file *f = memory_zeroed(1, sizeof *f, e);
    reader *r = memory_zeroed(1, sizeof *r, e);
    char *path = memory_allocate(strlen(s.path) + 1, 1, e);
    if (!f || !r || !path) {
        free(f);
        free(r);
        free(path);
        source_close(&s);
        return NULL;
    }
    *f = (tensor_file){.path = strcpy(path, s.path),
                       .format = "safetensors",
                       .reader = r,
                       .load = reader_load,
                       .close = reader_close};
    r->source = s;
    r->source.path = path;
    if (header_read(r, e) && table_read(f, r, e)) return f;
    tensor_file_close(f);
    return NULL;
}

tensor_file *safetensors_open(const char *path, error *e)
{
    source s;
    return source_open(&s, path, e) ? safetensors_from_source(s, e) : NULL;
}

tensor_file *safetensors_open_kind(const char *path, const char *kind, error *e)
{
    tensor_file *f = safetensors_open(path, e);
    if (!f) return NULL;
    const char *is = tensor_file_metadata(f, "blades_kind");
    if (is && strcmp(is, kind) == 0) return f;
    if (is) {
        error_set(e, STATUS_DATA, "%s: holds a '%.50s', not a '%s'", f->path, is, kind);
    } else {
        error_set(e, STATUS_DATA, "%s: holds no '%s' (it has no blades_kind)", f->path, kind);
    }
    tensor_file_close(f);
    return NULL;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static size_t entry_size(const safetensors_entry *entry)
{
    return (size_t)tensor_shape_count(entry->rank, entry->shape) * tensor_type_size(entry->type);
}

static int entry_compare(const void *a, const void *b)
{
    const safetensors_entry *x = *(const safetensors_entry *const *)a,
                            *y = *(const safetensors_entry *const *)b;
    size_t x_size = tensor_type_size(x->type), y_size = tensor_type_size(y->type);
    if (x_size != y_size) return x_size > y_size ? -1 : 1;
    return strcmp(x->name, y->name);
}

static json_t *metadata_build(const safetensors_pair *metadata, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        if (json_object_set_new(object, metadata[i].key, json_string(metadata[i].value)) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

/* Adds an entry to the header; the end of its bytes, -1 on failure. */
static int64_t entry_build(json_t *header, const safetensors_entry *entry, int64_t begin)
{
    int64_t end = begin + (int64_t)entry_size(entry);
    json_t *shape = json_array();
    for (int i = 0; i < entry->rank; i++)
        json_array_append_new(shape, json_integer(entry->shape[i]));
    json_t *object = json_pack("{s:s, s:o, s:[I, I]}", "dtype", tensor_type_name(entry->type),
                               "shape", shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
    return json_object_set_new(header, entry->name, object) == 0 ? end : -1;
}

/* The header as text, padded to a multiple of 8; keys in the order of insertion, metadata sorted.
 */
static char *header_build(const safetensors_entry *const *order, size_t count,
                          const safetensors_pair *metadata, size_t metadata_count, error *e)
{
    char *padded = NULL;
    json_t *header = json_object(), *pairs = metadata_build(metadata, metadata_count);
    char *text = NULL,
         *pairs_text = pairs ? json_dumps(pairs, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    int64_t offset = pairs_text ? 0 : -1;
    for (size_t i = 0; i < count && offset >= 0; i++) {
        if (json_object_get(header, order[i]->name)) {
            error_set(e, STATUS_INTERNAL, "tensor '%s' is written twice", order[i]->name);
        }
        offset = entry_build(header, order[i], offset);
    }
    if (offset >= 0) text = json_dumps(header, JSON_COMPACT);
    if (!text) {
        error_set(e, STATUS_INTERNAL,
                  "a name or a metadata text of a safetensors file is not UTF-8");
    } else if (!e->status) {
        size_t length = strlen(text) + strlen(pairs_text) + sizeof "{\"__metadata__\":,}";
        padded = memory_allocate(length + 8, 1, e);
        if (padded) {
            int written =
                sprintf(padded, "{\"__metadata__\":%s%s%s", pairs_text, count ? "," : "", text + 1);
            while (written % 8) padded[written++] = ' ';
            padded[written] = 0;
        }
    }
    free(text);
    free(pairs_text);
    json_decref(header);
    json_decref(pairs);
    return padded;
}

static bool entry_write(const safetensors_entry *entry, FILE *out, error *e)
{
    size_t size = entry_size(entry);
    const void *bytes = entry->data;
    void *buffer = NULL;
    if (size == 0) return true;
    if (!bytes) {
        buffer = memory_allocate(size, 1, e);
        if (!buffer || !entry->produce(entry->context, buffer, e)) {
            free(buffer);
            return false;
        }
        bytes = buffer;
    }
    bool ok = fwrite(bytes, 1, size, out) == size || error_set(e, STATUS_IO, "cannot write: ");
    free(buffer);
    return ok;
}

bool safetensors_write(const char *path, const safetensors_entry *entries, size_t count,
                       const safetensors_pair *metadata, size_t metadata_count, error *e)
{
    const safetensors_entry **order = memory_allocate(count + 1, sizeof *order, e);
    if (!order) return false;
    for (size_t i = 0; i < count; i++) order[i] = &entries[i];
    qsort(order, count, sizeof *order, entry_compare);
    char *header = header_build(order, count, metadata, metadata_count, e);
    output out = {0};
    bool ok = header && output_open(&out, path, true, e);
    if (ok) {
        unsigned char prefix[8];
        size_t length = strlen(header);
        for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)length >> 8 * i);
        ok = (fwrite(prefix, 1, 8, out.file) == 8 &&
              fwrite(header, 1, length, out.file) == length) ||
             error_set(e, STATUS_IO, "%s: cannot write: ", path ? path : "standard output");
        for (size_t i = 0; i < count && ok; i++) {
            ok = entry_write(order[i], out.file, e) ||
                 error_context(e, "%s", path ? path : "standard output");
        }
        ok = output_commit(&out, e) && ok;
    }
    free(header);
    free(order);
    return ok;
}
