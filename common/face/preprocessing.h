/* How the face in a photo becomes an encoder's input (blades-model(5)): recorded by the batches
   that a model is trained on, then by the model, so that the same is done when embedding. */
#ifndef BLADES_FACE_PREPROCESSING_H
#define BLADES_FACE_PREPROCESSING_H

#include "face/photo.h"
#include "stream/record.h"

typedef struct resize_step {
    int side; /* pixels */
    resampling how;
} resize_step;

enum { RESIZE_STEPS_MOST = 4 };

typedef struct preprocessing {
    double scale; /* of the crop: times the box's longer side; 0: not known */
    /* The crop becomes these squares, one after the other: those at which faces are manipulated,
       stored and batched. */
    resize_step step[RESIZE_STEPS_MOST];
    int step_count;
    int size;              /* of the middle of the last square: the encoder's input; 0: not known */
    float mean[3], std[3]; /* of values from 0 to 1, for red, green, blue */
} preprocessing;

/* CLIP's normalisation, as designated initialisers. */
#define PREPROCESSING_CLIP                                                                         \
    .mean = {0.48145466f, 0.4578275f, 0.40821073f}, .std = {0.26862954f, 0.26130258f, 0.27577711f}

/* Adds a step, unless the square has that side already. Returns false if there are too many. */
bool preprocessing_add_step(preprocessing *p, int side, resampling how);
/* One step, to size x size, and all of it. */
void preprocessing_set_size(preprocessing *p, int size, resampling how);
/* STATUS_DATA with the reason when a number makes no sense. */
bool preprocessing_check(const preprocessing *p, error *e);

/* The map `preprocessing` of a batch or embedding header: size, scale, steps, mean, std. */
void preprocessing_put(stream_chunk *k, const preprocessing *p);
/* Reads that map of a header (NULL: none); what it does not hold stays. In place of `steps` there
   may be `resampling`, of the step to `size`, and `working_size`, of one before it, as face streams
   have them. STATUS_DATA when something makes no sense. */
bool preprocessing_get(preprocessing *p, const msgpack_object *map, error *e);

/* The map `preprocessing` of a stream's header, over CLIP's normalisation and nothing known. Errors
   as preprocessing_get's. */
bool preprocessing_of_header(preprocessing *p, const msgpack_object *header, error *e);
bool preprocessing_equal(const preprocessing *a, const preprocessing *b);

/* Offset of a window that is `play` pixels smaller than its image: share 0 puts it at the start,
   1/2 in the middle, 1 at the end. */
int window_begin(int play, double share);

/* The face of an upright box of the photo, size x size. */
bool preprocessing_crop(const preprocessing *p, photo *from, const double upright[4], image *out,
                        error *e);
/* The same of a square that has been cropped already: the steps that follow the one it is as large
   as; the last one alone when there is none. */
bool preprocessing_continue(const preprocessing *p, const image *face, image *out, error *e);

#endif
