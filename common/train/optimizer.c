/* Updates of the parameters. */
#include "train/optimizer.h"

#include "nn/adam.h"
#include "train/vector.h"

#include <math.h>

static const double momentum = 0.9; /* of SGD */

bool optimizer_create(optimizer *o, optimizer_kind kind, const plan *p, double decay, error *e)
{
    *o = (optimizer){.kind = kind, .plan = p, .decay = decay};
    o->first = vector_create(p, e);
    if (kind == OPTIMIZER_ADAMW) o->second = vector_create(p, e);
    return e->status == 0;
}

void optimizer_free(optimizer *o)
{
    if (o->plan) {
        vector_free(o->plan, o->first);
        vector_free(o->plan, o->second);
    }
    *o = (optimizer){0};
}

/* The constants of one update of one group. */
typedef struct update_constants {
    float clip, keep, step, root, rate, decay;
} update_constants;

static void update_adamw(const update_constants *u, size_t count, float *restrict value,
                         const float *restrict gradient, float *restrict first,
                         float *restrict second)
{
    const float b1 = (float)ADAM_BETA1, b2 = (float)ADAM_BETA2, c1 = (float)(1 - ADAM_BETA1),
                c2 = (float)(1 - ADAM_BETA2);
    for (size_t k = 0; k < count; k++) {
        float g = gradient[k] * u->clip;
        first[k] = b1 * first[k] + c1 * g;
        second[k] = b2 * second[k] + c2 * g * g;
        value[k] = value[k] * u->keep -
                   u->step * first[k] / (sqrtf(second[k]) / u->root + (float)ADAM_EPSILON);
    }
}

static void update_sgd(const update_constants *u, size_t count, float *restrict value,
                       const float *restrict gradient, float *restrict first)
{
    for (size_t k = 0; k < count; k++) {
        first[k] = (float)momentum * first[k] + (gradient[k] * u->clip + u->decay * value[k]);
        value[k] -= u->rate * first[k];
    }
}

static update_constants constants_of(const optimizer *o, double clip, double rate)
{
    double updates = (double)o->updates;
    return (update_constants){
        .clip = (float)clip,
        .keep = (float)(1 - rate * o->decay),
        .step = (float)(rate / (1 - pow(ADAM_BETA1, updates))),
        .root = (float)sqrt(1 - pow(ADAM_BETA2, updates)),
        .rate = (float)rate,
        .decay = (float)o->decay,
    };
}

/* Rows that no prompt reaches have the gradient 0, and their moments stay 0. */
static void decay_unused(const plan *p, float *values, const update_constants *constants)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->unused.count; i++) {
        const plan_piece *piece = &p->unused.item[i];
        float keep = constants[piece->group].keep, *value = values + piece->offset;
        for (size_t k = 0; k < piece->count && keep != 1; k++) value[k] *= keep;
    }
}

void optimizer_update(optimizer *o, float *values, const float *gradient, double clip,
                      const double *rate)
{
    update_constants constants[PARAMETER_GROUPS];
    o->updates++;
    for (int g = 0; g < PARAMETER_GROUPS; g++) constants[g] = constants_of(o, clip, rate[g]);
    const plan_pieces *trained = &o->plan->trained;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < trained->count; i++) {
        const plan_piece *piece = &trained->item[i];
        size_t at = piece->offset;
        if (o->kind == OPTIMIZER_ADAMW)
            update_adamw(&constants[piece->group], piece->count, values + at, gradient + at,
                         o->first + at, o->second + at);
        else
            update_sgd(&constants[piece->group], piece->count, values + at, gradient + at,
                       o->first + at);
    }
    if (o->kind == OPTIMIZER_ADAMW) decay_unused(o->plan, values, constants);
}
