/* Times the text transformer of CLIP's size on the 50 prompts of the reference tasks: forward and
   backward. With "jvp" also the directional derivative. Prints milliseconds: median forward +
   backward, median jvp. prompts_bench TASK_FILE REPEATS. Without CLIP's vocabulary the prompts are
   split into words, which makes fewer tokens. */
#include "cli/memory.h"
#include "cli/progress.h"
#include "model/model.h"
#include "nn/threads.h"
#include "pretext/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number_compare(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *numbers, int count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, number_compare);
    return numbers[count / 2];
}

/* The tokens of all prompts of a task file, and the model's configuration with CLIP's vocabulary
 * size. */
static bool prompts_read(const char *path, const text_config *config, token_sequences *s, error *e)
{
    task_list *tasks = task_list_read(path, e);
    if (!tasks) return false;
    size_t count = task_list_prompt_count(tasks), used = 0;
    const char **prompts = memory_allocate(count, sizeof *prompts, e);
    for (size_t t = 0; t < tasks->count && prompts; t++) {
        for (size_t i = 0; i < tasks->task[t].class_count; i++)
            prompts[used++] = tasks->task[t].prompts[i];
    }
    model m = {.config.text = *config,
               .words = prompts ? tokenizer_from_texts(prompts, count, e) : NULL};
    bool ok = m.words && model_encode_prompts(&m, prompts, (int)count, s, e);
    tokenizer_free(m.words);
    free(prompts);
    task_list_free(tasks);
    return ok;
}

static bool bench(const char *path, int repeats, error *e)
{
    text_config c = model_config_default().text;
    parameter_table table = {0};
    token_sequences s = {0};
    if (!text_parameters_add(&table, &c, e) || !prompts_read(path, &c, &s, e)) return false;
    text_encoder *t = text_encoder_create(&c, &table, &s, 1, e);
    float *values = memory_zeroed(table.total, sizeof *values, e),
          *gradient = memory_zeroed(table.total, sizeof *values, e);
    size_t count = (size_t)s.count * (size_t)c.embedding_dim;
    float *features = memory_zeroed(count, sizeof *features, e);
    double *both = memory_zeroed((size_t)repeats, sizeof *both, e),
           *jvp = memory_zeroed((size_t)repeats, sizeof *jvp, e);
    if (!t || e->status) return false;
    for (size_t i = 0; i < table.total; i++)
        values[i] = 0.04f * (float)((i * 2654435761u >> 8 & 1023) / 1023.0 - 0.5);
    for (int i = -1; i < repeats; i++) {
        double start = clock_seconds();
        text_encoder_forward(t, values, 0, features);
        text_encoder_backward(t, values, 0, features, gradient);
        double middle = clock_seconds();
        text_encoder_jvp(t, values, 0, gradient, features);
        if (i < 0) continue; /* the first touches the memory */
        both[i] = 1e3 * (middle - start);
        jvp[i] = 1e3 * (clock_seconds() - middle);
    }
    fprintf(stderr, "%d prompts, %d tokens, %d computed\n", s.count, s.start[s.count],
            text_encoder_nodes(t));
    printf("%.1f %.1f\n", median(both, repeats), median(jvp, repeats));
    text_encoder_free(t);
    token_sequences_free(&s);
    parameter_table_free(&table);
    free(values);
    free(gradient);
    free(features);
    free(both);
    free(jvp);
    return true;
}

int main(int argc, char **argv)
{
    error e = {0};
    if (argc != 3) return STATUS_USAGE;
    nn_threads_set(2);
    if (bench(argv[1], atoi(argv[2]) > 0 ? atoi(argv[2]) : 1, &e)) return 0;
    fprintf(stderr, "prompts_bench: %s\n", e.text);
    return e.status;
}
