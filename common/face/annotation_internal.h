/* How annotations are built: entries and faces added, the readers of the formats, the order. */
#ifndef BLADES_FACE_ANNOTATION_INTERNAL_H
#define BLADES_FACE_ANNOTATION_INTERNAL_H

#include "face/annotations.h"

/* Adds an entry (a copy of `length` bytes of `name`), to which the faces added next belong. */
annotation *annotations_add(annotations *a, const char *name, size_t length, error *e);
/* Adds a face to the latest entry. An empty box, coincident landmarks, or non-finite numbers mean
   "not annotated" and count as NULL; a face with neither box nor landmarks is skipped. STATUS_DATA
   for a box whose second corner is left of or above its first. */
bool annotations_add_face(annotations *a, const double *box, const double *landmarks, int points,
                          error *e);
/* Orders the entries for annotations_find, once all are there. */
bool annotations_sort(annotations *a, error *e);
/* Makes one entry of entries called alike, with the faces of all of them in the order of the file,
   and keys that the first lacks. Not of names without suffix. STATUS_DATA when their labels, sizes
   or uprightness differ. Once they are ordered; orders them again. */
bool annotations_join(annotations *a, error *e);

/* Adds what a file holds. `name` is the file's without its suffix: formats that name no photo (PTS,
   NPY: one face, or one array of faces) are of the photo called so. */
typedef bool annotation_reader(annotations *a, const char *name, const char *bytes, size_t size,
                               error *e);
annotation_reader annotations_read_lines, annotations_read_fdf, annotations_read_coco,
    annotations_read_celeba, annotations_read_dlib, annotations_read_pts, annotations_read_npy;

/* Numbers of a JSON array, flat or in arrays of `group`, of which the first two count: at most
   `most`; null is NaN. -1 when it is not such an array, or longer. */
int json_numbers(const json_t *array, size_t group, double *to, int most);

#endif
