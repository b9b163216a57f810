/* How annotations are built: entries and faces added, the readers of the formats, the order. */
#ifndef BLADES_FACE_ANNOTATION_INTERNAL_H
#define BLADES_FACE_ANNOTATION_INTERNAL_H

#include "face/annotations.h"

/* Adds an entry (a copy of `length` bytes of `name`), to which the faces added next belong. */
annotation *annotations_add(annotations *a, const char *name, size_t length, error *e);
/* Adds a face to the latest entry. An empty box, coincident landmarks, or non-finite numbers mean
   "not annotated" and count as NULL; a face with neither box nor landmarks is skipped. */
bool annotations_add_face(annotations *a, const double *box, const double *landmarks, int points,
                          error *e);
/* Orders the entries for annotations_find, once all are there. */
bool annotations_sort(annotations *a, error *e);

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

#endif
