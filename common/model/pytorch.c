/* PyTorch checkpoints as tables of tensors: the pickled description walked, storages found and
 * read. */
#include "model/pytorch.h"

#include "cli/memory.h"
#include "model/pickle.h"
#include "model/zip.h"
#include "stream/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_LIMIT = 32,
    VISIT_LIMIT = 1000000,
    NAME_LIMIT = 1000,
    EXPANDED_LIMIT = 1 << 24, /* elements in a file of tensors that repeat smaller storages */
    TEXT_LIMIT = 64 << 20,    /* bytes of names and metadata made here */
};

/* The ten bytes with which a file older than the zip format begins, as a pickled number. */
static const unsigned char magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

static const struct {
    const char *name;
    tensor_type type;
} storage_types[] = {
    {"torch.DoubleStorage", TENSOR_F64}, {"torch.FloatStorage", TENSOR_F32},
    {"torch.HalfStorage", TENSOR_F16},   {"torch.BFloat16Storage", TENSOR_BF16},
    {"torch.LongStorage", TENSOR_I64},   {"torch.IntStorage", TENSOR_I32},
    {"torch.ShortStorage", TENSOR_I16},  {"torch.CharStorage", TENSOR_I8},
    {"torch.ByteStorage", TENSOR_U8},    {"torch.BoolStorage", TENSOR_BOOL},
};

typedef struct storage {
    const char *key;
    tensor_type type;
    int64_t count;          /* elements */
    const zip_entry *entry; /* zip archives */
    int64_t offset;         /* older files: where its bytes lie */
    bool located;
} storage;

typedef struct checkpoint {
    source source;
    zip archive;
    char prefix[NAME_LIMIT + 1]; /* of the archive's entries, "archive/" */
    pickle_arena arena;
    storage *storages;
    size_t storage_count, storage_capacity;
    char **texts; /* names and metadata made here */
    size_t text_count, text_capacity, text_bytes;
    size_t tensor_capacity, metadata_capacity, visits;
    int64_t expanded; /* elements */
    int cached;       /* the storage whose bytes are kept; -1: none */
    unsigned char *cache;
} checkpoint;

bool pytorch_looks_like(const unsigned char *head, size_t size)
{
    if (size >= 4 && memcmp(head, "PK\x03\x04", 4) == 0) return true;
    return size >= 14 && head[0] == 0x80 && head[2] == 0x8a && head[3] == sizeof magic &&
           memcmp(head + 4, magic, 10) == 0;
}

static bool wrong(const tensor_file *f, const char *name, const char *what, error *e)
{
    return error_set(e, STATUS_DATA, "%s: tensor '%.200s' %s", f->path, name, what);
}

static const char *text_keep(checkpoint *c, const char *text, error *e)
{
    size_t size = strlen(text) + 1;
    if (size > TEXT_LIMIT - c->text_bytes) {
        error_set(e, STATUS_DATA, "%s: too many names", c->source.path);
        return NULL;
    }
    char **texts = array_grow(c->texts, c->text_count + 1, &c->text_capacity, sizeof *texts, e);
    if (!texts) return NULL;
    c->texts = texts;
    char *copy = memory_allocate(size, 1, e);
    if (!copy) return NULL;
    c->text_bytes += size;
    return c->texts[c->text_count++] = memcpy(copy, text, size);
}

/* ---- The description ------------------------------------------------------------------------ */

static int storage_find(const checkpoint *c, const char *key)
{
    /* Neighbours in a state dict come in the order of their storages: look from the end. */
    for (size_t i = c->storage_count; i-- > 0;) {
        if (strcmp(c->storages[i].key, key) == 0) return (int)i;
    }
    return -1;
}

/* ('storage', torch.FloatStorage, key, location, count, view): its index, -1 on error. *view gets
   the offset of a view of older files. */
static int storage_add(tensor_file *f, const pickle_value *id, const char *name, int64_t *view,
                       error *e)
{
    checkpoint *c = f->reader;
    const pickle_value *type = id->items[1], *key = id->items[2], *count = id->items[4];
    if (type->kind != PICKLE_GLOBAL || key->kind != PICKLE_TEXT || count->kind != PICKLE_INTEGER ||
        count->integer < 0 || key->length != strlen(key->text) || key->length > 100) {
        wrong(f, name, "has a storage that makes no sense", e);
        return -1;
    }
    size_t t = 0;
    while (t < sizeof storage_types / sizeof *storage_types &&
           strcmp(storage_types[t].name, type->text) != 0)
        t++;
    if (t == sizeof storage_types / sizeof *storage_types) {
        error_set(e, STATUS_DATA, "%s: tensor '%.200s' has elements of the unknown type %s",
                  f->path, name, type->text);
        return -1;
    }
    *view = 0;
    if (id->count > 5 && id->items[5]->kind == PICKLE_TUPLE && id->items[5]->count == 3) {
        const pickle_value *offset = id->items[5]->items[1];
        if (offset->kind != PICKLE_INTEGER || offset->integer < 0) {
            wrong(f, name, "has a storage that makes no sense", e);
            return -1;
        }
        *view = offset->integer;
    }
    int index = storage_find(c, key->text);
    if (index >= 0) {
        storage *s = &c->storages[index];
        if (s->type == storage_types[t].type && s->count == count->integer) return index;
        wrong(f, name, "shares a storage of another type or size", e);
        return -1;
    }
    storage *storages =
        array_grow(c->storages, c->storage_count + 1, &c->storage_capacity, sizeof *storages, e);
    if (!storages) return -1;
    c->storages = storages;
    c->storages[c->storage_count] =
        (storage){.key = key->text, .type = storage_types[t].type, .count = count->integer};
    return (int)c->storage_count++;
}

static bool integers_read(const pickle_value *tuple, int64_t *out, int *count)
{
    if ((tuple->kind != PICKLE_TUPLE && tuple->kind != PICKLE_LIST) ||
        tuple->count > TENSOR_RANK_LIMIT)
        return false;
    *count = (int)tuple->count;
    for (size_t i = 0; i < tuple->count; i++) {
        if (tuple->items[i]->kind != PICKLE_INTEGER) return false;
        out[i] = tuple->items[i]->integer;
    }
    return true;
}

/* Does every element lie inside the storage? */
static bool tensor_fits(const tensor *t, int64_t storage_count)
{
    int64_t last = t->offset, step;
    if (t->count == 0) return true;
    for (int i = 0; i < t->rank; i++) {
        if (t->stride[i] < 0 || __builtin_mul_overflow(t->stride[i], t->shape[i] - 1, &step) ||
            __builtin_add_overflow(last, step, &last)) {
            return false;
        }
    }
    return last < storage_count;
}

/* Strides of 0 make tensors of any size of a single element. */
static bool expansion_bounded(checkpoint *c, const tensor *t, int64_t storage_count)
{
    if (t->count <= storage_count) return true;
    if (t->count > EXPANDED_LIMIT - c->expanded) return false;
    c->expanded += t->count;
    return true;
}

static bool tensor_add(tensor_file *f, const pickle_value *value, const char *name, error *e)
{
    checkpoint *c = f->reader;
    const pickle_value *id = value->items[0], *offset = value->items[1];
    tensor t = {0};
    int strides;
    if (f->count >= TENSOR_COUNT_LIMIT)
        return error_set(e, STATUS_DATA, "%s: too many tensors", f->path);
    if (id->kind != PICKLE_STORAGE || offset->kind != PICKLE_INTEGER || offset->integer < 0 ||
        !integers_read(value->items[2], t.shape, &t.rank) ||
        !integers_read(value->items[3], t.stride, &strides) || strides != t.rank) {
        return wrong(f, name, "has a shape that makes no sense", e);
    }
    int64_t view;
    t.storage = storage_add(f, id, name, &view, e);
    if (t.storage < 0) return false;
    const storage *s = &c->storages[t.storage];
    t.type = s->type;
    t.count = tensor_shape_count(t.rank, t.shape);
    if (t.count < 0 || __builtin_add_overflow(offset->integer, view, &t.offset) ||
        !tensor_fits(&t, s->count)) {
        return wrong(f, name, "reaches outside its storage", e);
    }
    if (!expansion_bounded(c, &t, s->count))
        return wrong(f, name, "repeats a storage too often", e);
    t.name = text_keep(c, name, e);
    if (!t.name) return false;
    tensor *tensors = array_grow(f->tensors, f->count + 1, &c->tensor_capacity, sizeof *tensors, e);
    if (!tensors) return false;
    f->tensors = tensors;
    f->tensors[f->count++] = t;
    return true;
}

static bool metadata_add(tensor_file *f, const char *name, const char *value, error *e)
{
    checkpoint *c = f->reader;
    const char **pairs =
        array_grow(f->metadata, f->metadata_count + 1, &c->metadata_capacity, 2 * sizeof *pairs, e);
    if (!pairs) return false;
    f->metadata = pairs;
    const char *key = text_keep(c, name, e), *text = key ? text_keep(c, value, e) : NULL;
    if (!text) return false;
    f->metadata[2 * f->metadata_count] = key;
    f->metadata[2 * f->metadata_count++ + 1] = text;
    return true;
}

/* Names and texts are kept as metadata where they are short and plain. */
static bool scalar_add(tensor_file *f, const pickle_value *value, const char *name, error *e)
{
    char text[64];
    switch (value->kind) {
    case PICKLE_BOOLEAN:
        return metadata_add(f, name, value->integer ? "true" : "false", e);
    case PICKLE_INTEGER:
        snprintf(text, sizeof text, "%" PRId64, value->integer);
        return metadata_add(f, name, text, e);
    case PICKLE_NUMBER:
        number_text(value->number, text);
        return metadata_add(f, name, text, e);
    case PICKLE_TEXT:
        return value->length > NAME_LIMIT || strlen(value->text) != value->length ||
               metadata_add(f, name, value->text, e);
    default:
        return true;
    }
}

static bool walk(tensor_file *f, const pickle_value *value, char name[NAME_LIMIT + 1], int depth,
                 error *e);

static bool walk_items(tensor_file *f, const pickle_value *value, char *name, int depth, error *e)
{
    size_t used = strlen(name), step = value->kind == PICKLE_DICT ? 2 : 1;
    bool ok = true;
    for (size_t i = 0; i + step <= value->count && ok; i += step) {
        const pickle_value *key = value->items[i];
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, step == 1 ? (int64_t)i : key->integer);
        const char *part = step == 2 && key->kind == PICKLE_TEXT ? key->text : number;
        if (step == 2 && key->kind != PICKLE_TEXT && key->kind != PICKLE_INTEGER) continue;
        size_t length = strlen(part);
        if (step == 2 && key->kind == PICKLE_TEXT && key->length != length) {
            return error_set(e, STATUS_DATA, "%s: a name with a NUL byte", f->path);
        }
        if (used + length + 2 > NAME_LIMIT)
            return error_set(e, STATUS_DATA, "%s: a name is too long", f->path);
        if (used) name[used] = '.';
        memcpy(name + used + (used > 0), part, length + 1);
        ok = walk(f, value->items[i + step - 1], name, depth + 1, e);
        name[used] = 0;
    }
    return ok;
}

static bool walk(tensor_file *f, const pickle_value *value, char name[NAME_LIMIT + 1], int depth,
                 error *e)
{
    checkpoint *c = f->reader;
    if (depth > DEPTH_LIMIT || ++c->visits > VISIT_LIMIT) {
        return error_set(e, STATUS_DATA, "%s: nested too deeply, or contains itself", f->path);
    }
    if (value->kind == PICKLE_TENSOR) return tensor_add(f, value, *name ? name : "tensor", e);
    if (value->kind == PICKLE_DICT || value->kind == PICKLE_LIST || value->kind == PICKLE_TUPLE) {
        return walk_items(f, value, name, depth, e);
    }
    return !*name || scalar_add(f, value, name, e);
}

static bool describe(tensor_file *f, const pickle_value *root, error *e)
{
    char name[NAME_LIMIT + 1] = "";
    if (!walk(f, root, name, 0, e)) return false;
    if (f->count == 0) return error_set(e, STATUS_DATA, "%s: holds no tensors", f->path);
    return true;
}

/* ---- Reading numbers ------------------------------------------------------------------------ */

static unsigned char *storage_bytes(const checkpoint *c, const storage *s, error *e)
{
    if (s->entry) return zip_read(&c->archive, s->entry, e);
    size_t size = (size_t)s->count * tensor_type_size(s->type);
    unsigned char *bytes = memory_allocate(size + 1, 1, e);
    if (bytes && source_read(&c->source, s->offset, bytes, size, e)) return bytes;
    free(bytes);
    return NULL;
}

/* Copies a strided view, the last dimension innermost. */
static void gather(const tensor *t, const unsigned char *from, unsigned char *to)
{
    size_t size = tensor_type_size(t->type);
    int64_t index[TENSOR_RANK_LIMIT] = {0}, at = t->offset;
    int64_t inner = t->rank ? t->shape[t->rank - 1] : 1,
            step = t->rank ? t->stride[t->rank - 1] : 1;
    for (int64_t done = 0; done < t->count; done += inner) {
        if (step == 1) {
            memcpy(to, from + (size_t)at * size, (size_t)inner * size);
        } else {
            for (int64_t i = 0; i < inner; i++)
                memcpy(to + (size_t)i * size, from + (size_t)(at + i * step) * size, size);
        }
        to += (size_t)inner * size;
        for (int d = t->rank - 2; d >= 0; d--) {
            at += t->stride[d];
            if (++index[d] < t->shape[d]) break;
            at -= t->stride[d] * t->shape[d];
            index[d] = 0;
        }
    }
}

static bool checkpoint_load(const tensor_file *f, const tensor *t, void *bytes, error *e)
{
    checkpoint *c = f->reader;
    if (c->cached != t->storage) {
        free(c->cache);
        c->cache = storage_bytes(c, &c->storages[t->storage], e);
        c->cached = c->cache ? t->storage : -1;
        if (!c->cache) return false;
    }
    gather(t, c->cache, bytes);
    return true;
}

static void checkpoint_close(tensor_file *f)
{
    checkpoint *c = f->reader;
    for (size_t i = 0; i < c->text_count; i++) free(c->texts[i]);
    free(c->texts);
    free(c->storages);
    free(c->cache);
    pickle_arena_free(&c->arena);
    zip_close(&c->archive);
    source_close(&c->source);
    free(c);
}

/* ---- Zip archives --------------------------------------------------------------------------- */

static bool zip_prefix_find(checkpoint *c, const char *path, error *e)
{
    for (size_t i = 0; i < c->archive.count; i++) {
        const char *name = c->archive.entries[i].name, *slash = strchr(name, '/');
        if (slash && strcmp(slash, "/data.pkl") == 0 && slash - name < NAME_LIMIT - 200) {
            memcpy(c->prefix, name, (size_t)(slash - name) + 1);
            return true;
        }
    }
    return error_set(e, STATUS_DATA,
                     "%s: a zip archive, but not a PyTorch checkpoint (it has no data.pkl)", path);
}

static const zip_entry *zip_member(const checkpoint *c, const char *folder, const char *name)
{
    char full[2 * NAME_LIMIT];
    snprintf(full, sizeof full, "%s%s%s", c->prefix, folder, name);
    return zip_find(&c->archive, full);
}

static bool zip_storages_locate(tensor_file *f, error *e)
{
    checkpoint *c = f->reader;
    for (size_t i = 0; i < c->storage_count; i++) {
        storage *s = &c->storages[i];
        s->entry = zip_member(c, "data/", s->key);
        if (!s->entry)
            return error_set(e, STATUS_DATA, "%s: storage %s is missing", f->path, s->key);
        if (s->count > s->entry->size ||
            s->count * (int64_t)tensor_type_size(s->type) > s->entry->size) {
            return error_set(e, STATUS_DATA, "%s: storage %s is cut short", f->path, s->key);
        }
    }
    return true;
}

static bool little_endian_check(const checkpoint *c, const char *path, error *e)
{
    const zip_entry *entry = zip_member(c, "", "byteorder");
    if (!entry || entry->size > 16) return true;
    char *order = (char *)zip_read(&c->archive, entry, e);
    if (!order) return false;
    bool little = strcmp(order, "little") == 0;
    free(order);
    return little || error_set(e, STATUS_DATA, "%s: was saved on a big-endian machine", path);
}

static bool open_zip(tensor_file *f, error *e)
{
    checkpoint *c = f->reader;
    f->format = "pytorch-zip";
    if (!zip_open(&c->archive, &c->source, e) || !zip_prefix_find(c, f->path, e)) return false;
    if (!little_endian_check(c, f->path, e)) return false;
    const zip_entry *entry = zip_member(c, "", "data.pkl");
    if (entry->size > PICKLE_SIZE_LIMIT)
        return error_set(e, STATUS_DATA, "%s: data.pkl is too large", f->path);
    unsigned char *bytes = zip_read(&c->archive, entry, e);
    if (!bytes) return false;
    size_t used;
    const pickle_value *root =
        pickle_read(&c->arena, bytes, (size_t)entry->size, &used, f->path, e);
    free(bytes);
    return root && describe(f, root, e) && zip_storages_locate(f, e);
}

/* ---- Older files ---------------------------------------------------------------------------- */

/* After the pickles come the storages, in the order of the list of keys, each after its element
 * count. */
static bool legacy_storages_locate(tensor_file *f, const pickle_value *keys, int64_t at, error *e)
{
    checkpoint *c = f->reader;
    if (keys->kind != PICKLE_LIST)
        return error_set(e, STATUS_DATA, "%s: has no list of storages", f->path);
    for (size_t i = 0; i < keys->count; i++) {
        unsigned char prefix[8];
        int index =
            keys->items[i]->kind == PICKLE_TEXT ? storage_find(c, keys->items[i]->text) : -1;
        if (index < 0)
            return error_set(e, STATUS_DATA, "%s: holds a storage that no tensor uses", f->path);
        storage *s = &c->storages[index];
        if (!source_read(&c->source, at, prefix, 8, e)) return false;
        uint64_t count = 0;
        for (int b = 7; b >= 0; b--) count = count << 8 | prefix[b];
        if (count != (uint64_t)s->count || s->located) {
            return error_set(e, STATUS_DATA, "%s: storage %s is not as large as stated", f->path,
                             s->key);
        }
        s->offset = at + 8;
        s->located = true;
        if (s->count > c->source.size ||
            s->count * (int64_t)tensor_type_size(s->type) > c->source.size - s->offset) {
            return error_set(e, STATUS_DATA, "%s: is cut short", f->path);
        }
        at = s->offset + s->count * (int64_t)tensor_type_size(s->type);
    }
    for (size_t i = 0; i < c->storage_count; i++) {
        if (!c->storages[i].located)
            return error_set(e, STATUS_DATA, "%s: storage %s is missing", f->path,
                             c->storages[i].key);
    }
    return true;
}

/* Five pickles: magic number, protocol, system, the checkpoint, the keys of its storages. */
static bool open_legacy(tensor_file *f, error *e)
{
    checkpoint *c = f->reader;
    f->format = "pytorch-legacy";
    size_t size = c->source.size < PICKLE_SIZE_LIMIT ? (size_t)c->source.size : PICKLE_SIZE_LIMIT,
           at = 0;
    unsigned char *bytes = memory_allocate(size + 1, 1, e);
    const pickle_value *part[5] = {0};
    bool ok = bytes && source_read(&c->source, 0, bytes, size, e);
    for (int i = 0; i < 5 && ok; i++) {
        size_t used;
        part[i] = pickle_read(&c->arena, bytes + at, size - at, &used, f->path, e);
        at += used;
        ok = part[i] != NULL;
    }
    free(bytes);
    if (!ok) return false;
    const pickle_value *little = pickle_get(part[2], "little_endian");
    if (little && !little->integer)
        return error_set(e, STATUS_DATA, "%s: was saved on a big-endian machine", f->path);
    return describe(f, part[3], e) && legacy_storages_locate(f, part[4], (int64_t)at, e);
}

tensor_file *pytorch_from_source(source s, error *e)
{
    tensor_file *f = memory_zeroed(1, sizeof *f, e);
    checkpoint *c = memory_zeroed(1, sizeof *c, e);
    char *path = memory_allocate(strlen(s.path) + 1, 1, e);
    if (!f || !c || !path) {
        free(f);
        free(c);
        free(path);
        source_close(&s);
        return NULL;
    }
    *f = (tensor_file){.path = strcpy(path, s.path),
                       .reader = c,
                       .load = checkpoint_load,
                       .close = checkpoint_close};
    c->cached = -1;
    c->source = s;
    c->source.path = path;
    unsigned char first;
    bool ok = source_read(&c->source, 0, &first, 1, e);
    if (ok && (first == 'P' ? open_zip(f, e) : open_legacy(f, e)) && tensor_file_sort(f, e))
        return f;
    tensor_file_close(f);
    return NULL;
}
