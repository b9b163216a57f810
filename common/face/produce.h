/* From one `photo` record to the `face` records of its faces' variants. */
#ifndef BLADES_FACE_PRODUCE_H
#define BLADES_FACE_PRODUCE_H

#include "face/piece.h"
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

/* A photo whose faces are to be produced; the pieces share it. */
typedef struct produce_photo {
    const stream_record *in;
    int64_t number; /* of its own among all photos, from 1 on */
} produce_photo;

/* The pieces of a photo: of at most PIECE_BYTES of records and trace, or one variant. A record
   whose `faces` cannot be read has one. */
enum { PIECE_BYTES = 16 << 20 };
face_pieces produce_pieces(const produce_options *options, const stream_record *in);

/* What one piece gave. Start from zeros; produced_free. */
typedef struct produced {
    stream_chunk records;
    char *trace; /* lines; NULL: none */
    size_t trace_length;
    image *cells; /* rows of sheet_columns outlined images of the working size */
    int sheet_rows;
    int64_t faces, variants, no_landmarks;
    /* faces, or draws of `sampled`, that could not have a manipulation */
    int64_t left_out[MANIPULATION_COUNT][LACK_COUNT];
    bool no_faces;
    bool photo_failed; /* an error record says so, and nothing else is to come of the photo */
    bool face_failed;  /* the last face: nothing else is to come of it */
    double decode_seconds, seconds;
} produced;

/* What one thread needs for its work; used for one piece after the other. Pieces of one photo that
   come in a row share its decoding. */
typedef struct producer producer;
producer *producer_make(const produce_options *options, error *e);
void producer_free(producer *w);

/* Fills `out`, which is all zeros or was cleared. Faces and photos that cannot be processed become
   error records, in each of their pieces. At most `sheet_rows` faces leave cells for the sheet; a
   piece that does not begin with a face's first variant goes on with that face's row. */
void piece_produce(producer *w, const produce_photo *of, face_piece piece, int64_t sheet_rows,
                   produced *out);
/* Forgets everything; produced_clear keeps the memory of the records. */
void produced_clear(const produce_options *options, produced *p);
void produced_free(const produce_options *options, produced *p);

#endif
