/* For the parity tests: features of prompts under a model, and with TANGENT the gradient of
   <features, dfeatures> and the derivative along another model's values. text_probe MODEL IN OUT
   [TANGENT]; IN: start (I32), ids (I32) and dfeatures (F32); OUT: a model file with the gradient as
   its values, and the tensors features and jvp beside them. */
#include "cli/memory.h"
#include "model/model.h"
#include "nn/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int32_t *integers_new(const tensor_file *f, const char *name, int *count, error *e)
{
    const tensor *t = tensor_file_find(f, name);
    if (!t || t->type != TENSOR_I32) {
        error_set(e, STATUS_DATA, "no %s", name);
        return NULL;
    }
    int32_t *out = memory_allocate((size_t)t->count, sizeof *out, e);
    *count = (int)t->count;
    if (out) tensor_read_bytes(f, t, out, e);
    return out;
}

static bool probe(char **argument, int slots, error *e)
{
    int starts = 0, length = 0;
    model *m = model_read(argument[1], e), *tangent = slots ? model_read(argument[4], e) : NULL;
    tensor_file *in = tensor_file_open(argument[2], e);
    if (!m || !in || e->status) return false;
    token_sequences s = {0};
    s.start = integers_new(in, "start", &starts, e);
    s.ids = integers_new(in, "ids", &length, e);
    s.count = starts - 1;
    int64_t shape[2] = {s.count, m->config.embedding_dim};
    float *dfeatures = tensor_read_new(in, "dfeatures", 2, shape, e);
    size_t count = (size_t)(shape[0] * shape[1]);
    float *features = memory_zeroed(count, sizeof *features, e),
          *jvp = memory_zeroed(count, sizeof *jvp, e);
    float *gradient = memory_zeroed(m->table->total, sizeof *gradient, e);
    text_encoder *t =
        e->status ? NULL : text_encoder_create(&m->config.text, m->table, &s, slots, e);
    if (!t) return false;
    text_encoder_forward(t, m->values, 0, features);
    fprintf(stderr, "# %d prompts, %d nodes\n", s.count, text_encoder_nodes(t));
    if (tangent) {
        text_encoder_backward(t, m->values, 0, dfeatures, gradient);
        text_encoder_jvp(t, m->values, 0, tangent->values, jvp);
        memcpy(m->values, gradient, m->table->total * sizeof *gradient);
    }
    safetensors_entry extra[] = {
        {"features", TENSOR_F32, 2, {shape[0], shape[1]}, .data = features},
        {"jvp", TENSOR_F32, 2, {shape[0], shape[1]}, .data = jvp},
    };
    bool ok = model_write(m, argument[3], "model", extra, 2, NULL, 0, e);
    text_encoder_free(t);
    token_sequences_free(&s);
    tensor_file_close(in);
    model_free(m);
    model_free(tangent);
    free(dfeatures);
    free(features);
    free(jvp);
    free(gradient);
    return ok;
}

int main(int argc, char **argv)
{
    error e = {0};
    if (argc < 4) return STATUS_USAGE;
    nn_threads_set(2);
    if (probe(argv, argc > 4, &e)) return 0;
    fprintf(stderr, "text_probe: %s\n", e.text);
    return e.status;
}
