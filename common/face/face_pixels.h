/* The pixels of `face` records. */
#ifndef BLADES_FACE_FACE_PIXELS_H
#define BLADES_FACE_FACE_PIXELS_H

#include "image/image.h"
#include "stream/record.h"

enum { FACE_SIDE_MOST = 1 << 14 };
typedef struct face_pixels {
    int width, height;
    bool png;          /* coded; else RGB8 row by row */
    const void *bytes; /* in the record */
    size_t size;
} face_pixels;

/* Finds them without decoding. STATUS_DATA when there are none, or not as many as width and height
   need, or width and height are not 1..FACE_SIDE_MOST. */
bool face_pixels_get(const msgpack_object *record, face_pixels *p, error *e);

/* The same as an image: `view` is `*decoded`, which the caller frees, when they are coded; else it
   points into the record and is not to be freed, nor read past its end (IMAGE_PADDING). STATUS_DATA
   also when the coded image is of another size than the record says. */
bool face_record_image(const msgpack_object *record, image *view, image *decoded, error *e);

#endif
