/* Cutting MCUs out of a baseline JPEG: a run of them in a row is copied bit by bit, but for the
   first DC differences, which are to other blocks now. */
#include "image/jpeg_window.h"

#include "image/jpeg_huffman.h"

#include <endian.h>
#include <stdlib.h>

enum { DC_SIZES = 12 }; /* of a DC difference's bits: those of 8-bit samples are 0 to 11 */

enum {
    BLOCKS_MOST = 10,      /* of an MCU */
    UNIT_BYTES_MOST = 8192 /* of an MCU: ten blocks of 64 codes with values, all bytes stuffed */
};
/* A component's DC values within a row of MCUs cannot leave 32 bits from here. */
#define DC_MOST (1 << 20)

/* Bits on their way to the part; bytes are stuffed. */
typedef struct bit_writer {
    uint8_t *at;
    uint64_t bits;
    int count; /* below 8 */
} bit_writer;

/* A block of an MCU, and the one after it, of the next MCU behind the last. */
typedef struct scan_block {
    const huffman_look *dc, *ac, *next_dc;
    const huffman_table *dc_table, *ac_table;
    int component; /* of the scan */
    const struct scan_block *next;
} scan_block;

typedef struct scan_cutter {
    const struct jpeg_decompress_struct *info;
    huffman_table *dc[NUM_HUFF_TBLS], *ac[NUM_HUFF_TBLS];
    scan_block blocks[BLOCKS_MOST];
    int block_count, columns, rows; /* blocks of an MCU; MCUs */
    bit_reader reader;
    bit_writer writer;
    int dc_values[MAX_COMPS_IN_SCAN], dc_written[MAX_COMPS_IN_SCAN];
    int until_restart, next_restart;
    unsigned char *bytes;
    size_t capacity;
} scan_cutter;

/* ---- Writing bits ------------------------------------------------------------------------------
 */

static void byte_put(bit_writer *w, uint8_t byte)
{
    *w->at++ = byte;
    if (byte == 0xff) *w->at++ = 0;
}

/* 1 to 56 bits; eight bytes of room. */
static inline void bits_put(bit_writer *w, uint64_t value, int count)
{
    w->count += count;
    w->bits |= value << (64 - w->count);
    int whole = w->count & ~7;
    if (word_has_ff(w->bits)) {
        for (; w->count >= 8; w->count -= 8, w->bits <<= 8) byte_put(w, (uint8_t)(w->bits >> 56));
        return;
    }
    uint64_t big = htobe64(w->bits);
    memcpy(w->at, &big, sizeof big);
    w->at += whole >> 3;
    w->bits <<= whole;
    w->count -= whole;
}

/* Fills the last byte with ones. */
static void bits_end(bit_writer *w)
{
    if (w->count > 0) byte_put(w, (uint8_t)(w->bits >> 56 | 0xffu >> w->count));
}

static bool dc_put(bit_writer *w, const huffman_table *t, int difference)
{
    unsigned magnitude = (unsigned)abs(difference);
    int size = magnitude == 0 ? 0 : 32 - __builtin_clz(magnitude), length;
    if (size >= DC_SIZES) return false;
    int code = huffman_code(t, size, &length);
    if (code < 0) return false;
    unsigned value = (unsigned)(difference < 0 ? difference - 1 : difference) & ((1u << size) - 1);
    bits_put(w, (uint64_t)code << size | value, length + size);
    return true;
}

/* ---- Walking the scan --------------------------------------------------------------------------
 */

static bool dc_take_slow(bit_reader *r, const huffman_table *t, int *difference, int64_t *passed)
{
    int length, size = huffman_symbol(t, r->bits, &length);
    if (size < 0 || size >= DC_SIZES) return false;
    *difference = size == 0 ? 0 : value_extend(r->bits << length, size);
    bit_reader_pass(r, length + size);
    *passed = length + size;
    return true;
}

/* From a place on where the codes looked at together do not all belong to the block, or were too
   long to be looked at: one by one. */
static bool ac_rest_slow(bit_reader *r, const huffman_table *t, unsigned place, int64_t *passed)
{
    while (place < PLACES) {
        bit_reader_fill(r);
        int length, symbol = huffman_symbol(t, r->bits, &length);
        if (symbol < 0) return false;
        int run = symbol >> 4, size = symbol & 15;
        bit_reader_pass(r, length + size);
        *passed += length + size;
        place += (unsigned)(size == 0 && run != 15 ? PLACE_END : run + 1);
    }
    return (place & PLACE_WRONG) == 0;
}

/* Passes blocks, of MCUs from block b on, and says how many bits they are; -1: one is wrong. They
   follow each other without a branch that depends on the data: at the end of one the table to look
   into is the next one's DC table. */
static int64_t blocks_pass(scan_cutter *s, const scan_block *b, int64_t count)
{
    bit_reader r = s->reader;
    const huffman_look *table = b->dc;
    unsigned place = 0;
    int64_t passed = 0;
    while (count > 0) {
        bit_reader_fill(&r);
        for (int twice = 0; twice < 2 && count > 0; twice++) {
            huffman_look look = table[r.bits >> (64 - HUFFMAN_PEEK_BITS)];
            unsigned to = place + look.advance;
            if (to & PLACE_WRONG) {
                int difference = 0;
                int64_t slowly = 0;
                bit_reader slow = r;
                if (table == b->dc ? !dc_take_slow(&slow, b->dc_table, &difference, &slowly)
                                   : !ac_rest_slow(&slow, b->ac_table, place, &slowly)) {
                    return -1;
                }
                to = table == b->dc ? 0 : PLACES;
                r = slow;
                passed += slowly;
                look = (huffman_look){.difference = (int16_t)difference};
                twice = 2;
            }
            s->dc_values[b->component] += look.difference;
            bit_reader_pass(&r, look.bits);
            passed += look.bits;
            const scan_block *next = b->next;
            const huffman_look *first = b->next_dc, *rest = b->ac;
            bool ended = to >= PLACES;
            table = ended ? first : rest;
            b = ended ? next : b;
            place = ended ? 0 : to;
            count -= ended;
        }
    }
    s->reader = r;
    return r.count >= 0 ? passed : -1;
}

static void bits_copy(bit_writer *w, bit_reader from, int64_t count)
{
    enum { STEP = 48 };
    for (; count > 0; count -= STEP) {
        int taken = count < STEP ? (int)count : STEP;
        bit_reader_fill(&from);
        bits_put(w, from.bits >> (64 - taken), taken);
        bit_reader_pass(&from, taken);
    }
}

/* The difference of the first block of a component is to the last one copied. */
static bool dc_recode(scan_cutter *s, const scan_block *b)
{
    bit_reader_fill(&s->reader);
    int difference;
    int64_t passed;
    if (!dc_take_slow(&s->reader, b->dc_table, &difference, &passed)) return false;
    s->dc_values[b->component] += difference;
    return dc_put(&s->writer, b->dc_table,
                  s->dc_values[b->component] - s->dc_written[b->component]);
}

static bool room_make(scan_cutter *s, int units)
{
    size_t used = (size_t)(s->writer.at - s->bytes);
    size_t needed = used + (size_t)units * UNIT_BYTES_MOST;
    if (needed <= s->capacity) return true;
    size_t capacity = needed + s->capacity;
    unsigned char *bytes = realloc(s->bytes, capacity);
    if (bytes == NULL) return false;
    s->bytes = bytes;
    s->capacity = capacity;
    s->writer.at = bytes + used;
    return true;
}

static bool units_copy(scan_cutter *s, int count)
{
    if (!room_make(s, count)) return false;
    for (int i = 0; i < s->block_count; i++) {
        const scan_block *b = &s->blocks[i];
        bool first = i == 0 || b[-1].component != b->component;
        if (first && !dc_recode(s, b)) return false;
        bit_reader from = s->reader;
        int64_t passed = 0;
        if (first ? !ac_rest_slow(&s->reader, b->ac_table, 0, &passed)
                  : (passed = blocks_pass(s, b, 1)) < 0) {
            return false;
        }
        bits_copy(&s->writer, from, passed);
    }
    bit_reader from = s->reader;
    int64_t passed = blocks_pass(s, s->blocks, (int64_t)(count - 1) * s->block_count);
    if (passed < 0 || s->reader.count < 0) return false;
    bits_copy(&s->writer, from, passed);
    memcpy(s->dc_written, s->dc_values, sizeof s->dc_written);
    return true;
}

/* A restart marker must follow at once: what is left of the last byte are the only bits before. */
static bool restart_pass(scan_cutter *s)
{
    bit_reader *r = &s->reader;
    bit_reader_fill(r);
    if (r->count >= 8 || r->end - r->at < 2 || r->at[0] != 0xff ||
        r->at[1] != JPEG_RST0 + s->next_restart) {
        return false;
    }
    *r = (bit_reader){r->at + 2, r->end, 0, 0};
    memset(s->dc_values, 0, sizeof s->dc_values);
    s->next_restart = (s->next_restart + 1) % 8;
    s->until_restart = (int)s->info->restart_interval;
    return true;
}

static bool columns_pass(scan_cutter *s, int count, bool copied)
{
    while (count > 0) {
        int run = count;
        if (s->info->restart_interval > 0) {
            if (s->until_restart == 0 && !restart_pass(s)) return false;
            if (run > s->until_restart) run = s->until_restart;
            s->until_restart -= run;
        }
        int64_t blocks = (int64_t)run * s->block_count;
        if (copied ? !units_copy(s, run) : blocks_pass(s, s->blocks, blocks) < 0) return false;
        count -= run;
    }
    return true;
}

/* One row more than the part has: upsampling of the whole would look at it. */
static bool rows_pass(scan_cutter *s, const image_window *units)
{
    for (int row = 0; row <= units->bottom && row < s->rows; row++) {
        for (int i = 0; i < s->info->comps_in_scan; i++) {
            if (abs(s->dc_values[i]) > DC_MOST) return false;
        }
        bool copied = row >= units->top && row < units->bottom;
        int left = copied ? units->left : s->columns, right = copied ? units->right : s->columns;
        if (!columns_pass(s, left, false) || !columns_pass(s, right - left, true) ||
            !columns_pass(s, s->columns - right, false)) {
            return false;
        }
    }
    return true;
}

/* ---- The part's header -------------------------------------------------------------------------
 */

static void byte_add(scan_cutter *s, int value)
{
    *s->writer.at++ = (uint8_t)value;
}

static void word_add(scan_cutter *s, int value)
{
    byte_add(s, value >> 8);
    byte_add(s, value);
}

static void marker_add(scan_cutter *s, int marker, int length)
{
    byte_add(s, 0xff);
    byte_add(s, marker);
    word_add(s, length + 2);
}

static void quantiser_add(scan_cutter *s, int number)
{
    /* Places of the zigzag (T.81, figure A.6). */
    static const uint8_t places[64] = {
        0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
        41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
        30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};
    marker_add(s, 0xdb, 1 + 2 * 64);
    byte_add(s, 0x10 | number);
    for (int i = 0; i < 64; i++) word_add(s, s->info->quant_tbl_ptrs[number]->quantval[places[i]]);
}

static void codes_add(scan_cutter *s, int kind_and_number, const JHUFF_TBL *t)
{
    int count = 0;
    for (int i = 1; i <= 16; i++) count += t->bits[i];
    marker_add(s, 0xc4, 17 + count);
    byte_add(s, kind_and_number);
    for (int i = 1; i <= 16; i++) byte_add(s, t->bits[i]);
    for (int i = 0; i < count; i++) byte_add(s, t->huffval[i]);
}

static void frame_add(scan_cutter *s, int width, int height)
{
    const struct jpeg_decompress_struct *info = s->info;
    bool one = info->num_components == 1;
    marker_add(s, 0xc1, 6 + 3 * info->num_components);
    byte_add(s, 8);
    word_add(s, height);
    word_add(s, width);
    byte_add(s, info->num_components);
    for (int i = 0; i < info->num_components; i++) {
        const jpeg_component_info *c = &info->comp_info[i];
        byte_add(s, i + 1);
        byte_add(s, one ? 0x11 : c->h_samp_factor << 4 | c->v_samp_factor);
        byte_add(s, c->quant_tbl_no);
    }
    marker_add(s, 0xda, 4 + 2 * info->comps_in_scan);
    byte_add(s, info->comps_in_scan);
    for (int i = 0; i < info->comps_in_scan; i++) {
        const jpeg_component_info *c = info->cur_comp_info[i];
        byte_add(s, c->component_index + 1);
        byte_add(s, c->dc_tbl_no << 4 | c->ac_tbl_no);
    }
    byte_add(s, 0);
    byte_add(s, 63);
    byte_add(s, 0);
}

static bool header_add(scan_cutter *s, int width, int height)
{
    s->capacity = 1 << 16;
    s->bytes = s->writer.at = malloc(s->capacity);
    if (s->bytes == NULL) return false;
    word_add(s, 0xffd8);
    for (int i = 0; i < NUM_QUANT_TBLS; i++) {
        if (s->info->quant_tbl_ptrs[i] != NULL) quantiser_add(s, i);
    }
    for (int i = 0; i < NUM_HUFF_TBLS; i++) {
        if (s->dc[i] != NULL) codes_add(s, i, s->info->dc_huff_tbl_ptrs[i]);
        if (s->ac[i] != NULL) codes_add(s, 0x10 | i, s->info->ac_huff_tbl_ptrs[i]);
    }
    frame_add(s, width, height);
    return true;
}

/* ---- What is there to cut ----------------------------------------------------------------------
 */

static const huffman_table *table_make(huffman_table **own, bool dc, const JHUFF_TBL *t)
{
    if (*own != NULL) return *own;
    if (t == NULL) return NULL;
    *own = malloc(sizeof **own);
    if (*own == NULL || !huffman_table_make(*own, dc, t->bits, t->huffval)) return NULL;
    return *own;
}

static bool blocks_list(scan_cutter *s)
{
    const struct jpeg_decompress_struct *info = s->info;
    for (int i = 0; i < info->comps_in_scan; i++) {
        const jpeg_component_info *c = info->cur_comp_info[i];
        int dc = c->dc_tbl_no, ac = c->ac_tbl_no, quantiser = c->quant_tbl_no;
        if (dc >= NUM_HUFF_TBLS || ac >= NUM_HUFF_TBLS || quantiser >= NUM_QUANT_TBLS ||
            info->quant_tbl_ptrs[quantiser] == NULL) {
            return false;
        }
        const huffman_table *t = table_make(&s->dc[dc], true, info->dc_huff_tbl_ptrs[dc]);
        const huffman_table *u = table_make(&s->ac[ac], false, info->ac_huff_tbl_ptrs[ac]);
        int count = info->comps_in_scan == 1 ? 1 : c->h_samp_factor * c->v_samp_factor;
        if (t == NULL || u == NULL || s->block_count + count > BLOCKS_MOST) return false;
        for (; count > 0; count--, s->block_count++) {
            scan_block *b = &s->blocks[s->block_count];
            *b = (scan_block){t->look, u->look, NULL, t, u, i, b + 1};
        }
    }
    s->blocks[s->block_count - 1].next = s->blocks;
    for (int i = 0; i < s->block_count; i++) s->blocks[i].next_dc = s->blocks[i].next->dc;
    return true;
}

static bool is_baseline(const struct jpeg_decompress_struct *info)
{
    return info->data_precision == 8 && !info->progressive_mode && !info->arith_code &&
           info->comps_in_scan == info->num_components && info->Ss == 0 &&
           info->Se == DCTSIZE2 - 1 && info->Ah == 0 && info->Al == 0;
}

static int up_to(int pixels, int unit, int most)
{
    int units = (pixels + unit - 1) / unit;
    return units < most ? units : most;
}

/* Which MCUs, if looking for them is less work than decoding what is beside them. */
static bool units_choose(const scan_cutter *s, image_window w, jpeg_part *p)
{
    if (w.left < 0 || w.top < 0 || w.left >= w.right || w.top >= w.bottom) return false;
    p->units = (image_window){w.left / p->unit_width, w.top / p->unit_height,
                              up_to(w.right, p->unit_width, s->columns),
                              up_to(w.bottom, p->unit_height, s->rows)};
    const image_window *u = &p->units;
    if (u->left >= u->right || u->top >= u->bottom) return false;
    int64_t wanted = (int64_t)(u->right - u->left) * (u->bottom - u->top);
    return 2 * wanted <= (int64_t)s->columns * u->bottom;
}

static bool part_cut(scan_cutter *s, image_window window, jpeg_part *p)
{
    const struct jpeg_decompress_struct *info = s->info;
    int width = (int)info->image_width, height = (int)info->image_height;
    bool one = info->num_components == 1;
    p->unit_width = DCTSIZE * (one ? 1 : info->max_h_samp_factor);
    p->unit_height = DCTSIZE * (one ? 1 : info->max_v_samp_factor);
    s->columns = (width + p->unit_width - 1) / p->unit_width;
    s->rows = (height + p->unit_height - 1) / p->unit_height;
    if (!units_choose(s, window, p) || !blocks_list(s)) return false;
    const image_window *u = &p->units;
    int right = u->right == s->columns ? width : u->right * p->unit_width;
    int bottom = u->bottom == s->rows ? height : u->bottom * p->unit_height;
    if (!header_add(s, right - u->left * p->unit_width, bottom - u->top * p->unit_height) ||
        !rows_pass(s, u)) {
        return false;
    }
    bits_end(&s->writer);
    word_add(s, 0xffd9);
    p->bytes = s->bytes;
    p->size = (size_t)(s->writer.at - s->bytes);
    p->rest = s->reader.at;
    return true;
}

bool jpeg_part_cut(const struct jpeg_decompress_struct *info, image_window window, jpeg_part *part)
{
    if (!is_baseline(info)) return false;
    const struct jpeg_source_mgr *source = info->src;
    scan_cutter s = {
        .info = info,
        .reader = {.at = source->next_input_byte,
                   .end = source->next_input_byte + source->bytes_in_buffer},
        .until_restart = (int)info->restart_interval,
    };
    bool done = part_cut(&s, window, part);
    for (int i = 0; i < NUM_HUFF_TBLS; i++) {
        free(s.dc[i]);
        free(s.ac[i]);
    }
    if (!done) free(s.bytes);
    return done;
}
