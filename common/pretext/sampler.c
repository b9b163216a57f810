/* Which faces and variants make up each batch. */
#include "pretext/sampler.h"
#include "cli/hash.h"
#include "cli/memory.h"
#include "cli/random.h"

#include <stdlib.h>
#include <string.h>

/* The faces of one value of the balance key, drawn in turn with the other groups'. */
typedef struct pass_group {
    uint64_t order;    /* of the group in the current round */
    uint32_t *face;    /* in order of key */
    pass_entry *entry; /* in order of the current repetition */
    size_t count, cursor;
    uint32_t repetition;
} pass_group;

/* ---- Orders --------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    const pass_entry *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return (x->face > y->face) - (x->face < y->face); /* faces are numbered in order of key */
}

static void shuffle_entries(const sampler *s, const uint32_t *faces, size_t count, const char *side,
                            uint64_t pass, uint32_t repetition, pass_entry *entries)
{
    uint64_t index = pass ^ (uint64_t)repetition << 40;
    for (size_t i = 0; i < count; i++) {
        const catalog_face *face = &s->faces->face[faces[i]];
        random_state r = random_keyed(s->faces->options.seed ^ face->key[0], side, index);
        entries[i] = (pass_entry){random_bits(&r), faces[i], repetition};
    }
    qsort(entries, count, sizeof *entries, compare_entries);
}

static int compare_groups(const void *a, const void *b)
{
    const pass_group *x = *(pass_group *const *)a, *y = *(pass_group *const *)b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return (x > y) - (x < y); /* groups are kept in order of name */
}

static pass_entry next_of_group(const sampler *s, pass_group *g, const char *side, uint64_t pass)
{
    if (g->cursor == g->count) {
        shuffle_entries(s, g->face, g->count, side, pass, ++g->repetition, g->entry);
        g->cursor = 0;
    }
    return g->entry[g->cursor++];
}

/* Sorts the members of one side into groups; returns how many groups have any. */
static size_t fill_groups(sampler *s, int side)
{
    const catalog *c = s->faces;
    size_t used = 0, place = 0;
    for (size_t g = 0; g < s->group_count; g++) s->group[g] = (pass_group){0};
    for (size_t i = 0; i < c->member_count[side]; i++)
        s->group[c->face[c->member[side][i]].group].count++;
    for (size_t g = 0; g < s->group_count; g++) {
        s->group[g].face = s->group_face + place;
        s->group[g].entry = s->group_entry + place;
        place += s->group[g].count;
        if (s->group[g].count) s->present[used++] = &s->group[g];
    }
    for (size_t i = 0; i < c->member_count[side]; i++) {
        pass_group *g = &s->group[c->face[c->member[side][i]].group];
        g->face[g->cursor++] = c->member[side][i];
    }
    return used;
}

static void shuffle_groups(const sampler *s, size_t used, const char *side, uint64_t index)
{
    for (size_t i = 0; i < used; i++) {
        const char *name = s->faces->groups.text[s->present[i] - s->group];
        uint64_t key = hash_bytes(name, strlen(name), HASH_BASIS);
        random_state r = random_keyed(s->faces->options.seed ^ key, side, index);
        s->present[i]->order = random_bits(&r);
    }
    qsort(s->present, used, sizeof *s->present, compare_groups);
}

/* A pass in which every group comes equally often: round by round, one face of each, the groups of
   every round in a random order. */
static void order_balanced(sampler *s, pass_order *order, int side, const char *name, uint64_t pass)
{
    size_t used = fill_groups(s, side), done = 0;
    for (size_t i = 0; i < used; i++) {
        pass_group *g = s->present[i];
        shuffle_entries(s, g->face, g->count, name, pass, 0, g->entry);
        g->cursor = 0;
    }
    for (uint64_t round = 0; done < order->count; round++) {
        shuffle_groups(s, used, name, pass ^ round << 40);
        for (size_t i = 0; i < used && done < order->count; i++)
            order->entry[done++] = next_of_group(s, s->present[i], name, pass);
    }
}

/* `side`: of the split; `name`: of the use, so that validating on the training faces has an order
   of its own. */
static void order_pass(sampler *s, pass_order *order, int side, const char *name, int64_t pass)
{
    if (order->pass == pass) return;
    order->pass = pass;
    uint64_t number = (uint64_t)(s->pass_first + pass);
    if (s->balanced)
        order_balanced(s, order, side, name, number);
    else
        shuffle_entries(s, s->faces->member[side], order->count, name, number, 0, order->entry);
}

/* ---- Variants ------------------------------------------------------------------------------- */

static double weight_of(const sampler *s, uint32_t manipulation)
{
    const char *name = s->faces->manipulations.text[manipulation];
    for (size_t i = 0; i < s->table->count; i++)
        if (strcmp(s->table->entry[i].name, name) == 0) return s->table->entry[i].weight;
    return 1;
}

/* The chance that a face which has both is drawn photographic; names that nothing has count for
   nothing. */
static double photographic_share(const draw_table *t, const catalog *c)
{
    double photographic = 0, total = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (!draw_weight_used(&t->entry[i], c)) continue;
        total += t->entry[i].weight;
        if (strcmp(t->entry[i].name, "photographic") == 0) photographic = t->entry[i].weight;
    }
    return photographic > 0 ? photographic / total : 0;
}

/* The end of the run of variants of one manipulation that begins at i. */
static uint32_t run_end(const catalog *c, const catalog_face *face, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < face->first + face->count &&
           c->variant[end].manipulation == c->variant[i].manipulation)
        end++;
    return end;
}

static bool is_manipulated(const catalog *c, uint32_t variant)
{
    return (int)c->variant[variant].manipulation != c->photographic;
}

/* Photographic or not as the weights say, where the face has both; then a manipulation among those
   the face has, by weight; then one of its variants. A face none of whose manipulations has weight
   gives any of its variants. */
static uint32_t draw_variant(const sampler *s, const catalog_face *face, random_state *r)
{
    const catalog *c = s->faces;
    double total[2] = {0, 0};
    uint32_t last = face->first + face->count;
    for (uint32_t i = face->first; i < last; i = run_end(c, face, i))
        total[is_manipulated(c, i)] += weight_of(s, c->variant[i].manipulation);
    double side = random_uniform(r), place = random_uniform(r);
    if (total[0] + total[1] <= 0) return face->first + (uint32_t)random_below(r, face->count);
    bool manipulated = total[0] <= 0 || (total[1] > 0 && side >= s->photographic_share);
    place *= total[manipulated];
    uint32_t chosen = face->first;
    for (uint32_t i = face->first; i < last; i = run_end(c, face, i)) {
        double weight = weight_of(s, c->variant[i].manipulation);
        if (is_manipulated(c, i) != manipulated || weight <= 0) continue;
        chosen = i;
        if (place < weight) break;
        place -= weight;
    }
    return chosen + (uint32_t)random_below(r, run_end(c, face, chosen) - chosen);
}

static batch_draw draw_face(const sampler *s, pass_entry entry, int side, int64_t pass)
{
    static const char *const names[] = {"train variant", "val variant"};
    const catalog_face *face = &s->faces->face[entry.face];
    uint64_t index = (uint64_t)(s->pass_first + pass) ^ (uint64_t)entry.repetition << 40;
    random_state r = random_keyed(s->faces->options.seed ^ face->key[0], names[side], index);
    uint32_t variant = draw_variant(s, face, &r);
    bool flip = random_uniform(&r) < 0.5, shift = s->shift && side == SPLIT_TRAIN;
    double left = random_uniform(&r), top = random_uniform(&r);
    return (batch_draw){entry.face, variant, s->flip && flip, shift ? left : 0.5,
                        shift ? top : 0.5};
}

batch_draw sampler_face(const sampler *s, uint32_t face, int side)
{
    return draw_face(s, (pass_entry){.face = face}, side, 0);
}

batch_draw sampler_lender(const sampler *s, uint32_t variant, const char *task_name)
{
    const catalog *c = s->faces;
    const face_variant *v = &c->variant[variant];
    int side = c->face[v->face].split == SPLIT_VAL ? SPLIT_VAL : SPLIT_TRAIN;
    random_state r = random_keyed(c->options.seed ^ v->id, task_name, (uint64_t)side);
    uint32_t face = c->member[side][random_below(&r, c->member_count[side])];
    return (batch_draw){.face = face, .variant = draw_variant(s, &c->face[face], &r)};
}

/* ---- Batches -------------------------------------------------------------------------------- */

/* The side of the split that validation batches come from. */
static int val_side(const sampler *s)
{
    return s->faces->options.val_from_train ? SPLIT_TRAIN : SPLIT_VAL;
}

bool sampler_open(sampler *s, const catalog *faces, const draw_table *table, size_t batch, error *e)
{
    *s = (sampler){.faces = faces, .table = table, .batch = batch};
    s->balanced = faces->options.balance != NULL;
    s->group_count = faces->groups.count;
    s->photographic_share = photographic_share(table, faces);
    s->train = (pass_order){.count = faces->member_count[SPLIT_TRAIN], .pass = -1};
    s->val = (pass_order){.pass = -1};
    if (faces->options.val_fraction > 0) s->val.count = faces->member_count[val_side(s)];
    size_t most = s->train.count > s->val.count ? s->train.count : s->val.count;
    s->train.entry = memory_allocate(s->train.count + 1, sizeof *s->train.entry, e);
    s->val.entry = memory_allocate(s->val.count + 1, sizeof *s->val.entry, e);
    if (s->balanced) {
        s->group = memory_allocate(s->group_count + 1, sizeof *s->group, e);
        s->present = memory_allocate(s->group_count + 1, sizeof *s->present, e);
        s->group_face = memory_allocate(most + 1, sizeof *s->group_face, e);
        s->group_entry = memory_allocate(most + 1, sizeof *s->group_entry, e);
    }
    return e->status == 0;
}

void sampler_close(sampler *s)
{
    free(s->train.entry);
    free(s->val.entry);
    free(s->group);
    free(s->present);
    free(s->group_face);
    free(s->group_entry);
    *s = (sampler){0};
}

size_t sampler_steps(const sampler *s)
{
    return s->train.count / s->batch;
}

size_t sampler_val_count(const sampler *s)
{
    return s->val.count;
}

void sampler_train(sampler *s, int64_t epoch, size_t number, batch_draw *draws)
{
    order_pass(s, &s->train, SPLIT_TRAIN, "train", epoch);
    for (size_t i = 0; i < s->batch; i++)
        draws[i] = draw_face(s, s->train.entry[number * s->batch + i], SPLIT_TRAIN, epoch);
}

void sampler_val(sampler *s, int64_t step, batch_draw *draws)
{
    for (size_t i = 0; i < s->batch; i++) {
        int64_t place = step * (int64_t)s->batch + (int64_t)i;
        int64_t pass = place / (int64_t)s->val.count;
        order_pass(s, &s->val, val_side(s), "val", pass);
        pass_entry entry = s->val.entry[place % (int64_t)s->val.count];
        draws[i] = draw_face(s, entry, SPLIT_VAL, pass);
    }
}

static int compare_faces(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool pass_has(const pass_entry *entry, size_t count, uint32_t face)
{
    for (size_t i = 0; i < count; i++)
        if (entry[i].face == face) return true;
    return false;
}

size_t sampler_rest(sampler *s, int64_t epoch, uint32_t *faces)
{
    order_pass(s, &s->train, SPLIT_TRAIN, "train", epoch);
    size_t first = sampler_steps(s) * s->batch, count = 0;
    for (size_t i = first; i < s->train.count; i++) {
        uint32_t face = s->train.entry[i].face;
        if (s->balanced && pass_has(s->train.entry, i, face)) continue; /* it repeats faces */
        faces[count++] = face;
    }
    if (count > 0) qsort(faces, count, sizeof *faces, compare_faces);
    return count;
}
