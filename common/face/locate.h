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

/* One face being put together from several files. */
typedef struct located_face {
    face face;
    bool has_box;
    json_t *extra; /* other keys; NULL: none */
} located_face;

/* The faces of one photo being put together. Start from `located_faces l = {0}`. */
typedef struct located_faces {
    located_face *face;
    size_t count;
    bool outside; /* landmarks went, in order, to boxes that do not hold their centre */
} located_faces;

/* Adds what one entry says to the faces so far. The first entry that has faces gives them; later
   ones give boxes to faces without, landmarks to faces that have fewer points, and keys that they
   lack: to the face whose box holds the landmarks' centre, the nearest of several. When there are
   as many, in order if these boxes hold theirs, or if those are not one each. Coordinates become
   those of the stored image. STATUS_DATA when the photo's size is needed and unknown, or is not
   what the entry says. */
bool faces_merge(const annotations *a, const annotation *entry, const photo_frame *frame,
                 const locate_options *options, located_faces *to, error *e);

/* Gives faces without a box the one that their landmarks leave. STATUS_DATA when they leave none.
 */
bool faces_box(located_faces *l, error *e);
void faces_free(located_faces *l);

/* Adds the keys of `from` (may be NULL) that `*to` lacks. Start from NULL; caller json_decrefs. */
bool extra_merge(json_t **to, json_t *from, error *e);

#endif
