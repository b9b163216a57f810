/* A face of a photo: its box and landmarks as `photo` records hold them. */
#ifndef BLADES_FACE_FACE_H
#define BLADES_FACE_FACE_H

#include "face/geometry.h"
#include "face/photo.h"
#include "stream/record.h"

/* In pixels of the stored image, continuous: 0 is its left or upper edge, width or height the
 * other. */
typedef struct face {
    double box[4];
    int points; /* 68, 7, 5; 0: no landmarks */
    double landmarks[2 * LANDMARKS_MOST];
} face;

/* How many faces a `photo` record has (0: none), at most FACES_MOST. -1: `faces` is no array or
 * longer. */
enum { FACES_MOST = 10000 };
int face_count(const msgpack_object *record);
/* The same, with STATUS_DATA and the reason in place of -1. */
bool face_count_get(const msgpack_object *record, int *count, error *e);

/* The id of a photo's face, "<photo's id>#<index>"; caller frees. NULL when out of memory. */
char *face_id(const char *photo_id, int index);

/* Reads face `index`. A box is needed, or landmarks to derive one from. STATUS_DATA for a missing,
   empty or non-finite box, or landmarks that are not finite or do not fit their scheme. */
bool face_get(const msgpack_object *record, int index, face *f, error *e);

/* Adds the keys box, landmarks and scheme to the map being built. */
void face_put(stream_chunk *k, const face *f);

/* The face's landmarks in the coordinates of its crop resized to `size`, upright:
   (x - left) size / (right - left). */
void face_landmarks_place(const face *f, const photo *p, const crop *where, int size,
                          double placed[2 * LANDMARKS_MOST]);

#endif
