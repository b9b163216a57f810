/* Other people's names for our parameters, and initial values taken from their files. */
#include "model/convert.h"

#include "cli/memory.h"
#include "cli/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What wrapping in a dictionary, another module, DataParallel or torch.compile puts before a name.
 */
static const char *const wrappers[] = {"model.", "module.", "state_dict.", "model_state_dict.",
                                       "_orig_mod."};
/* Beginnings of the joint model's names (CLIP's), and of torchvision's ResNets. */
static const char *const joint_names[] = {
    "visual.",   "transformer.",    "token_embedding.", "positional_embedding",
    "ln_final.", "text_projection", "text_fc.",         "logit_scale"};
static const char *const resnet_names[] = {"conv1.",  "bn1.",    "layer1.", "layer2.",
                                           "layer3.", "layer4.", "fc."};

/* The length of the first prefix in the list that text begins with; 0: none. */
static size_t begins(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(list[i]);
        if (strncmp(text, list[i], length) == 0) return length;
    }
    return 0;
}

#define BEGINS(text, list) begins(text, list, sizeof list / sizeof *list)

static bool name_publish(weight *w, error *e)
{
    const char *core = w->tensor->name, *before = NULL;
    for (size_t skip; (skip = BEGINS(core, wrappers)) > 0;) core += skip;
    if (BEGINS(core, joint_names)) before = "model.";
    if (BEGINS(core, resnet_names)) before = "model.visual.";
    if (!before) return true;
    size_t size = strlen(before) + strlen(core) + 1;
    w->name = memory_allocate(size, 1, e);
    if (w->name) snprintf(w->name, size, "%s%s", before, core);
    return w->name != NULL;
}

static int weight_compare(const void *a, const void *b)
{
    const weight *x = a, *y = b;
    if (!x->name || !y->name) {
        if (x->name != y->name) return x->name ? -1 : 1;
        return strcmp(x->tensor->name, y->tensor->name);
    }
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->tensor->name, y->tensor->name);
}

bool weight_list_make(weight_list *l, const tensor_file *f, error *e)
{
    *l = (weight_list){.file = f};
    l->item = memory_zeroed(f->count + 1, sizeof *l->item, e);
    if (!l->item) return false;
    for (; l->count < f->count; l->count++) {
        l->item[l->count].tensor = &f->tensors[l->count];
        if (!name_publish(&l->item[l->count], e)) {
            weight_list_free(l);
            return false;
        }
    }
    qsort(l->item, l->count, sizeof *l->item, weight_compare);
    return true;
}

void weight_list_free(weight_list *l)
{
    for (size_t i = 0; i < l->count; i++) free(l->item[i].name);
    free(l->item);
    *l = (weight_list){0};
}

/* Does a neighbour have the same name? */
static bool weight_list_repeats(const weight_list *l, size_t i)
{
    const weight *w = l->item;
    if (!w[i].name) return false;
    return (i > 0 && strcmp(w[i - 1].name, w[i].name) == 0) ||
           (i + 1 < l->count && w[i + 1].name && strcmp(w[i + 1].name, w[i].name) == 0);
}

const tensor *weight_list_find(const weight_list *l, const char *name)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = l->item[middle].name ? strcmp(name, l->item[middle].name) : -1;
        if (order == 0) return weight_list_repeats(l, middle) ? NULL : l->item[middle].tensor;
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

/* ---- Architecture from shapes --------------------------------------------------------------- */

/* A tensor's side; 0 when the tensor or the side is missing or absurdly long. */
static int side(const weight_list *l, const char *name, int rank, int which)
{
    const tensor *t = weight_list_find(l, name);
    return t && t->rank == rank && t->shape[which] < INT32_MAX ? (int)t->shape[which] : 0;
}

static int blocks_count(const weight_list *l, const char *format)
{
    char name[128];
    int count = 0;
    do {
        snprintf(name, sizeof name, format, count);
    } while (weight_list_find(l, name) && ++count < 1000);
    return count;
}

bool model_config_infer_image(model_config *c, const weight_list *l, error *e)
{
    const tensor *first = weight_list_find(l, "model.visual.conv1.weight");
    if (!first)
        return error_set(e, STATUS_DATA, "%s: has no model.visual.conv1.weight", l->file->path);
    int blocks = blocks_count(l, "model.visual.layer3.%d.conv1.weight");
    bool bottleneck = weight_list_find(l, "model.visual.layer1.0.conv3.weight") != NULL;
    c->depth = bottleneck ? (blocks == 6 ? 50 : 0) : blocks == 6 ? 34 : blocks == 2 ? 18 : 0;
    c->embedding_dim = side(l, "model.visual.fc.weight", 2, 0);
    if (first->rank != 4 || first->shape[2] != 7 || c->depth == 0 || c->embedding_dim == 0) {
        return error_set(e, STATUS_DATA,
                         "%s: its visual part is not a ResNet-18, 34 or 50 as in torchvision",
                         l->file->path);
    }
    c->width = (double)first->shape[0] / 64;
    return true;
}

bool model_config_infer_text(model_config *c, const weight_list *l, error *e)
{
    text_config text = {
        .layers = blocks_count(l, "model.transformer.resblocks.%d.attn.in_proj_weight"),
        .width = side(l, TOKEN_EMBEDDING, 2, 1),
        .vocabulary = side(l, TOKEN_EMBEDDING, 2, 0),
        .context = side(l, "model.positional_embedding", 2, 0),
        .output_dim = side(l, "model.text_projection", 2, 1),
        .embedding_dim = c->embedding_dim,
    };
    if (text.vocabulary == 0) {
        c->text = (text_config){0};
        return true;
    }
    if (!text.width || !text.context || !text.output_dim) {
        return error_set(e, STATUS_DATA,
                         "%s: its text part is incomplete (positional_embedding, text_projection)",
                         l->file->path);
    }
    text.heads = c->text.heads && text.width % c->text.heads == 0 ? c->text.heads
                                                                  : text_heads_default(text.width);
    c->text = text;
    return true;
}

bool model_config_infer(model_config *c, const weight_list *l, error *e)
{
    return model_config_infer_image(c, l, e) && model_config_infer_text(c, l, e);
}

bool weight_fits(const tensor *t, const parameter *p)
{
    bool fits = t->rank == p->rank;
    for (int i = 0; fits && i < p->rank; i++)
        fits = t->shape[i] >= 0 && (size_t)t->shape[i] == p->shape[i];
    return fits;
}

bool weight_copy(const tensor_file *f, const tensor *t, const parameter *p, float *values, error *e)
{
    float *file = memory_allocate(p->count + 1, sizeof *file, e);
    bool ok = file && tensor_read_floats(f, t, file, e);
    for (size_t i = 0; i < p->count && ok; i++) {
        if (!isfinite(file[i]))
            ok = error_set(e, STATUS_DATA, "%s: tensor '%s' is not finite", f->path, t->name);
    }
    if (ok) parameter_from_file(p, file, values);
    free(file);
    return ok;
}

/* ---- Initial values ------------------------------------------------------------------------- */

static bool report_add(char ***list, size_t *count, const char *name, const char *reason, error *e)
{
    if ((*count & (*count - 1)) == 0) {
        char **grown = memory_resize(*list, *count ? 2 * *count : 1, sizeof *grown, e);
        if (!grown) return false;
        *list = grown;
    }
    size_t size = strlen(name) + (reason ? strlen(reason) + 4 : 1);
    char *text = memory_allocate(size, 1, e);
    if (!text) return false;
    snprintf(text, size, reason ? "%s (%s)" : "%s", name, reason);
    (*list)[(*count)++] = text;
    return true;
}

static void list_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++) free(list[i]);
    free(list);
}

void model_report_free(model_report *r)
{
    list_free(r->found, r->found_count);
    list_free(r->missing, r->missing_count);
    list_free(r->unused, r->unused_count);
    *r = (model_report){0};
}

static void list_print(const char *what, char *const *list, size_t count, FILE *out)
{
    fprintf(out, "%s: %zu\n", what, count);
    for (size_t i = 0; i < count; i++) {
        fputs("  ", out);
        text_print(out, list[i], NULL, NULL);
        fputc('\n', out);
    }
}

void model_report_print(const model_report *r, FILE *out)
{
    list_print("found", r->found, r->found_count, out);
    list_print("missing", r->missing, r->missing_count, out);
    list_print("unused", r->unused, r->unused_count, out);
}

/* Rows of the token embedding mean nothing under another vocabulary. */
static bool vocabulary_differs(const model *m, const tensor_file *f)
{
    const char *text = tensor_file_metadata(f, "vocabulary");
    return text && m->words && strcmp(text, tokenizer_text(m->words)) != 0;
}

/* Copies every parameter that the file has in the right shape. */
static bool values_take(model *m, const weight_list *l, model_report *r, error *e)
{
    bool other_words = vocabulary_differs(m, l->file);
    for (size_t i = 0; i < m->table->count; i++) {
        const parameter *p = &m->table->item[i];
        const tensor *t = weight_list_find(l, p->name);
        bool use =
            t && weight_fits(t, p) && !(other_words && strcmp(p->name, TOKEN_EMBEDDING) == 0);
        if (use && !weight_copy(l->file, t, p, m->values, e)) return false;
        bool noted = use ? report_add(&r->found, &r->found_count, p->name, NULL, e)
                         : report_add(&r->missing, &r->missing_count, p->name, NULL, e);
        if (!noted) return false;
    }
    const tensor *tracked = weight_list_find(l, "model.visual.bn1.num_batches_tracked");
    return !tracked || tracked->count != 1 ||
           tensor_read_integers(l->file, tracked, &m->batches_tracked, e);
}

static bool batches_tracked_is(const char *name)
{
    static const char ending[] = ".num_batches_tracked";
    size_t length = strlen(name);
    return length > strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

/* Why a tensor was not used; NULL if it was. */
static const char *unused_reason(const model *m, const weight_list *l, size_t i, char text[400])
{
    const weight *w = &l->item[i];
    char is[128], wanted[128];
    if (!w->name) return "no parameter of a model";
    if (weight_list_repeats(l, i)) return "several tensors have this name";
    const parameter *p = parameter_table_find(m->table, w->name);
    if (!p) return batches_tracked_is(w->name) ? NULL : "this model has no such parameter";
    if (strcmp(p->name, TOKEN_EMBEDDING) == 0 && vocabulary_differs(m, l->file))
        return "belongs to another vocabulary";
    if (weight_fits(w->tensor, p)) return NULL;
    int64_t shape[4] = {0};
    for (int d = 0; d < p->rank; d++) shape[d] = (int64_t)p->shape[d];
    snprintf(text, 400, "is %s, should be %s",
             tensor_shape_text(is, w->tensor->rank, w->tensor->shape),
             tensor_shape_text(wanted, p->rank, shape));
    return text;
}

bool model_initialise(model *m, const tensor_file *f, model_report *report, error *e)
{
    model_report own = {0}, *r = report ? report : &own;
    weight_list l = {0};
    *r = (model_report){0};
    bool ok = weight_list_make(&l, f, e) && values_take(m, &l, r, e);
    for (size_t i = 0; i < l.count && ok; i++) {
        char text[400];
        const char *reason = unused_reason(m, &l, i, text);
        if (reason)
            ok = report_add(&r->unused, &r->unused_count, l.item[i].tensor->name, reason, e);
    }
    if (ok && r->found_count == 0) {
        ok = error_set(e, STATUS_DATA, "%s: none of the model's parameters is in this file",
                       f->path);
    }
    weight_list_free(&l);
    model_report_free(&own);
    return ok;
}
