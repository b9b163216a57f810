/* A joint embedding model: made, read, written. */
#include "model/model.h"

#include "cli/hash.h"
#include "cli/memory.h"
#include "cli/random.h"
#include "model/convert.h"
#include "model/image_encoder.h"
#include "model/model_json.h"

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
        .preprocessing = {.scale = 1.3,
                          .step = {{224, RESAMPLE_BILINEAR}},
                          .step_count = 1,
                          .size = 224,
                          .mean = {0.48145466f, 0.4578275f, 0.40821073f},
                          .std = {0.26862954f, 0.26130258f, 0.27577711f}},
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

/* A model with its table and zeroed values. */
static model *model_new(const model_config *config, error *e)
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
    model *m = model_new(&c, e);
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

/* ---- Reading -------------------------------------------------------------------------------- */

static bool text_copy(char **to, const char *text, error *e)
{
    if (!text) return true;
    *to = strdup(text);
    return *to || error_set(e, STATUS_SYSTEM, "out of memory");
}

static bool config_read(model_config *c, const tensor_file *f, const weight_list *l, error *e)
{
    const char *architecture = tensor_file_metadata(f, "architecture");
    const char *how = tensor_file_metadata(f, "preprocessing");
    *c = model_config_default();
    c->text.heads = 0;
    if (how && !preprocessing_parse(&c->preprocessing, how, f->path, e)) return false;
    if (!(architecture ? architecture_parse(c, architecture, f->path, e)
                       : model_config_infer(c, l, e)))
        return false;
    error problem = {0};
    if (model_config_check(c, &problem)) return true;
    return error_set(e, STATUS_DATA, "%s: %.800s", f->path, problem.text);
}

int model_read_architecture(const char *path, model_config *config, error *e)
{
    tensor_file *file = tensor_file_open(path, e);
    if (!file) return -1;
    const char *text = tensor_file_metadata(file, "architecture");
    model_config read = *config;
    read.text.heads = 0;
    bool good = !text || (architecture_parse(&read, text, path, e) && model_config_check(&read, e));
    if (text && good) *config = read;
    tensor_file_close(file);
    return good ? text != NULL : -1;
}

/* The table says what must be there: its memory is bounded by the file before it is allocated. */
static bool config_bounded(const model_config *c, const tensor_file *f, const weight_list *l,
                           error *e)
{
    model_config shape = {0};
    if (!model_config_infer(&shape, l, e)) return false;
    if (shape.depth == c->depth && fabs(shape.width - c->width) * 64 < 1 &&
        shape.embedding_dim == c->embedding_dim && shape.text.vocabulary == c->text.vocabulary &&
        shape.text.width == c->text.width && shape.text.layers == c->text.layers &&
        shape.text.context == c->text.context && shape.text.output_dim == c->text.output_dim) {
        return true;
    }
    return error_set(e, STATUS_DATA,
                     "%s: its tensors are those of another architecture than its metadata says",
                     f->path);
}

static bool values_read(model *m, const weight_list *l, error *e)
{
    for (size_t i = 0; i < m->table->count; i++) {
        const parameter *p = &m->table->item[i];
        const tensor *t = weight_list_find(l, p->name);
        if (!t)
            return error_set(e, STATUS_DATA, "%s: tensor '%s' is missing", l->file->path, p->name);
        if (!weight_fits(t, p)) {
            char is[128];
            return error_set(e, STATUS_DATA, "%s: tensor '%s' has the wrong shape %s",
                             l->file->path, p->name, tensor_shape_text(is, t->rank, t->shape));
        }
        if (!weight_copy(l->file, t, p, m->values, e)) return false;
    }
    const tensor *tracked = weight_list_find(l, "model.visual.bn1.num_batches_tracked");
    if (!tracked || tracked->count != 1) return true;
    return tensor_read_integers(l->file, tracked, &m->batches_tracked, e);
}

static bool texts_read(model *m, const tensor_file *f, error *e)
{
    const char *kind = tensor_file_metadata(f, "vocabulary_kind"),
               *text = tensor_file_metadata(f, "vocabulary");
    if (!text_copy(&m->tasks, tensor_file_metadata(f, "tasks"), e)) return false;
    if (!text_copy(&m->provenance, tensor_file_metadata(f, "provenance"), e)) return false;
    if (!kind || !text) return true;
    m->words = tokenizer_parse(kind, text, e);
    if (!m->words) return error_context(e, "%s", f->path);
    if (tokenizer_size(m->words) == m->config.text.vocabulary) return true;
    return error_set(e, STATUS_DATA, "%s: the vocabulary has %d tokens, the model %d", f->path,
                     tokenizer_size(m->words), m->config.text.vocabulary);
}

model *model_read(const char *path, tensor_file **file, error *e)
{
    model *m = NULL;
    weight_list l = {0};
    model_config config;
    tensor_file *f = tensor_file_open(path, e);
    const char *kind = f ? tensor_file_metadata(f, "blades_kind") : NULL;
    bool ok = f != NULL;
    if (kind && strcmp(kind, "model") != 0 && strcmp(kind, "checkpoint") != 0) {
        ok = error_set(e, STATUS_DATA, "%s: holds a '%.50s', not a model", path, kind);
    }
    ok = ok && weight_list_make(&l, f, e) && config_read(&config, f, &l, e) &&
         config_bounded(&config, f, &l, e);
    if (ok) m = model_new(&config, e);
    ok = m && values_read(m, &l, e) && texts_read(m, f, e);
    weight_list_free(&l);
    if (ok && file) {
        *file = f;
    } else {
        tensor_file_close(f);
    }
    if (ok) return m;
    model_free(m);
    return NULL;
}

/* ---- Writing -------------------------------------------------------------------------------- */

typedef struct produced {
    const parameter *parameter;
    const float *values;
} produced;

static bool parameter_produce(const void *context, void *elements, error *e)
{
    const produced *p = context;
    parameter_to_file(p->parameter, p->values, elements);
    return true;
}

/* One entry a parameter, and num_batches_tracked beside each running_mean. */
typedef struct entries {
    safetensors_entry *item;
    produced *produced;
    char (*tracked)[200];
    size_t count, tracked_count;
} entries;

static bool entries_make(entries *x, const model *m, const safetensors_entry *extra,
                         size_t extra_count, error *e)
{
    size_t parameters = m->table->count;
    x->item = memory_zeroed(2 * parameters + extra_count + 1, sizeof *x->item, e);
    x->produced = memory_zeroed(parameters + 1, sizeof *x->produced, e);
    x->tracked = memory_zeroed(parameters + 1, sizeof *x->tracked, e);
    if (!x->item || !x->produced || !x->tracked) return false;
    for (size_t i = 0; i < parameters; i++) {
        const parameter *p = &m->table->item[i];
        safetensors_entry entry = {.name = p->name, .type = TENSOR_F32, .rank = p->rank};
        for (int d = 0; d < p->rank; d++) entry.shape[d] = (int64_t)p->shape[d];
        x->produced[i] = (produced){p, m->values};
        entry.produce = parameter_produce;
        entry.context = &x->produced[i];
        x->item[x->count++] = entry;
        if (!ends_with(p->name, ".running_mean")) continue;
        char *name = x->tracked[x->tracked_count++];
        snprintf(name, sizeof *x->tracked, "%.*snum_batches_tracked",
                 (int)(strlen(p->name) - strlen("running_mean")), p->name);
        x->item[x->count++] =
            (safetensors_entry){.name = name, .type = TENSOR_I64, .data = &m->batches_tracked};
    }
    for (size_t i = 0; i < extra_count; i++) x->item[x->count++] = extra[i];
    return true;
}

bool model_write(const model *m, const char *path, const char *kind, const safetensors_entry *extra,
                 size_t extra_count, const safetensors_pair *metadata, size_t metadata_count,
                 error *e)
{
    entries x = {0};
    char *architecture = architecture_text(&m->config, e),
         *how = preprocessing_text(&m->config.preprocessing, e);
    safetensors_pair *pairs = memory_zeroed(metadata_count + 8, sizeof *pairs, e);
    bool ok = architecture && how && pairs && entries_make(&x, m, extra, extra_count, e);
    if (ok) {
        size_t count = 0;
        pairs[count++] = (safetensors_pair){"format", "pt"};
        pairs[count++] = (safetensors_pair){"blades_kind", kind};
        pairs[count++] = (safetensors_pair){"architecture", architecture};
        pairs[count++] = (safetensors_pair){"preprocessing", how};
        if (m->words) {
            pairs[count++] = (safetensors_pair){"vocabulary_kind", tokenizer_kind(m->words)};
            pairs[count++] = (safetensors_pair){"vocabulary", tokenizer_text(m->words)};
        }
        if (m->tasks) pairs[count++] = (safetensors_pair){"tasks", m->tasks};
        if (m->provenance) pairs[count++] = (safetensors_pair){"provenance", m->provenance};
        for (size_t i = 0; i < metadata_count; i++) pairs[count++] = metadata[i];
        ok = safetensors_write(path, x.item, x.count, pairs, count, e);
    }
    free(x.item);
    free(x.produced);
    free(x.tracked);
    free(pairs);
    free(architecture);
    free(how);
    return ok;
}

/* ---- Prompts and name ----------------------------------------------------------------------- */

bool model_encode_prompts(const model *m, const char *const *prompts, int count,
                          token_sequences *out, error *e)
{
    *out = (token_sequences){0};
    if (!m->words) {
        return error_set(
            e, STATUS_DATA,
            "the model holds no vocabulary for its prompts; model-convert --vocabulary adds one");
    }
    out->start = memory_zeroed((size_t)count + 1, sizeof *out->start, e);
    if (!out->start) return false;
    for (int i = 0; i < count; i++) {
        int32_t *ids;
        int length = tokenizer_encode(m->words, prompts[i], &ids, e);
        bool ok = length >= 0;
        if (ok && length > m->config.text.context) {
            ok = error_set(e, STATUS_DATA, "prompt \"%.200s\" has %d tokens; the context is %d",
                           prompts[i], length, m->config.text.context);
        }
        int32_t *grown =
            ok ? memory_resize(out->ids, (size_t)out->start[i] + (size_t)length, sizeof *grown, e)
               : NULL;
        if (grown) {
            out->ids = grown;
            memcpy(grown + out->start[i], ids, (size_t)length * sizeof *ids);
            out->start[i + 1] = out->start[i] + length;
            out->count++;
        }
        if (length >= 0) free(ids);
        if (!grown) {
            token_sequences_free(out);
            return false;
        }
    }
    return true;
}

void token_sequences_free(token_sequences *s)
{
    free(s->start);
    free(s->ids);
    *s = (token_sequences){0};
}

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
