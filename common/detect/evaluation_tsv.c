/* Reading scores for an evaluation from tables of other programs. */
#include "cli/memory.h"
#include "detect/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 64 };
enum { COLUMN_ID, COLUMN_SCORE, COLUMN_LABEL, COLUMN_SOURCE, COLUMN_GENERATED, COLUMNS };
static const char *const column_names[COLUMNS] = {"id", "score", "label", "source", "generated"};

typedef struct table_reading {
    evaluation *v;
    method *m;
    const char *input;
    long line;
    bool begun; /* a line that is not empty was met */
    int column[COLUMNS];
    const scored_face **known; /* the faces of the other methods, by id */
    size_t known_count;
} table_reading;

typedef struct fields {
    char *item[FIELDS_MAX];
    int count;
} fields;

/* ---- Values --------------------------------------------------------------------------------- */

typedef struct word {
    const char *text;
    int value;
} word;

static const word labels[] = {{"photographic", FACE_PHOTOGRAPHIC},
                              {"real", FACE_PHOTOGRAPHIC},
                              {"generated", FACE_GENERATED},
                              {"fake", FACE_GENERATED},
                              {"synthetic", FACE_GENERATED},
                              {"", FACE_UNLABELLED},
                              {"NA", FACE_UNLABELLED},
                              {"nan", FACE_UNLABELLED}};
static const word decisions[] = {
    {"0", DECISION_PHOTOGRAPHIC},  {"false", DECISION_PHOTOGRAPHIC},
    {"no", DECISION_PHOTOGRAPHIC}, {"photographic", DECISION_PHOTOGRAPHIC},
    {"1", DECISION_GENERATED},     {"true", DECISION_GENERATED},
    {"yes", DECISION_GENERATED},   {"generated", DECISION_GENERATED},
    {"", DECISION_NONE},           {"NA", DECISION_NONE},
    {"nan", DECISION_NONE}};

/* The value of a word, in letters of either case; -1 when it is none of them. */
static int word_value(const word *words, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(words[i].text, text) == 0) return words[i].value;
    return -1;
}

/* False when it is no number; the score of a failed image (none, nan, NA) becomes NaN. */
static bool parse_score(const char *text, double *score)
{
    char *end;
    *score = strtod(text, &end);
    if (!*text || strcasecmp(text, "NA") == 0)
        *score = NAN;
    else if (end == text || *end)
        return false;
    return !isinf(*score);
}

/* ---- Known faces ---------------------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    const scored_face *const *x = a, *const *y = b;
    return strcmp((*x)->id, (*y)->id);
}

static bool gather_known(table_reading *t, error *e)
{
    size_t total = 0;
    for (size_t i = 0; i < t->v->method_count; i++) total += t->v->methods[i].faces.count;
    t->known = memory_allocate(total + 1, sizeof *t->known, e);
    for (size_t i = 0; t->known && i < t->v->method_count; i++)
        for (size_t j = 0; j < t->v->methods[i].faces.count; j++)
            t->known[t->known_count++] = &t->v->methods[i].faces.item[j];
    if (t->known) qsort(t->known, t->known_count, sizeof *t->known, compare_ids);
    return t->known != NULL;
}

static const scored_face *find_known(const table_reading *t, const char *id)
{
    scored_face wanted = {.id = (char *)id}, *key = &wanted;
    const scored_face **found =
        bsearch(&key, t->known, t->known_count, sizeof *t->known, compare_ids);
    return found ? *found : NULL;
}

/* ---- Lines ---------------------------------------------------------------------------------- */

/* Cuts a line at its tabs, in place. */
static bool split_line(const table_reading *t, char *line, fields *f, error *e)
{
    f->count = 0;
    line[strcspn(line, "\r\n")] = 0;
    for (char *next = line; next; f->count++) {
        if (f->count == FIELDS_MAX)
            return error_set(e, STATUS_DATA, "%s: line %ld has more than %d columns", t->input,
                             t->line, FIELDS_MAX);
        f->item[f->count] = next;
        next = strchr(next, '\t');
        if (next) *next++ = 0;
    }
    return true;
}

static const char *field_at(const table_reading *t, const fields *f, int column)
{
    int at = t->column[column];
    return at >= 0 && at < f->count ? f->item[at] : "";
}

/* The columns' positions from a line of names; false when it is not one. */
static bool find_columns(table_reading *t, const fields *f)
{
    for (int c = 0; c < COLUMNS; c++) {
        t->column[c] = -1;
        for (int i = 0; i < f->count; i++)
            if (strcasecmp(f->item[i], column_names[c]) == 0) t->column[c] = i;
    }
    return t->column[COLUMN_ID] >= 0 && t->column[COLUMN_SCORE] >= 0;
}

/* Of two columns of one name nobody knows which is meant. */
static bool check_columns(const table_reading *t, const fields *f, error *e)
{
    for (int c = 0; c < COLUMNS; c++)
        for (int i = 0; i < t->column[c]; i++)
            if (strcasecmp(f->item[i], column_names[c]) == 0)
                return error_set(e, STATUS_DATA, "%s: line %ld: two columns are named '%s'",
                                 t->input, t->line, column_names[c]);
    return true;
}

/* The group of a face by its own label and source, or by what is known of its id; GROUP_NONE when
   nobody knows. */
static bool face_group_of(const table_reading *t, const char *id, face_label label,
                          const char *source, size_t *group, error *e)
{
    const scored_face *known = find_known(t, id);
    *group = known ? known->group : GROUP_NONE;
    if (label == FACE_UNLABELLED) return true;
    if (!known || *source)
        return evaluation_group(t->v, source, label, group, e) ||
               error_context(e, "%s: line %ld", t->input, t->line);
    const face_group *is = &t->v->groups[known->group];
    return is->label == label ||
           error_set(e, STATUS_DATA,
                     "%s: line %ld: the face '%.200s' is %s here, but %s (%.200s) in a detector "
                     "before",
                     t->input, t->line, id, face_label_names[label], face_label_names[is->label],
                     is->source);
}

static bool add_line(const table_reading *t, const fields *f, error *e)
{
    const char *id = field_at(t, f, COLUMN_ID), *score = field_at(t, f, COLUMN_SCORE);
    const char *label = field_at(t, f, COLUMN_LABEL), *said = field_at(t, f, COLUMN_GENERATED);
    scored_face face = {.id = (char *)id, .number = t->line};
    if (!*id) return error_set(e, STATUS_DATA, "%s: line %ld has no id", t->input, t->line);
    if (!parse_score(score, &face.score))
        return error_set(e, STATUS_DATA, "%s: line %ld: '%.200s' is no score", t->input, t->line,
                         score);
    int labelled = word_value(labels, CLI_COUNT(labels), label);
    if (labelled < 0)
        return error_set(e, STATUS_DATA,
                         "%s: line %ld: the label '%.200s' is none of photographic, real, "
                         "generated, fake, synthetic",
                         t->input, t->line, label);
    int decided = word_value(decisions, CLI_COUNT(decisions), said);
    if (decided < 0)
        return error_set(e, STATUS_DATA,
                         "%s: line %ld: 'generated' is '%.200s': write 0 or 1, false or true",
                         t->input, t->line, said);
    face.decided = (decision)decided;
    if (!face_group_of(t, id, (face_label)labelled, field_at(t, f, COLUMN_SOURCE), &face.group, e))
        return false;
    if (isnan(face.score)) return face_list_add(&t->m->failed, &face, e);
    if (face.group != GROUP_NONE) return face_list_add(&t->m->faces, &face, e);
    t->m->unknown++;
    return true;
}

/* The first line that is not empty: true, with `is_face` when it is no line of names. */
static bool begin_table(table_reading *t, const fields *f, bool *is_face, error *e)
{
    double score;
    t->begun = true;
    *is_face = !find_columns(t, f);
    if (!*is_face) return check_columns(t, f, e);
    for (int c = 0; c < COLUMNS; c++) t->column[c] = c == COLUMN_ID || c == COLUMN_SCORE ? c : -1;
    return (f->count >= 2 && parse_score(f->item[1], &score)) ||
           error_set(e, STATUS_DATA,
                     "%s: neither a first line with the tab-separated columns 'id' and 'score' nor "
                     "an id and a score",
                     t->input);
}

static bool read_line(table_reading *t, char *line, size_t length, error *e)
{
    fields f;
    bool is_face = true;
    const char *mark = "\xef\xbb\xbf"; /* of UTF-8 files from Windows */
    if (t->line == 1 && strncmp(line, mark, strlen(mark)) == 0) {
        line += strlen(mark);
        length -= strlen(mark);
    }
    if (memchr(line, 0, length))
        return error_set(e, STATUS_DATA, "%s: line %ld holds a NUL byte: not a table", t->input,
                         t->line);
    if (!split_line(t, line, &f, e)) return false;
    if (f.count == 1 && !*f.item[0]) return true;
    if (!t->begun && !begin_table(t, &f, &is_face, e)) return false;
    return !is_face || add_line(t, &f, e);
}

bool evaluation_read_table(evaluation *v, method *m, FILE *file, error *e)
{
    table_reading t = {.v = v, .m = m, .input = m->inputs.item[m->inputs.count - 1]};
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    bool good = gather_known(&t, e);
    while (good && (length = getline(&line, &size, file)) >= 0) {
        t.line++;
        good = read_line(&t, line, (size_t)length, e);
    }
    if (good && ferror(file)) good = error_set(e, STATUS_IO, "%s: ", t.input);
    free(line);
    free(t.known);
    return good;
}
