/* Fuzz target: files of weights (safetensors, zip archives, older PyTorch files): opened, and every
 * tensor read. */
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { COUNT_LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int memory = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (memory < 0 || write(memory, bytes, size) != (ssize_t)size) return 0;
    error e = {0};
    tensor_file *f = tensor_file_open(path, &e);
    for (size_t i = 0; f && i < f->count; i++) {
        error own = {0};
        if (f->tensors[i].count > COUNT_LIMIT) continue;
        double *numbers = malloc(((size_t)f->tensors[i].count + 1) * sizeof *numbers);
        if (numbers) tensor_read_doubles(f, &f->tensors[i], numbers, &own);
        free(numbers);
    }
    tensor_file_close(f);
    error other = {0};
    model_free(model_read(path, &other));
    close(memory);
    return 0;
}
