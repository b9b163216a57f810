/* A contact sheet: one row a face, one column a variant, regions outlined. */
#ifndef BLADES_FACE_SHEET_H
#define BLADES_FACE_SHEET_H

#include "face/variant.h"

/* Cells of size x size with gaps between them; rows are added one by one. */
typedef struct sheet {
    int size, columns, rows;
    int capacity; /* rows that fit `pixels` */
    uint8_t *pixels;
} sheet;

enum { SHEET_GAP = 4 };

/* Draws what a variant changed onto its image: the region's box of a flip (mouth red, eye green,
   nose blue), a frame and the cells of a warp's grid in yellow; on the photographic variant the
   boxes of all regions the face has. */
void sheet_outline(image *cell, const variant *v, const region regions[REGION_COUNT]);

/* Adds a row of `columns` cells of size x size; those without pixels stay grey. */
bool sheet_row_add(sheet *s, const image *cells, error *e);
/* Draws such cells into the last row, over what is there. */
void sheet_row_fill(sheet *s, const image *cells);

/* Writes the sheet as a PNG that appears complete or not at all. */
bool sheet_write(const sheet *s, const char *path, error *e);
void sheet_free(sheet *s);

#endif
