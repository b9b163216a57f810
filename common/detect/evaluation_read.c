/* Reading scores for an evaluation: streams of score, and tables of other programs. */
#include "detect/evaluation.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

long evaluation_group(evaluation *v, const char *source, face_label label, error *e)
{
    if (!*source) source = face_label_names[label];
    for (size_t i = 0; i < v->group_count; i++)
        if (v->groups[i].label == label && strcmp(v->groups[i].source, source) == 0) return (long)i;
    if (v->group_count == v->group_capacity) {
        size_t capacity = v->group_capacity ? 2 * v->group_capacity : 16;
        face_group *groups = memory_resize(v->groups, capacity, sizeof *groups, e);
        if (!groups) return -1;
        v->groups = groups;
        v->group_capacity = capacity;
    }
    char *copy = strdup(source);
    if (!copy) {
        error_set(e, STATUS_SYSTEM, "out of memory");
        return -1;
    }
    v->groups[v->group_count] = (face_group){copy, label};
    return (long)v->group_count++;
}

method *evaluation_method(const evaluation *v, const char *name)
{
    for (size_t i = 0; i < v->method_count; i++)
        if (strcmp(v->methods[i].name, name) == 0) return &v->methods[i];
    return NULL;
}

void evaluation_allow_runs(evaluation *v)
{
    v->runs_allowed = true;
}

static method *new_run(method *of, const char *path, error *e)
{
    while (of->next_run) of = of->next_run;
    method *m = memory_zeroed(1, sizeof *m, e);
    char *copy = strdup(path);
    if (!m || !copy) {
        free(m);
        free(copy);
        error_set(e, STATUS_SYSTEM, "out of memory");
        return NULL;
    }
    m->path = copy;
    of->next_run = m;
    return m;
}

method *evaluation_new_method(evaluation *v, const char *name, const char *path, error *e)
{
    method *named = evaluation_method(v, name);
    if (named && v->runs_allowed) return new_run(named, path, e);
    if (named) {
        error_set(e, STATUS_USAGE, "two detectors are named '%s'", name);
        return NULL;
    }
    if (v->runs_allowed) {
        error_set(e, STATUS_USAGE, "no detector is named '%s', of which this is to be a run", name);
        return NULL;
    }
    if (v->method_count == v->method_capacity) {
        size_t capacity = v->method_capacity ? 2 * v->method_capacity : 8;
        method *methods = memory_resize(v->methods, capacity, sizeof *methods, e);
        if (!methods) return NULL;
        v->methods = methods;
        v->method_capacity = capacity;
    }
    method *m = &v->methods[v->method_count];
    *m = (method){.name = strdup(name), .path = strdup(path)};
    if (!m->name || !m->path) {
        free(m->name);
        free(m->path);
        error_set(e, STATUS_SYSTEM, "out of memory");
        return NULL;
    }
    v->method_count++;
    return m;
}

bool method_add_face(method *m, const char *id, size_t group, double score, decision decided,
                     error *e)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity ? 2 * m->capacity : 256;
        scored_face *faces = memory_resize(m->faces, capacity, sizeof *faces, e);
        if (!faces) return false;
        m->faces = faces;
        m->capacity = capacity;
    }
    char *copy = strdup(id);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    m->faces[m->count++] =
        (scored_face){.id = copy, .group = group, .score = score, .decided = decided};
    return true;
}

bool method_add_failed(method *m, const char *id, long group, error *e)
{
    char *copy = strdup(id);
    if (!copy) return error_set(e, STATUS_SYSTEM, "out of memory");
    if (!cli_strings_add(&m->failed, copy, e)) {
        free(copy);
        return false;
    }
    if (group < 0) {
        m->errors_elsewhere++;
        return true;
    }
    if ((size_t)group >= m->errors_size) {
        size_t *errors = memory_resize(m->errors, (size_t)group + 1, sizeof *errors, e);
        if (!errors) return false;
        m->errors = errors;
        while (m->errors_size <= (size_t)group) m->errors[m->errors_size++] = 0;
    }
    m->errors[group]++;
    return true;
}

/* The group a record belongs to by its label and source: 1 and the group, 0 when its label is
   neither photographic nor generated, -1 on error. */
static int record_group(evaluation *v, const msgpack_object *record, long *group, error *e)
{
    face_label label = face_label_of(record);
    if (label != FACE_PHOTOGRAPHIC && label != FACE_GENERATED) return 0;
    char *source = object_text_copy(record, "source");
    *group = evaluation_group(v, source ? source : "", label, e);
    free(source);
    return *group < 0 ? -1 : 1;
}

size_t method_errors(const method *m, size_t group)
{
    return group < m->errors_size ? m->errors[group] : 0;
}

static bool add_record(evaluation *v, method *m, const char *input, const stream_record *r,
                       error *e)
{
    double score;
    bool generated;
    long group = -1;
    int labelled = record_group(v, &r->object, &group, e);
    if (labelled < 0) return false;
    if (r->is_error) return method_add_failed(m, r->id, group, e);
    if (!object_number(&r->object, "score", &score))
        return error_set(e, STATUS_DATA, "%s: record %lld (%.200s) has no finite score", input,
                         (long long)r->number, r->id);
    if (!labelled) {
        m->unlabelled++;
        return true;
    }
    decision decided = DECISION_NONE;
    if (object_boolean(&r->object, "generated", &generated))
        decided = generated ? DECISION_GENERATED : DECISION_PHOTOGRAPHIC;
    return method_add_face(m, r->id, (size_t)group, score, decided, e);
}

bool evaluation_add_stream(evaluation *v, const char *name, const cli_strings *inputs, error *e)
{
    static const char *const kinds[] = {"score", NULL};
    const char *path = inputs->count ? inputs->item[0] : "-";
    stream_reader *reader = stream_reader_open(inputs, kinds, e);
    if (!reader) return false;
    char *detector = object_text_copy(stream_reader_header(reader), "detector");
    method *m = evaluation_new_method(v, name ? name : detector ? detector : "detector", path, e);
    free(detector);
    int more = m ? 1 : -1;
    int64_t segment = -1;
    stream_record *record;
    while (more > 0 && (more = stream_reader_next(reader, &record, e)) > 0) {
        bool photographic = object_text_is(stream_reader_header(reader), "higher", "photographic");
        if (segment >= 0 && photographic != m->higher_is_photographic) {
            error_set(e, STATUS_DATA,
                      "%s: record %lld: scores of the opposite direction of those before",
                      stream_reader_input(reader), (long long)record->number);
            more = -1;
        }
        m->higher_is_photographic = photographic;
        segment = record->segment;
        if (more > 0 && !add_record(v, m, stream_reader_input(reader), record, e)) more = -1;
        stream_record_free(record);
    }
    stream_reader_close(reader);
    return more == 0;
}

/* ---- Tables --------------------------------------------------------------------------------- */

enum { FIELDS = 64 };
enum { COLUMN_ID, COLUMN_SCORE, COLUMN_LABEL, COLUMN_SOURCE, COLUMN_GENERATED, COLUMNS };
static const char *const column_names[COLUMNS] = {"id", "score", "label", "source", "generated"};

/* Cuts a line at its tabs, in place. */
static int split_fields(char *line, char *fields[FIELDS])
{
    int count = 0;
    line[strcspn(line, "\r\n")] = 0;
    for (char *next = line; next && count < FIELDS; count++) {
        fields[count] = next;
        next = strchr(next, '\t');
        if (next) *next++ = 0;
    }
    return count;
}

/* False when it is no number; the score of a failed image (none, nan, NA) becomes NaN. */
static bool parse_score(const char *text, double *score)
{
    char *end;
    *score = strtod(text, &end);
    if (!*text || strcmp(text, "NA") == 0)
        *score = NAN;
    else if (end == text || *end)
        return false;
    return !isinf(*score);
}

/* The columns' positions from a first line of names; false when it is not one. */
static bool find_columns(char *fields[], int count, int column[COLUMNS])
{
    for (int c = 0; c < COLUMNS; c++) {
        column[c] = -1;
        for (int f = 0; f < count; f++)
            if (strcmp(fields[f], column_names[c]) == 0) column[c] = f;
    }
    return column[COLUMN_ID] >= 0 && column[COLUMN_SCORE] >= 0;
}

static decision parse_decision(const char *text)
{
    static const char *const yes[] = {"1", "true", "yes", "generated", NULL};
    static const char *const no[] = {"0", "false", "no", "photographic", NULL};
    for (int i = 0; yes[i]; i++) {
        if (strcmp(text, yes[i]) == 0) return DECISION_GENERATED;
        if (strcmp(text, no[i]) == 0) return DECISION_PHOTOGRAPHIC;
    }
    return DECISION_NONE;
}

static int compare_ids(const void *a, const void *b)
{
    const scored_face *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

/* The faces of the methods before the last, by id; caller frees. */
static const scored_face **known_faces(const evaluation *v, size_t *count, error *e)
{
    size_t total = 0;
    for (size_t i = 0; i + 1 < v->method_count; i++) total += v->methods[i].count;
    const scored_face **known = memory_allocate(total + 1, sizeof *known, e);
    *count = 0;
    for (size_t i = 0; known && i + 1 < v->method_count; i++)
        for (size_t j = 0; j < v->methods[i].count; j++)
            known[(*count)++] = &v->methods[i].faces[j];
    if (known) qsort(known, *count, sizeof *known, compare_ids);
    return known;
}

typedef struct table_reading {
    evaluation *v;
    method *m;
    int column[COLUMNS];
    const scored_face **known;
    size_t known_count;
} table_reading;

static const char *field_at(char *fields[], int count, int column)
{
    return column >= 0 && column < count ? fields[column] : "";
}

/* The group of a row by its own label, or by what is known of its id: 1, 0 when nobody knows, -1 on
   error. */
static int row_group(table_reading *t, char *fields[], int count, long *group, error *e)
{
    const char *id = field_at(fields, count, t->column[COLUMN_ID]);
    const char *label = field_at(fields, count, t->column[COLUMN_LABEL]);
    for (face_label l = FACE_PHOTOGRAPHIC; l <= FACE_GENERATED; l++)
        if (strcmp(label, face_label_names[l]) == 0) {
            const char *source = field_at(fields, count, t->column[COLUMN_SOURCE]);
            *group = evaluation_group(t->v, source, l, e);
            return *group < 0 ? -1 : 1;
        }
    scored_face wanted = {.id = (char *)id}, *key = &wanted;
    const scored_face **found =
        bsearch(&key, t->known, t->known_count, sizeof *t->known, compare_ids);
    if (found) *group = (long)(*found)->group;
    return found != NULL;
}

static bool add_row(table_reading *t, char *fields[], int count, long line, error *e)
{
    double score;
    long group = -1;
    const char *id = field_at(fields, count, t->column[COLUMN_ID]);
    const char *text = field_at(fields, count, t->column[COLUMN_SCORE]);
    if (!*id) return error_set(e, STATUS_DATA, "%s: line %ld has no id", t->m->path, line);
    if (!parse_score(text, &score))
        return error_set(e, STATUS_DATA, "%s: line %ld: '%s' is no score", t->m->path, line, text);
    int known = row_group(t, fields, count, &group, e);
    if (known < 0) return false;
    if (isnan(score)) return method_add_failed(t->m, id, group, e);
    if (!known) {
        t->m->unknown++;
        return true;
    }
    decision decided = parse_decision(field_at(fields, count, t->column[COLUMN_GENERATED]));
    return method_add_face(t->m, id, (size_t)group, score, decided, e);
}

static bool read_table(table_reading *t, FILE *file, error *e)
{
    char *line = NULL, *fields[FIELDS];
    size_t size = 0;
    bool good = true;
    for (long number = 1; good && getline(&line, &size, file) >= 0; number++) {
        int count = split_fields(line, fields);
        if (count == 1 && !*fields[0]) continue;
        if (number == 1) {
            double score;
            if (find_columns(fields, count, t->column)) continue;
            for (int c = 0; c < COLUMNS; c++) t->column[c] = c < 2 ? c : -1;
            if (count < 2 || !parse_score(fields[1], &score)) {
                good = error_set(e, STATUS_DATA,
                                 "%s: neither a first line with the tab-separated columns 'id' and "
                                 "'score' nor an id and a score",
                                 t->m->path);
                continue;
            }
        }
        good = add_row(t, fields, count, number, e);
    }
    if (good && ferror(file)) good = error_set(e, STATUS_IO, "%s: ", t->m->path);
    free(line);
    return good;
}

bool evaluation_add_table(evaluation *v, const char *name, const char *path, error *e)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (!file) return error_set(e, STATUS_NO_INPUT, "%s: ", path);
    table_reading t = {.v = v, .m = evaluation_new_method(v, name, path, e)};
    if (t.m) t.known = known_faces(v, &t.known_count, e);
    bool done = t.known && read_table(&t, file, e);
    free(t.known);
    if (file != stdin) fclose(file);
    return done;
}
