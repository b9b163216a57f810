/* What was chosen for a variant, as one line of JSON (face-manipulate(1) describes the keys). */
#ifndef BLADES_FACE_TRACE_H
#define BLADES_FACE_TRACE_H

#include "face/face.h"
#include "face/variant.h"

/* What all variants of a face have in common. */
typedef struct trace_face {
    const char *id, *photo; /* of the face, of its photo */
    const char *path;
    int orientation, denominator; /* of the decoding */
    double box[4];                /* upright */
    crop where;
    int working_size, size;
    resampling how;
    int points;
    const double *landmarks; /* in the working image; points * 2 */
} trace_face;

/* The line, newline included, NUL-terminated; the caller frees. NULL: out of memory. */
char *trace_line(const trace_face *f, const char *variant_id, const variant *v);

#endif
