/* The image encoder's architecture, parameters and memory. */
#include "model/image_encoder.h"

#include "cli/memory.h"
#include "model/image_encoder_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *const architecture_names[] = {
    [RESNET18] = "resnet18", [RESNET34] = "resnet34", [RESNET50] = "resnet50", NULL};
const int architecture_depths[] = {[RESNET18] = 18, [RESNET34] = 34, [RESNET50] = 50};

/* Blocks of each of the four stages. */
static const struct depth_shape {
    int blocks[4];
    bool bottleneck;
} depth_shapes[] = {
    [RESNET18] = {{2, 2, 2, 2}, false},
    [RESNET34] = {{3, 4, 6, 3}, false},
    [RESNET50] = {{3, 4, 6, 3}, true},
};

static const struct depth_shape *shape_find(int depth)
{
    for (int i = 0; i < ARCHITECTURES; i++)
        if (architecture_depths[i] == depth) return &depth_shapes[i];
    return NULL;
}

static bool config_check(const image_encoder_config *c, error *e)
{
    if (!shape_find(c->depth))
        return error_set(e, STATUS_USAGE, "ResNet-%d is not 18, 34 or 50", c->depth);
    if (!(c->width >= 0.01 && c->width <= 16))
        return error_set(e, STATUS_USAGE, "width factor %g is not in 0.01..16", c->width);
    if (c->size < 1 || c->size > 4096)
        return error_set(e, STATUS_USAGE, "image size %d is not in 1..4096", c->size);
    if (c->embedding_dim < 1 || c->embedding_dim > 65536)
        return error_set(e, STATUS_USAGE, "embedding dimension %d is not in 1..65536",
                         c->embedding_dim);
    int stages = c->recompute > c->recompute_end ? c->recompute : c->recompute_end;
    if (c->recompute < 0 || c->recompute_end < 0 || stages > 4)
        return error_set(e, STATUS_USAGE, "%d stages cannot be recomputed, 0 to 4 can", stages);
    return true;
}

/* Channels of stage s (64 << s at width 1). */
static int stage_channels(const image_encoder_config *c, int stage)
{
    long channels = lround(64 * c->width);
    return (int)(channels < 1 ? 1 : channels) << stage;
}

/* What is done with every unit of the network, in torchvision's order of names. */
typedef struct unit_visitor {
    bool (*visit)(struct unit_visitor *v, const char *convolution_name, const char *norm,
                  const convolution *c, error *e);
    bool (*block_end)(struct unit_visitor *v, int units, bool shortcut, const convolution *last,
                      error *e);
} unit_visitor;

static bool visit_unit(unit_visitor *v, const char *prefix, const char *convolution_name,
                       const char *norm, convolution c, error *e)
{
    char names[2][96];
    snprintf(names[0], sizeof names[0], "model.visual.%s%s", prefix, convolution_name);
    snprintf(names[1], sizeof names[1], "model.visual.%s%s", prefix, norm);
    return v->visit(v, names[0], names[1], &c, e);
}

static convolution convolution_make(int size, int in, int out, int kernel, int stride)
{
    return (convolution){.height = size,
                         .width = size,
                         .in = in,
                         .out = out,
                         .kernel_height = kernel,
                         .kernel_width = kernel,
                         .stride = stride,
                         .padding = kernel / 2,
                         .groups = 1};
}

/* Output size of a 3x3 or 7x7 window with half padding, or of 1x1 without. */
static int size_after(int size, int stride)
{
    return (size - 1) / stride + 1;
}

static bool visit_block(unit_visitor *v, const char *prefix, bool bottleneck, int size, int in,
                        int channels, int stride, error *e)
{
    int out = bottleneck ? 4 * channels : channels, small = size_after(size, stride);
    convolution last;
    if (bottleneck) {
        last = convolution_make(small, channels, out, 1, 1);
        if (!visit_unit(v, prefix, "conv1", "bn1", convolution_make(size, in, channels, 1, 1), e) ||
            !visit_unit(v, prefix, "conv2", "bn2",
                        convolution_make(size, channels, channels, 3, stride), e) ||
            !visit_unit(v, prefix, "conv3", "bn3", last, e))
            return false;
    } else {
        last = convolution_make(small, channels, out, 3, 1);
        if (!visit_unit(v, prefix, "conv1", "bn1", convolution_make(size, in, channels, 3, stride),
                        e) ||
            !visit_unit(v, prefix, "conv2", "bn2", last, e))
            return false;
    }
    bool shortcut = stride != 1 || in != out;
    if (shortcut && !visit_unit(v, prefix, "downsample.0", "downsample.1",
                                convolution_make(size, in, out, 1, stride), e))
        return false;
    return v->block_end(v, bottleneck ? 3 : 2, shortcut, &last, e);
}

/* Visits the units of the stem and the stages; returns the number of features behind them, or -1 on
   error. */
static int visit_all(const image_encoder_config *c, unit_visitor *v, error *e)
{
    const struct depth_shape *shape = shape_find(c->depth);
    int channels = stage_channels(c, 0), size = size_after(size_after(c->size, 2), 2),
        in = channels;
    convolution stem = convolution_make(c->size, 3, channels, 7, 2);
    stem.bordered = true;
    if (!visit_unit(v, "", "conv1", "bn1", stem, e)) return -1;
    for (int s = 0; s < 4; s++)
        for (int i = 0; i < shape->blocks[s]; i++) {
            char prefix[32];
            snprintf(prefix, sizeof prefix, "layer%d.%d.", s + 1, i);
            int stride = s > 0 && i == 0 ? 2 : 1;
            if (!visit_block(v, prefix, shape->bottleneck, size, in, stage_channels(c, s), stride,
                             e))
                return -1;
            in = stage_channels(c, s) * (shape->bottleneck ? 4 : 1);
            size = size_after(size, stride);
        }
    return in;
}

/* ---- Parameters ----------------------------------------------------------------------------- */

typedef struct parameter_visitor {
    unit_visitor v;
    parameter_table *t;
} parameter_visitor;

static const char *const norm_names[] = {"weight", "bias", "running_mean", "running_var"};

static bool parameters_visit(unit_visitor *v, const char *convolution_name, const char *norm,
                             const convolution *c, error *e)
{
    parameter_table *t = ((parameter_visitor *)v)->t;
    size_t shape[4] = {(size_t)c->out, (size_t)c->in, (size_t)c->kernel_height,
                       (size_t)c->kernel_width};
    char name[128];
    snprintf(name, sizeof name, "%s.weight", convolution_name);
    if (!parameter_table_add(t, name, 4, shape, PARAMETER_CONVOLUTION, PARAMETER_IMAGE, false, e))
        return false;
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", norm, norm_names[i]);
        if (!parameter_table_add(t, name, 1, shape, PARAMETER_PLAIN, PARAMETER_IMAGE, i >= 2, e))
            return false;
    }
    return true;
}

static bool parameters_block_end(unit_visitor *v, int units, bool shortcut, const convolution *last,
                                 error *e)
{
    return true;
}

bool image_encoder_parameters(const image_encoder_config *c, parameter_table *t, error *e)
{
    if (!config_check(c, e)) return false;
    parameter_visitor p = {{parameters_visit, parameters_block_end}, t};
    int features = visit_all(c, &p.v, e);
    if (features < 0) return false;
    size_t shape[2] = {(size_t)c->embedding_dim, (size_t)features};
    return parameter_table_add(t, "model.visual.fc.weight", 2, shape, PARAMETER_TRANSPOSED,
                               PARAMETER_IMAGE, false, e) &&
           parameter_table_add(t, "model.visual.fc.bias", 1, shape, PARAMETER_PLAIN,
                               PARAMETER_IMAGE, false, e);
}

/* ---- Structure ------------------------------------------------------------------------------ */

typedef struct structure_visitor {
    unit_visitor v;
    image_encoder *m;
    const parameter_table *t;
} structure_visitor;

static bool structure_visit(unit_visitor *v, const char *convolution_name, const char *norm,
                            const convolution *c, error *e)
{
    structure_visitor *s = (structure_visitor *)v;
    unit *u = &s->m->unit[s->m->units++];
    u->c = *c;
    char name[128];
    snprintf(name, sizeof name, "%s.weight", convolution_name);
    size_t count = (size_t)c->out * (size_t)c->in * (size_t)(c->kernel_height * c->kernel_width);
    if (!parameter_offset(s->t, name, count, &u->weight, e)) return false;
    size_t *offsets[4] = {&u->norm_weight, &u->norm_bias, &u->running_mean, &u->running_variance};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", norm, norm_names[i]);
        if (!parameter_offset(s->t, name, (size_t)c->out, offsets[i], e)) return false;
    }
    return true;
}

static bool structure_block_end(unit_visitor *v, int units, bool shortcut, const convolution *last,
                                error *e)
{
    image_encoder *m = ((structure_visitor *)v)->m;
    block *b = &m->block[m->blocks++];
    b->first = m->units - units - shortcut;
    b->last = b->first + units - 1;
    b->shortcut = shortcut ? m->units - 1 : -1;
    b->pixels = last->height * last->width;
    b->channels = channels_padded(last->out);
    return true;
}

static void recompute_assign(image_encoder *m)
{
    const struct depth_shape *shape = shape_find(m->config.depth);
    for (int s = 0, b = 0; s < 4; s++)
        for (int i = 0; i < shape->blocks[s]; i++, b++) {
            block *k = &m->block[b];
            k->again = block_end(k) + 1;
            if (s < m->config.recompute_end) k->again = k->last;
            if (s < m->config.recompute) k->again = k->first;
            /* Every other output, so that the input it is the sum of is stored; of the first two
               stages, where most of the memory lies. */
            k->rejoined = s < 2 && b % 2 == 0 && !block_is_recomputed(k);
        }
}

/* Gradients stay in one outer buffer until a block changes shape. */
static void outer_assign(image_encoder *m)
{
    int which = 0;
    for (int b = m->blocks - 1; b >= 0; b--) {
        m->block[b].gradient = which;
        if (m->block[b].shortcut >= 0) which = !which;
    }
    m->pooled = which;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static size_t output_size(const image_encoder *m, int u)
{
    const convolution *c = &m->unit[u].c;
    return (size_t)m->batch * (size_t)(c->out_height * c->out_width) * (size_t)c->out_padded *
           m->w.block->size;
}

static size_t block_size(const image_encoder *m, int b)
{
    return (size_t)m->batch * (size_t)m->block[b].pixels * (size_t)m->block[b].channels *
           m->w.block->size;
}

static size_t pooled_size(const image_encoder *m)
{
    return (size_t)m->batch * (size_t)(m->pool.out_height * m->pool.out_width) *
           (size_t)m->pool.channels * m->w.block->size;
}

static size_t image_size(const image_encoder *m)
{
    size_t side = (size_t)m->config.size + 6;
    return ((size_t)m->batch * side * side * 3 + 64) * m->w.block->size;
}

static void norm_layout(const image_encoder *m, batchnorm *n, int u, arena *a)
{
    n->channels = m->unit[u].c.out;
    n->padded = m->unit[u].c.out_padded;
    float **vectors[] = {&n->mean, &n->variance, &n->rstd, &n->a, &n->b, &n->c1, &n->c2, &n->c3};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = arena_take(a, (size_t)n->padded * sizeof(float));
}

/* Raw outputs of units that are stored, each in its place. */
static void stored_layout(const image_encoder *m, slot *s, arena *a)
{
    for (int b = 0; b < m->blocks; b++)
        for (int u = m->block[b].first; u < m->block[b].again; u++)
            s->y[u] = arena_take(a, output_size(m, u));
}

static void slot_layout(const image_encoder *m, slot *s, arena *a)
{
    s->image = arena_take(a, image_size(m));
    if (!stem_is_recomputed(m)) s->y[STEM] = arena_take(a, output_size(m, STEM));
    s->pooled = arena_take(a, pooled_size(m));
    s->index = arena_take(a, pooled_size(m) / m->w.block->size);
    for (int b = 0; b < m->blocks; b++)
        if (!m->block[b].rejoined) s->z[b] = arena_take(a, block_size(m, b));
    for (int u = 0; u < m->units; u++) norm_layout(m, &s->norm[u], u, a);
    s->average = arena_take(a, (size_t)m->batch * (size_t)m->features_padded * sizeof(float));
    stored_layout(m, s, a);
}

/* A unit's place in a region that all slots share. */
static void shared_layout(image_encoder *m, int u, arena *a)
{
    void *place = arena_take(a, output_size(m, u));
    for (int i = 0; i < m->slots; i++) m->slot[i].y[u] = place;
}

/* Those of units that are not, in one region for the stem and all blocks. */
static void recomputed_layout(image_encoder *m, arena *a)
{
    if (!m->slots) return;
    size_t start = a->used, used;
    if (stem_is_recomputed(m)) shared_layout(m, STEM, a);
    used = a->used;
    for (int b = 0; b < m->blocks; b++) {
        a->used = start;
        for (int u = m->block[b].again; u <= block_end(&m->block[b]); u++) shared_layout(m, u, a);
        used = size_larger(used, a->used);
    }
    a->used = used;
}

/* Outputs of blocks that are not stored: one place for all of them, of all slots. */
static void rejoined_layout(image_encoder *m, arena *a)
{
    size_t largest = 0;
    for (int b = 0; b < m->blocks; b++)
        if (m->block[b].rejoined) largest = size_larger(largest, block_size(m, b));
    void *place = m->slots ? arena_take(a, largest) : NULL;
    for (int b = 0; b < m->blocks; b++)
        for (int i = 0; i < m->slots && m->block[b].rejoined; i++) m->slot[i].z[b] = place;
}

static void buffers_layout(image_encoder *m, arena *a)
{
    size_t outer[2] = {0}, inner[2] = {0};
    outer[m->pooled] = pooled_size(m);
    for (int b = 0; b < m->blocks; b++) {
        const block *k = &m->block[b];
        outer[k->gradient] = size_larger(outer[k->gradient], block_size(m, b));
        inner[0] = size_larger(inner[0], output_size(m, k->last - 1));
        /* A chain of two keeps the gradient of its last output in the place of a third one's. */
        inner[1] =
            size_larger(inner[1], output_size(m, k->last - k->first == 2 ? k->first : k->last));
        /* jvp has the raw tangent of the chain's end or of the shortcut there. */
        if (m->slots) inner[1] = size_larger(inner[1], output_size(m, k->last));
    }
    /* The stem comes when only the pooled one's buffer is in use. */
    outer[!m->pooled] = size_larger(outer[!m->pooled], output_size(m, STEM));
    for (int i = 0; i < 2; i++) m->outer[i] = arena_take(a, outer[i]);
    m->stem = m->outer[!m->pooled];
    for (int i = 0; i < 2; i++) m->inner[i] = arena_take(a, inner[i]);
    m->image = arena_take(a, image_size(m));
    m->average = arena_take(a, (size_t)m->batch * (size_t)m->features_padded * sizeof(float));
    m->fc_packed =
        arena_take(a, size_larger(m->fc->packed_size(m->features, m->config.embedding_dim),
                                  m->fc->packed_size(m->config.embedding_dim, m->features)));
}

static void folded_layout(image_encoder *m, arena *a)
{
    int widest = 0;
    for (int u = 0; u < m->units; u++) {
        const convolution *c = &m->unit[u].c;
        m->folded[u] = arena_take(a, convolution_packed_size(c, &m->w));
        m->folded_bias[u] = arena_take(a, (size_t)c->out_padded * sizeof(float));
        if (widest < c->out) widest = c->out;
    }
    m->fold_scale = arena_take(a, (size_t)widest * sizeof(float));
}

static void memory_layout(image_encoder *m, arena *a)
{
    workspace_take(&m->w, a);
    for (int i = 0; i < m->slots; i++) slot_layout(m, &m->slot[i], a);
    recomputed_layout(m, a);
    rejoined_layout(m, a);
    buffers_layout(m, a);
    folded_layout(m, a);
}

static void sizes_start(image_encoder *m)
{
    bool training = m->slots > 0;
    for (int u = 0; u < m->units; u++)
        convolution_start(&m->unit[u].c, m->batch, &m->w, training, &m->w.need);
    const convolution *stem = &m->unit[STEM].c;
    m->pool = (pool_max){.height = stem->out_height,
                         .width = stem->out_width,
                         .channels = stem->out_padded,
                         .window = {3, 2, 1}};
    pool_max_start(&m->pool, m->batch, &m->w.need);
    const block *last = &m->block[m->blocks - 1];
    pool_average_start(last->pixels, last->channels, m->batch, &m->w.need);
    m->features_padded = last->channels;
    size_t scratch = m->fc->tn_scratch(256, m->config.embedding_dim, m->batch);
    need_raise(&m->w.need.thread, scratch + 4096);
}

image_encoder *image_encoder_create(const image_encoder_config *c, const parameter_table *t,
                                    int batch, int slots, error *e)
{
    if (!config_check(c, e)) return NULL;
    if (batch < 1 || slots < 0 || slots > 64) {
        error_set(e, STATUS_USAGE, "a batch of %d images in %d slots is out of range", batch,
                  slots);
        return NULL;
    }
    image_encoder *m = memory_zeroed(1, sizeof *m, e);
    if (!m) return NULL;
    m->config = *c;
    m->batch = batch;
    m->slots = slots;
    workspace_start(&m->w, c->precision == IMAGE_BF16 ? MATRIX_BF16 : MATRIX_FLOAT32);
    m->fc = matrix_kernels_get(MATRIX_FLOAT32);
    m->slot = memory_zeroed((size_t)slots + 1, sizeof *m->slot, e);
    if (!m->slot) goto failed;
    structure_visitor v = {{structure_visit, structure_block_end}, m, t};
    m->features = visit_all(c, &v.v, e);
    if (m->features < 0 ||
        !parameter_offset(t, "model.visual.fc.weight",
                          (size_t)m->features * (size_t)c->embedding_dim, &m->fc_weight, e) ||
        !parameter_offset(t, "model.visual.fc.bias", (size_t)c->embedding_dim, &m->fc_bias, e))
        goto failed;
    recompute_assign(m);
    outer_assign(m);
    sizes_start(m);
    memory_layout(m, &m->memory);
    if (!arena_allocate(&m->memory, e)) goto failed;
    memory_layout(m, &m->memory);
    return m;
failed:
    image_encoder_free(m);
    return NULL;
}

void image_encoder_free(image_encoder *m)
{
    if (!m) return;
    arena_free(&m->memory);
    free(m->slot);
    free(m);
}
