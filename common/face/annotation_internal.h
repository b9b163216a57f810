/* What the readers of annotation files share. */
#ifndef BLADES_FACE_ANNOTATION_INTERNAL_H
#define BLADES_FACE_ANNOTATION_INTERNAL_H

#include "face/annotations.h"

/* Adds an entry (a copy of `length` bytes of `name`), to which the faces added next belong. */
annotation *annotations_add(annotations *a, const char *name, size_t length, error *e);
/* Adds a face of the latest entry. Boxes of no size, landmarks all on one spot and numbers that are
   not finite mark what nobody measured: such a box and such landmarks are none, like NULL. Without
   both there is no face. STATUS_DATA for a box whose second corner is left of or above its first.
 */
bool annotations_add_face(annotations *a, const double *box, const double *landmarks, int points,
                          error *e);
/* Orders the entries for annotations_find, once all are there. */
bool annotations_sort(annotations *a, error *e);
/* Makes one entry of entries called alike, with the faces of all of them in the order of the file,
   and keys that the first lacks. Not of names without suffix. STATUS_DATA when their labels, sizes
   or uprightness differ. Once they are ordered; orders them again. */
bool annotations_join(annotations *a, error *e);

bool annotations_read_lines(annotations *a, const char *bytes, size_t size, error *e);
bool annotations_read_fdf(annotations *a, const char *bytes, size_t size, error *e);
bool annotations_read_coco(annotations *a, const char *bytes, size_t size, error *e);
bool annotations_read_celeba(annotations *a, const char *bytes, size_t size, error *e);
bool annotations_read_dlib(annotations *a, const char *bytes, size_t size, error *e);
/* One face, or one array of faces, of the photo that is called `name` without its suffix. */
bool annotations_read_pts(annotations *a, const char *name, const char *bytes, size_t size,
                          error *e);
bool annotations_read_npy(annotations *a, const char *name, const char *bytes, size_t size,
                          error *e);

/* Numbers of a JSON array, flat or in arrays of `group`, of which the first two count: at most
   `most`; null is NaN. -1 when it is no such array, or longer. */
int json_numbers(const json_t *array, size_t group, double *to, int most);

#endif
