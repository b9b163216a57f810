/* A photo's file, from which face crops are taken: read once, decoded when and as small as needed.
 */
#ifndef BLADES_FACE_PHOTO_H
#define BLADES_FACE_PHOTO_H

#include "face/crop.h"
#include "image/decode.h"
#include "stream/record.h"

/* One decoding of the photo, reduced by 1, 2, 4 or 8. */
typedef struct photo_decoding {
    image pixels;
    image_window window; /* the region `pixels` covers */
    image_window asked;  /* the part of it guaranteed equal to a full decode; empty: not decoded */
} photo_decoding;

enum { PHOTO_REDUCTIONS = 4 }; /* by 1, 2, 4, 8 */

typedef struct photo {
    char *path;
    file_bytes file;
    image_info info;   /* as stored */
    int orientation;   /* EXIF, 1..8 */
    int width, height; /* upright */
    bool whole; /* several crops will be taken: decode all of it, once for each denominator */
    photo_decoding decoded[PHOTO_REDUCTIONS];
    error failed;          /* why it cannot be decoded, once that is known */
    int denominator;       /* of the latest crop */
    double decode_seconds; /* spent decoding so far */
} photo;

/* Reads and probes a file; the orientation is the one that exif-extract finds, 1 when there is
   none. Start from `photo p = {0}`; photo_close in any case. The error's text has no file name. May
   be called again for the next photo, whose memory is then that of the last as far as it suffices
   and is not unusually much. */
bool photo_open(photo *p, const char *path, image_limits limits, error *e);
/* The same for a `photo` record: its `path`, or its id where it has none. The orientation is the
   record's where it has one, as its boxes were placed by it. STATUS_DATA also when the file has not
   the record's width and height, and when the record has no id that is a text, which its faces'
   would derive from. The error's text begins with the path, if there is one. */
bool photo_open_record(photo *p, const stream_record *in, image_limits limits, error *e);
void photo_close(photo *p);

/* A box of the stored image, as `photo` records hold it, in the upright image. */
void photo_box_upright(const photo *p, const double stored[4], double upright[4]);

/* The crop of an upright box, upright, options.size squared; the crop's place goes to *where (may
   be NULL). With RESAMPLE_ANTIALIAS a JPEG is decoded reduced by the largest of 8, 4, 2 that leaves
   both sides of the crop at least twice options.size long; the reduction depends on this crop
   alone. */
bool photo_crop(photo *p, const double upright[4], crop_options options, image *out, crop *where,
                error *e);

#endif
