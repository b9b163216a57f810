/* Models made: configurations, tables, random values. */
#include "model/model.h"

#include "cli/hash.h"
#include "cli/memory.h"
#include "cli/random.h"
#include "model/image_encoder.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char scale_name[] = "model.logit_scale";

model_config model_config_default(void)
{
    return (model_config){
        .depth = 50,
        .width = 1,
        .embedding_dim = 768,
        .text = {.layers = 12,
                 .width = 512,
                 .heads = 8,
                 .context = 77,
                 .vocabulary = 49408,
                 .output_dim = 1024,
                 .embedding_dim = 768},
        .preprocessing = {.scale = CROP_SCALE,
                          .step = {{CROP_SIZE, RESAMPLE_BILINEAR}},
                          .step_count = 1,
                          .size = CROP_SIZE,
                          PREPROCESSING_CLIP},
    };
}

static bool in_range(const char *what, double value, double least, double most, error *e)
{
    if (value >= least && value <= most) return true;
    return error_set(e, STATUS_USAGE, "%s is %g; it must be %g to %g", what, value, least, most);
}

bool model_config_check(model_config *c, error *e)
{
    text_config *t = &c->text;
    const preprocessing *p = &c->preprocessing;
    if (c->depth != 18 && c->depth != 34 && c->depth != 50) {
        return error_set(e, STATUS_USAGE, "the depth is %d; it must be 18, 34 or 50", c->depth);
    }
    t->embedding_dim = c->embedding_dim;
    bool ok = in_range("the width", c->width, 0.01, 16, e) &&
              in_range("the embedding dimension", c->embedding_dim, 1, 65536, e) &&
              in_range("the input size", p->size, 1, 4096, e) &&
              in_range("the crop's scale", p->scale, 0.1, 100, e) && preprocessing_check(p, e);
    for (int i = 0; i < 3 && ok; i++) {
        ok = in_range("the standard deviation of a colour", p->std[i], 1e-6, 1e6, e) &&
             in_range("the mean of a colour", p->mean[i], -1e6, 1e6, e);
    }
    if (t->vocabulary == 0) *t = (text_config){.embedding_dim = c->embedding_dim};
    if (!ok || t->vocabulary == 0) return ok;
    ok = in_range("the number of text layers", t->layers, 0, 200, e) &&
         in_range("the text width", t->width, 1, 16384, e) &&
         in_range("the text context", t->context, 2, 65536, e) &&
         in_range("the vocabulary", t->vocabulary, 1, 2000000, e) &&
         in_range("the text output dimension", t->output_dim, 1, 65536, e);
    if (!ok) return false;
    if (t->heads == 0) t->heads = text_heads_default(t->width);
    return t->width % t->heads == 0 ||
           error_set(e, STATUS_USAGE, "%d heads do not divide a text width of %d", t->heads,
                     t->width);
}

static image_encoder_config image_config(const model_config *c)
{
    return (image_encoder_config){.depth = c->depth,
                                  .width = c->width,
                                  .embedding_dim = c->embedding_dim,
                                  .size = c->preprocessing.size};
}

model *model_zeroed(const model_config *config, error *e)
{
    model *m = memory_zeroed(1, sizeof *m, e);
    if (!m) return NULL;
    m->config = *config;
    m->table = memory_zeroed(1, sizeof *m->table, e);
    image_encoder_config encoder = image_config(&m->config);
    bool ok = m->table && model_config_check(&m->config, e) &&
              image_encoder_parameters(&encoder, m->table, e);
    if (ok && m->config.text.vocabulary > 0) {
        ok = text_parameters_add(m->table, &m->config.text, e) &&
             parameter_table_add(m->table, scale_name, 0, NULL, PARAMETER_PLAIN, PARAMETER_SCALE,
                                 false, e);
    }
    if (ok) m->values = memory_zeroed(m->table->total + 1, sizeof *m->values, e);
    if (m->values) return m;
    model_free(m);
    return NULL;
}

void model_free(model *m)
{
    if (!m) return;
    if (m->table) parameter_table_free(m->table);
    free(m->table);
    free(m->values);
    tokenizer_free(m->words);
    free(m->tasks);
    free(m->provenance);
    free(m);
}

size_t model_scale_index(const model *m)
{
    const parameter *p = parameter_table_find(m->table, scale_name);
    return p ? p->offset : 0;
}

/* ---- Random values -------------------------------------------------------------------------- */

typedef enum distribution { NORMAL, UNIFORM, CONSTANT } distribution;

typedef struct initial {
    distribution kind;
    double size; /* standard deviation, half width, value */
} initial;

static bool ends_with(const char *text, const char *ending)
{
    size_t length = strlen(text), part = strlen(ending);
    return length >= part && strcmp(text + length - part, ending) == 0;
}

/* The inputs of the linear layer that a bias belongs to. */
static size_t bias_inputs(const parameter_table *t, const parameter *p)
{
    char name[200];
    snprintf(name, sizeof name, "%.*sweight", (int)(strlen(p->name) - strlen("bias")), p->name);
    const parameter *layer = parameter_table_find(t, name);
    return layer && layer->rank == 2 ? layer->shape[1] : 0;
}

/* CLIP's initialize_parameters for the transformer; PyTorch's defaults for linear layers
   (U(-1/sqrt(in), 1/sqrt(in)) for weight and bias); Kaiming's normal distribution over fan-out for
   convolutions, as torchvision. */
static initial initial_of(const model *m, const parameter *p)
{
    const text_config *t = &m->config.text;
    double w = t->width, branch = t->layers ? pow(w, -0.5) * pow(2.0 * t->layers, -0.5) : 0;
    const struct {
        const char *ending;
        initial is;
    } rules[] = {
        {"logit_scale", {CONSTANT, log(1 / 0.07)}},
        {"running_var", {CONSTANT, 1}},
        {"token_embedding.weight", {NORMAL, 0.02}},
        {"positional_embedding", {NORMAL, 0.01}},
        {"text_projection", {NORMAL, pow(w, -0.5)}},
        {"attn.in_proj_weight", {NORMAL, pow(w, -0.5)}},
        {"attn.out_proj.weight", {NORMAL, branch}},
        {"mlp.c_fc.weight", {NORMAL, pow(2 * w, -0.5)}},
        {"mlp.c_proj.weight", {NORMAL, branch}},
        {"attn.in_proj_bias", {CONSTANT, 0}},
        {"attn.out_proj.bias", {CONSTANT, 0}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (ends_with(p->name, rules[i].ending)) return rules[i].is;
    }
    if (p->rank == 4)
        return (initial){NORMAL, sqrt(2.0 / (double)(p->shape[0] * p->shape[2] * p->shape[3]))};
    if (p->rank == 2) return (initial){UNIFORM, 1 / sqrt((double)p->shape[1])};
    if (ends_with(p->name, ".weight")) return (initial){CONSTANT, 1};
    size_t inputs = ends_with(p->name, ".bias") ? bias_inputs(m->table, p) : 0;
    return inputs ? (initial){UNIFORM, 1 / sqrt((double)inputs)} : (initial){CONSTANT, 0};
}

/* The values are drawn in the order of files, so that the layout in memory does not matter. */
static bool parameter_draw(const model *m, const parameter *p, uint64_t seed, error *e)
{
    initial is = initial_of(m, p);
    random_state r = random_keyed(seed, p->name, 0);
    float *file = memory_allocate(p->count, sizeof *file, e);
    if (!file) return false;
    for (size_t i = 0; i < p->count; i++) {
        switch (is.kind) {
        case NORMAL:
            file[i] = (float)(is.size * random_normal(&r));
            break;
        case UNIFORM:
            file[i] = (float)(is.size * (2 * random_uniform(&r) - 1));
            break;
        default:
            file[i] = (float)is.size;
        }
    }
    parameter_from_file(p, file, m->values);
    free(file);
    return true;
}

model *model_create(const model_config *config, tokenizer *words, uint64_t seed, error *e)
{
    model_config c = *config;
    if (words) c.text.vocabulary = tokenizer_size(words);
    model *m = model_zeroed(&c, e);
    if (!m) {
        tokenizer_free(words);
        return NULL;
    }
    m->words = words;
    bool ok = true;
#pragma omp parallel for schedule(dynamic) reduction(&& : ok)
    for (size_t i = 0; i < m->table->count; i++) {
        error own = {0};
        ok = ok && parameter_draw(m, &m->table->item[i], seed, &own);
    }
    if (ok) return m;
    error_set(e, STATUS_SYSTEM, "out of memory");
    model_free(m);
    return NULL;
}

/* ---- Name ----------------------------------------------------------------------------------- */

void model_digest(const model *m, char digest[17])
{
    const text_config *t = &m->config.text;
    const preprocessing *p = &m->config.preprocessing;
    const double numbers[] = {m->config.depth, m->config.width, m->config.embedding_dim,
                              t->layers,       t->width,        t->heads,
                              t->context,      t->vocabulary,   t->output_dim,
                              p->size,         p->scale,        p->mean[0],
                              p->mean[1],      p->mean[2],      p->std[0],
                              p->std[1],       p->std[2]};
    uint64_t sum = hash_bytes(numbers, sizeof numbers, HASH_BASIS);
    for (int i = 0; i < p->step_count; i++) {
        const int32_t step[] = {p->step[i].side, p->step[i].how};
        sum = hash_bytes(step, sizeof step, sum);
    }
    sum = hash_bytes(m->values, m->table->total * sizeof *m->values, sum);
    snprintf(digest, 17, "%016" PRIx64, sum);
}
