/* Embedding streams in memory: the vectors as one matrix, and what is known of each face. */
#ifndef BLADES_DETECT_EMBEDDINGS_H
#define BLADES_DETECT_EMBEDDINGS_H

#include "detect/points.h"
#include "stream/reader.h"

typedef enum face_label {
    FACE_UNLABELLED,
    FACE_PHOTOGRAPHIC,
    FACE_GENERATED,
    FACE_OTHER /* a label that this project does not know: never taken for a photograph */
} face_label;
/* "unlabelled", "photographic", "generated", "other label", NULL */
extern const char *const face_label_names[];

/* The label of a record: its key `label`. */
face_label face_label_of(const msgpack_object *record);
/* Did our own face-manipulate change its pixels? By the key `manipulation`. */
bool face_is_manipulated(const msgpack_object *record);

/* Longer vectors are refused: products of float32 stay finite. embed's have the length 1. */
#define EMBEDDING_LENGTH_MAX 1e15

typedef struct embedding_info {
    char *id, *photo; /* photo: the photo's id, or the id when there is none */
    char *source;     /* "" when there is none */
    face_label label;
    bool manipulated; /* face_is_manipulated */
    void *rest;       /* the record without its vector, packed; NULL unless kept */
    size_t rest_size;
} embedding_info;

/* An error record of the input, to be passed on in its place. */
typedef struct embedding_error {
    size_t before; /* the face that it stands before: an index, or count */
    void *record;  /* packed */
    size_t size;
} embedding_error;

typedef struct embeddings {
    float *vectors; /* (count, dimension) */
    embedding_info *info;
    size_t count, capacity, dimension;
    embedding_error *failed;        /* (errors); NULL unless kept */
    size_t errors, failed_capacity; /* error records met */
    char *model;                    /* the header's `model`; NULL when it has none */
    object_copy header;             /* the first header */
} embeddings;

/* Reads streams of kind "embedding" one after the other; with `keep_records` also what the records
   hold beside the vectors, and the error records. STATUS_DATA when there are none, when a vector is
   missing, not finite, too long, or of another dimension than the first, and when segments name
   different models. */
bool embeddings_read(embeddings *s, const cli_strings *inputs, bool keep_records, error *e);
void embeddings_free(embeddings *s);

/* The vector of a record: `dimension` floats, or when it is 0, as many as there are, which it
   becomes. STATUS_DATA when it has none of that dimension, a value that is not finite, or a length
   above EMBEDDING_LENGTH_MAX. The vector is copied to `room` when that is not NULL (room for
   *dimension floats; needs it known). */
bool embedding_vector(const msgpack_object *record, size_t *dimension, float *room, error *e);

/* The rows that may stand for photographs: labelled photographic or not at all, and not
   manipulated. index (count) is the caller's; how many they are. */
size_t embeddings_photographs(const embeddings *s, uint32_t *index);

/* A view of all, or of the rows in `index`. */
points embeddings_points(const embeddings *s, const uint32_t *index, size_t count);

/* Divides the rows index[0..count) by photo: no photo is on both sides. The held-out part has the
   share `fraction` of the photos, at least one if there are two; which, is keyed by (seed, photo)
   alone. index is reordered: the fitting part first, each part in its old order. The number of rows
   in the fitting part. */
bool embeddings_split(const embeddings *s, uint32_t *index, size_t count, double fraction,
                      uint64_t seed, size_t *fitting, error *e);

#endif
