/* From one `photo` record to the `face` records of all its faces' variants. */
#ifndef BLADES_FACE_PRODUCE_H
#define BLADES_FACE_PRODUCE_H

#include "face/trace.h"

typedef struct produce_options {
    const cli *c;
    variant_options variant;
    crop_options crop; /* to the working size */
    int size;          /* of the faces written, at most the working size */
    bool sampled;      /* draws, instead of all variants */
    int64_t draws;     /* a face: of `sampled`, or of each manipulation */
    int64_t per_face;  /* draws an epoch */
    bool masks;        /* records of flips hold their mask */
    bool png;          /* coding */
    bool trace;
    int sheet_columns; /* 0: no sheet */
    image_limits limits;
} produce_options;

/* What one photo gave. Start from zeros; produced_free. */
typedef struct produced {
    stream_chunk records;
    char *trace; /* lines; NULL: none */
    size_t trace_length;
    image *cells; /* rows of sheet_columns outlined images of the working size */
    int sheet_rows;
    int64_t faces, variants, no_landmarks, left_out[MANIPULATION_COUNT];
    bool no_faces;
    double decode_seconds, seconds;
} produced;

/* What one thread needs for its work; used for one photo after the other. */
typedef struct producer producer;
producer *producer_make(const produce_options *options, error *e);
void producer_free(producer *w);

/* Fills `out`, which is all zeros or was cleared. Faces and photos that cannot be processed become
   error records. */
void photo_produce(producer *w, const stream_record *in, produced *out);
/* Forgets everything; produced_clear keeps the memory of the records. */
void produced_clear(const produce_options *options, produced *p);
void produced_free(const produce_options *options, produced *p);

#endif
