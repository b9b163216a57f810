/* Cutting MCUs out of a baseline JPEG: a run of them in a row is copied bit by bit, but for the
   first DC differences, which are to other blocks now. */
#include "image/jpeg_window.h"

#include "image/jpeg_scan.h"

#include <stdlib.h>

enum {
    /* All there may be in a header: marker segments of four quantisers, eight tables, the frame. */
    HEADER_BYTES_MOST = 1 << 13,
    /* A run's recoded DC differences, and the end of the last byte. */
    RUN_BYTES_MORE = 4 * SCAN_COMPONENTS_MOST + 8
};

/* Bits on their way to the part; bytes are stuffed. */
typedef struct bit_writer {
    uint8_t *at;
    uint64_t bits;
    int count; /* below 8 */
} bit_writer;

typedef struct scan_cutter {
    const struct jpeg_decompress_struct *info;
    huffman_table *dc[NUM_HUFF_TBLS], *ac[NUM_HUFF_TBLS];
    scan_layout layout;
    int columns, rows; /* MCUs */
    scan_data data;
    scan_run *runs;
    size_t run_count;
    bit_writer writer;
    int dc_written[SCAN_COMPONENTS_MOST];
    unsigned char *bytes;
} scan_cutter;

/* ---- Writing bits --------------------------------------------------------------------------- */

static inline bool word_has_ff(uint64_t word)
{
    return ((~word - 0x0101010101010101u) & word & 0x8080808080808080u) != 0;
}

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

/* ---- Copying runs of MCUs ------------------------------------------------------------------- */

static void bits_copy(scan_cutter *s, int64_t from, int64_t to)
{
    enum { STEP = 48 };
    for (; from < to; from += STEP) {
        int taken = to - from < STEP ? (int)(to - from) : STEP;
        bits_put(&s->writer, scan_bits(s->data.bytes, from) >> (64 - taken), taken);
    }
}

/* The DC difference of the first block of each component is to the last one copied. */
static bool run_copy(scan_cutter *s, const scan_run *r)
{
    int64_t copied = r->from.bit, at = copied;
    for (int i = 0; i < s->layout.block_count; i++) {
        const scan_block *b = &s->layout.blocks[i];
        scan_codes codes;
        if (!scan_block_find(&s->data, b, at, &codes)) return false;
        if (i == 0 || b[-1].component != b->component) {
            bits_copy(s, copied, at);
            int value = scan_place_dc(r->from, b->component) + codes.difference;
            if (!dc_put(&s->writer, b->dc, value - s->dc_written[b->component])) return false;
            copied = codes.ac;
        }
        at = codes.end;
    }
    bits_copy(s, copied, r->to.bit);
    for (int i = 0; i < SCAN_COMPONENTS_MOST; i++) s->dc_written[i] = scan_place_dc(r->to, i);
    return true;
}

static bool runs_copy(scan_cutter *s)
{
    for (size_t i = 0; i < s->run_count; i++) {
        if (!run_copy(s, &s->runs[i])) return false;
    }
    return true;
}

/* The MCUs of the rows of the part, in runs without a restart. */
static bool runs_list(scan_cutter *s, const image_window *units)
{
    int64_t interval = s->layout.restart_interval;
    size_t rows = (size_t)(units->bottom - units->top),
           width = (size_t)(units->right - units->left);
    size_t most = interval == 0 ? 1 : 2 + width / (size_t)interval;
    s->runs = calloc(rows * most, sizeof *s->runs);
    if (s->runs == NULL) return false;
    for (int64_t row = units->top; row < units->bottom; row++) {
        int64_t first = row * s->columns + units->left, end = row * s->columns + units->right;
        while (first < end) {
            int64_t last = interval == 0 ? end : (first / interval + 1) * interval;
            if (last > end) last = end;
            s->runs[s->run_count++] = (scan_run){.first = first, .last = last};
            first = last;
        }
    }
    return true;
}

/* Looks at one row more than the part has: upsampling of the whole would. */
static bool runs_find(scan_cutter *s, const image_window *units)
{
    const struct jpeg_source_mgr *source = s->info->src;
    const uint8_t *from = source->next_input_byte;
    int64_t rows = units->bottom < s->rows ? units->bottom + 1 : s->rows;
    return runs_list(s, units) &&
           scan_data_read(&s->data, from, from + source->bytes_in_buffer,
                          s->layout.restart_interval > 0) &&
           scan_runs_find(&s->data, &s->layout, rows * s->columns, s->runs, s->run_count);
}

/* ---- The part's header ---------------------------------------------------------------------- */

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

static void header_add(scan_cutter *s, int width, int height)
{
    word_add(s, 0xffd8);
    for (int i = 0; i < NUM_QUANT_TBLS; i++) {
        if (s->info->quant_tbl_ptrs[i] != NULL) quantiser_add(s, i);
    }
    for (int i = 0; i < NUM_HUFF_TBLS; i++) {
        if (s->dc[i] != NULL) codes_add(s, i, s->info->dc_huff_tbl_ptrs[i]);
        if (s->ac[i] != NULL) codes_add(s, 0x10 | i, s->info->ac_huff_tbl_ptrs[i]);
    }
    frame_add(s, width, height);
}

/* Room for the part: at worst all bytes of the runs are stuffed. */
static bool bytes_make(scan_cutter *s)
{
    size_t size = HEADER_BYTES_MOST;
    for (size_t i = 0; i < s->run_count; i++) {
        size += (size_t)(s->runs[i].to.bit - s->runs[i].from.bit) / 4 + RUN_BYTES_MORE;
    }
    s->bytes = s->writer.at = malloc(size);
    return s->bytes != NULL;
}

/* ---- What is there to cut ------------------------------------------------------------------- */

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
        if (t == NULL || u == NULL || s->layout.block_count + count > SCAN_BLOCKS_MOST)
            return false;
        for (; count > 0; count--) {
            s->layout.blocks[s->layout.block_count++] = (scan_block){t, u, i};
        }
    }
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
    if (!runs_find(s, u) || !bytes_make(s)) return false;
    header_add(s, right - u->left * p->unit_width, bottom - u->top * p->unit_height);
    if (!runs_copy(s)) return false;
    bits_end(&s->writer);
    word_add(s, 0xffd9);
    p->bytes = s->bytes;
    p->size = (size_t)(s->writer.at - s->bytes);
    p->rest = s->data.rest;
    return true;
}

bool jpeg_part_cut(const struct jpeg_decompress_struct *info, image_window window, jpeg_part *part)
{
    if (!is_baseline(info)) return false;
    scan_cutter s = {.info = info, .layout.restart_interval = info->restart_interval};
    bool done = part_cut(&s, window, part);
    for (int i = 0; i < NUM_HUFF_TBLS; i++) {
        free(s.dc[i]);
        free(s.ac[i]);
    }
    scan_data_free(&s.data);
    free(s.runs);
    if (!done) free(s.bytes);
    return done;
}
