/* Reading the Huffman codes of a baseline JPEG's scan where few of the values matter: several
   coefficients at a look (ITU-T T.81, F.2.2). */
#ifndef BLADES_IMAGE_JPEG_HUFFMAN_H
#define BLADES_IMAGE_JPEG_HUFFMAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { HUFFMAN_PEEK_BITS = 12, HUFFMAN_PEEKS = 1 << HUFFMAN_PEEK_BITS };

enum { DC_SIZES = 12 }; /* of a DC difference's bits: those of 8-bit samples are 0 to 11 */

/* What the next bits of a scan are: a DC difference, or AC coefficients, as many as their codes
   fit. */
typedef struct huffman_look {
    int16_t difference; /* DC */
    uint8_t bits;       /* of codes and values, at most HUFFMAN_PEEK_BITS + 15 */
    uint8_t advance; /* places passed, at most PLACES + 1, and PLACE_END behind an end of block */
} huffman_look;

/* Positions within a block, counted in AC coefficients passed. The values are chosen so that adding
   a look's `advance` sets PLACE_WRONG when it runs past the block, past an end-of-block code that
   did not fit, or did not hold one whole code (LOOK_SHORT). */
enum { PLACES = 63, PLACE_WRONG = 64, PLACE_END = 129, LOOK_SHORT = 192 };

/* Codes as T.81, F.15 and F.16 have them: the largest of each length, and where their symbols
   are. */
typedef struct huffman_table {
    int32_t most[17]; /* -1: none */
    int32_t first[17];
    uint8_t symbols[256];
    huffman_look look[HUFFMAN_PEEKS];
} huffman_table;

/* `counts` of codes of lengths 1..16 (element 0 is not used) and their symbols. False: they form
   no prefix code. */
bool huffman_table_make(huffman_table *t, bool dc, const uint8_t counts[17],
                        const uint8_t symbols[256]);

/* The symbol of the next code, and its length in bits; -1: it is not a code. */
int huffman_symbol(const huffman_table *t, uint64_t bits, int *length);

/* The code of a symbol, and its length in bits; -1: it has none. */
int huffman_code(const huffman_table *t, int symbol, int *length);

/* The value of `size` bits (0..15) at the top (T.81, F.12). */
static inline int value_extend(uint64_t bits, int size)
{
    if (size == 0) return 0;
    int value = (int)(bits >> (64 - size));
    return bits >> 63 ? value : value - (1 << size) + 1;
}

#endif
