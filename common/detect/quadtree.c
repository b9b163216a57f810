/* A quadtree in preorder over Morton-sorted points. */
#include "detect/quadtree.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 26, BUCKET = 8 };

typedef struct keyed {
    uint64_t code;
    uint32_t index;
} keyed;

bool quadtree_create(quadtree *t, size_t capacity, error *e)
{
    *t = (quadtree){.capacity = capacity};
    t->nodes = memory_allocate(2 * capacity + 1, sizeof *t->nodes, e);
    t->codes = memory_allocate(capacity, sizeof *t->codes, e);
    t->order = memory_allocate(capacity, sizeof *t->order, e);
    t->x = memory_allocate(capacity, sizeof *t->x, e);
    t->y = memory_allocate(capacity, sizeof *t->y, e);
    t->scratch = memory_allocate(capacity, sizeof(keyed), e);
    if (t->nodes && t->codes && t->order && t->x && t->y && t->scratch) return true;
    quadtree_free(t);
    return false;
}

void quadtree_free(quadtree *t)
{
    free(t->nodes);
    free(t->codes);
    free(t->order);
    free(t->x);
    free(t->y);
    free(t->scratch);
    *t = (quadtree){0};
}

/* Puts a zero bit before each of the low 26 bits. */
static uint64_t spread(uint64_t v)
{
    v = (v | v << 16) & 0x0000ffff0000ffffu;
    v = (v | v << 8) & 0x00ff00ff00ff00ffu;
    v = (v | v << 4) & 0x0f0f0f0f0f0f0f0fu;
    v = (v | v << 2) & 0x3333333333333333u;
    return (v | v << 1) & 0x5555555555555555u;
}

static int compare_keyed(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->code != y->code) return x->code < y->code ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void sort_points(quadtree *t, const double *positions, size_t count)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 2; c++) {
            low[c] = fmin(low[c], positions[2 * i + c]);
            high[c] = fmax(high[c], positions[2 * i + c]);
        }
    double side = fmax(high[0] - low[0], high[1] - low[1]), most = (1 << LEVELS) - 1;
    double scale = side > 0 ? most / side : 0;
    keyed *keys = t->scratch;
    for (size_t i = 0; i < count; i++) {
        uint64_t x = (uint64_t)((positions[2 * i] - low[0]) * scale);
        uint64_t y = (uint64_t)((positions[2 * i + 1] - low[1]) * scale);
        keys[i] = (keyed){spread(x) | spread(y) << 1, (uint32_t)i};
    }
    qsort(keys, count, sizeof *keys, compare_keyed);
    for (size_t i = 0; i < count; i++) {
        t->codes[i] = keys[i].code;
        t->order[i] = keys[i].index;
        t->x[i] = positions[2 * keys[i].index];
        t->y[i] = positions[2 * keys[i].index + 1];
    }
}

static void summarise(quadtree *t, quadtree_node *node)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY}, sum[2] = {0};
    for (uint32_t i = node->first; i < node->first + node->count; i++) {
        sum[0] += t->x[i];
        sum[1] += t->y[i];
        low[0] = t->x[i] < low[0] ? t->x[i] : low[0];
        high[0] = t->x[i] > high[0] ? t->x[i] : high[0];
        low[1] = t->y[i] < low[1] ? t->y[i] : low[1];
        high[1] = t->y[i] > high[1] ? t->y[i] : high[1];
    }
    double extent = fmax(high[0] - low[0], high[1] - low[1]);
    node->x = sum[0] / node->count;
    node->y = sum[1] / node->count;
    node->square_extent = extent * extent;
}

static unsigned quadrant(uint64_t code, int level)
{
    return (unsigned)(code >> (2 * (LEVELS - 1 - level))) & 3;
}

/* The first place from `first` on, before `end`, of a quadrant above `q`; codes are ascending. */
static uint32_t quadrant_end(const quadtree *t, uint32_t first, uint32_t end, int level, unsigned q)
{
    while (first < end) {
        uint32_t middle = first + (end - first) / 2;
        if (quadrant(t->codes[middle], level) <= q)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static void build_node(quadtree *t, uint32_t first, uint32_t end, int level)
{
    quadtree_node *node = &t->nodes[t->node_count++];
    /* Levels at which all points are in one quadrant get no node of their own. */
    while (level < LEVELS && quadrant(t->codes[first], level) == quadrant(t->codes[end - 1], level))
        level++;
    *node = (quadtree_node){.first = first, .count = end - first};
    node->leaf = node->count <= BUCKET || level == LEVELS;
    summarise(t, node);
    for (unsigned q = 0; !node->leaf && q < 4; q++) {
        uint32_t next = quadrant_end(t, first, end, level, q);
        if (next > first) build_node(t, first, next, level + 1);
        first = next;
    }
    node->skip = (uint32_t)t->node_count;
}

void quadtree_build(quadtree *t, const double *positions, size_t count)
{
    t->count = count;
    t->node_count = 0;
    sort_points(t, positions, count);
    if (count) build_node(t, 0, (uint32_t)count, 0);
}

double quadtree_repulsion(const quadtree *t, size_t i, double angle, double force[2])
{
    double x = t->x[i], y = t->y[i], total = 0, fx = 0, fy = 0, limit = angle * angle;
    for (uint32_t n = 0; n < t->node_count;) {
        const quadtree_node *node = &t->nodes[n];
        double dx = x - node->x, dy = y - node->y, square = dx * dx + dy * dy;
        if (node->square_extent < limit * square) {
            double q = 1 / (1 + square), mass = node->count * q;
            total += mass;
            fx += mass * q * dx;
            fy += mass * q * dy;
            n = node->skip;
            continue;
        }
        n++;
        if (!node->leaf) continue;
        for (uint32_t j = node->first; j < node->first + node->count; j++) {
            double ox = x - t->x[j], oy = y - t->y[j], q = 1 / (1 + ox * ox + oy * oy);
            total += q;
            fx += q * q * ox;
            fy += q * q * oy;
        }
    }
    force[0] = fx;
    force[1] = fy;
    return total - 1; /* the point itself was counted with q = 1 */
}
