/* Faces as a model wants them, from whatever a user names: image files, folders, photo and face
 * streams. */
#ifndef BLADES_FACE_FACE_SOURCE_H
#define BLADES_FACE_FACE_SOURCE_H

#include "face/preprocessing.h"
#include "stream/reader.h"

/* One face, or the reason why there is none. */
typedef struct input_face {
    char *id;
    char *reason; /* NULL: pixels are there */
    int status;   /* of the reason, an exit status; 0: pixels are there */
    image crop;   /* as the encoder takes it */
} input_face;

typedef struct shared_record shared_record;

/* Faces of one input: an image file, a photo or face record, or an error record to pass on. The
   faces of a photo record come in pieces of bounded size, one item after the other. A photo record
   whose `faces` cannot be read counts as a face, with the photo's id. */
typedef struct input_item {
    const char *path;            /* an image file; NULL: a record */
    const stream_record *record; /* NULL: an image file */
    input_face *faces;
    size_t count;
    /* face_source's own */
    shared_record *shared;
    int first, planned; /* faces of the photo */
} input_item;

typedef struct face_source face_source;

/* Reads c->inputs. Folders stand for the images in them; a file that begins like a stream is read
   as one, as is "-". In place of a crop, image files have the central square of `central` (0..1]
   times the shorter side, and face records their pixels. `how` must outlive the source. NULL on
   error. */
face_source *face_source_open(const cli *c, const preprocessing *how, double central, error *e);
/* The header of the first stream among the inputs, NULL when the first input is an image file. */
const msgpack_object *face_source_header(const face_source *f);
/* The number of inputs when all are called as images are, else 0: there may be streams. */
int64_t face_source_total(const face_source *f);
/* The share of the inputs that was read, 0 to 1; 0 where a stream is no regular file: for progress.
 */
double face_source_share(const face_source *f);

/* The next input, not decoded yet: 1, 0 at the end, -1 on error. */
int face_source_next(face_source *f, input_item **item, error *e);
/* Decodes and crops an item's faces; may run on any thread. What goes wrong stands in the faces. */
void face_source_prepare(const face_source *f, input_item *item);
/* Items may be freed in any order, but only on the thread that calls face_source_next. */
void input_item_free(input_item *item);
void face_source_close(face_source *f); /* NULL is fine */

#endif
