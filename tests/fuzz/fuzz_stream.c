/* Fuzz target: the stream reader and the JSON printer, through a pipe. */
#include "stream/json.h"
#include "stream/reader.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int memory = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    if (memory < 0 || write(memory, bytes, size) != (ssize_t)size) return 0;
    const char *names[] = {path};
    cli_strings inputs = {names, 1, 1};
    error e = {0};
    FILE *null = fopen("/dev/null", "w");
    stream_reader *reader = stream_reader_open(&inputs, NULL, &e);
    stream_record *record;
    while (reader && stream_reader_next(reader, &record, &e) > 0) {
        json_print_record(&record->object, stream_reader_header(reader), false, null, "null", &e);
        stream_record_free(record);
    }
    stream_reader_close(reader);
    fclose(null);
    close(memory);
    return 0;
}
