/* Laying the cells of a contact sheet out and outlining regions. */
#include "face/sheet.h"

#include "cli/memory.h"
#include "cli/output.h"
#include "image/png_encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GREY 0x60

typedef struct colour {
    uint8_t red, green, blue;
} colour;

static const colour region_colours[REGION_COUNT] = {{255, 48, 48}, {48, 255, 48}, {64, 128, 255}};
static const colour warp_colour = {255, 224, 32};

static void dot(image *i, int x, int y, colour c)
{
    if (x < 0 || y < 0 || x >= i->width || y >= i->height) return;
    memcpy(i->pixels + 3 * ((size_t)y * (size_t)i->width + (size_t)x), &c, 3);
}

static void outline(image *i, rectangle r, colour c)
{
    for (int x = r.left; x < r.right; x++) {
        dot(i, x, r.top, c);
        dot(i, x, r.bottom - 1, c);
    }
    for (int y = r.top; y < r.bottom; y++) {
        dot(i, r.left, y, c);
        dot(i, r.right - 1, y, c);
    }
}

static void grid_outline(image *i, int rows, int columns)
{
    for (int row = 0; row < rows - 1; row++) {
        for (int column = 0; column < columns - 1; column++) {
            rectangle cell = {i->width * column / (columns - 1), i->height * row / (rows - 1),
                              i->width * (column + 1) / (columns - 1),
                              i->height * (row + 1) / (rows - 1)};
            outline(i, cell, warp_colour);
        }
    }
}

void sheet_outline(image *cell, const variant *v, const region regions[REGION_COUNT])
{
    if (v->what == WARP) {
        grid_outline(cell, v->affine ? 2 : v->grid.rows, v->affine ? 2 : v->grid.columns);
        return;
    }
    face_region which[REGION_COUNT] = {REGION_MOUTH, REGION_EYE, REGION_NOSE};
    int count = v->what == PHOTOGRAPHIC ? REGION_COUNT : manipulation_regions(v->what, which);
    for (int i = 0; i < count; i++) {
        if (regions[which[i]].known) {
            outline(cell, regions[which[i]].box, region_colours[which[i]]);
        }
    }
}

static size_t sheet_width(const sheet *s)
{
    return (size_t)s->columns * (size_t)(s->size + SHEET_GAP) + SHEET_GAP;
}

static size_t sheet_height(const sheet *s, int rows)
{
    return (size_t)rows * (size_t)(s->size + SHEET_GAP) + SHEET_GAP;
}

bool sheet_row_add(sheet *s, const image *cells, error *e)
{
    size_t width = 3 * sheet_width(s);
    if (s->rows == s->capacity) {
        int capacity = s->capacity * 2 + 1;
        uint8_t *pixels = memory_resize(s->pixels, sheet_height(s, capacity), width, e);
        if (pixels == NULL) return false;
        size_t before = s->capacity == 0 ? 0 : sheet_height(s, s->capacity) * width;
        memset(pixels + before, GREY, sheet_height(s, capacity) * width - before);
        s->pixels = pixels;
        s->capacity = capacity;
    }
    s->rows++;
    sheet_row_fill(s, cells);
    return true;
}

void sheet_row_fill(sheet *s, const image *cells)
{
    size_t width = 3 * sheet_width(s);
    for (int column = 0; column < s->columns; column++) {
        const image *cell = &cells[column];
        size_t left = (size_t)column * (size_t)(s->size + SHEET_GAP) + SHEET_GAP;
        size_t top = sheet_height(s, s->rows - 1);
        for (int y = 0; cell->pixels != NULL && y < s->size; y++) {
            memcpy(s->pixels + (top + (size_t)y) * width + 3 * left,
                   cell->pixels + (size_t)y * (size_t)s->size * 3, (size_t)s->size * 3);
        }
    }
}

static bool bytes_write(const char *path, const void *bytes, size_t size, error *e)
{
    output out;
    if (!output_open(&out, path, true, e)) return false;
    if (fwrite(bytes, 1, size, out.file) != size) error_set(e, STATUS_IO, "%s: ", path);
    return output_commit(&out, e);
}

bool sheet_write(const sheet *s, const char *path, error *e)
{
    uint8_t none[3] = {GREY, GREY, GREY};
    image whole = {1, 1, none};
    if (s->rows > 0) {
        whole = (image){(int)sheet_width(s), (int)sheet_height(s, s->rows), s->pixels};
    }
    unsigned char *bytes;
    size_t size;
    if (!png_encode(&whole, &bytes, &size, e)) return error_context(e, "%s", path);
    bool done = bytes_write(path, bytes, size, e);
    free(bytes);
    return done;
}

void sheet_free(sheet *s)
{
    free(s->pixels);
    *s = (sheet){0};
}
