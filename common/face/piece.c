/* Cutting the work on a photo into pieces. */
#include "face/piece.h"

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

face_piece face_pieces_next(face_pieces *p)
{
    int64_t left = p->faces - p->face;
    face_piece piece = {.face = p->face, .variant = p->variant};
    if (p->variants <= p->most) {
        piece.faces = (int)smaller(p->most / p->variants, left);
        piece.variants = p->variants;
    } else {
        piece.faces = (int)smaller(1, left);
        piece.variants = smaller(p->most, p->variants - p->variant);
    }
    p->variant += piece.variants;
    if (p->variant >= p->variants) {
        p->variant = 0;
        p->face += piece.faces;
    }
    return piece;
}

bool face_pieces_done(const face_pieces *p)
{
    return p->face >= p->faces;
}
