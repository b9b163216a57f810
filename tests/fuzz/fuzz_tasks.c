/* Fuzz target: task files. */
#include "pretext/task.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    error e = {0};
    stream_chunk k = {0};
    task_list *tasks = task_list_parse((const char *)bytes, size, &e);
    if (tasks) {
        record_begin(&k, "header");
        task_list_put(&k, "tasks", tasks);
        record_end(&k);
        for (size_t i = 0; i < tasks->count; i++) task_class(&tasks->task[i], "Canon", 5);
        json_decref(task_list_json(tasks));
    }
    stream_chunk_free(&k);
    task_list_free(tasks);
    return 0;
}
