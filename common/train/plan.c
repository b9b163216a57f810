/* Pieces of the flat vector. */
#include "train/plan.h"

#include "cli/memory.h"
#include "model/text_encoder.h"

#include <stdlib.h>
#include <string.h>

static bool add_piece(plan_pieces *list, size_t offset, size_t count, parameter_group group,
                      error *e)
{
    plan_piece *item = array_grow(list->item, list->count + 1, &list->capacity, sizeof *item, e);
    if (!item) return false;
    list->item = item;
    list->item[list->count++] = (plan_piece){offset, count, group};
    return true;
}

/* Adds a range, cut into pieces. */
static bool add_range(plan_pieces *list, size_t offset, size_t count, parameter_group group,
                      error *e)
{
    for (size_t done = 0; done < count; done += PLAN_PIECE) {
        size_t size = count - done < PLAN_PIECE ? count - done : PLAN_PIECE;
        if (!add_piece(list, offset + done, size, group, e)) return false;
    }
    return true;
}

/* Rows of the token embedding: neighbours of the same sort make one range. */
static bool add_rows(plan *p, const parameter *q, const int32_t *tokens, size_t token_count,
                     error *e)
{
    size_t rows = q->shape[0], width = q->shape[1];
    bool *used = memory_zeroed(rows, sizeof *used, e);
    if (!used) return false;
    for (size_t i = 0; i < token_count; i++)
        if (tokens[i] >= 0 && (size_t)tokens[i] < rows) used[tokens[i]] = true;
    bool good = true;
    for (size_t first = 0, end; good && first < rows; first = end) {
        for (end = first + 1; end < rows && used[end] == used[first];) end++;
        good = add_range(used[first] ? &p->trained : &p->unused, q->offset + first * width,
                         (end - first) * width, q->group, e);
    }
    free(used);
    return good;
}

bool plan_create(plan *p, const parameter_table *table, const bool *frozen, const int32_t *tokens,
                 size_t token_count, error *e)
{
    *p = (plan){.total = table->total};
    for (size_t i = 0; i < table->count; i++) {
        const parameter *q = &table->item[i];
        bool good, fixed = q->buffer || frozen[q->group];
        if (!fixed && tokens && strcmp(q->name, TOKEN_EMBEDDING) == 0)
            good = add_rows(p, q, tokens, token_count, e);
        else
            good = add_range(fixed ? &p->fixed : &p->trained, q->offset, q->count, q->group, e);
        if (!good) return false;
    }
    for (size_t i = 0; i < p->trained.count; i++) p->trained_total += p->trained.item[i].count;
    p->partial = memory_zeroed(p->trained.count + 1, sizeof(double), e);
    return p->partial != NULL;
}

void plan_free(plan *p)
{
    free(p->trained.item);
    free(p->unused.item);
    free(p->fixed.item);
    free(p->partial);
    *p = (plan){0};
}
