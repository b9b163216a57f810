/* Giving a photo the faces that annotation files hold for it. */
#ifndef BLADES_FACE_LOCATE_H
#define BLADES_FACE_LOCATE_H

#include "face/annotations.h"

/* What a photo's record says that coordinates need. */
typedef struct photo_frame {
    bool known; /* width and height are there */
    double width, height;
    int orientation;
} photo_frame;

photo_frame photo_frame_get(const msgpack_object *record);

typedef struct locate_options {
    bool upright;      /* coordinates are of upright photos where an entry does not say itself */
    double resized_to; /* coordinates of .npy and .pts files are for photos resized to this square;
                          0: not */
} locate_options;

/* One face being put together from several files; `extra` is borrowed from the first. */
typedef struct located_face {
    face face;
    bool has_box;
    const json_t *extra;
} located_face;

/* Adds what one entry says to the `*count` faces so far (room for FACES_MOST; caller frees *faces).
   The first entry that has faces gives them; later ones give boxes to faces without, and landmarks
   to faces that have fewer points: face by face when there are as many, else to the face whose box
   holds the landmarks' centre. Coordinates become those of the stored image. STATUS_DATA when the
   photo's size is needed and unknown. */
bool faces_merge(const annotations *a, const annotation *entry, const photo_frame *frame,
                 const locate_options *options, located_face **faces, size_t *count, error *e);

/* Adds a JSON value under a key to the map being built. */
void put_json(stream_chunk *k, const char *key, const json_t *value);

#endif
