/* Faces in `photo` records. */
#include "face/face.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int face_count(const msgpack_object *record)
{
    const msgpack_object *faces = object_get(record, "faces");
    if (faces == NULL || faces->type == MSGPACK_OBJECT_NIL) return 0;
    if (faces->type != MSGPACK_OBJECT_ARRAY || faces->via.array.size > FACES_MOST) return -1;
    return (int)faces->via.array.size;
}

bool face_count_get(const msgpack_object *record, int *count, error *e)
{
    *count = face_count(record);
    return *count >= 0 ||
           error_set(e, STATUS_DATA, "faces is no array of at most %d faces", FACES_MOST);
}

char *face_id(const char *photo_id, int index)
{
    size_t size = strlen(photo_id) + 16;
    char *id = malloc(size);
    if (id != NULL) snprintf(id, size, "%s#%d", photo_id, index);
    return id;
}

static bool numbers_get(const msgpack_object *map, const char *key, double *to, size_t most,
                        size_t *count, error *e)
{
    const msgpack_object *array = object_get(map, key);
    *count = 0;
    if (array == NULL || array->type == MSGPACK_OBJECT_NIL) return true;
    if (array->type != MSGPACK_OBJECT_ARRAY) {
        return error_set(e, STATUS_DATA, "the face's %s is no array", key);
    }
    if (array->via.array.size > most) {
        return error_set(e, STATUS_DATA, "the face's %s has %u numbers, more than %zu", key,
                         array->via.array.size, most);
    }
    for (uint32_t i = 0; i < array->via.array.size; i++) {
        const msgpack_object *o = &array->via.array.ptr[i];
        if (!object_as_number(o, &to[*count])) {
            return error_set(e, STATUS_DATA, "the face's %s holds something that is no number",
                             key);
        }
        if (!isfinite(to[(*count)++])) {
            return error_set(e, STATUS_DATA, "the face's %s holds a number that is not finite",
                             key);
        }
    }
    return true;
}

static bool scheme_check(const msgpack_object *map, int points, error *e)
{
    if (points == 0) return true;
    char text[16];
    snprintf(text, sizeof text, "%d", points);
    const msgpack_object *scheme = object_get(map, "scheme");
    int64_t number;
    bool fits = scheme == NULL || scheme->type == MSGPACK_OBJECT_NIL ||
                object_text_is(map, "scheme", text) ||
                (object_integer(map, "scheme", &number) && number == points);
    if (!fits || !landmark_scheme_known(points)) {
        return error_set(e, STATUS_DATA,
                         "the face has %d landmarks; known are 68, 7 and 5, as the scheme says",
                         points);
    }
    return true;
}

bool face_get(const msgpack_object *record, int index, face *f, error *e)
{
    const msgpack_object *map = &object_get(record, "faces")->via.array.ptr[index];
    *f = (face){0};
    if (map->type != MSGPACK_OBJECT_MAP) return error_set(e, STATUS_DATA, "the face is no map");
    size_t numbers, sides;
    if (!numbers_get(map, "landmarks", f->landmarks, 2 * LANDMARKS_MOST, &numbers, e) ||
        !numbers_get(map, "box", f->box, 4, &sides, e)) {
        return false;
    }
    if (numbers % 2 != 0) return error_set(e, STATUS_DATA, "the face's landmarks are not in pairs");
    f->points = (int)(numbers / 2);
    if (!scheme_check(map, f->points, e)) return false;
    if (sides == 0 && f->points > 0 && landmark_box(f->landmarks, f->points, f->box)) return true;
    if (sides != 4) return error_set(e, STATUS_DATA, "the face has no box of four numbers");
    if (!(f->box[0] < f->box[2] && f->box[1] < f->box[3])) {
        return error_set(e, STATUS_DATA, "face box %g,%g,%g,%g is empty", f->box[0], f->box[1],
                         f->box[2], f->box[3]);
    }
    return true;
}

static void numbers_put(stream_chunk *k, const char *key, const double *numbers, size_t count)
{
    put_array(k, key, count);
    for (size_t i = 0; i < count; i++) put_number(k, NULL, numbers[i]);
}

void face_put(stream_chunk *k, const face *f)
{
    numbers_put(k, "box", f->box, 4);
    if (f->points == 0) return;
    char text[16];
    snprintf(text, sizeof text, "%d", f->points);
    put_text(k, "scheme", text);
    numbers_put(k, "landmarks", f->landmarks, 2 * (size_t)f->points);
}

void face_landmarks_place(const face *f, const photo *p, const crop *where, int size,
                          double placed[2 * LANDMARKS_MOST])
{
    for (int i = 0; i < f->points; i++) {
        double x = f->landmarks[2 * i], y = f->landmarks[2 * i + 1];
        orientation_point(p->orientation, p->info.width, p->info.height, &x, &y);
        placed[2 * i] = (x - where->left) * size / (where->right - where->left);
        placed[2 * i + 1] = (y - where->top) * size / (where->bottom - where->top);
    }
}
