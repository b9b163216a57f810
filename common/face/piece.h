/* Cutting the work on a photo into pieces of bounded output. */
#ifndef BLADES_FACE_PIECE_H
#define BLADES_FACE_PIECE_H

#include <stdbool.h>
#include <stdint.h>

/* All variants of some faces, or some variants of one. */
typedef struct face_piece {
    int face, faces; /* the first, and how many */
    int64_t variant, variants;
} face_piece;

/* What is left to be handed out. Start from {.faces, .variants, .most}. */
typedef struct face_pieces {
    int faces;        /* of the photo, 0 or more */
    int64_t variants; /* of each face */
    int64_t most;     /* variants of a piece, 1 or more */
    int face;         /* where the next piece begins */
    int64_t variant;
} face_pieces;

/* The next piece, in the order of faces and variants; of a photo without faces it has none. */
face_piece face_pieces_next(face_pieces *p);
/* Were all handed out? */
bool face_pieces_done(const face_pieces *p);

#endif
