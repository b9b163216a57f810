/* Faces of a photo from its annotations. */
#include "face/locate.h"

#include "cli/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

photo_frame photo_frame_get(const msgpack_object *record)
{
    int64_t width, height, orientation = 1;
    photo_frame f = {.orientation = 1};
    f.known = object_integer(record, "width", &width) &&
              object_integer(record, "height", &height) && width > 0 && height > 0;
    if (f.known) {
        f.width = (double)width;
        f.height = (double)height;
    }
    if (object_integer(record, "orientation", &orientation) && orientation >= 1 &&
        orientation <= 8) {
        f.orientation = (int)orientation;
    }
    return f;
}

/* From a file's coordinates to those of the stored image: scaled by sx, sy and perhaps turned back.
 */
typedef struct mapping {
    double scale_x, scale_y;
    bool turn;
    const photo_frame *frame;
} mapping;

/* A file that says how large its picture is must mean the photo, turned upright or not. */
static bool size_check(const annotation *entry, const photo_frame *f, bool upright, error *e)
{
    if (entry->width == 0 || !f->known) return true;
    bool turned = f->orientation >= 5;
    bool stored = entry->width == f->width && entry->height == f->height;
    bool turned_fits = turned && entry->width == f->height && entry->height == f->width;
    if (upright && turned ? turned_fits : stored) return true;
    if (turned_fits || stored) {
        return error_set(e, STATUS_DATA,
                         "its annotation is of the photo %s, %g x %g pixels: %s --upright",
                         turned_fits ? "turned upright" : "as stored", entry->width, entry->height,
                         turned_fits ? "give" : "leave out");
    }
    return error_set(e, STATUS_DATA,
                     "its annotation is of %g x %g pixels, but the photo has %g x %g: annotate the "
                     "photo at this size, or correct the annotation",
                     entry->width, entry->height, f->width, f->height);
}

static bool mapping_make(const annotation *entry, const photo_frame *frame,
                         const locate_options *options, mapping *m, error *e)
{
    bool array = entry->no_suffix && !entry->relative && options->resized_to > 0;
    bool upright =
        entry->upright == UPRIGHT_NOT_SAID ? options->upright : entry->upright == UPRIGHT_YES;
    *m = (mapping){1, 1, upright && frame->orientation != 1, frame};
    if (!size_check(entry, frame, upright, e)) return false;
    bool needed = entry->relative || array || m->turn;
    if (needed && !frame->known) {
        return error_set(e, STATUS_DATA,
                         "the record has no width and height, which its annotation needs");
    }
    if (entry->relative || array) {
        bool swapped = upright && frame->orientation >= 5;
        double side = array ? options->resized_to : 1;
        m->scale_x = (swapped ? frame->height : frame->width) / side;
        m->scale_y = (swapped ? frame->width : frame->height) / side;
    }
    return true;
}

static void point_map(const mapping *m, double *x, double *y)
{
    *x *= m->scale_x;
    *y *= m->scale_y;
    if (!m->turn) return;
    orientation_point_back(m->frame->orientation, m->frame->width, m->frame->height, x, y);
}

static located_face face_map(const annotations *a, const annotated_face *from, const mapping *m)
{
    located_face to = {.has_box = from->has_box};
    to.face.points = from->points;
    if (from->has_box) {
        double x0 = from->box[0], y0 = from->box[1], x1 = from->box[2], y1 = from->box[3];
        point_map(m, &x0, &y0);
        point_map(m, &x1, &y1);
        double box[4] = {x0 < x1 ? x0 : x1, y0 < y1 ? y0 : y1, x0 < x1 ? x1 : x0,
                         y0 < y1 ? y1 : y0};
        memcpy(to.face.box, box, sizeof box);
    }
    for (int i = 0; i < from->points; i++) {
        double *to_point = to.face.landmarks + 2 * i;
        to_point[0] = a->coordinate[from->first + 2 * (size_t)i];
        to_point[1] = a->coordinate[from->first + 2 * (size_t)i + 1];
        point_map(m, &to_point[0], &to_point[1]);
    }
    return to;
}

bool extra_merge(json_t **to, json_t *from, error *e)
{
    if (from == NULL) return true;
    if (*to == NULL) {
        *to = json_incref(from);
        return true;
    }
    json_t *both = json_copy(*to);
    bool merged = both != NULL && json_object_update_missing(both, from) == 0;
    json_decref(merged ? *to : both);
    if (!merged) return error_set(e, STATUS_SYSTEM, "out of memory");
    *to = both;
    return true;
}

static void face_complete(located_face *to, const located_face *from)
{
    if (!to->has_box && from->has_box) {
        memcpy(to->face.box, from->face.box, sizeof to->face.box);
        to->has_box = true;
    }
    if (from->face.points > to->face.points) {
        to->face.points = from->face.points;
        memcpy(to->face.landmarks, from->face.landmarks, sizeof to->face.landmarks);
    }
}

static void landmarks_centre(const face *f, double centre[2])
{
    centre[0] = centre[1] = 0;
    for (int i = 0; i < f->points; i++) {
        centre[0] += f->landmarks[2 * i] / f->points;
        centre[1] += f->landmarks[2 * i + 1] / f->points;
    }
}

typedef enum fit { FIT_UNKNOWN, FIT_NO, FIT_YES } fit;

/* Does the box of one hold the centre of the other's landmarks? *distance: of the centres. */
static fit faces_fit(const located_face *known, const located_face *from, double *distance)
{
    bool inward = known->has_box && from->face.points > 0;
    const located_face *boxed = inward ? known : from, *marked = inward ? from : known;
    if (!boxed->has_box || marked->face.points == 0) return FIT_UNKNOWN;
    const double *b = boxed->face.box;
    double at[2];
    landmarks_centre(&marked->face, at);
    *distance = hypot(at[0] - (b[0] + b[2]) / 2, at[1] - (b[1] + b[3]) / 2);
    bool inside = at[0] >= b[0] && at[1] >= b[1] && at[0] <= b[2] && at[1] <= b[3];
    return inside ? FIT_YES : FIT_NO;
}

/* The nearest that fits; NULL: none does. */
static located_face *face_around(const located_faces *l, const located_face *from)
{
    located_face *best = NULL;
    double least = INFINITY, distance;
    for (size_t i = 0; i < l->count; i++) {
        if (faces_fit(&l->face[i], from, &distance) != FIT_YES || distance >= least) continue;
        best = &l->face[i];
        least = distance;
    }
    return best;
}

static bool order_fits(const located_faces *known, const located_faces *from)
{
    double unused;
    for (size_t i = 0; i < known->count; i++) {
        if (faces_fit(&known->face[i], &from->face[i], &unused) == FIT_NO) return false;
    }
    return true;
}

/* Each face's own partner; false when there is none, or several have one. */
static bool partners_differ(const located_faces *known, located_face *const *partner, error *e)
{
    bool *taken = memory_zeroed(known->count, sizeof *taken, e), differ = taken != NULL;
    for (size_t i = 0; i < known->count && differ; i++) {
        differ = partner[i] != NULL && !taken[partner[i] - known->face];
        if (differ) taken[partner[i] - known->face] = true;
    }
    free(taken);
    return differ;
}

/* Which known face each of `from` belongs to; NULL: none. */
static bool partners_find(located_faces *known, const located_faces *from, located_face **partner,
                          error *e)
{
    bool as_many = known->count == from->count, in_order = as_many && order_fits(known, from);
    for (size_t i = 0; i < from->count && !in_order; i++) {
        partner[i] = face_around(known, &from->face[i]);
    }
    if (as_many && !in_order && !partners_differ(known, partner, e)) {
        known->outside = true;
        in_order = true;
    }
    for (size_t i = 0; i < from->count && in_order; i++) partner[i] = &known->face[i];
    return e->status == 0;
}

static bool faces_map(const annotations *a, const annotation *entry, const mapping *m,
                      located_faces *to, error *e)
{
    to->face = memory_zeroed(entry->count, sizeof *to->face, e);
    if (to->face == NULL) return false;
    to->count = entry->count;
    for (size_t i = 0; i < entry->count; i++) {
        const annotated_face *said = &a->face[entry->first + i];
        to->face[i] = face_map(a, said, m);
        to->face[i].extra = json_incref(said->extra);
    }
    return true;
}

static bool faces_add(located_faces *known, const located_faces *from, error *e)
{
    located_face **partner = memory_allocate(from->count, sizeof(located_face *), e);
    bool done = partner != NULL && partners_find(known, from, partner, e);
    for (size_t i = 0; i < from->count && done; i++) {
        if (partner[i] == NULL) continue;
        face_complete(partner[i], &from->face[i]);
        done = extra_merge(&partner[i]->extra, from->face[i].extra, e);
    }
    free(partner);
    return done;
}

bool faces_merge(const annotations *a, const annotation *entry, const photo_frame *frame,
                 const locate_options *options, located_faces *to, error *e)
{
    mapping m;
    located_faces from = {0};
    if (entry->count == 0) return true;
    if (!mapping_make(entry, frame, options, &m, e)) return false;
    if (to->count == 0) return faces_map(a, entry, &m, to, e);
    bool done = faces_map(a, entry, &m, &from, e) && faces_add(to, &from, e);
    faces_free(&from);
    return done;
}

bool faces_box(located_faces *l, error *e)
{
    for (size_t i = 0; i < l->count; i++) {
        located_face *f = &l->face[i];
        if (f->has_box) continue;
        f->has_box = landmark_box(f->face.landmarks, f->face.points, f->face.box);
        if (!f->has_box) {
            return error_set(e, STATUS_DATA, "face %zu has no box, and its landmarks leave none",
                             i);
        }
    }
    return true;
}

void faces_free(located_faces *l)
{
    for (size_t i = 0; i < l->count; i++) json_decref(l->face[i].extra);
    free(l->face);
    *l = (located_faces){0};
}
