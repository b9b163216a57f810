/* Embedding streams in memory. */
#include "detect/embeddings.h"

#include "cli/memory.h"
#include "cli/plural.h"
#include "cli/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const face_label_names[] = {"unlabelled", "photographic", "generated", "other label",
                                        NULL};

face_label face_label_of(const msgpack_object *record)
{
    if (object_text_is(record, "label", "photographic")) return FACE_PHOTOGRAPHIC;
    if (object_text_is(record, "label", "generated")) return FACE_GENERATED;
    const msgpack_object *label = object_get(record, "label");
    return !label || label->type == MSGPACK_OBJECT_NIL || object_text_is(record, "label", "")
               ? FACE_UNLABELLED
               : FACE_OTHER;
}

bool face_is_manipulated(const msgpack_object *record)
{
    return object_get(record, "manipulation") &&
           !object_text_is(record, "manipulation", "photographic");
}

bool embedding_vector(const msgpack_object *record, size_t *dimension, float *room, error *e)
{
    const void *bytes;
    size_t size, count;
    if (!object_binary(record, "vector", &bytes, &size) || size == 0 || size % sizeof(float) != 0 ||
        size / sizeof(float) > DIMENSION_LIMIT)
        return error_set(e, STATUS_DATA, "it has no vector of 32-bit floats");
    count = size / sizeof(float);
    if (*dimension == 0) *dimension = count;
    if (count != *dimension)
        return error_set(e, STATUS_DATA, "its vector has %zu value%s, but %zu are needed", count,
                         plural(count), *dimension);
    if (!room) return true;
    memcpy(room, bytes, size);
    double square = 0;
    for (size_t j = 0; j < count; j++) square += (double)room[j] * (double)room[j];
    if (!isfinite(square))
        return error_set(e, STATUS_DATA, "its vector holds a value that is not finite");
    return square <= EMBEDDING_LENGTH_MAX * EMBEDDING_LENGTH_MAX ||
           error_set(e, STATUS_DATA, "its vector is longer than 1e15");
}

static bool grow(embeddings *s, error *e)
{
    if (s->count < s->capacity) return true;
    size_t capacity = s->capacity ? s->capacity + s->capacity / 2 : 256;
    if (capacity > UINT32_MAX)
        return error_set(e, STATUS_DATA, "more than %u embeddings", UINT32_MAX);
    float *vectors = memory_resize(s->vectors, capacity, s->dimension * sizeof *vectors, e);
    if (!vectors) return false;
    s->vectors = vectors;
    embedding_info *info = memory_resize(s->info, capacity, sizeof *info, e);
    if (!info) return false;
    s->info = info;
    s->capacity = capacity;
    return true;
}

/* Packs the record without its vector. */
static bool keep_record(embedding_info *info, const msgpack_object *record, error *e)
{
    static const char *const own[] = {"vector", NULL};
    stream_chunk chunk = {0};
    record_begin(&chunk, "embedding");
    put_rest(&chunk, NULL, record, own);
    record_end(&chunk);
    info->rest_size = chunk.bytes.size;
    info->rest = chunk.failed ? NULL : memory_allocate(chunk.bytes.size, 1, e);
    if (info->rest) memcpy(info->rest, chunk.bytes.data, chunk.bytes.size);
    stream_chunk_free(&chunk);
    return info->rest || error_set(e, STATUS_SYSTEM, "out of memory");
}

static bool take_vector(embeddings *s, const msgpack_object *record, error *e)
{
    return (s->dimension > 0 || embedding_vector(record, &s->dimension, NULL, e)) && grow(s, e) &&
           embedding_vector(record, &s->dimension, s->vectors + s->count * s->dimension, e);
}

static bool add_record(embeddings *s, const char *input, const stream_record *r, bool keep,
                       error *e)
{
    const msgpack_object *o = &r->object;
    if (!take_vector(s, o, e))
        return error_context(e, "%s: record %lld (%.200s)", input, (long long)r->number, r->id);
    embedding_info *info = &s->info[s->count];
    char *source = object_text_copy(o, "source"), *photo = object_text_copy(o, "photo");
    *info = (embedding_info){
        .id = strdup(r->id),
        .photo = photo ? photo : strdup(r->id),
        .source = source ? source : strdup(""),
        .label = face_label_of(o),
        .manipulated = face_is_manipulated(o),
    };
    s->count++;
    if (!info->id || !info->photo || !info->source)
        return error_set(e, STATUS_SYSTEM, "out of memory");
    return !keep || keep_record(info, o, e);
}

/* Embeddings of two models have nothing to do with each other. */
static bool check_header(embeddings *s, const stream_reader *reader, error *e)
{
    char *model = object_text_copy(stream_reader_header(reader), "model");
    bool good = !model || !s->model || strcmp(model, s->model) == 0;
    if (!good)
        error_set(e, STATUS_DATA, "%s: embeddings of two different models (%s and %s)",
                  stream_reader_input(reader), s->model, model);
    if (s->model || !good)
        free(model);
    else
        s->model = model;
    return good;
}

static bool keep_error(embeddings *s, const msgpack_object *record, error *e)
{
    embedding_error *failed =
        array_grow(s->failed, s->errors + 1, &s->failed_capacity, sizeof *failed, e);
    if (!failed) return false;
    s->failed = failed;
    msgpack_sbuffer bytes;
    msgpack_packer packer;
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&packer, &bytes, msgpack_sbuffer_write);
    if (msgpack_pack_object(&packer, *record) != 0) {
        msgpack_sbuffer_destroy(&bytes);
        return error_set(e, STATUS_SYSTEM, "out of memory");
    }
    s->failed[s->errors++] = (embedding_error){s->count, bytes.data, bytes.size};
    return true;
}

static bool take_record(embeddings *s, const char *input, const stream_record *r, bool keep,
                        error *e)
{
    if (!r->is_error) return add_record(s, input, r, keep, e);
    if (keep) return keep_error(s, &r->object, e);
    s->errors++;
    return true;
}

static bool read_records(embeddings *s, stream_reader *reader, bool keep, error *e)
{
    int64_t segment = 0;
    stream_record *record;
    int more;
    while ((more = stream_reader_next(reader, &record, e)) > 0) {
        bool good = record->segment == segment || check_header(s, reader, e);
        segment = record->segment;
        good = good && take_record(s, stream_reader_input(reader), record, keep, e);
        stream_record_free(record);
        if (!good) return false;
    }
    return more == 0;
}

/* What several inputs lack is said of none of them alone. */
static bool check_count(const embeddings *s, const cli_strings *inputs, error *e)
{
    if (s->count > 0) return true;
    error_set(e, STATUS_DATA, "there are no embeddings, and %zu error record%s", s->errors,
              plural(s->errors));
    return inputs->count == 1 ? error_context(e, "%s", cli_input_name(inputs->item[0]))
                              : error_context(e, "%zu inputs", inputs->count);
}

bool embeddings_read(embeddings *s, const cli_strings *inputs, bool keep_records, error *e)
{
    static const char *const kinds[] = {"embedding", NULL};
    *s = (embeddings){0};
    stream_reader *reader = stream_reader_open(inputs, kinds, e);
    bool good = reader && object_copy_make(&s->header, stream_reader_header(reader), e) &&
                check_header(s, reader, e) && read_records(s, reader, keep_records, e) &&
                check_count(s, inputs, e);
    stream_reader_close(reader);
    if (!good) embeddings_free(s);
    return good;
}

void embeddings_free(embeddings *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->info[i].id);
        free(s->info[i].photo);
        free(s->info[i].source);
        free(s->info[i].rest);
    }
    for (size_t i = 0; s->failed && i < s->errors; i++) free(s->failed[i].record);
    free(s->failed);
    free(s->info);
    free(s->vectors);
    free(s->model);
    object_copy_free(&s->header);
    *s = (embeddings){0};
}

size_t embeddings_photographs(const embeddings *s, uint32_t *index)
{
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++)
        if (!s->info[i].manipulated &&
            (s->info[i].label == FACE_PHOTOGRAPHIC || s->info[i].label == FACE_UNLABELLED))
            index[count++] = (uint32_t)i;
    return count;
}

points embeddings_points(const embeddings *s, const uint32_t *index, size_t count)
{
    return (points){s->vectors, index, count, s->dimension};
}

typedef struct photo_key {
    uint64_t draw;
    const char *photo;
    uint32_t position; /* in index */
} photo_key;

static int compare_photos(const void *a, const void *b)
{
    const photo_key *x = a, *y = b;
    if (x->draw != y->draw) return x->draw < y->draw ? -1 : 1;
    return strcmp(x->photo, y->photo);
}

bool embeddings_split(const embeddings *s, uint32_t *index, size_t count, double fraction,
                      uint64_t seed, size_t *fitting, error *e)
{
    photo_key *keys = memory_allocate(count + 1, sizeof *keys, e);
    uint32_t *held = memory_allocate(count + 1, sizeof *held, e);
    bool *is_held = memory_zeroed(count + 1, sizeof *is_held, e);
    bool done = keys && held && is_held;
    if (done) {
        size_t photos = 0, wanted, taken = 0, kept = 0, held_count = 0;
        for (size_t i = 0; i < count; i++) {
            const char *photo = s->info[index[i]].photo;
            random_state r = random_keyed(seed, photo, 0);
            keys[i] = (photo_key){random_bits(&r), photo, (uint32_t)i};
        }
        qsort(keys, count, sizeof *keys, compare_photos);
        for (size_t i = 0; i < count; i++)
            photos += i == 0 || compare_photos(&keys[i - 1], &keys[i]);
        wanted = (size_t)llround(fraction * (double)photos);
        if (wanted == 0 && fraction > 0 && photos > 1) wanted = 1;
        if (wanted == photos && photos > 0 && fraction < 1) wanted--;
        for (size_t i = 0; i < count; i++) {
            taken += i == 0 || compare_photos(&keys[i - 1], &keys[i]);
            if (taken > wanted) break;
            is_held[keys[i].position] = true;
        }
        for (size_t i = 0; i < count; i++) {
            if (is_held[i])
                held[held_count++] = index[i];
            else
                index[kept++] = index[i];
        }
        memcpy(index + kept, held, held_count * sizeof *held);
        *fitting = kept;
    }
    free(keys);
    free(held);
    free(is_held);
    return done;
}
