/* Measures the image encoder: encoder_bench peak | train | infer [float32|bf16] [batch] [rounds]
   [stages recomputed]. Prints one line: images (or GFLOP) a second as the median, and the peak
   memory in GB. */
#include "cli/cpu.h"
#include "cli/memory.h"
#include "cli/progress.h"
#include "cli/random.h"
#include "model/image_encoder.h"
#include "nn/threads.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define SIZE 224
#define D 768

double peak_generic(void);
double peak_avx2(void);
double peak_avx512(void);

static int peak_print(void)
{
    double (*const peaks[])(void) = {peak_generic, peak_avx2, peak_avx512, peak_avx512};
    double sum = 0;
#pragma omp parallel reduction(+ : sum)
    sum += peaks[cpu_level_get()]();
    printf("%.1f\n", sum);
    return 0;
}

static void values_fill(const parameter_table *t, float *values)
{
    for (size_t i = 0; i < t->count; i++) {
        const parameter *p = &t->item[i];
        random_state r = random_keyed(1, p->name, 0);
        double scale = p->rank == 4   ? sqrt(2.0 / (double)(p->count / p->shape[1]))
                       : p->rank == 2 ? 0.02
                                      : 0;
        bool one = p->rank == 1 && !strstr(p->name, "bias") && !strstr(p->name, "mean");
        for (size_t j = 0; j < p->count; j++)
            values[p->offset + j] = (float)(scale * random_normal(&r)) + (float)one;
    }
}

static int doubles_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

typedef struct bench {
    parameter_table table;
    image_encoder *encoder;
    float *values, *gradient, *features, *dfeatures;
    uint8_t *pixels;
    int batch;
    bool train;
} bench;

static bool bench_make(bench *b, const image_encoder_config *c, error *e)
{
    if (!image_encoder_parameters(c, &b->table, e)) return false;
    b->encoder = image_encoder_create(c, &b->table, b->batch, b->train, e);
    b->values = memory_zeroed(b->table.total, sizeof(float), e);
    b->gradient = memory_zeroed(b->train ? b->table.total : 1, sizeof(float), e);
    b->features = memory_zeroed((size_t)b->batch * D, sizeof(float), e);
    b->dfeatures = memory_zeroed((size_t)b->batch * D, sizeof(float), e);
    b->pixels = memory_allocate((size_t)b->batch * SIZE * SIZE * 3, 1, e);
    if (e->status) return false;
    values_fill(&b->table, b->values);
    random_state r = random_keyed(1, "data", 0);
    for (size_t i = 0; i < (size_t)b->batch * SIZE * SIZE * 3; i++)
        b->pixels[i] = (uint8_t)random_bits(&r);
    for (int i = 0; i < b->batch * D; i++) b->dfeatures[i] = (float)(random_normal(&r) / b->batch);
    return true;
}

static double bench_round(bench *b)
{
    static const float mean[3] = {0.48f, 0.46f, 0.41f}, std[3] = {0.27f, 0.26f, 0.28f};
    double start = clock_seconds();
    image_encoder_forward(b->encoder, b->values, 0, b->pixels, mean, std, b->batch,
                          b->train ? STATISTICS_TRAIN : STATISTICS_FOLDED, b->features);
    if (b->train) image_encoder_backward(b->encoder, b->values, 0, b->dfeatures, b->gradient);
    return clock_seconds() - start;
}

int main(int argc, char **argv)
{
    nn_threads_set(2);
    if (argc > 1 && !strcmp(argv[1], "peak")) return peak_print();
    if (argc < 5)
        return fputs("usage: encoder_bench train|infer float32|bf16 BATCH ROUNDS [STAGES]\n",
                     stderr),
               64;
    bench b = {.batch = atoi(argv[3]), .train = !strcmp(argv[1], "train")};
    image_encoder_config c = {.depth = 50,
                              .width = 1,
                              .embedding_dim = D,
                              .size = SIZE,
                              .recompute = argc > 5 ? atoi(argv[5]) : 0,
                              .precision = !strcmp(argv[2], "bf16") ? IMAGE_BF16 : IMAGE_FLOAT32};
    error e = {0};
    if (!bench_make(&b, &c, &e)) return fprintf(stderr, "encoder_bench: %s\n", e.text), e.status;
    int rounds = atoi(argv[4]);
    double seconds[100];
    bench_round(&b);
    for (int i = 0; i < rounds && i < 100; i++) seconds[i] = bench_round(&b);
    qsort(seconds, (size_t)rounds, sizeof *seconds, doubles_compare);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.2f %.2f\n", b.batch / seconds[rounds / 2], (double)usage.ru_maxrss * 1024e-9);
    image_encoder_free(b.encoder);
    parameter_table_free(&b.table);
    free(b.values), free(b.gradient), free(b.features), free(b.dfeatures), free(b.pixels);
    return 0;
}
