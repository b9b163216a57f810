/* Flipping a region of a face under a soft mask (face-manipulate(1), "Flips"). */
#ifndef BLADES_FACE_MANIPULATE_H
#define BLADES_FACE_MANIPULATE_H

#include "face/geometry.h"
#include "image/image.h"

typedef enum flip { FLIP_ROTATE, FLIP_VERTICAL, FLIP_HORIZONTAL } flip;
extern const char *const flip_names[]; /* "rotate", "vertical", "horizontal", NULL */

/* The constants of the soft mask and patch. The method gives them for faces of 224 x 224; for
   another size lengths are multiplied by size / 224, margins rounded, and numbers of weights 2 n +
   1 with n rounded. */
typedef struct mask_constants {
    int margin;      /* by which the patch is larger than the region */
    int first_count; /* of weights of the first blur, and its sigma */
    double first_sigma, fallback_sigma;
    int ellipse;      /* diameter of the erosion's ellipse */
    int second_count; /* of weights of the second blur */
    double second_sigma;
} mask_constants;

mask_constants mask_constants_for(face_region which, int size);

/* A soft mask: its values (row by row) in a rectangle outside which it is 0. Start from zeros;
   soft_mask_free. */
typedef struct soft_mask {
    rectangle where;
    float *values;
    size_t capacity; /* values there is room for */
} soft_mask;

/* Can a rectangle in size x size have a soft mask? Not when it is so small that its blur, by the
   fallback sigma too, is below 1/2 everywhere. False on error. */
bool soft_mask_possible(rectangle r, int size, const mask_constants *constants, bool *possible,
                        error *e);

/* Makes the soft mask (0..1, largest value 1) of a rectangle in size x size: 1 in the rectangle; 1
   where its Gaussian blur is at least 1/2, else 0 (blurred by the fallback sigma if that is
   nowhere); eroded by an ellipse unless that leaves nothing; blurred again; divided by its maximum.
   STATUS_DATA when it cannot have one.
   Borders: reflected without the edge for blurs, never eroding for the erosion. Memory that the
   mask held is used again. */
bool soft_mask_make(soft_mask *mask, rectangle r, int size, const mask_constants *constants,
                    error *e);
void soft_mask_free(soft_mask *mask);

/* out = ratio M flipped + (1 - ratio M) face, rounded half up, where `flipped` is the face with the
   patch flipped in place. `face` is an allocated image (IMAGE_PADDING), `out` another of its size.
 */
void face_flip(const image *face, rectangle patch, flip how, const soft_mask *mask, double ratio,
               image *out);

#endif
