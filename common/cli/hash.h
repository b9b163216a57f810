/* The hash of names and models: FNV-1a, 64 bits. */
#ifndef BLADES_CLI_HASH_H
#define BLADES_CLI_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BASIS 0xcbf29ce484222325u

/* FNV-1a, 64 bits, started from HASH_BASIS or from the hash of what came before; another basis
   gives a second hash of the same bytes. */
uint64_t hash_bytes(const void *bytes, size_t size, uint64_t basis);

#endif
