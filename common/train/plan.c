/* Pieces of the flat vector, and arithmetic over them. */
#include "train/plan.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* ---- The plan -------------------------------------------------------------------------------- */

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
        if (!fixed && tokens && strcmp(q->name, "model.token_embedding.weight") == 0)
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

/* ---- Vectors --------------------------------------------------------------------------------- */

/* Pages of an anonymous mapping are zero and take up memory from their first writing on. */
float *vector_create(const plan *p, error *e)
{
    size_t bytes = (p->total + 1) * sizeof(float);
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) return pages;
    error_set(e, STATUS_SYSTEM, "out of memory for a vector of %zu parameters", p->total);
    return NULL;
}

void vector_free(const plan *p, float *vector)
{
    if (vector) munmap(vector, (p->total + 1) * sizeof(float));
}

void vector_clear_fixed(const plan *p, float *x)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->fixed.count; i++)
        memset(x + p->fixed.item[i].offset, 0, p->fixed.item[i].count * sizeof *x);
}

void vector_clear(const plan *p, float *x)
{
    vector_clear_fixed(p, x);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->trained.count; i++)
        memset(x + p->trained.item[i].offset, 0, p->trained.item[i].count * sizeof *x);
}

static void copy_fixed(const plan *p, float *out, const float *x)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->fixed.count; i++) {
        size_t offset = p->fixed.item[i].offset;
        memcpy(out + offset, x + offset, p->fixed.item[i].count * sizeof *x);
    }
}

/* Eight sums side by side, so that the loop becomes vector instructions in one fixed order. */
static double sum_of_squares(const float *x, size_t count)
{
    double lane[8] = {0};
    size_t whole = count / 8 * 8;
    for (size_t k = 0; k < whole; k += 8)
        for (int l = 0; l < 8; l++) lane[l] += (double)x[k + (size_t)l] * x[k + (size_t)l];
    for (size_t k = whole; k < count; k++) lane[k - whole] += (double)x[k] * x[k];
    return ((lane[0] + lane[4]) + (lane[1] + lane[5])) +
           ((lane[2] + lane[6]) + (lane[3] + lane[7]));
}

double vector_norm(const plan *p, const float *x)
{
    double sum = 0;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->trained.count; i++)
        p->partial[i] = sum_of_squares(x + p->trained.item[i].offset, p->trained.item[i].count);
    for (size_t i = 0; i < p->trained.count; i++) sum += p->partial[i];
    return sqrt(sum);
}

void vector_scale_groups(const plan *p, float *x, const double *factor)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->trained.count; i++) {
        const plan_piece *piece = &p->trained.item[i];
        float scale = (float)factor[piece->group], *at = x + piece->offset;
        for (size_t k = 0; k < piece->count && scale != 1; k++) at[k] *= scale;
    }
}

void vector_move(const plan *p, float *out, const float *values, double step,
                 const float *direction)
{
    copy_fixed(p, out, values);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->trained.count; i++) {
        const plan_piece *piece = &p->trained.item[i];
        for (size_t k = piece->offset; k < piece->offset + piece->count; k++)
            out[k] = (float)(values[k] + step * direction[k]);
    }
}

void vector_descend(const plan *p, float *out, const float *values, const float *gradient,
                    const double *rate, double decay)
{
    copy_fixed(p, out, values);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->trained.count; i++) {
        const plan_piece *piece = &p->trained.item[i];
        double alpha = rate[piece->group];
        for (size_t k = piece->offset; k < piece->offset + piece->count; k++)
            out[k] = (float)(values[k] - alpha * (gradient[k] + decay * values[k]));
    }
}

void vector_gather(const plan *p, const float *x, float *compact)
{
    for (size_t i = 0; i < p->trained.count; i++) {
        const plan_piece *piece = &p->trained.item[i];
        memcpy(compact, x + piece->offset, piece->count * sizeof *x);
        compact += piece->count;
    }
}

void vector_scatter(const plan *p, const float *compact, float *x)
{
    for (size_t i = 0; i < p->trained.count; i++) {
        const plan_piece *piece = &p->trained.item[i];
        memcpy(x + piece->offset, compact, piece->count * sizeof *x);
        compact += piece->count;
    }
}
