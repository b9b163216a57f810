/* Faces from files, folders and streams. */
#include "face/face_source.h"

#include "cli/input.h"
#include "cli/memory.h"
#include "face/face.h"
#include "face/face_pixels.h"
#include "image/folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_FACES = 64 }; /* of one photo, prepared and held together */

/* A photo record whose faces come in pieces. */
struct shared_record {
    stream_record *record;
    int faces, given; /* faces of it; faces in the pieces so far */
    int holders;      /* pieces not freed yet, and one while more are to come */
};

struct face_source {
    const preprocessing *how;
    double central;
    cli_strings names, owned;
    size_t next;           /* name */
    bool has_stream;       /* by the names */
    cli_strings current;   /* the one stream that `reader` reads */
    stream_reader *reader; /* NULL: between streams */
    shared_record *photo;  /* whose next piece is the next item; NULL: none */
};

static void release(shared_record *shared)
{
    if (!shared || --shared->holders > 0) return;
    stream_record_free(shared->record);
    free(shared);
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* What can be read but once, a pipe say, is not looked into: it is a stream like standard input. */
static bool is_stream(const char *path)
{
    unsigned char head[2];
    struct stat status;
    if (strcmp(path, "-") == 0) return true;
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) return true;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t got = input_read(file, head, sizeof head);
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
        if (!folder_expand(c, c->inputs.item[i], &f->names, &f->owned, e)) goto fail;
    for (size_t i = 0; i < f->names.count && !f->has_stream; i++)
        f->has_stream = !folder_image_name(f->names.item[i]);
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
    release(f->photo);
    stream_reader_close(f->reader);
    folder_names_free(&f->owned);
    cli_strings_free(&f->names);
    cli_strings_free(&f->current);
    free(f);
}

/* ---- Items ---------------------------------------------------------------------------------- */

static int next_record(face_source *f, error *e)
{
    stream_record *record;
    int more = stream_reader_next(f->reader, &record, e);
    if (more <= 0) return more;
    f->photo = memory_zeroed(1, sizeof *f->photo, e);
    if (!f->photo) {
        stream_record_free(record);
        return -1;
    }
    *f->photo = (shared_record){.record = record, .faces = 1, .holders = 1};
    int faces = face_count(&record->object);
    if (object_text_is(&record->object, "type", "photo") && faces >= 0) f->photo->faces = faces;
    return 1;
}

/* The next faces of the record that is at hand. */
static void take_piece(face_source *f, input_item *item)
{
    shared_record *shared = f->photo;
    int left = shared->faces - shared->given;
    item->shared = shared;
    item->record = shared->record;
    item->first = shared->given;
    item->planned = left < PIECE_FACES ? left : PIECE_FACES;
    shared->given += item->planned;
    shared->holders++;
    if (shared->given < shared->faces) return;
    release(shared);
    f->photo = NULL;
}

static int next_source(face_source *f, input_item *item, error *e)
{
    for (;;) {
        int more = f->photo ? 1 : f->reader ? next_record(f, e) : 0;
        if (more < 0) return -1;
        if (more > 0) {
            take_piece(f, item);
            return 1;
        }
        stream_reader_close(f->reader);
        f->reader = NULL;
        if (f->next == f->names.count) return 0;
        const char *path = f->names.item[f->next++];
        if (!is_stream(path)) {
            item->path = path;
            item->planned = 1;
            return 1;
        }
        if (!open_stream(f, path, e)) return -1;
    }
}

/* Room for the faces of an input, of which an error record has none. */
static bool make_faces(input_item *item, error *e)
{
    item->faces = memory_zeroed((size_t)item->planned, sizeof *item->faces, e);
    if (item->faces && !(item->record && item->record->is_error))
        item->count = (size_t)item->planned;
    return item->faces != NULL;
}

int face_source_next(face_source *f, input_item **item, error *e)
{
    *item = memory_zeroed(1, sizeof **item, e);
    if (!*item) return -1;
    int more = next_source(f, *item, e);
    if (more > 0 && !make_faces(*item, e)) more = -1;
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
    release(item->shared);
    free(item);
}

/* Ends a face with its reason, when there is one. */
static void finish_face(input_face *to, error *e)
{
    if (!to->id) error_set(e, STATUS_SYSTEM, "out of memory");
    if (!e->status) return;
    image_free(&to->crop);
    to->status = e->status;
    to->reason = strdup(e->text);
}

/* ---- Image files ---------------------------------------------------------------------------- */

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

/* ---- Photo records -------------------------------------------------------------------------- */

static void prepare_boxed(const face_source *f, photo *p, input_item *item, int index)
{
    face boxed;
    double upright[4];
    input_face *to = &item->faces[index - item->first];
    error e = {0};
    to->id = face_id(item->record->id, index);
    if (face_get(&item->record->object, index, &boxed, &e)) {
        photo_box_upright(p, boxed.box, upright);
        preprocessing_crop(f->how, p, upright, &to->crop, &e);
    }
    finish_face(to, &e);
}

static void prepare_photo(const face_source *f, input_item *item)
{
    photo p = {0};
    error e = {0};
    int count;
    bool readable = face_count_get(&item->record->object, &count, &e);
    if (item->count == 0) return;
    if (!readable) {
        item->faces[0].id = strdup(item->record->id);
        finish_face(&item->faces[0], &e);
        return;
    }
    bool opened = photo_open_record(&p, item->record, IMAGE_LIMITS, &e);
    for (int i = item->first; i < item->first + item->planned; i++) {
        if (opened) {
            prepare_boxed(f, &p, item, i);
        } else {
            item->faces[i - item->first].id = face_id(item->record->id, i);
            finish_face(&item->faces[i - item->first], &e);
        }
    }
    photo_close(&p);
}

/* ---- Face records --------------------------------------------------------------------------- */

static void prepare_face(const face_source *f, input_item *item)
{
    input_face *to = &item->faces[0];
    image view, decoded = {0};
    error e = {0};
    to->id = strdup(item->record->id);
    if (face_record_image(&item->record->object, &view, &decoded, &e))
        preprocessing_continue(f->how, &view, &to->crop, &e);
    image_free(&decoded);
    finish_face(to, &e);
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
