/* Reading the Huffman codes of a baseline JPEG's scan where few of the values matter: several
   coefficients at a look (ITU-T T.81, F.2.2). */
#ifndef BLADES_IMAGE_JPEG_HUFFMAN_H
#define BLADES_IMAGE_JPEG_HUFFMAN_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { HUFFMAN_PEEK_BITS = 12, HUFFMAN_PEEKS = 1 << HUFFMAN_PEEK_BITS };

/* What the next bits of a scan are: a DC difference, or AC coefficients, as many as their codes
   fit. */
typedef struct huffman_look {
    int16_t difference; /* DC */
    uint8_t bits;       /* of codes and values, at most HUFFMAN_PEEK_BITS + 15 */
    uint8_t advance; /* places passed, at most PLACES + 1, and PLACE_END behind an end of block */
} huffman_look;

/* Places of AC coefficients, by how many are before. The numbers are such that a sum of two has the
   bit PLACE_WRONG if it is beyond the block, or behind an end code that the block had no room for,
   or what was looked at is not even one code (LOOK_SHORT). */
enum { PLACES = 63, PLACE_WRONG = 64, PLACE_END = 129, LOOK_SHORT = 192 };

/* Codes as T.81, F.15 and F.16 have them: the largest of each length, and where their symbols
   are. */
typedef struct huffman_table {
    int32_t most[17]; /* -1: none */
    int32_t first[17];
    uint8_t symbols[256];
    huffman_look look[HUFFMAN_PEEKS];
} huffman_table;

/* `counts` of codes of lengths 1..16 (element 0 is not used) and their symbols. False: these are no
   codes. */
bool huffman_table_make(huffman_table *t, bool dc, const uint8_t counts[17],
                        const uint8_t symbols[256]);

/* The symbol of the next code, and its length in bits; -1: there is no such code. */
int huffman_symbol(const huffman_table *t, uint64_t bits, int *length);

/* The code of a symbol, and its length in bits; -1: it has none. */
int huffman_code(const huffman_table *t, int symbol, int *length);

/* The scan's bits, the next one the highest of `bits`; `at` is behind what is in there. */
typedef struct bit_reader {
    const uint8_t *at, *end;
    uint64_t bits;
    int count; /* below 64; negative: bits were read that are not there */
} bit_reader;

/* Up to a marker or the end. */
bit_reader bit_reader_fill_slowly(bit_reader r);

static inline bool word_has_ff(uint64_t word)
{
    return ((~word - 0x0101010101010101u) & word & 0x8080808080808080u) != 0;
}

/* At least 56 bits, as far as there are any before the next marker. */
static inline void bit_reader_fill(bit_reader *r)
{
    if (r->end - r->at >= 8) {
        uint64_t word;
        memcpy(&word, r->at, sizeof word);
        word = be64toh(word);
        if (!word_has_ff(word)) {
            /* Bits beyond `count` are those of the next byte, which will be put there again. */
            r->bits |= word >> r->count;
            r->at += (63 - r->count) >> 3;
            r->count |= 56;
            return;
        }
    }
    *r = bit_reader_fill_slowly(*r);
}

static inline void bit_reader_pass(bit_reader *r, int bits)
{
    r->bits <<= bits;
    r->count -= bits;
}

/* The value of `size` bits (1..15) at the top (T.81, F.12). */
static inline int value_extend(uint64_t bits, int size)
{
    int value = (int)(bits >> (64 - size));
    return bits >> 63 ? value : value - (1 << size) + 1;
}

#endif
