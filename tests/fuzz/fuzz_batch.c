/* Fuzz target: a face stream through the mapped index, the catalog, and one batch. */
#include "pretext/batch_builder.h"
#include "pretext/face_input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char tasks_json[] =
    "[{\"name\":\"iso\",\"kind\":\"ordinal\",\"template\":\"{}\"},"
    "{\"name\":\"make\",\"kind\":\"categorical\",\"template\":\"{}\",\"classes\":\"auto:2\"},"
    "{\"name\":\"coarse\",\"kind\":\"coarse\",\"template\":\"{}\"},"
    "{\"name\":\"fine\",\"kind\":\"fine\",\"template\":\"{}\"}]";

static void build(const face_input *in, const draw_table *draws, error *e)
{
    sampler s = {0};
    batch_builder b = {.faces = &in->faces,
                       .sampler = &s,
                       .store = &in->store,
                       .width = 4,
                       .height = 4,
                       .play = 1};
    batch_scratch scratch = {0};
    batch_draw draw[2];
    batch_failure failures[2];
    stream_chunk out = {0};
    if (sampler_open(&s, &in->faces, draws, 2, e) && batch_scratch_open(&scratch, &b, 2, e)) {
        for (int64_t step = 0; step < 3 && sampler_val_count(&s) > 0; step++) {
            sampler_val(&s, step, draw);
            batch_build(&b, &scratch, (batch_name){"val", 0, step}, draw, 2, failures, &out);
        }
    }
    batch_scratch_close(&scratch);
    stream_chunk_free(&out);
    sampler_close(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int memory = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (memory < 0 || write(memory, bytes, size) != (ssize_t)size) return 0;
    const char *names[] = {path};
    cli_strings inputs = {names, 1, 1};
    catalog_options options = {.val_fraction = 0.1, .val_from_train = true, .balance = "make"};
    error e = {0};
    draw_table draws;
    face_input in = {0};
    task_list *tasks = task_list_parse(tasks_json, strlen(tasks_json), &e);
    if (tasks && draw_table_default(&draws, &e)) {
        if (face_input_open(&in, &inputs, &options, tasks, 100, &e) &&
            face_input_next(&in, NULL, 0, &e) > 0)
            build(&in, &draws, &e);
        draw_table_free(&draws);
    }
    face_input_close(&in);
    task_list_free(tasks);
    close(memory);
    return 0;
}
