/* The order of maps that makes a stream. */
#include "stream/segment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool stream_segment_error(const stream_segment *s, const char *input, const char *what, error *e)
{
    return error_set(e, STATUS_DATA, "%s: record %" PRId64 ": %s", input, s->number + 1, what);
}

/* What makes the streams of each kind. */
static const struct {
    const char *kind, *tool;
} makers[] = {
    {"photo", "exif-extract"}, {"face", "face-manipulate"}, {"batch", "pretext-batch"},
    {"embedding", "embed"},    {"score", "score"},          {"point", "tsne"},
};

static const char *maker_of(const char *kind)
{
    for (size_t i = 0; i < CLI_COUNT(makers); i++)
        if (strcmp(makers[i].kind, kind) == 0) return makers[i].tool;
    return "the tool that makes it";
}

static const char *article_of(const char *kind)
{
    return *kind && strchr("aeiou", *kind) ? "an" : "a";
}

static bool keys_are_text(const msgpack_object *map)
{
    if (map->type != MSGPACK_OBJECT_MAP) return false;
    for (uint32_t i = 0; i < map->via.map.size; i++)
        if (map->via.map.ptr[i].key.type != MSGPACK_OBJECT_STR) return false;
    return true;
}

static bool take_header(stream_segment *s, const char *input, const msgpack_object *map, error *e)
{
    int64_t version = 0;
    if (!object_text_is(map, "type", "header"))
        return stream_segment_error(s, input, "a stream must begin with a header", e);
    if (!object_integer(map, "blades", &version) || version != 1)
        return error_set(e, STATUS_DATA,
                         "%s: record %" PRId64 ": stream version %" PRId64
                         " is unknown; this is version 1",
                         input, s->number + 1, version);
    char *kind = object_text_copy(map, "kind");
    if (!kind) return stream_segment_error(s, input, "the header names no kind", e);
    if (!s->kind) {
        s->kind = kind;
    } else {
        if (strcmp(kind, s->kind) != 0)
            error_set(e, STATUS_DATA,
                      "%s: record %" PRId64 ": %s '%.40s' stream follows %s '%.40s' stream", input,
                      s->number + 1, article_of(kind), kind, article_of(s->kind), s->kind);
        free(kind);
        if (e->status) return false;
    }
    s->open = true;
    s->records = s->errors = 0;
    s->count++;
    return true;
}

static bool take_trailer(stream_segment *s, const char *input, const msgpack_object *map, error *e)
{
    int64_t records = -1, errors = -1;
    object_integer(map, "records", &records);
    object_integer(map, "errors", &errors);
    if (records != s->records || errors != s->errors)
        return error_set(e, STATUS_DATA,
                         "%s: record %" PRId64 ": the trailer counts %" PRId64
                         " records and %" PRId64 " errors, but %" PRId64 " and %" PRId64 " came",
                         input, s->number + 1, records, errors, s->records, s->errors);
    s->open = false;
    return true;
}

bool stream_segment_take(stream_segment *s, const char *input, const msgpack_object *map,
                         segment_part *part, error *e)
{
    if (!keys_are_text(map))
        return stream_segment_error(s, input, "not a msgpack map with text keys", e);
    if (!s->open) {
        *part = PART_HEADER;
        return take_header(s, input, map, e);
    }
    if (object_text_is(map, "type", "trailer")) {
        *part = PART_TRAILER;
        return take_trailer(s, input, map, e);
    }
    bool is_error = object_text_is(map, "type", "error");
    if (!is_error && !object_text_is(map, "type", s->kind))
        return stream_segment_error(s, input, "a record of another type than the stream's kind", e);
    *part = is_error ? PART_ERROR : PART_RECORD;
    s->number++;
    is_error ? s->errors++ : s->records++;
    return true;
}

bool stream_segment_usable(const stream_segment *s, const char *input, const char *const *kinds,
                           error *e)
{
    char wanted[200] = "", run[200] = "";
    if (!kinds) return true;
    for (int i = 0; kinds[i]; i++) {
        if (strcmp(kinds[i], s->kind) == 0) return true;
        size_t used = strlen(wanted), used_run = strlen(run);
        snprintf(wanted + used, sizeof wanted - used, "%s'%s'", i ? " or " : "", kinds[i]);
        snprintf(run + used_run, sizeof run - used_run, "%s%s", i ? " or " : "",
                 maker_of(kinds[i]));
    }
    return error_set(e, STATUS_DATA,
                     "%s: record 1: %s '%.40s' stream, but %s %s stream is needed: run %s", input,
                     article_of(s->kind), s->kind, article_of(kinds[0]), wanted, run);
}

void stream_segment_free(stream_segment *s)
{
    free(s->kind);
    *s = (stream_segment){0};
}
