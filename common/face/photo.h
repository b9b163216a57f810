/* A photo's file, from which face crops are taken: read once, decoded when and as small as needed.
 */
#ifndef BLADES_FACE_PHOTO_H
#define BLADES_FACE_PHOTO_H

#include "face/crop.h"
#include "image/decode.h"

typedef struct photo {
    file_bytes file;
    image_info info;       /* as stored */
    int width, height;     /* upright */
    image decoded;         /* the latest decoding; empty before the first */
    image_window window;   /* what it holds of the photo reduced by `denominator` */
    int denominator;       /* of that decoding */
    int decodings;         /* so far */
    double decode_seconds; /* spent decoding so far */
} photo;

/* Reads and probes a file. Start from `photo p = {0}`; photo_close in any case. The error's text
   has no file name. May be called again for the next photo, whose memory is then that of the last
   as far as it suffices and is not unusually much. */
bool photo_open(photo *p, const char *path, image_limits limits, error *e);
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
