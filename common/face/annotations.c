/* Annotations in memory: entries and faces added, freed. */
#include "cli/memory.h"
#include "face/annotation_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const annotation_format_names[] = {"auto", "lines", "fdf", "coco", "celeba",
                                               "dlib", "pts",   "npy", NULL};

annotation *annotations_add(annotations *a, const char *name, size_t length, error *e)
{
    if (length == 0 || memchr(name, '\0', length) != NULL) {
        error_set(e, STATUS_DATA, "an entry has an empty name");
        return NULL;
    }
    annotation *entries = array_grow(a->entry, a->count + 1, &a->capacity, sizeof *entries, e);
    if (entries == NULL) return NULL;
    a->entry = entries;
    annotation *entry = &entries[a->count];
    *entry = (annotation){.first = a->face_count};
    entry->name = memory_allocate(length + 1, 1, e);
    if (entry->name == NULL) return NULL;
    memcpy(entry->name, name, length);
    entry->name[length] = '\0';
    a->count++;
    return entry;
}

static bool all_finite(const double *numbers, int count)
{
    for (int i = 0; i < count; i++) {
        if (!isfinite(numbers[i])) return false;
    }
    return true;
}

static bool box_check(const double *box, error *e)
{
    if (!(box[2] < box[0] || box[3] < box[1])) return true;
    return error_set(e, STATUS_DATA,
                     "box %g,%g,%g,%g is turned round; it must be x0, y0, x1, y1, width and height "
                     "not negative",
                     box[0], box[1], box[2], box[3]);
}

static bool box_usable(const double *box)
{
    return all_finite(box, 4) && box[0] < box[2] && box[1] < box[3];
}

bool annotations_add_face(annotations *a, const double *box, const double *landmarks, int points,
                          error *e)
{
    if (points != 0 && !landmark_scheme_known(points)) {
        return error_set(e, STATUS_DATA, "a face has %d landmarks; known are 68, 7 and 5", points);
    }
    if (box != NULL && !box_check(box, e)) return false;
    if (landmarks == NULL || !all_finite(landmarks, 2 * points)) points = 0;
    double unused[4];
    if (points != 0 && !landmark_box(landmarks, points, unused)) points = 0;
    if (box != NULL && !box_usable(box)) box = NULL;
    if (box == NULL && points == 0) return true;
    size_t numbers = 2 * (size_t)points;
    if (a->entry[a->count - 1].count == FACES_MOST) {
        return error_set(e, STATUS_DATA, "a photo has more than %d faces", FACES_MOST);
    }
    annotated_face *faces =
        array_grow(a->face, a->face_count + 1, &a->face_capacity, sizeof *faces, e);
    if (faces == NULL) return false;
    a->face = faces;
    double *coordinates = array_grow(a->coordinate, a->coordinate_count + numbers,
                                     &a->coordinate_capacity, sizeof *coordinates, e);
    if (coordinates == NULL && numbers > 0) return false;
    a->coordinate = coordinates;
    annotated_face *f = &a->face[a->face_count++];
    *f = (annotated_face){.has_box = box != NULL, .points = points, .first = a->coordinate_count};
    if (box != NULL) memcpy(f->box, box, sizeof f->box);
    if (numbers > 0)
        memcpy(a->coordinate + a->coordinate_count, landmarks, numbers * sizeof(double));
    a->coordinate_count += numbers;
    a->entry[a->count - 1].count++;
    return true;
}

void annotations_free(annotations *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < a->count; i++) {
        free(a->entry[i].name);
        json_decref(a->entry[i].extra);
    }
    for (size_t i = 0; i < a->face_count; i++) json_decref(a->face[i].extra);
    free(a->entry);
    free(a->face);
    free(a->coordinate);
    free(a->ordered);
    free(a);
}
