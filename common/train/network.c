/* The joint embedding network with the losses of all tasks. */
#include "train/network.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool create_pass(network *w, network_pass *pass, error *e)
{
    size_t cells = (size_t)w->capacity * (size_t)w->prompts;
    pass->logits = memory_zeroed(cells, sizeof(double), e);
    pass->dlogits = memory_zeroed(cells, sizeof(double), e);
    pass->loss = memory_zeroed(w->tasks->count, sizeof(double), e);
    pass->labelled = memory_zeroed(w->tasks->count, sizeof *pass->labelled, e);
    return joint_create(&pass->joint, w->capacity, w->prompts, w->model->config.embedding_dim, e);
}

static bool create_buffers(network *w, error *e)
{
    size_t d = (size_t)w->model->config.embedding_dim;
    size_t n = (size_t)w->capacity, p = (size_t)w->prompts;
    w->image_features = memory_zeroed(n * d, sizeof(float), e);
    w->image_work = memory_zeroed(n * d, sizeof(float), e);
    w->text_features = memory_zeroed(p * d, sizeof(float), e);
    w->text_work = memory_zeroed(p * d, sizeof(float), e);
    w->weighted = memory_zeroed(n * p, sizeof(double), e);
    w->scratch = memory_zeroed(2 * n, sizeof(double), e);
    for (int i = 0; i < w->options.slots && !e->status; i++) create_pass(w, &w->pass[i], e);
    return e->status == 0;
}

bool network_create(network *w, const model *m, const task_list *tasks,
                    const token_sequences *sequences, const network_options *options, int capacity,
                    error *e)
{
    *w = (network){
        .model = m, .tasks = tasks, .options = *options, .capacity = capacity, .coarse = -1};
    w->prompts = (int)task_list_prompt_count(tasks);
    for (size_t t = tasks->count; t-- > 0;)
        if (tasks->task[t].kind == TASK_COARSE) w->coarse = (int)t;
    image_encoder_config encoder = {
        .depth = m->config.depth,
        .width = m->config.width,
        .embedding_dim = m->config.embedding_dim,
        .size = m->config.preprocessing.size,
        .precision = options->precision,
        .recompute = options->recompute,
        .recompute_end = options->recompute_end,
    };
    w->image = image_encoder_create(&encoder, m->table, capacity, options->slots, e);
    if (w->image)
        w->text = text_encoder_create(&m->config.text, m->table, sequences, options->slots, e);
    return w->text && create_buffers(w, e);
}

void network_free(network *w)
{
    image_encoder_free(w->image);
    text_encoder_free(w->text);
    for (int i = 0; i < NETWORK_SLOTS; i++) {
        joint_free(&w->pass[i].joint);
        free(w->pass[i].logits);
        free(w->pass[i].dlogits);
        free(w->pass[i].loss);
        free(w->pass[i].labelled);
    }
    free(w->image_features);
    free(w->image_work);
    free(w->text_features);
    free(w->text_work);
    free(w->weighted);
    free(w->scratch);
    *w = (network){0};
}

/* ---- Losses --------------------------------------------------------------------------------- */

/* The loss of one task, whose logits begin at column `first`. */
static void task_loss(network *w, network_pass *pass, size_t t, size_t first, batch_labels labels)
{
    const task *of = &w->tasks->task[t];
    int n = pass->count, classes = (int)of->class_count;
    const double *z = pass->logits + first;
    double *dz = pass->dlogits + first;
    int64_t *labelled = &pass->labelled[t];
    switch (of->kind) {
    case TASK_ORDINAL:
        pass->loss[t] = loss_ordinal(z, n, w->prompts, classes, labels.values, w->options.thurstone,
                                     dz, w->scratch, labelled);
        break;
    case TASK_CATEGORICAL:
        pass->loss[t] = loss_categorical(z, n, w->prompts, classes, labels.classes,
                                         w->options.gamma, dz, labelled);
        break;
    case TASK_COARSE:
        pass->loss[t] = loss_coarse(z, n, w->prompts, classes, labels.classes, dz, labelled);
        break;
    case TASK_FINE:
        pass->loss[t] = loss_fine(z, n, w->prompts, classes, labels.regions, dz, labelled);
        break;
    }
}

static void all_losses(network *w, network_pass *pass, const batch *b)
{
    size_t first = 0;
    pass->accuracy = pass->auc = NAN;
    memset(pass->dlogits, 0, sizeof(double) * (size_t)pass->count * (size_t)w->prompts);
    for (size_t t = 0; t < w->tasks->count; t++) {
        const task *of = &w->tasks->task[t];
        pass->loss[t] = 0;
        pass->labelled[t] = 0;
        if (b->labels[t].any) task_loss(w, pass, t, first, b->labels[t]);
        if ((int)t == w->coarse && b->labels[t].any) {
            const double *z = pass->logits + first;
            pass->accuracy = coarse_accuracy(z, pass->count, w->prompts, (int)of->class_count,
                                             b->labels[t].classes);
            pass->auc = coarse_auc(z, pass->count, w->prompts, b->labels[t].classes);
        }
        first += of->class_count;
    }
}

/* ---- Passes --------------------------------------------------------------------------------- */

static bool text_is_frozen(const network *w)
{
    return w->options.frozen[PARAMETER_TEXT] && w->options.frozen[PARAMETER_TEXT_FC];
}

void network_forward(network *w, const float *values, int slot, const batch *b)
{
    network_pass *pass = &w->pass[slot];
    const preprocessing *p = &w->model->config.preprocessing;
    pass->count = b->count;
    image_encoder_forward(w->image, values, slot, b->pixels, p->mean, p->std, b->count,
                          STATISTICS_TRAIN, w->image_features);
    if (!w->text_cached) text_encoder_forward(w->text, values, slot, w->text_features);
    w->text_cached = text_is_frozen(w);
    double scale = values[model_scale_index(w->model)];
    joint_forward(&pass->joint, b->count, w->image_features, w->text_features, scale, pass->logits);
    all_losses(w, pass, b);
}

static void weigh(network *w, const network_pass *pass, const double *weights)
{
    for (int i = 0; i < pass->count; i++) {
        size_t cell = (size_t)i * (size_t)w->prompts;
        for (size_t t = 0; t < w->tasks->count; t++)
            for (size_t k = 0; k < w->tasks->task[t].class_count; k++, cell++)
                w->weighted[cell] = weights[t] * pass->dlogits[cell];
    }
}

void network_backward(network *w, const float *values, int slot, const double *weights,
                      float *gradient)
{
    network_pass *pass = &w->pass[slot];
    double scale;
    weigh(w, pass, weights);
    joint_backward(&pass->joint, w->weighted, w->image_work, w->text_work, &scale);
    if (!w->options.frozen[PARAMETER_IMAGE])
        image_encoder_backward(w->image, values, slot, w->image_work, gradient);
    if (!text_is_frozen(w)) text_encoder_backward(w->text, values, slot, w->text_work, gradient);
    gradient[model_scale_index(w->model)] += (float)scale;
}

void network_jvp(network *w, const float *values, int slot, const float *tangent,
                 double *derivative)
{
    network_pass *pass = &w->pass[slot];
    bool visual = !w->options.frozen[PARAMETER_IMAGE], text = !text_is_frozen(w);
    if (visual) image_encoder_jvp(w->image, values, slot, tangent, w->image_work);
    if (text) text_encoder_jvp(w->text, values, slot, tangent, w->text_work);
    joint_jvp(&pass->joint, visual ? w->image_work : NULL, text ? w->text_work : NULL,
              tangent[model_scale_index(w->model)], w->weighted);
    size_t first = 0;
    for (size_t t = 0; t < w->tasks->count; t++) {
        size_t classes = w->tasks->task[t].class_count;
        derivative[t] = loss_derivative(pass->dlogits + first, w->weighted + first, pass->count,
                                        w->prompts, (int)classes);
        first += classes;
    }
}

void network_update_running(const network *w, float *values, int slot)
{
    image_encoder_update_running(w->image, values, slot);
}
