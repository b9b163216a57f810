/* Evaluation of detectors: what was read is checked, grouped and paired. */
#include "detect/evaluation.h"

#include "cli/memory.h"
#include "cli/random.h"

#include <stdlib.h>
#include <string.h>

enum { SUBSAMPLE = 1 }; /* the purpose in random_keyed's index */

double method_oriented(const method *m, double score)
{
    return m->higher_is_photographic ? -score : score;
}

size_t method_runs(const method *m)
{
    size_t runs = 0;
    for (; m; m = m->next_run) runs++;
    return runs;
}

size_t method_undecided(const method *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->faces.count; i++) count += m->faces.item[i].decided == DECISION_NONE;
    return count;
}

group_calls method_calls(const method *m, size_t group)
{
    group_calls calls = {0};
    double runs = (double)method_runs(m);
    for (const method *run = m; run; run = run->next_run)
        for (size_t i = 0; i < run->faces.count; i++) {
            const scored_face *face = &run->faces.item[i];
            if (face->group != group) continue;
            calls.faces += run == m;
            calls.generated += face->decided == DECISION_GENERATED;
            calls.undecided += face->decided == DECISION_NONE;
        }
    calls.generated /= runs;
    calls.undecided /= runs;
    return calls;
}

static void face_list_free(face_list *list)
{
    for (size_t j = 0; j < list->count; j++) free(list->item[j].id);
    free(list->item);
}

static void method_free(method *m)
{
    face_list_free(&m->faces);
    face_list_free(&m->failed);
    free(m->name);
    free(m->detector);
    free(m->model);
    for (size_t j = 0; j < m->inputs.count; j++) free((char *)m->inputs.item[j]);
    cli_strings_free(&m->inputs);
    free(m->rows);
    free(m->replicates);
    for (method *run = m->next_run, *next; run; run = next) {
        next = run->next_run;
        run->next_run = NULL;
        method_free(run);
        free(run);
    }
}

void evaluation_free(evaluation *v)
{
    for (size_t i = 0; i < v->method_count; i++) method_free(&v->methods[i]);
    for (size_t i = 0; i < v->group_count; i++) free(v->groups[i].source);
    free(v->methods);
    free(v->groups);
    free(v->generators);
    free(v->paired);
    *v = (evaluation){0};
}

/* ---- Preparation ---------------------------------------------------------------------------- */

static int compare_by_id(const void *a, const void *b)
{
    return strcmp(((const scored_face *)a)->id, ((const scored_face *)b)->id);
}

static int compare_by_group(const void *a, const void *b)
{
    const scored_face *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* By id, equal ones in the order in which they were read. */
static int compare_readings(const void *a, const void *b)
{
    const scored_face *x = *(const scored_face *const *)a, *y = *(const scored_face *const *)b;
    int order = strcmp(x->id, y->id);
    if (order) return order;
    if (x->input != y->input) return x->input < y->input ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* No id may come twice, whether scored or failed; failed images without id may. */
static bool refuse_repeats(const method *m, error *e)
{
    size_t count = 0;
    const scored_face **all = memory_allocate(m->faces.count + m->failed.count + 1, sizeof *all, e);
    if (!all) return false;
    for (size_t j = 0; j < m->faces.count; j++) all[count++] = &m->faces.item[j];
    for (size_t j = 0; j < m->failed.count; j++)
        if (*m->failed.item[j].id) all[count++] = &m->failed.item[j];
    qsort(all, count, sizeof *all, compare_readings);
    bool good = true;
    for (size_t j = 1; good && j < count; j++)
        if (strcmp(all[j - 1]->id, all[j]->id) == 0)
            good = error_set(e, STATUS_DATA, "%s: %s %lld: the id '%.200s' comes twice",
                             m->inputs.item[all[j]->input], m->is_table ? "line" : "record",
                             (long long)all[j]->number, all[j]->id);
    free(all);
    return good;
}

static void sort_faces(face_list *list, int (*compare)(const void *, const void *))
{
    if (list->count) qsort(list->item, list->count, sizeof *list->item, compare);
}

/* The face of that id in a list sorted by id. */
static const scored_face *find_face(const face_list *list, const scored_face *face)
{
    if (list->count == 0) return NULL;
    return bsearch(face, list->item, list->count, sizeof *list->item, compare_by_id);
}

/* Sorts a method's faces by id, draws and decides. */
static bool prepare_faces(method *m, uint64_t seed, error *e)
{
    if (!refuse_repeats(m, e)) return false;
    sort_faces(&m->faces, compare_by_id);
    sort_faces(&m->failed, compare_by_id);
    for (size_t j = 0; j < m->faces.count; j++) {
        scored_face *face = &m->faces.item[j];
        random_state r = random_keyed(seed, face->id, SUBSAMPLE);
        face->draw = random_bits(&r);
        if (!m->thresholded) continue;
        bool generated =
            m->higher_is_photographic ? face->score < m->threshold : face->score > m->threshold;
        face->decided = generated ? DECISION_GENERATED : DECISION_PHOTOGRAPHIC;
    }
    return true;
}

/* What a method makes of the faces of the first one; both are sorted by id. */
static bool match_first(const evaluation *v, method *m, error *e)
{
    const method *first = &v->methods[0];
    for (size_t j = 0; m != first && j < first->faces.count; j++) {
        const scored_face *face = &first->faces.item[j], *own = find_face(&m->faces, face);
        if (own && own->group != face->group)
            return error_set(
                e, STATUS_DATA, "%s: the face '%s' is %s (%s) here and %s (%s) in %s",
                m->inputs.item[own->input], face->id, face_label_names[v->groups[own->group].label],
                v->groups[own->group].source, face_label_names[v->groups[face->group].label],
                v->groups[face->group].source, first->inputs.item[face->input]);
        m->missing += !own && !find_face(&m->failed, face);
    }
    return true;
}

/* Runs of one method are averaged over the same faces; all are sorted by id. */
static bool match_runs(const method *m, error *e)
{
    for (const method *run = m->next_run; run; run = run->next_run) {
        bool same = run->faces.count == m->faces.count;
        for (size_t j = 0; same && j < m->faces.count; j++)
            same = strcmp(run->faces.item[j].id, m->faces.item[j].id) == 0;
        if (!same)
            return error_set(e, STATUS_DATA,
                             "%s: the faces are not those of %s, as those of another run must be",
                             run->inputs.item[0], m->inputs.item[0]);
    }
    return true;
}

static bool prepare_methods(evaluation *v, const evaluation_options *o, error *e)
{
    for (size_t i = 0; i < v->method_count; i++) {
        for (method *m = &v->methods[i]; m; m = m->next_run)
            if (!prepare_faces(m, o->seed, e) || !match_first(v, m, e)) return false;
        if (!match_runs(&v->methods[i], e)) return false;
    }
    for (size_t i = 0; i < v->method_count; i++)
        for (method *m = &v->methods[i]; m; m = m->next_run)
            sort_faces(&m->faces, compare_by_group);
    return true;
}

typedef struct named_generator {
    const char *name;
    size_t group;
} named_generator;

static int compare_generators(const void *a, const void *b)
{
    return strcmp(((const named_generator *)a)->name, ((const named_generator *)b)->name);
}

static bool find_generators(evaluation *v, error *e)
{
    named_generator *found = memory_allocate(v->group_count + 1, sizeof *found, e);
    v->generators = memory_allocate(v->group_count + 1, sizeof *v->generators, e);
    v->paired = memory_zeroed((v->group_count + 1) * (v->group_count + 1), sizeof *v->paired, e);
    bool done = found && v->generators && v->paired;
    for (size_t g = 0; done && g < v->group_count; g++)
        if (v->groups[g].label == FACE_GENERATED)
            found[v->generator_count++] = (named_generator){v->groups[g].source, g};
    if (done) qsort(found, v->generator_count, sizeof *found, compare_generators);
    for (size_t r = 0; done && r < v->generator_count; r++) {
        v->generators[r] = found[r].group;
        for (size_t g = 0; g < v->group_count; g++)
            v->paired[r * v->group_count + g] = v->groups[g].label == FACE_PHOTOGRAPHIC;
    }
    free(found);
    return done;
}

static long find_group(const evaluation *v, const char *source, size_t length, face_label label)
{
    for (size_t g = 0; g < v->group_count; g++)
        if (v->groups[g].label == label && strlen(v->groups[g].source) == length &&
            memcmp(v->groups[g].source, source, length) == 0)
            return (long)g;
    return -1;
}

/* "generator=source,source": that generator is compared with those sources alone. */
static bool apply_pair(evaluation *v, const char *pair, error *e)
{
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1])
        return error_set(e, STATUS_USAGE, "--pair %s: write GENERATOR=SOURCE[,SOURCE...]", pair);
    long generator = find_group(v, pair, (size_t)(equals - pair), FACE_GENERATED);
    if (generator < 0)
        return error_set(e, STATUS_USAGE, "--pair %s: no generated face has the source '%.*s'",
                         pair, (int)(equals - pair), pair);
    size_t row = 0;
    while (v->generators[row] != (size_t)generator) row++;
    memset(v->paired + row * v->group_count, 0, v->group_count * sizeof *v->paired);
    for (const char *source = equals + 1; source;) {
        size_t length = strcspn(source, ",");
        long group = find_group(v, source, length, FACE_PHOTOGRAPHIC);
        if (group < 0)
            return error_set(e, STATUS_USAGE,
                             "--pair %s: no photographic face has the source '%.*s'", pair,
                             (int)length, source);
        v->paired[row * v->group_count + (size_t)group] = true;
        source = source[length] ? source + length + 1 : NULL;
    }
    return true;
}

/* Says why no face is in any group. */
static bool refuse_nothing(const evaluation *v, error *e)
{
    size_t unlabelled = 0, other = 0, manipulated = 0;
    for (size_t i = 0; i < v->method_count; i++) {
        const method *m = &v->methods[i];
        unlabelled += m->unlabelled + m->unknown + m->failed.count;
        other += m->other_label;
        manipulated += m->manipulated;
    }
    if (unlabelled)
        return error_set(e, STATUS_DATA,
                         "no face has a label: set it when embedding, for example "
                         "embed --set label=photographic --set source=mine");
    if (other)
        return error_set(e, STATUS_DATA,
                         "no face has the label photographic or generated, %zu have others", other);
    return error_set(e, STATUS_DATA, "there is no face%s",
                     manipulated ? " but manipulated ones, which are left out" : "");
}

bool evaluation_run(evaluation *v, const evaluation_options *o, error *e)
{
    if (!prepare_methods(v, o, e) || !find_generators(v, e)) return false;
    if (o->baseline && !evaluation_method(v, o->baseline))
        return error_set(e, STATUS_USAGE, "--compare %s: no detector is named so", o->baseline);
    for (size_t i = 0; i < o->pairs.count; i++)
        if (!apply_pair(v, o->pairs.item[i], e)) return false;
    if (v->group_count == 0) return refuse_nothing(v, e);
    for (size_t i = 0; i < v->method_count; i++)
        if (!evaluation_compute(v, &v->methods[i], o, e)) return false;
    return true;
}
