/* Random numbers from a seed, a name and an index. */
#include "cli/random.h"

#include "cli/hash.h"

#include <math.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t hash_text(const char *text, uint64_t basis)
{
    return hash_bytes(text, strlen(text), basis);
}

static random_state random_hashed(uint64_t seed, uint64_t name, uint64_t index)
{
    uint64_t state = seed;
    state = splitmix64(&state) ^ name;
    state = splitmix64(&state) ^ index;
    random_state r;
    for (int i = 0; i < 4; i++) r.word[i] = splitmix64(&state);
    return r;
}

random_state random_keyed(uint64_t seed, const char *name, uint64_t index)
{
    return random_hashed(seed, hash_text(name, HASH_BASIS), index);
}

random_state random_keyed_of(uint64_t seed, const char *kind, const char *name, uint64_t index)
{
    return random_hashed(seed, hash_text(name, hash_text("/", hash_text(kind, HASH_BASIS))), index);
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t random_bits(random_state *r)
{
    uint64_t *s = r->word, result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

double random_uniform(random_state *r)
{
    return (double)(random_bits(r) >> 11) * 0x1p-53;
}

uint64_t random_below(random_state *r, uint64_t limit)
{
    uint64_t threshold = -limit % limit, bits; /* 2^64 mod limit */
    do bits = random_bits(r);
    while (bits < threshold);
    return bits % limit;
}

double random_normal(random_state *r)
{
    double u, v, s;
    do {
        u = 2 * random_uniform(r) - 1;
        v = 2 * random_uniform(r) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * log(s) / s);
}

void random_shuffle(random_state *r, uint32_t *items, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(r, i);
        uint32_t swapped = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swapped;
    }
}
