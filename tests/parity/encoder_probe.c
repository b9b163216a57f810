/* Runs the image encoder on numbers from standard input, for comparisons: encoder_probe DEPTH SIZE
   D BATCH train|frozen|folded float32|bf16. Reads, as little-endian floats in the order of files:
   parameters; mean and std; dfeatures (BATCH, D); a tangent like the parameters; then the bytes of
   the pixels. Writes features, gradient, and the features' tangent (folded: features alone). */
#include "model/image_encoder.h"
#include "nn/threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void floats_read(float *to, size_t count)
{
    if (fread(to, sizeof *to, count, stdin) != count)
        fputs("encoder_probe: input too short\n", stderr), exit(65);
}

static void flat_read(const parameter_table *t, float *flat)
{
    for (size_t i = 0; i < t->count; i++) {
        float *file = malloc(t->item[i].count * sizeof *file);
        floats_read(file, t->item[i].count);
        parameter_from_file(&t->item[i], file, flat);
        free(file);
    }
}

static void flat_write(const parameter_table *t, const float *flat)
{
    for (size_t i = 0; i < t->count; i++) {
        float *file = malloc(t->item[i].count * sizeof *file);
        parameter_to_file(&t->item[i], flat, file);
        fwrite(file, sizeof *file, t->item[i].count, stdout);
        free(file);
    }
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return fputs("usage: encoder_probe DEPTH SIZE D BATCH STATISTICS PRECISION\n", stderr), 64;
    nn_threads_set(2);
    int batch = atoi(argv[4]);
    image_encoder_config c = {.depth = atoi(argv[1]),
                              .width = 1,
                              .size = atoi(argv[2]),
                              .embedding_dim = atoi(argv[3]),
                              .precision = !strcmp(argv[6], "bf16") ? IMAGE_BF16 : IMAGE_FLOAT32};
    image_statistics statistics = !strcmp(argv[5], "train")    ? STATISTICS_TRAIN
                                  : !strcmp(argv[5], "frozen") ? STATISTICS_FROZEN
                                                               : STATISTICS_FOLDED;
    error e = {0};
    parameter_table t = {0};
    image_encoder *m = NULL;
    if (image_encoder_parameters(&c, &t, &e)) m = image_encoder_create(&c, &t, batch, 1, &e);
    if (!m) return fprintf(stderr, "encoder_probe: %s\n", e.text), e.status;
    size_t outputs = (size_t)batch * (size_t)c.embedding_dim,
           bytes = (size_t)batch * (size_t)(c.size * c.size * 3);
    float *values = calloc(t.total, sizeof(float)), *gradient = calloc(t.total, sizeof(float));
    float *tangent = calloc(t.total, sizeof(float)), *features = calloc(outputs, sizeof(float));
    float *dfeatures = calloc(outputs, sizeof(float)), norm[6];
    uint8_t *pixels = malloc(bytes);
    flat_read(&t, values);
    floats_read(norm, 6);
    floats_read(dfeatures, outputs);
    flat_read(&t, tangent);
    if (fread(pixels, 1, bytes, stdin) != bytes) return 65;
    image_encoder_forward(m, values, 0, pixels, norm, norm + 3, batch, statistics, features);
    fwrite(features, sizeof(float), outputs, stdout);
    if (statistics != STATISTICS_FOLDED) {
        image_encoder_backward(m, values, 0, dfeatures, gradient);
        flat_write(&t, gradient);
        image_encoder_jvp(m, values, 0, tangent, features);
        fwrite(features, sizeof(float), outputs, stdout);
    }
    image_encoder_free(m);
    parameter_table_free(&t);
    free(values), free(gradient), free(tangent), free(features), free(dfeatures), free(pixels);
    return fflush(stdout) ? 74 : 0;
}
