/* Finding MCUs in a JPEG's scan: each code tells where the next one is, so a reader waits for its
   table most of the time. Several read at once here, from places that are only guessed but for the
   first. Huffman codes synchronise: soon a guess is at the beginning of a true MCU, as is seen when
   the reader before comes to the same place, and all it found from there on is true (Klein and
   Wiseman, "Parallel Huffman decoding with applications to JPEG files", 2003). */
#include "image/jpeg_scan.h"

#include <stdlib.h>

enum {
    LANES = 3,         /* readers */
    SHARE_MOST = 1000, /* MCUs that each is to find in a round */
    SHARE_LEAST = 64,  /* fewer do not pay */
    MARGIN = 32,       /* MCUs to go on for behind where the next one began */
    STEPS = 16,        /* without a look at how far they are */
    MARKS_MOST = 2 * SHARE_MOST,
};
/* Are all fields of a sum of DC values within +-2^13? Those of the next MCU cannot leave 16 bits
   then. */
#define DC_BIAS 0x2000200020002000u
#define DC_WRONG 0xc000c000c000c000u

/* A block's DC code or one of its AC codes is next. */
typedef struct node {
    const huffman_look *looks;
    const struct node *within, *after; /* in the block, at its end */
    int64_t unit;                      /* of the component in scan_place.dc */
    const huffman_table *table;
    bool is_dc;
} node;

typedef struct section {
    const uint8_t *bytes; /* of all sections */
    int64_t end;          /* of this one, in bits */
    node nodes[2 * SCAN_BLOCKS_MOST];
} section;

/* Places where MCUs begin. */
typedef struct marks {
    int64_t bit[MARKS_MOST + 2 * STEPS + 1];
    uint64_t dc[MARKS_MOST + 2 * STEPS + 1];
} marks;

/* A reader. The place of the next MCU to come is put at `count` again and again. */
typedef struct lane {
    const node *at;
    uint64_t place; /* AC coefficients passed */
    int64_t bit;
    uint64_t dc;
    int64_t count;
} lane;

typedef struct walker {
    section in;
    /* how far all before is found */
    int64_t mcu;
    scan_place place;
    scan_run *run, *runs_end; /* the next one to find */
    int64_t mcu_bits;         /* in the last round; 0: this is the first */
    int64_t alone_until;      /* the MCU up to which guesses seem not to synchronise */
    marks marks[LANES];
} walker;

/* ---- Reading codes -------------------------------------------------------------------------- */

/* The first node is that of an MCU's first code. */
static inline void lane_advance(lane *l, bool ended, const section *s, marks *m)
{
    l->at = ended ? l->at->after : l->at->within;
    l->place = ended ? 0 : l->place;
    m->bit[l->count] = l->bit;
    m->dc[l->count] = l->dc;
    l->count += l->at < s->nodes + 1;
}

/* A DC code, or all of a block that is left, one by one. */
static bool codes_pass_slowly(lane *l, const section *s, marks *m)
{
    const node *n = l->at;
    do {
        uint64_t bits = scan_bits(s->bytes, l->bit);
        int length, symbol = huffman_symbol(n->table, bits, &length);
        if (symbol < 0 || l->bit > s->end || (n->is_dc && symbol >= DC_SIZES)) return false;
        int run = symbol >> 4, size = symbol & 15;
        l->bit += length + size;
        if (n->is_dc) {
            l->dc += (uint64_t)value_extend(bits << length, size) * (uint64_t)n->unit;
            break;
        }
        l->place += (unsigned)(size == 0 && run != 15 ? PLACE_END : run + 1);
    } while (l->place < PLACES);
    if (l->place & PLACE_WRONG) return false;
    lane_advance(l, !n->is_dc, s, m);
    return true;
}

static inline bool look_at(lane *l, uint64_t *bits, const section *s, marks *m)
{
    huffman_look look = l->at->looks[*bits >> (64 - HUFFMAN_PEEK_BITS)];
    l->place += look.advance;
    if (__builtin_expect((l->place & PLACE_WRONG) != 0, 0)) {
        lane slow = *l;
        slow.place -= look.advance;
        bool passed = codes_pass_slowly(&slow, s, m);
        *l = slow;
        *bits = scan_bits(s->bytes, l->bit);
        return passed;
    }
    l->dc += (uint64_t)(look.difference * l->at->unit);
    l->bit += look.bits;
    *bits <<= look.bits;
    lane_advance(l, l->place >= PLACES, s, m);
    return true;
}

static lane lane_start(const section *s, marks *m, scan_place place)
{
    m->bit[0] = place.bit;
    m->dc[0] = place.dc;
    return (lane){s->nodes, 0, place.bit, place.dc, 1};
}

static bool lanes_go_on(const walker *w, const lane *lanes, int count, const int64_t goals[LANES],
                        int64_t most)
{
    bool missing = false, possible = true;
    for (int i = 0; i < count; i++) {
        missing |= lanes[i].bit < goals[i];
        possible &= lanes[i].bit <= w->in.end && lanes[i].count < most;
    }
    return missing && possible;
}

/* Until all are at their goals, or one cannot go on. A wrong guess that comes upon a wrong code
   starts again behind. */
static inline __attribute__((always_inline)) void
lanes_run(walker *w, lane *to, int count, const int64_t goals[LANES], int64_t most)
{
    bool right = true;
    while (right && lanes_go_on(w, to, count, goals, most)) {
        lane lanes[LANES];
        for (int i = 0; i < count; i++) lanes[i] = to[i];
        for (int step = 0; step < STEPS && right; step++) {
#pragma GCC unroll 3
            for (int i = 0; i < count; i++) {
                lane l = lanes[i];
                uint64_t bits = scan_bits(w->in.bytes, l.bit);
                bool passed = look_at(&l, &bits, &w->in, &w->marks[i]) &&
                              look_at(&l, &bits, &w->in, &w->marks[i]);
                if (!passed && i > 0) {
                    l = lane_start(&w->in, &w->marks[i], (scan_place){l.bit + 1, 0});
                }
                right &= passed || i > 0;
                lanes[i] = l;
            }
        }
        for (int i = 0; i < count; i++) to[i] = lanes[i];
    }
}

static __attribute__((noinline)) void one_run(walker *w, lane *l, const int64_t goals[LANES],
                                              int64_t most)
{
    lanes_run(w, l, 1, goals, most);
}

static __attribute__((noinline)) void all_run(walker *w, lane *l, const int64_t goals[LANES],
                                              int64_t most)
{
    lanes_run(w, l, LANES, goals, most);
}

/* ---- What was found ------------------------------------------------------------------------- */

/* Places from..to of MCUs from w->mcu on; dc: what theirs lack. */
static bool marks_take(walker *w, const marks *m, int64_t from, int64_t to, uint64_t dc)
{
    uint64_t wrong = 0;
    for (int64_t i = from; i <= to; i++) wrong |= (m->dc[i] + dc + DC_BIAS) & DC_WRONG;
    if (wrong != 0) return false;
    int64_t last = w->mcu + to - from, shift = from - w->mcu;
    for (scan_run *r = w->run; r < w->runs_end && r->first <= last; r++) {
        int64_t first = r->first + shift, end = r->last + shift;
        if (first >= from) r->from = (scan_place){m->bit[first], m->dc[first] + dc};
        if (end > to) break;
        r->to = (scan_place){m->bit[end], m->dc[end] + dc};
        w->run = r + 1;
    }
    w->mcu = last;
    w->place = (scan_place){m->bit[to], m->dc[to] + dc};
    return true;
}

/* The first place from *a and *b on that is in both. */
static bool places_meet(const marks *m, int64_t *a, int64_t a_count, const marks *n, int64_t *b,
                        int64_t b_count)
{
    while (*a < a_count && *b < b_count) {
        if (m->bit[*a] == n->bit[*b]) return true;
        if (m->bit[*a] < n->bit[*b]) {
            ++*a;
        } else {
            ++*b;
        }
    }
    return false;
}

/* True marks are those of the first lane, and those of each next one from where the one before
   meets it. */
static bool lanes_take(walker *w, const lane *lanes, int count, int64_t most)
{
    int64_t from = 0;
    uint64_t dc = 0;
    for (int i = 0; i < count; i++) {
        const marks *m = &w->marks[i], *n = m + 1;
        int64_t found = lanes[i].count, meeting = from, other = 0;
        while (m->bit[found - 1] > w->in.end) found--;
        bool meet = i + 1 < count && places_meet(m, &meeting, found, n, &other, lanes[i + 1].count);
        int64_t to = meet ? meeting : found - 1;
        if (to > from + most - w->mcu) to = from + most - w->mcu;
        if (!marks_take(w, m, from, to, dc)) return false;
        if (!meet || w->mcu == most) break;
        dc += m->dc[meeting] - n->dc[other];
        from = other;
    }
    return true;
}

/* One round, up to the MCU `most` at the most. */
static bool round_walk(walker *w, int64_t most)
{
    lane lanes[LANES];
    int64_t goals[LANES], mcu = w->mcu, bit = w->place.bit, left = most - mcu;
    int64_t margin = MARGIN * w->mcu_bits, share = (w->in.end - bit - margin) / LANES;
    int64_t share_most = (left / LANES < SHARE_MOST ? left / LANES : SHARE_MOST) * w->mcu_bits;
    if (share > share_most) share = share_most;
    bool alone = w->mcu_bits == 0 || mcu < w->alone_until || share < SHARE_LEAST * w->mcu_bits;
    for (int i = 0; i < (alone ? 1 : LANES); i++) {
        scan_place from = i == 0 ? w->place : (scan_place){bit + i * share, 0};
        lanes[i] = lane_start(&w->in, &w->marks[i], from);
        goals[i] = bit + (i + 1) * share + margin;
    }
    if (alone) {
        int64_t wanted = w->mcu_bits == 0 ? SHARE_LEAST : MARKS_MOST - 1;
        goals[0] = INT64_MAX;
        one_run(w, lanes, goals, 1 + (left < wanted ? left : wanted));
    } else {
        all_run(w, lanes, goals, MARKS_MOST);
    }
    if (!lanes_take(w, lanes, alone ? 1 : LANES, most)) return false;
    int64_t found = w->mcu - mcu;
    if (found == 0) return false;
    w->mcu_bits = (w->place.bit - bit) / found + 1;
    if (!alone && 2 * (w->place.bit - bit) < LANES * share)
        w->alone_until = w->mcu + 4 * SHARE_MOST;
    return true;
}

/* ---- Sections ------------------------------------------------------------------------------- */

static void nodes_make(node *nodes, const scan_block *blocks, int count)
{
    for (int i = 0; i < count; i++) {
        const scan_block *b = &blocks[i];
        node *dc = &nodes[2 * i], *ac = dc + 1;
        const node *next = i + 1 < count ? ac + 1 : nodes;
        int64_t unit = (int64_t)1 << 16 * b->component;
        *dc = (node){b->dc->look, ac, ac, unit, b->dc, true};
        *ac = (node){b->ac->look, ac, next, unit, b->ac, false};
    }
}

static bool sections_walk(walker *w, const scan_data *d, int64_t interval, int64_t count)
{
    for (size_t i = 0; w->mcu < count; i++) {
        if (i == d->sections) return false;
        int64_t most = interval == 0 || count - w->mcu < interval ? count : w->mcu + interval;
        w->place = (scan_place){i == 0 ? 0 : d->ends[i - 1], 0};
        w->in.end = d->ends[i];
        while (w->mcu < most) {
            if (!round_walk(w, most)) return false;
        }
    }
    return true;
}

bool scan_runs_find(const scan_data *d, const scan_layout *layout, int64_t count, scan_run *runs,
                    size_t run_count)
{
    walker *w = malloc(sizeof *w);
    if (w == NULL) return false;
    w->in.bytes = d->bytes;
    w->mcu = w->mcu_bits = w->alone_until = 0;
    w->run = runs;
    w->runs_end = runs + run_count;
    nodes_make(w->in.nodes, layout->blocks, layout->block_count);
    bool found = sections_walk(w, d, layout->restart_interval, count) && w->run == w->runs_end;
    free(w);
    return found;
}

bool scan_block_find(const scan_data *d, const scan_block *b, int64_t bit, scan_codes *codes)
{
    section s = {.bytes = d->bytes, .end = d->ends[d->sections - 1]};
    nodes_make(s.nodes, b, 1);
    marks m;
    lane l = {.at = s.nodes, .bit = bit};
    uint64_t bits = scan_bits(s.bytes, bit);
    if (!look_at(&l, &bits, &s, &m)) return false;
    *codes = (scan_codes){scan_place_dc((scan_place){0, l.dc}, b->component), l.bit, 0};
    while (l.at != s.nodes) {
        bits = scan_bits(s.bytes, l.bit);
        if (!look_at(&l, &bits, &s, &m)) return false;
    }
    codes->end = l.bit;
    return true;
}
