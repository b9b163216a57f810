/* The entropy-coded data of a baseline JPEG's scan, and where in it MCUs begin (ITU-T T.81, B.1.1.5
   and F.2.2). */
#ifndef BLADES_IMAGE_JPEG_SCAN_H
#define BLADES_IMAGE_JPEG_SCAN_H

#include "image/jpeg_huffman.h"

#include <endian.h>
#include <stddef.h>

/* Data without stuffing, in sections between restarts. */
typedef struct scan_data {
    uint8_t *bytes; /* SCAN_PADDING zeros behind */
    int64_t *ends;  /* of the sections, in bits; each begins where the one before ends */
    size_t sections;
    const uint8_t *rest; /* behind them: a marker that is not the next restart, or the end */
} scan_data;

enum { SCAN_PADDING = 1024 };

/* `restarts`: are there any? Other markers than the next RSTn end the data. Returns false when out
   of memory. scan_data_free frees what there is. */
bool scan_data_read(scan_data *d, const uint8_t *at, const uint8_t *end, bool restarts);
void scan_data_free(scan_data *d);

/* Blocks of an MCU, in their order. */
enum { SCAN_BLOCKS_MOST = 10, SCAN_COMPONENTS_MOST = 4 };

typedef struct scan_block {
    const huffman_table *dc, *ac;
    int component; /* of the scan */
} scan_block;

typedef struct scan_layout {
    scan_block blocks[SCAN_BLOCKS_MOST];
    int block_count;
    int64_t restart_interval; /* MCUs; 0: none */
} scan_layout;

/* Between two MCUs: the next bit, and the DC values of the last blocks before, as a sum of
   value << 16 * component. */
typedef struct scan_place {
    int64_t bit;
    uint64_t dc;
} scan_place;

/* The next 57 bits or more, from the highest on. */
static inline uint64_t scan_bits(const uint8_t *bytes, int64_t bit)
{
    uint64_t word;
    memcpy(&word, bytes + (bit >> 3), sizeof word);
    return be64toh(word) << (bit & 7);
}

static inline int scan_place_dc(scan_place p, int component)
{
    uint64_t rest = p.dc;
    for (; component > 0; component--) rest = (rest - (uint64_t)(int16_t)rest) >> 16;
    return (int16_t)rest;
}

/* MCUs first..last - 1 of one section, and where they are. */
typedef struct scan_run {
    int64_t first, last;
    scan_place from, to;
} scan_run;

/* Locates the runs, which must be in ascending order, and validates every MCU before `count`. False
   if a code is invalid, a DC value has more than 14 bits, data or restarts are missing, or memory
   is short. */
bool scan_runs_find(const scan_data *d, const scan_layout *layout, int64_t count, scan_run *runs,
                    size_t run_count);

/* The codes of a block. */
typedef struct scan_codes {
    int difference;  /* DC */
    int64_t ac, end; /* bits where those of its AC coefficients begin and end */
} scan_codes;

/* False if a code is invalid. */
bool scan_block_find(const scan_data *d, const scan_block *b, int64_t bit, scan_codes *codes);

#endif
