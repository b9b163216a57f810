/* Fuzz target: an image file's headers and the record made of them. */
#include "exif/photo.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static exif_photo photo;
    int memory = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (memory >= 0 && write(memory, bytes, size) == (ssize_t)size) {
        stream_chunk chunk = {0};
        error e = {0};
        record_begin(&chunk, "photo");
        if (exif_photo_read(&photo, path, &e)) exif_photo_put(&chunk, &photo);
        record_end(&chunk);
        stream_chunk_free(&chunk);
    }
    close(memory);
    return 0;
}
