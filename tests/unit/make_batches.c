/* Writes a batch stream for tests of training: small images whose labels show in their pixels.
   Usage: make_batches STEPS [FIRST [WRONG]]
   FIRST: number of the first step; its batches are those that a longer stream has there. WRONG
   spoils the stream: "label" (a class that does not exist), "pixels" (too few), "order" (a
   validation batch first), "lonely" (no validation batches), "tasks" (a second segment with other
   tasks), "unnumbered" (no step numbers), "plain" (the header holds the tasks alone), "error" (an
   error record in between), "same" (prompts of a task that are all alike), "long" (a prompt of more
   tokens than fit), "scale" (a crop scale that is no number), "many" (more images than a batch can
   have). Other tasks: "shuffled" (one more, fine with the labels of other
   images), "twice" (coarse, fine, and that one), "conflict" (coarse, fine, and three times coarse
   with the labels of other images). */
#include "cli/random.h"
#include "stream/record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, SIZE = 32, IMAGE = SIZE * SIZE * 3 };

typedef struct task_text {
    const char *name, *kind, *template, *classes[4];
} task_text;

static const task_text tasks[] = {
    {"iso", "ordinal", "a face with %s ISO speed", {"low", "medium", "high"}},
    {"make", "categorical", "a face by a %s camera", {"Nikon", "Canon", "Sony", "others"}},
    {"coarse", "coarse", "a photo of a %s face", {"photographic", "manipulated"}},
    {"fine", "fine", "a face with a manipulated %s region", {"mouth", "eye", "nose"}},
    {"fine_shuffled", "fine", "a face with a manipulated %s region", {"mouth", "eye", "nose"}},
    {"coarse_1", "coarse", "a photo of a %s face", {"photographic", "manipulated"}},
    {"coarse_2", "coarse", "a photo of a %s face", {"photographic", "manipulated"}},
    {"coarse_3", "coarse", "a photo of a %s face", {"photographic", "manipulated"}},
};
enum { TASKS = 4, COARSE = 2, CONFLICTS = 3 }; /* without the shuffled ones */

static const char *wrong = "";

static int class_count(const task_text *t)
{
    int count = 0;
    while (count < 4 && t->classes[count]) count++;
    return count;
}

static void put_texts(stream_chunk *k, const task_text *t, const char *key, const char *format)
{
    put_array(k, key, (size_t)class_count(t));
    for (int i = 0; i < class_count(t); i++) {
        char text[400];
        snprintf(text, sizeof text, format, t->classes[i]);
        put_text(k, NULL, text);
    }
}

static void prompt_format(const task_text *t, char format[300])
{
    snprintf(format, 300, "%s", t->template);
    if (strcmp(t->name, "make") != 0) return;
    if (strcmp(wrong, "same") == 0) snprintf(format, 300, "%%.0sa face");
    for (int i = 0; strcmp(wrong, "long") == 0 && i < 100; i++)
        strcpy(format + 2 * i, i < 99 ? "a " : "%s");
}

static void put_task(stream_chunk *k, const task_text *t)
{
    char format[300];
    prompt_format(t, format);
    put_map_begin(k, NULL);
    put_text(k, "name", t->name);
    put_text(k, "kind", t->kind);
    put_texts(k, t, "classes", "%s");
    put_texts(k, t, "prompts", format);
    put_map_end(k);
}

static void put_header(stream_chunk *k, int count)
{
    bool conflict = strcmp(wrong, "conflict") == 0;
    bool twice = strcmp(wrong, "twice") == 0;
    if (twice || strcmp(wrong, "shuffled") == 0) count++;
    record_begin(k, "header");
    put_integer(k, "blades", 1);
    put_text(k, "kind", "batch");
    int first = conflict || twice ? COARSE : 0, more = conflict ? CONFLICTS : 0;
    put_array(k, "tasks", (size_t)(count - first + more));
    for (int i = first; i < count; i++) put_task(k, &tasks[i]);
    for (int i = 0; i < more; i++) put_task(k, &tasks[TASKS + 1 + i]);
    if (strcmp(wrong, "plain") != 0) {
        put_integer(k, "batch", BATCH);
        put_map_begin(k, "preprocessing");
        put_integer(k, "size", SIZE);
        if (strcmp(wrong, "scale") == 0) put_number(k, "scale", NAN);
        put_map_end(k);
    }
    record_end(k);
}

static void put_trailer(stream_chunk *k, int records, int errors)
{
    record_begin(k, "trailer");
    put_integer(k, "records", records);
    put_integer(k, "errors", errors);
    record_end(k);
}

/* A manipulated region is a brighter band; the camera is a tint, the ISO speed noise. */
static void draw(random_state *r, uint8_t *pixels, const uint8_t *regions, int make, float iso)
{
    static const int top[3] = {23, 7, 15};
    for (int i = 0; i < IMAGE; i++) {
        int y = i / 3 / SIZE, x = i / 3 % SIZE, channel = i % 3;
        double value =
            110 + 20 * sin(0.3 * y) + (channel == make % 3 ? 20 : 0) + 6 * iso * random_normal(r);
        for (int k = 0; k < 3; k++)
            if (regions[k] && y >= top[k] && y < top[k] + 4 && x > 7 && x < 25) value += 60;
        pixels[i] = value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
    }
}

static void put_batch(stream_chunk *k, int64_t step, bool training)
{
    static uint8_t pixels[BATCH * IMAGE];
    int32_t make[BATCH], coarse[BATCH];
    float iso[BATCH];
    uint8_t fine[BATCH * 3] = {0}, shuffled[BATCH * 3];
    int32_t others[CONFLICTS][BATCH];
    uint32_t order[BATCH];
    random_state r = random_keyed(5, training ? "train" : "val", (uint64_t)step);
    for (int i = 0; i < BATCH; i++) {
        make[i] = (int32_t)random_below(&r, 5) - 1;
        coarse[i] = (int32_t)random_below(&r, 2);
        iso[i] = random_below(&r, 4) ? (float)(1 + random_below(&r, 5)) : NAN;
        unsigned regions = coarse[i] ? 1 + (unsigned)random_below(&r, 7) : 0; /* at least one */
        for (int j = 0; j < 3; j++) fine[3 * i + j] = regions >> j & 1;
        draw(&r, pixels + i * IMAGE, fine + 3 * i, make[i], isnan(iso[i]) ? 1 : iso[i]);
    }
    for (uint32_t i = 0; i < BATCH; i++) order[i] = i;
    random_shuffle(&r, order, BATCH);
    for (int i = 0; i < BATCH; i++) memcpy(shuffled + 3 * i, fine + 3 * order[i], 3);
    for (int c = 0; c < CONFLICTS; c++) {
        random_shuffle(&r, order, BATCH);
        for (int i = 0; i < BATCH; i++) others[c][i] = coarse[order[i]];
    }
    if (strcmp(wrong, "label") == 0 && step == 1) make[2] = 4;
    record_begin(k, "batch");
    put_text(k, "split", training ? "train" : "val");
    put_integer(k, "epoch", step / 4);
    if (strcmp(wrong, "unnumbered") != 0) put_integer(k, "step", step);
    put_integer(k, "n", strcmp(wrong, "many") == 0 ? 65537 : BATCH);
    put_integer(k, "height", SIZE);
    put_integer(k, "width", SIZE);
    put_binary(k, "pixels", pixels, sizeof pixels - (strcmp(wrong, "pixels") == 0 && step == 1));
    put_map_begin(k, "labels");
    put_binary(k, "iso", iso, sizeof iso);
    put_binary(k, "make", make, sizeof make);
    put_binary(k, "coarse", coarse, sizeof coarse);
    put_binary(k, "fine", fine, sizeof fine);
    put_binary(k, "fine_shuffled", shuffled, sizeof shuffled);
    for (int c = 0; c < CONFLICTS; c++)
        put_binary(k, tasks[TASKS + 1 + c].name, others[c], sizeof others[c]);
    put_map_end(k);
    record_end(k);
}

static bool write_out(stream_chunk *k)
{
    bool good = !k->failed && fwrite(k->bytes.data, 1, k->bytes.size, stdout) == k->bytes.size;
    stream_chunk_clear(k);
    return good;
}

int main(int argc, char **argv)
{
    int steps = argc > 1 ? atoi(argv[1]) : 1, first = argc > 2 ? atoi(argv[2]) : 0, records = 0;
    if (argc > 3) wrong = argv[3];
    bool backwards = strcmp(wrong, "order") == 0, lonely = strcmp(wrong, "lonely") == 0;
    bool error_record = strcmp(wrong, "error") == 0, good = true;
    stream_chunk k = {0};
    put_header(&k, TASKS);
    for (int64_t step = first; good && step < steps; step++) {
        put_batch(&k, step, !backwards);
        if (!lonely) put_batch(&k, step, backwards);
        records += lonely ? 1 : 2;
        good = write_out(&k);
    }
    if (error_record) {
        record_begin(&k, "error");
        put_text(&k, "id", "x");
        record_end(&k);
    }
    put_trailer(&k, records, error_record);
    if (strcmp(wrong, "tasks") == 0) {
        put_header(&k, TASKS - 1);
        put_batch(&k, steps, true);
        put_trailer(&k, 1, 0);
    }
    good = write_out(&k) && good;
    stream_chunk_free(&k);
    return good && fclose(stdout) == 0 ? 0 : 1;
}
