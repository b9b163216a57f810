/* Reading scores for an evaluation: streams of score, and files that may be tables. */
#include "detect/evaluation.h"

#include "cli/input.h"
#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool evaluation_group(evaluation *v, const char *source, face_label label, size_t *group, error *e)
{
    if (!*source) source = face_label_names[label];
    for (*group = 0; *group < v->group_count; ++*group)
        if (v->groups[*group].label == label && strcmp(v->groups[*group].source, source) == 0)
            return true;
    if (v->group_count == EVALUATION_SOURCES_MAX)
        return error_set(e, STATUS_DATA,
                         "more than %d sources, '%.200s' among them: `source` names a generator or "
                         "a collection of photographs, not an image",
                         EVALUATION_SOURCES_MAX, source);
    face_group *groups =
        array_grow(v->groups, v->group_count + 1, &v->group_capacity, sizeof *groups, e);
    if (!groups) return false;
    v->groups = groups;
    char *copy = strdup(source);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    v->groups[v->group_count++] = (face_group){copy, label};
    return true;
}

method *evaluation_method(const evaluation *v, const char *name)
{
    for (size_t i = 0; i < v->method_count; i++)
        if (strcmp(v->methods[i].name, name) == 0) return &v->methods[i];
    return NULL;
}

static method *new_method(evaluation *v, const char *name, error *e)
{
    if (evaluation_method(v, name)) {
        error_set(e, STATUS_USAGE, "two detectors are named '%s'", name);
        return NULL;
    }
    method *methods =
        array_grow(v->methods, v->method_count + 1, &v->method_capacity, sizeof *methods, e);
    if (!methods) return NULL;
    v->methods = methods;
    method *m = &v->methods[v->method_count];
    *m = (method){.name = strdup(name)};
    if (!m->name) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return NULL;
    }
    v->method_count++;
    return m;
}

static method *new_run(const evaluation *v, const char *name, error *e)
{
    method *of = evaluation_method(v, name);
    if (!of) {
        error_set(e, STATUS_USAGE, "no detector is named '%s', of which this is to be a run", name);
        return NULL;
    }
    while (of->next_run) of = of->next_run;
    return of->next_run = memory_zeroed(1, sizeof *of, e);
}

bool face_list_add(face_list *list, const scored_face *face, error *e)
{
    scored_face *item = array_grow(list->item, list->count + 1, &list->capacity, sizeof *item, e);
    if (!item) return false;
    list->item = item;
    char *copy = strdup(face->id);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    list->item[list->count] = *face;
    list->item[list->count++].id = copy;
    return true;
}

size_t method_errors(const method *m, size_t group)
{
    size_t count = 0;
    for (size_t i = 0; i < m->failed.count; i++) count += m->failed.item[i].group == group;
    return count;
}

/* Copies the name, unless it is that of the last input. */
static bool add_input(method *m, const char *name, error *e)
{
    if (m->inputs.count && strcmp(m->inputs.item[m->inputs.count - 1], name) == 0) return true;
    char *copy = strdup(name);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (cli_strings_add(&m->inputs, copy, e)) return true;
    free(copy);
    return false;
}

/* ---- Streams -------------------------------------------------------------------------------- */

/* The group a record belongs to by its label and source; GROUP_NONE when its label is neither
   photographic nor generated. */
static bool record_group(evaluation *v, const msgpack_object *record, face_label label,
                         size_t *group, error *e)
{
    *group = GROUP_NONE;
    if (label != FACE_PHOTOGRAPHIC && label != FACE_GENERATED) return true;
    char *source = object_text_copy(record, "source");
    bool done = evaluation_group(v, source ? source : "", label, group, e);
    free(source);
    return done;
}

/* False when the key is there and no boolean. */
static bool record_decision(const msgpack_object *record, decision *decided)
{
    bool generated;
    const msgpack_object *value = object_get(record, "generated");
    *decided = DECISION_NONE;
    if (!value || value->type == MSGPACK_OBJECT_NIL) return true;
    if (!object_boolean(record, "generated", &generated)) return false;
    *decided = generated ? DECISION_GENERATED : DECISION_PHOTOGRAPHIC;
    return true;
}

static bool add_record(evaluation *v, method *m, const stream_record *r, error *e)
{
    scored_face face = {.id = (char *)r->id, .input = m->inputs.count - 1, .number = r->number};
    const char *input = m->inputs.item[face.input];
    face_label label = face_label_of(&r->object);
    if (face_is_manipulated(&r->object)) {
        m->manipulated++;
        return true;
    }
    if (!record_group(v, &r->object, label, &face.group, e))
        return error_context(e, "%s: record %lld", input, (long long)r->number);
    if (r->is_error) return face_list_add(&m->failed, &face, e);
    if (!object_number(&r->object, "score", &face.score))
        return error_set(e, STATUS_DATA, "%s: record %lld (%.200s) has no finite score", input,
                         (long long)r->number, r->id);
    if (!record_decision(&r->object, &face.decided))
        return error_set(e, STATUS_DATA,
                         "%s: record %lld (%.200s): 'generated' is neither true nor false", input,
                         (long long)r->number, r->id);
    if (face.group != GROUP_NONE) return face_list_add(&m->faces, &face, e);
    m->unlabelled += label == FACE_UNLABELLED;
    m->other_label += label == FACE_OTHER;
    return true;
}

/* Keeps the text of the first header that has this key; false when it is another in this one. */
static bool keep_same(char **kept, const stream_reader *reader, const char *key, error *e)
{
    char *text = object_text_copy(stream_reader_header(reader), key);
    bool same = !text || !*kept || strcmp(text, *kept) == 0;
    if (!same)
        error_set(e, STATUS_DATA,
                  "%s: scores by two different %ss (%s and %s) are not those of one detector: use "
                  "--method NAME=FILE for each",
                  stream_reader_input(reader), key, *kept, text);
    if (*kept || !same)
        free(text);
    else
        *kept = text;
    return same;
}

/* The header of a segment from which `record` is the first. */
static bool take_header(method *m, const stream_reader *reader, const stream_record *record,
                        bool first, error *e)
{
    const msgpack_object *header = stream_reader_header(reader);
    bool photographic = object_text_is(header, "higher", "photographic");
    double threshold = NAN;
    if (!keep_same(&m->detector, reader, "detector", e) ||
        !keep_same(&m->model, reader, "model", e))
        return false;
    if (!first && photographic != m->higher_is_photographic)
        return error_set(e, STATUS_DATA,
                         "%s: record %lld: scores of the opposite direction of those before",
                         stream_reader_input(reader), (long long)record->number);
    m->higher_is_photographic = photographic;
    object_number(header, "threshold", &threshold);
    if (first) m->decided_by[0] = m->decided_by[1] = threshold;
    if (threshold != m->decided_by[0] && !isnan(threshold)) m->decided_by[1] = threshold;
    return true;
}

static bool read_stream(evaluation *v, method *m, stream_reader *reader, error *e)
{
    int64_t segment = -1;
    stream_record *record;
    int more = add_input(m, stream_reader_input(reader), e) ? 1 : -1;
    while (more > 0 && (more = stream_reader_next(reader, &record, e)) > 0) {
        if ((record->segment != segment && !take_header(m, reader, record, segment < 0, e)) ||
            !add_input(m, stream_reader_input(reader), e) || !add_record(v, m, record, e))
            more = -1;
        segment = record->segment;
        stream_record_free(record);
    }
    return more == 0;
}

static const char *const kinds[] = {"score", NULL};

bool evaluation_add_stream(evaluation *v, const char *name, const cli_strings *inputs, error *e)
{
    stream_reader *reader = stream_reader_open(inputs, kinds, e);
    if (!reader) return false;
    char *detector = object_text_copy(stream_reader_header(reader), "detector");
    method *m = new_method(v, name ? name : detector ? detector : "detector", e);
    free(detector);
    bool done = m && read_stream(v, m, reader, e);
    stream_reader_close(reader);
    return done;
}

/* ---- Files ---------------------------------------------------------------------------------- */

/* A pipe can be read once, but it must be looked at before: what comes out of it is put into a
   nameless file. */
static int open_seekable(const char *path, error *e)
{
    struct stat status;
    int file = input_open(path, &status, e);
    if (file < 0 || S_ISREG(status.st_mode)) return file;
    int spooled = input_spool(file, cli_input_name(path), e);
    close(file);
    return spooled;
}

/* A stream begins with a map; the first byte of a large one begins letters of UTF-8, too, but then
   the map would have 32768 keys or more. */
static bool begins_stream(int file)
{
    unsigned char head[2] = {0};
    ssize_t got = pread(file, head, sizeof head, lseek(file, 0, SEEK_CUR));
    return got > 0 && stream_looks_like(head, (size_t)got) && !(head[0] >= 0xde && head[1] >= 0x80);
}

/* Both take the descriptor `file`. */

static bool read_table_of(evaluation *v, method *m, int file, const char *path, error *e)
{
    FILE *table = fdopen(file, "rb");
    if (!table) {
        close(file);
        return error_set(e, STATUS_SYSTEM, "%s: ", cli_input_name(path));
    }
    bool done = add_input(m, cli_input_name(path), e) && evaluation_read_table(v, m, table, e);
    fclose(table);
    return done;
}

static bool read_stream_of(evaluation *v, method *m, int file, const char *path, error *e)
{
    stream_reader *reader = stream_reader_open_at(file, path, kinds, e);
    bool done = reader && read_stream(v, m, reader, e);
    stream_reader_close(reader);
    return done;
}

static bool read_file(evaluation *v, method *m, const char *path, error *e)
{
    int file = m ? open_seekable(path, e) : -1;
    if (file < 0) return false;
    m->is_table = !begins_stream(file);
    return m->is_table ? read_table_of(v, m, file, path, e) : read_stream_of(v, m, file, path, e);
}

bool evaluation_add_file(evaluation *v, const char *name, const char *path, error *e)
{
    return read_file(v, new_method(v, name, e), path, e);
}

bool evaluation_add_run(evaluation *v, const char *name, const char *path, error *e)
{
    return read_file(v, new_run(v, name, e), path, e);
}
