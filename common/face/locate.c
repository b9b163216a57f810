/* Faces of a photo from its annotations. */
#include "face/locate.h"

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

static bool mapping_make(const annotation *entry, const photo_frame *frame,
                         const locate_options *options, mapping *m, error *e)
{
    bool array = entry->no_suffix && !entry->relative && options->resized_to > 0;
    bool upright = entry->upright < 0 ? options->upright : entry->upright == 1;
    *m = (mapping){1, 1, upright && frame->orientation != 1, frame};
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
    located_face to = {.has_box = from->has_box, .extra = from->extra};
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

/* The face whose box holds the centre of the landmarks. */
static located_face *face_around(located_face *faces, size_t count, const located_face *landmarks)
{
    double x = 0, y = 0;
    int points = landmarks->face.points;
    if (points == 0) return NULL;
    for (int i = 0; i < points; i++) {
        x += landmarks->face.landmarks[2 * i] / points;
        y += landmarks->face.landmarks[2 * i + 1] / points;
    }
    for (size_t i = 0; i < count; i++) {
        const double *b = faces[i].face.box;
        if (faces[i].has_box && x >= b[0] && y >= b[1] && x <= b[2] && y <= b[3]) return &faces[i];
    }
    return NULL;
}

bool faces_merge(const annotations *a, const annotation *entry, const photo_frame *frame,
                 const locate_options *options, located_face **faces, size_t *count, error *e)
{
    mapping m;
    if (entry->count == 0) return true;
    if (!mapping_make(entry, frame, options, &m, e)) return false;
    bool first = *count == 0;
    if (first) {
        *faces = memory_allocate(entry->count, sizeof **faces, e);
        if (*faces == NULL) return false;
    }
    for (size_t i = 0; i < entry->count; i++) {
        located_face from = face_map(a, &a->face[entry->first + i], &m);
        if (first) {
            (*faces)[(*count)++] = from;
            continue;
        }
        located_face *to =
            *count == entry->count ? &(*faces)[i] : face_around(*faces, *count, &from);
        if (to != NULL) face_complete(to, &from);
    }
    return true;
}

void put_json(stream_chunk *k, const char *key, const json_t *value)
{
    const char *name;
    json_t *inner;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_STRING:
        put_text_n(k, key, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        put_integer(k, key, json_integer_value(value));
        break;
    case JSON_REAL:
        put_number(k, key, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        put_boolean(k, key, json_is_true(value));
        break;
    case JSON_ARRAY:
        put_array(k, key, json_array_size(value));
        json_array_foreach(value, i, inner) put_json(k, NULL, inner);
        break;
    case JSON_OBJECT:
        put_map_begin(k, key);
        json_object_foreach((json_t *)value, name, inner) put_json(k, name, inner);
        put_map_end(k);
        break;
    case JSON_NULL: {
        msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
        put_object(k, key, &nil);
        break;
    }
    }
}
