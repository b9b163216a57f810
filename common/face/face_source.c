/* Faces from files, folders and streams. */
#include "face/face_source.h"
#include "image/folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FACES_MAX = 1000 }; /* of one photo */

struct face_source {
    const preprocessing *how;
    double central;
    cli_strings names, owned;
    size_t next; /* name */
    bool has_stream;
    cli_strings current;   /* the one stream that `reader` reads */
    stream_reader *reader; /* NULL: between streams */
};

/* ---- Opening ------------------------------------------------------------------------------------
 */

/* What can be read but once, a pipe say, is not looked into: it is a stream like standard input. */
static bool is_stream(const char *path)
{
    unsigned char head[2];
    struct stat status;
    if (strcmp(path, "-") == 0) return true;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) return true;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t got = read(file, head, sizeof head);
    close(file);
    return got > 0 && stream_looks_like(head, (size_t)got);
}

static bool open_stream(face_source *f, const char *path, error *e)
{
    static const char *const kinds[] = {"photo", "face", NULL};
    f->current.count = 0;
    if (!cli_strings_add(&f->current, path, e)) return false;
    f->reader = stream_reader_open(&f->current, kinds, e);
    return f->reader != NULL;
}

face_source *face_source_open(const cli *c, const preprocessing *how, double central, error *e)
{
    face_source *f = memory_zeroed(1, sizeof *f, e);
    if (!f) return NULL;
    f->how = how;
    f->central = central;
    for (size_t i = 0; i < c->inputs.count; i++)
        if (!folder_expand(c->inputs.item[i], &f->names, &f->owned, e)) goto fail;
    for (size_t i = 0; i < f->names.count && !f->has_stream; i++)
        f->has_stream = is_stream(f->names.item[i]);
    if (f->names.count && is_stream(f->names.item[0]) &&
        !open_stream(f, f->names.item[f->next++], e))
        goto fail;
    return f;
fail:
    face_source_close(f);
    return NULL;
}

const msgpack_object *face_source_header(const face_source *f)
{
    return f->reader ? stream_reader_header(f->reader) : NULL;
}

int64_t face_source_total(const face_source *f)
{
    return f->has_stream ? 0 : (int64_t)f->names.count;
}

double face_source_share(const face_source *f)
{
    double inputs = (double)f->names.count;
    if (!f->reader) return (double)f->next / inputs;
    double share = stream_reader_share(f->reader);
    return share > 0 ? ((double)f->next - 1 + share) / inputs : 0;
}

void face_source_close(face_source *f)
{
    if (!f) return;
    stream_reader_close(f->reader);
    folder_names_free(&f->owned);
    cli_strings_free(&f->names);
    cli_strings_free(&f->current);
    free(f);
}

/* ---- Items --------------------------------------------------------------------------------------
 */

static int next_source(face_source *f, input_item *item, error *e)
{
    for (;;) {
        if (f->reader) {
            int more = stream_reader_next(f->reader, &item->record, e);
            if (more != 0) return more;
            stream_reader_close(f->reader);
            f->reader = NULL;
        }
        if (f->next == f->names.count) return 0;
        const char *path = f->names.item[f->next++];
        if (!is_stream(path)) {
            item->path = path;
            return 1;
        }
        if (!open_stream(f, path, e)) return -1;
    }
}

int face_source_next(face_source *f, input_item **item, error *e)
{
    *item = memory_zeroed(1, sizeof **item, e);
    if (!*item) return -1;
    int more = next_source(f, *item, e);
    if (more > 0) return 1;
    input_item_free(*item);
    *item = NULL;
    return more;
}

void input_item_free(input_item *item)
{
    if (!item) return;
    for (size_t i = 0; i < item->count; i++) {
        free(item->faces[i].id);
        free(item->faces[i].reason);
        image_free(&item->faces[i].crop);
    }
    free(item->faces);
    stream_record_free(item->record);
    free(item);
}

/* Makes room for `count` faces; without memory the item has none. */
static bool allocate_faces(input_item *item, size_t count)
{
    item->faces = calloc(count ? count : 1, sizeof *item->faces);
    item->count = item->faces ? count : 0;
    return item->faces != NULL;
}

/* Ends a face with its reason, when there is one. */
static void finish_face(input_face *face, const error *e)
{
    if (!e->status) return;
    image_free(&face->crop);
    face->status = e->status;
    face->reason = strdup(e->text);
}

/* ---- Image files --------------------------------------------------------------------------------
 */

/* The box whose crop is the central square: crop_place multiplies by the scale and rounds down. */
static void central_box(const face_source *f, const photo *p, double box[4])
{
    double shorter = p->width < p->height ? p->width : p->height;
    double half = (shorter * f->central + 0.5) / f->how->scale / 2;
    box[0] = p->width / 2.0 - half;
    box[1] = p->height / 2.0 - half;
    box[2] = p->width / 2.0 + half;
    box[3] = p->height / 2.0 + half;
}

static void prepare_file(const face_source *f, input_item *item)
{
    if (!allocate_faces(item, 1)) return;
    photo p = {0};
    error e = {0};
    double box[4];
    item->faces[0].id = strdup(item->path);
    if (photo_open(&p, item->path, IMAGE_LIMITS, &e)) {
        central_box(f, &p, box);
        preprocessing_crop(f->how, &p, box, &item->faces[0].crop, &e);
    }
    photo_close(&p);
    finish_face(&item->faces[0], &e);
}

/* ---- Photo records ------------------------------------------------------------------------------
 */

static char *face_id(const char *photo_id, size_t index)
{
    size_t size = strlen(photo_id) + 24;
    char *id = malloc(size);
    if (id) snprintf(id, size, "%s#%zu", photo_id, index);
    return id;
}

static bool read_box(const msgpack_object *face, double box[4], error *e)
{
    const msgpack_object *list = object_get(face, "box");
    bool good = list && list->type == MSGPACK_OBJECT_ARRAY && list->via.array.size == 4;
    for (uint32_t i = 0; good && i < 4; i++) {
        const msgpack_object *o = &list->via.array.ptr[i];
        if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
            box[i] = (double)o->via.u64;
        else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
            box[i] = (double)o->via.i64;
        else if (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64)
            box[i] = o->via.f64;
        else
            good = false;
    }
    return good || error_set(e, STATUS_DATA, "a face without a box of four numbers");
}

static void prepare_photo(const face_source *f, input_item *item)
{
    const msgpack_object *record = &item->record->object, *faces = object_get(record, "faces");
    size_t count = faces && faces->type == MSGPACK_OBJECT_ARRAY ? faces->via.array.size : 0;
    photo p = {0};
    error opened = {0};
    char *path = object_text_copy(record, "path");
    if (!allocate_faces(item, count > FACES_MAX ? FACES_MAX : count)) goto done;
    if (!path)
        error_set(&opened, STATUS_DATA, "the photo record has no path");
    else if (count)
        photo_open(&p, path, IMAGE_LIMITS, &opened);
    for (size_t i = 0; i < item->count; i++) {
        error e = opened;
        double box[4], upright[4];
        item->faces[i].id = face_id(item->record->id, i);
        if (!e.status && read_box(&faces->via.array.ptr[i], box, &e)) {
            photo_box_upright(&p, box, upright);
            preprocessing_crop(f->how, &p, upright, &item->faces[i].crop, &e);
        }
        finish_face(&item->faces[i], &e);
    }
done:
    photo_close(&p);
    free(path);
}

/* ---- Face records -------------------------------------------------------------------------------
 */

/* The pixels of a face record as an image. */
static bool face_pixels(const msgpack_object *record, image *out, error *e)
{
    const void *bytes;
    size_t size;
    int64_t width = 0, height = 0;
    if (!object_binary(record, "pixels", &bytes, &size))
        return error_set(e, STATUS_DATA, "the face record has no pixels");
    if (object_text_is(record, "coding", "png")) {
        image_info info;
        return image_probe(bytes, size, IMAGE_LIMITS, &info, e) &&
               image_decode(bytes, size, &info, 1, out, e);
    }
    object_integer(record, "width", &width);
    object_integer(record, "height", &height);
    if (width < 1 || height < 1 || width > 65535 || height > 65535 ||
        (size_t)width * (size_t)height * 3 != size)
        return error_set(e, STATUS_DATA, "the face record has %zu bytes of pixels for %lld x %lld",
                         size, (long long)width, (long long)height);
    if (!image_allocate(out, (int)width, (int)height, e)) return false;
    memcpy(out->pixels, bytes, size);
    return true;
}

static void prepare_face(const face_source *f, input_item *item)
{
    if (!allocate_faces(item, 1)) return;
    input_face *face = &item->faces[0];
    image whole = {0};
    error e = {0};
    face->id = strdup(item->record->id);
    if (face_pixels(&item->record->object, &whole, &e))
        preprocessing_continue(f->how, &whole, &face->crop, &e);
    image_free(&whole);
    finish_face(face, &e);
}

void face_source_prepare(const face_source *f, input_item *item)
{
    if (item->path)
        prepare_file(f, item);
    else if (item->record->is_error)
        return;
    else if (object_text_is(&item->record->object, "type", "photo"))
        prepare_photo(f, item);
    else
        prepare_face(f, item);
}
