/* Fuzz target: metadata files and the records made of them. */
#include "exif/metadata.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_objects(const metadata_table *m)
{
    static exif_photo photo;
    stream_chunk chunk = {0};
    size_t match;
    error e = {0};
    for (size_t i = 0; i < metadata_count(m); i++) {
        metadata_object *o = metadata_get(m, i);
        if (!o) continue;
        metadata_photo(o, &photo);
        const char *name = metadata_name(o);
        metadata_join(m, &name, 1, &match, &e);
        record_begin(&chunk, "photo");
        exif_photo_put(&chunk, &photo);
        record_end(&chunk);
        metadata_object_free(o);
    }
    stream_chunk_free(&chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int memory = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (memory >= 0 && write(memory, bytes, size) == (ssize_t)size) {
        error e = {0};
        metadata_table *m = metadata_open(path, &e);
        if (m) read_objects(m);
        metadata_close(m);
    }
    close(memory);
    return 0;
}
