/* Models read from and written to files. */
#include "cli/memory.h"
#include "model/convert.h"
#include "model/model.h"
#include "model/model_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

model *model_from_file(const tensor_file *f, error *e)
{
    model *m = NULL;
    weight_list l = {0};
    model_config config;
    const char *kind = tensor_file_metadata(f, "blades_kind");
    bool ok = !kind || strcmp(kind, "model") == 0 || strcmp(kind, "checkpoint") == 0 ||
              error_set(e, STATUS_DATA, "%s: holds a '%.50s', not a model", f->path, kind);
    ok = ok && weight_list_make(&l, f, e) && config_read(&config, f, &l, e) &&
         config_bounded(&config, f, &l, e);
    if (ok) m = model_zeroed(&config, e);
    ok = m && values_read(m, &l, e) && texts_read(m, f, e);
    weight_list_free(&l);
    if (ok) return m;
    model_free(m);
    return NULL;
}

model *model_read(const char *path, error *e)
{
    tensor_file *f = tensor_file_open(path, e);
    model *m = f ? model_from_file(f, e) : NULL;
    tensor_file_close(f);
    return m;
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
        const char *last = strrchr(p->name, '.');
        if (!last || strcmp(last, ".running_mean") != 0) continue;
        char *name = x->tracked[x->tracked_count++];
        snprintf(name, sizeof *x->tracked, "%.*s.num_batches_tracked", (int)(last - p->name),
                 p->name);
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
