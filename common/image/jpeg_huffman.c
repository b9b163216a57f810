/* Tables that tell of the next bits of a JPEG's scan how many coefficients they are. */
#include "image/jpeg_huffman.h"

static bool codes_make(huffman_table *t, bool dc, const uint8_t counts[17],
                       const uint8_t symbols[256])
{
    int32_t code = 0, symbol = 0;
    for (int length = 1; length <= 16; length++, code <<= 1) {
        t->first[length] = symbol - code;
        code += counts[length];
        symbol += counts[length];
        t->most[length] = counts[length] > 0 ? code - 1 : -1;
        if (code > 1 << length || symbol > 256) return false;
    }
    for (int32_t i = 0; dc && i < symbol; i++) {
        if (symbols[i] > 15) return false;
    }
    memcpy(t->symbols, symbols, sizeof t->symbols);
    return true;
}

int huffman_symbol(const huffman_table *t, uint64_t bits, int *length)
{
    for (*length = 1; *length <= 16; ++*length) {
        int32_t code = (int32_t)(bits >> (64 - *length));
        if (code <= t->most[*length]) return t->symbols[t->first[*length] + code];
    }
    return -1;
}

int huffman_code(const huffman_table *t, int symbol, int *length)
{
    int32_t at = 0;
    for (*length = 1; *length <= 16; ++*length) {
        for (; at <= t->first[*length] + t->most[*length] && t->most[*length] >= 0; at++) {
            if (t->symbols[at] == symbol) return at - t->first[*length];
        }
    }
    return -1;
}

/* The symbol of a code that begins with one of HUFFMAN_PEEKS, and its length. */
typedef struct code_start {
    int16_t symbol; /* -1: none so short */
    uint8_t length;
} code_start;

/* Codes follow each other by length: each has all peeks that begin with it. */
static void starts_make(const uint8_t counts[17], const uint8_t symbols[256],
                        code_start starts[HUFFMAN_PEEKS])
{
    unsigned at = 0, symbol = 0;
    for (int length = 1; length <= HUFFMAN_PEEK_BITS; length++) {
        for (int i = 0; i < counts[length]; i++, symbol++) {
            unsigned next = at + (1u << (HUFFMAN_PEEK_BITS - length));
            while (at < next) starts[at++] = (code_start){symbols[symbol], (uint8_t)length};
        }
    }
    while (at < HUFFMAN_PEEKS) starts[at++] = (code_start){-1, 0};
}

static huffman_look dc_look(const code_start starts[HUFFMAN_PEEKS], unsigned peek)
{
    int size = starts[peek].symbol, length = starts[peek].length;
    if (size < 0 || length + size > HUFFMAN_PEEK_BITS) {
        return (huffman_look){.advance = LOOK_SHORT};
    }
    uint64_t bits = (uint64_t)peek << (64 - HUFFMAN_PEEK_BITS + length);
    int difference = value_extend(bits, size);
    return (huffman_look){(int16_t)difference, (uint8_t)(length + size), 0};
}

static huffman_look ac_look(const code_start starts[HUFFMAN_PEEKS], unsigned peek)
{
    int bits = 0, advance = 0;
    while (bits < HUFFMAN_PEEK_BITS) {
        code_start start = starts[(peek << bits) & (HUFFMAN_PEEKS - 1)];
        if (start.symbol < 0 || bits + start.length > HUFFMAN_PEEK_BITS) break;
        int run = start.symbol >> 4, size = start.symbol & 15;
        bool is_end = size == 0 && run != 15;
        if (advance + (is_end ? 1 : run + 1) > PLACES + 1) break;
        bits += start.length + size;
        advance += is_end ? PLACE_END : run + 1;
        if (is_end) break;
    }
    if (bits == 0) advance = LOOK_SHORT;
    return (huffman_look){0, (uint8_t)bits, (uint8_t)advance};
}

bool huffman_table_make(huffman_table *t, bool dc, const uint8_t counts[17],
                        const uint8_t symbols[256])
{
    if (!codes_make(t, dc, counts, symbols)) return false;
    code_start starts[HUFFMAN_PEEKS];
    starts_make(counts, symbols, starts);
    for (unsigned i = 0; i < HUFFMAN_PEEKS; i++) {
        t->look[i] = dc ? dc_look(starts, i) : ac_look(starts, i);
    }
    return true;
}
