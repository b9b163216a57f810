/* The bi-level step. */
#include "train/bilevel.h"

#include "cli/memory.h"
#include "train/vector.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TRAINING_SLOT = 0 };

static bool create_report(bilevel_report *r, size_t tasks, error *e)
{
    r->loss = memory_zeroed(tasks, sizeof(double), e);
    r->validation_loss = memory_zeroed(tasks, sizeof(double), e);
    r->labelled = memory_zeroed(tasks, sizeof *r->labelled, e);
    r->lambda_before = memory_zeroed(tasks, sizeof(double), e);
    r->lambda_after = memory_zeroed(tasks, sizeof(double), e);
    r->lambda_gradient = memory_zeroed(tasks, sizeof(double), e);
    return e->status == 0;
}

bool bilevel_create(bilevel *b, const bilevel_options *options, const plan *p, model *m, network *w,
                    optimizer *o, lambda_weights *l, error *e)
{
    *b = (bilevel){.options = *options,
                   .tasks = w->tasks,
                   .plan = p,
                   .model = m,
                   .network = w,
                   .optimizer = o,
                   .lambda = l};
    b->gradient = vector_create(p, e);
    if (options->learn) b->direction = vector_create(p, e);
    if (options->learn && options->lag) b->moved = vector_create(p, e);
    b->one = memory_zeroed(b->tasks->count, sizeof(double), e);
    b->work = memory_zeroed(2 * b->tasks->count, sizeof(double), e);
    return create_report(&b->report, b->tasks->count, e);
}

void bilevel_free(bilevel *b)
{
    if (b->plan) {
        vector_free(b->plan, b->gradient);
        vector_free(b->plan, b->direction);
        vector_free(b->plan, b->moved);
    }
    free(b->one);
    free(b->work);
    free(b->report.loss);
    free(b->report.validation_loss);
    free(b->report.labelled);
    free(b->report.lambda_before);
    free(b->report.lambda_after);
    free(b->report.lambda_gradient);
    *b = (bilevel){0};
}

/* ---- Numbers that stopped being finite ------------------------------------------------------ */

static const char *task_name(const bilevel *b, size_t t)
{
    return b->tasks->task[t].name;
}

static bool check_losses(const bilevel *b, int slot, const char *which, error *e)
{
    const network_pass *pass = &b->network->pass[slot];
    for (size_t t = 0; t < b->tasks->count; t++)
        if (!isfinite(pass->loss[t]))
            return error_set(e, STATUS_INTERNAL,
                             "step %lld: the %s loss of task '%s' is not finite",
                             (long long)b->report.step, which, task_name(b, t));
    return true;
}

/* Finds the first task whose own gradient is not finite and names it; overwrites `gradient`. */
static bool blame_task(bilevel *b, const float *values, int slot, const double *weights,
                       const char *which, float *gradient, error *e)
{
    for (size_t t = 0; t < b->tasks->count; t++) {
        if (weights[t] == 0) continue;
        memset(b->one, 0, b->tasks->count * sizeof(double));
        b->one[t] = weights[t];
        vector_clear(b->plan, gradient);
        network_backward(b->network, values, slot, b->one, gradient);
        if (!isfinite(vector_norm(b->plan, gradient)))
            return error_set(e, STATUS_INTERNAL,
                             "step %lld: the %s gradient of task '%s' is not finite",
                             (long long)b->report.step, which, task_name(b, t));
    }
    return error_set(e, STATUS_INTERNAL,
                     "step %lld: the %s gradient of all tasks together is not finite",
                     (long long)b->report.step, which);
}

/* gradient = that of the weighted losses of a slot's pass; *norm its length. */
static bool take_gradient(bilevel *b, const float *values, int slot, const double *weights,
                          const char *which, float *gradient, double *norm, error *e)
{
    vector_clear(b->plan, gradient);
    network_backward(b->network, values, slot, weights, gradient);
    vector_clear_fixed(b->plan, gradient);
    *norm = vector_norm(b->plan, gradient);
    return isfinite(*norm) || blame_task(b, values, slot, weights, which, gradient, e);
}

/* ---- Steps 1 to 4 --------------------------------------------------------------------------- */

static int validation_slot(const bilevel *b)
{
    return b->network->options.slots - 1;
}

static void report_validation(bilevel *b, int slot)
{
    const network_pass *pass = &b->network->pass[slot];
    bilevel_report *r = &b->report;
    memcpy(r->validation_loss, pass->loss, b->tasks->count * sizeof(double));
    r->accuracy = pass->accuracy;
    r->auc = pass->auc;
    r->validated = true;
}

static bool forward(bilevel *b, const float *values, int slot, const batch *data, const char *which,
                    error *e)
{
    network_forward(b->network, values, slot, data);
    return check_losses(b, slot, which, e);
}

/* Step 2: direction = v, the validation gradient at theta'. */
static bool validate(bilevel *b, const float *moved, const batch *validation, error *e)
{
    int slot = validation_slot(b);
    if (!forward(b, moved, slot, validation, "validation", e)) return false;
    report_validation(b, slot);
    double *weights = b->work;
    memset(weights, 0, b->tasks->count * sizeof(double));
    weights[b->network->coarse] = 1;
    return take_gradient(b, moved, slot, weights, "validation", b->direction,
                         &b->report.validation_norm, e);
}

/* The groups' rates relative to the largest, which is returned. */
static double relative_rates(const bilevel *b, double relative[PARAMETER_GROUPS])
{
    double largest = 0;
    for (int g = 0; g < PARAMETER_GROUPS; g++) largest = fmax(largest, b->options.rate[g]);
    for (int g = 0; g < PARAMETER_GROUPS; g++)
        relative[g] = largest > 0 ? b->options.rate[g] / largest : 0;
    return largest;
}

/* derivative (tasks): of the training losses along `direction`, by a central difference. The
   reference's step is 0.01 / |v|. */
static bool difference(bilevel *b, const batch *training, double *derivative, error *e)
{
    double norm = vector_norm(b->plan, b->direction), step = norm > 0 ? 0.01 / norm : 0;
    double *above = b->work, *below = b->work + b->tasks->count;
    float *moved = b->moved ? b->moved : b->gradient;
    int slot = validation_slot(b);
    for (int side = 0; side < 2; side++) {
        vector_move(b->plan, moved, b->model->values, side ? -step : step, b->direction);
        if (!forward(b, moved, slot, training, "perturbed training", e)) return false;
        memcpy(side ? below : above, b->network->pass[slot].loss, b->tasks->count * sizeof(double));
    }
    for (size_t t = 0; t < b->tasks->count; t++)
        derivative[t] = step > 0 ? (above[t] - below[t]) / (2 * step) : 0;
    return true;
}

/* Steps 3 and 4. The training pass is in its slot afterwards. */
static bool learn_lambda(bilevel *b, const batch *training, error *e)
{
    const float *values = b->model->values;
    double relative[PARAMETER_GROUPS], rate = relative_rates(b, relative) * b->report.factor;
    double *gradient = b->report.lambda_gradient;
    bool by_difference = b->options.hypergradient == HYPERGRADIENT_FD;
    vector_scale_groups(b->plan, b->direction, relative);
    if (by_difference && !difference(b, training, gradient, e)) return false;
    if (validation_slot(b) == TRAINING_SLOT)
        network_forward(b->network, values, TRAINING_SLOT, training);
    if (!by_difference) network_jvp(b->network, values, TRAINING_SLOT, b->direction, gradient);
    for (size_t t = 0; t < b->tasks->count; t++) {
        if (!isfinite(gradient[t]))
            return error_set(e, STATUS_INTERNAL,
                             "step %lld: the hypergradient of task '%s' is not finite",
                             (long long)b->report.step, task_name(b, t));
        gradient[t] *= -rate;
    }
    lambda_update(b->lambda, gradient, b->options.lambda_rate);
    return true;
}

/* ---- The whole step ------------------------------------------------------------------------- */

static void begin_report(bilevel *b, int64_t step, const batch *training)
{
    bilevel_report *r = &b->report;
    r->step = step;
    r->epoch = training->epoch;
    r->validated = false;
    r->accuracy = r->auc = NAN;
    r->virtual_norm = r->validation_norm = r->gradient_norm = 0;
    r->factor = schedule_factor(&b->options.schedule, step, training->epoch);
    memset(r->lambda_gradient, 0, b->tasks->count * sizeof(double));
    memset(r->validation_loss, 0, b->tasks->count * sizeof(double));
    memcpy(r->lambda_before, b->lambda->value, b->tasks->count * sizeof(double));
}

static void report_training(bilevel *b)
{
    const network_pass *pass = &b->network->pass[TRAINING_SLOT];
    bilevel_report *r = &b->report;
    r->total_loss = 0;
    memcpy(r->loss, pass->loss, b->tasks->count * sizeof(double));
    memcpy(r->labelled, pass->labelled, b->tasks->count * sizeof *r->labelled);
    for (size_t t = 0; t < b->tasks->count; t++) r->total_loss += r->lambda_before[t] * r->loss[t];
}

/* Steps 1 to 4: leaves the training pass in its slot, and its gradient under the old weights in
   b->gradient if it can be used again. */
static bool outer_step(bilevel *b, const double *rate, const batch *training,
                       const batch *validation, error *e)
{
    const float *values = b->model->values;
    if (!take_gradient(b, values, TRAINING_SLOT, b->lambda->value, "training", b->gradient,
                       &b->report.virtual_norm, e))
        return false;
    float *moved = b->moved ? b->moved : b->gradient;
    vector_descend(b->plan, moved, values, b->gradient, rate, b->options.decay);
    return validate(b, moved, validation, e) && learn_lambda(b, training, e);
}

static bool check_batch(const bilevel *b, const batch *data, const char *which, error *e)
{
    if (data->count <= b->network->capacity && data->size == b->model->config.preprocessing.size)
        return true;
    return error_set(e, STATUS_DATA,
                     "record %lld: a %s batch of %d images of %d pixels does not fit a network for "
                     "%d of %d",
                     (long long)data->record->number, which, data->count, data->size,
                     b->network->capacity, b->model->config.preprocessing.size);
}

bool bilevel_step(bilevel *b, int64_t step, const batch *training, const batch *validation,
                  error *e)
{
    float *values = b->model->values;
    double rate[PARAMETER_GROUPS];
    begin_report(b, step, training);
    for (int g = 0; g < PARAMETER_GROUPS; g++) rate[g] = b->options.rate[g] * b->report.factor;
    if (!check_batch(b, training, "training", e)) return false;
    if (validation && !check_batch(b, validation, "validation", e)) return false;
    if (!b->options.learn && validation) {
        if (!forward(b, values, validation_slot(b), validation, "validation", e)) return false;
        report_validation(b, validation_slot(b));
    }
    if (!forward(b, values, TRAINING_SLOT, training, "training", e)) return false;
    report_training(b);
    if (b->options.learn && !outer_step(b, rate, training, validation, e)) return false;
    b->report.gradient_norm = b->report.virtual_norm;
    bool reuse = b->options.learn && b->options.lag;
    if (!reuse && !take_gradient(b, values, TRAINING_SLOT, b->lambda->value, "training",
                                 b->gradient, &b->report.gradient_norm, e))
        return false;
    double clip = gradient_clip(b->report.gradient_norm, b->options.clip);
    optimizer_update(b->optimizer, values, b->gradient, clip, rate);
    if (!b->network->options.frozen[PARAMETER_IMAGE]) {
        network_update_running(b->network, values, TRAINING_SLOT);
        b->model->batches_tracked++;
    }
    memcpy(b->report.lambda_after, b->lambda->value, b->tasks->count * sizeof(double));
    return true;
}
