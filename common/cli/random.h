/* Random numbers keyed by what they are for, so that results do not depend on order, shards or
   threads. xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64 from an FNV-1a hash of
   the key. */
#ifndef BLADES_CLI_RANDOM_H
#define BLADES_CLI_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct random_state {
    uint64_t word[4];
} random_state;

/* A generator for one purpose: (seed, name, index), e.g. (--seed, face id, epoch). */
random_state random_keyed(uint64_t seed, const char *name, uint64_t index);
/* The same of the name kind/name. */
random_state random_keyed_of(uint64_t seed, const char *kind, const char *name, uint64_t index);
uint64_t random_bits(random_state *r);
double random_uniform(random_state *r);                 /* [0, 1), 53 bits */
uint64_t random_below(random_state *r, uint64_t limit); /* 0..limit-1 without bias; limit >= 1 */
double random_normal(random_state *r);                  /* mean 0, variance 1 (polar method) */
void random_shuffle(random_state *r, uint32_t *items, size_t count); /* Fisher-Yates */

#endif
