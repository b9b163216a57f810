/* Runs a fuzz target (LLVMFuzzerTestOneInput, so that libFuzzer can take this file's place) on
   mutations of seed files, deterministically: fuzz_X ROUNDS SEED_FILE... prints TAP. Run it in the
   sanitizer build. */
#include "cli/error.h"
#include "cli/random.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { SEED_MAX = 1 << 20, SECONDS_MAX = 20 };

static const uint8_t interesting[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0xc1, 0xdd, 0xdf, 0xc6};

/* Changes, cuts, doubles or overwrites a few places. */
static size_t mutate(random_state *r, uint8_t *bytes, size_t size, size_t capacity)
{
    uint64_t changes = 1 + random_below(r, 8);
    for (uint64_t i = 0; i < changes && size > 0; i++) {
        size_t at = random_below(r, size),
               run = 1 + random_below(r, size - at < 64 ? size - at : 64);
        switch (random_below(r, 6)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << random_below(r, 8));
            break;
        case 1:
            bytes[at] = interesting[random_below(r, sizeof interesting)];
            break;
        case 2:
            memset(bytes + at, interesting[random_below(r, sizeof interesting)], run);
            break;
        case 3:
            size = at;
            break;
        case 4:
            memmove(bytes + random_below(r, size - run + 1), bytes + at, run);
            break;
        default:
            if (size + run > capacity) break;
            memmove(bytes + at + run, bytes + at, size - at);
            size += run;
        }
    }
    return size;
}

static size_t read_seed(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t size = fread(bytes, 1, SEED_MAX, file);
    fclose(file);
    return size;
}

/* An input that hangs is a failure too. */
static void fuzz_seed(const char *path, uint64_t rounds, uint8_t *seed, uint8_t *bytes)
{
    size_t seed_size = read_seed(path, seed);
    for (uint64_t round = 0; round <= rounds; round++) {
        random_state r = random_keyed(0, path, round);
        memcpy(bytes, seed, seed_size);
        size_t size = round ? mutate(&r, bytes, seed_size, 2 * SEED_MAX) : seed_size;
        uint8_t *exact =
            malloc(size ? size : 1); /* so that the sanitizer sees reads beyond the end */
        if (!exact) abort();
        memcpy(exact, bytes, size);
        alarm(SECONDS_MAX);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    alarm(0);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s ROUNDS SEED_FILE...\n", argv[0]);
        return STATUS_USAGE;
    }
    uint8_t *seed = malloc(SEED_MAX), *bytes = malloc(2 * SEED_MAX);
    if (!seed || !bytes) return STATUS_SYSTEM;
    for (int i = 2; i < argc; i++) fuzz_seed(argv[i], strtoull(argv[1], NULL, 10), seed, bytes);
    printf("ok - %s survived %s mutations of %d seeds\n", argv[0], argv[1], argc - 2);
    free(seed);
    free(bytes);
    return 0;
}
