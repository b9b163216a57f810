/* FNV-1a, 64 bits. */
#include "cli/hash.h"

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t basis)
{
    const unsigned char *at = bytes;
    uint64_t hash = basis;
    for (size_t i = 0; i < size; i++) hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
