/* Face streams as they are batched: files at once, pipes window by window. */
#include "pretext/face_input.h"

#include "cli/input.h"
#include "cli/memory.h"
#include "face/preprocessing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"face", NULL};

enum { SEEN_MOST = 1 << 20, PHOTO_FACES_MOST = 1000 };

static bool add_problem(face_input *in, stream_place place, const char *reason, error *e)
{
    face_problem *grown =
        array_grow(in->problem, in->problem_count + 1, &in->problem_capacity, sizeof *grown, e);
    if (!grown) return false;
    in->problem = grown;
    face_problem *problem = &in->problem[in->problem_count++];
    problem->place = place;
    snprintf(problem->reason, sizeof problem->reason, "%.79s", reason);
    return true;
}

/* Puts the names of the records that contradict each other before the error's text. */
static bool name_conflict(const face_input *in, error *e)
{
    const stream_place *place = in->faces.conflict;
    const char *input = cli_input_name(in->inputs->item[place[1].file]), *other = "", *colon = "";
    char *id[2];
    stream_buffer buffer = {0};
    for (int i = 0; i < 2; i++) {
        const msgpack_object *record = face_store_get(&in->store, place[i], &buffer);
        id[i] = record ? object_text_copy(record, "id") : NULL;
    }
    if (place[0].file != place[1].file) {
        other = cli_input_name(in->inputs->item[place[0].file]);
        colon = ": ";
    }
    error_context(e, "%s: %.120s and %s%s%.120s", input, id[1] ? id[1] : "?", other, colon,
                  id[0] ? id[0] : "?");
    free(id[0]);
    free(id[1]);
    stream_buffer_free(&buffer);
    return false;
}

/* ---- Headers -------------------------------------------------------------------------------- */

/* One model learns from faces that are all cropped and resized in one way: another would tell their
   sources apart. */
static bool check_header(face_input *in, int64_t segment, const msgpack_object *header,
                         const char *input, error *e)
{
    preprocessing first, now;
    if (segment == in->segment) return true;
    in->segment = segment;
    if (preprocessing_of_header(&first, face_input_header(in), e) &&
        preprocessing_of_header(&now, header, e) && !preprocessing_equal(&first, &now))
        error_set(e, STATUS_DATA,
                  "its faces are cropped or resized otherwise than the first ones (see "
                  "`preprocessing` in both headers); make all with the same options");
    return e->status == 0 || error_context(e, "%s", input);
}

/* ---- Records -------------------------------------------------------------------------------- */

/* 1: the record is needed again; 0: it is left out; -1 on error. */
static int add_record(face_input *in, const msgpack_object *record, bool is_error,
                      stream_place place, error *e)
{
    error why = {0};
    int added = is_error ? 0 : catalog_add(&in->faces, record, place, &why, e);
    if (added < 0 && in->faces.conflicting) name_conflict(in, e);
    if (added == 0 && (is_error || why.status)) return add_problem(in, place, why.text, e) ? 1 : -1;
    return added;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static bool read_index(face_input *in, error *e)
{
    stream_place place;
    msgpack_object record;
    bool is_error;
    int found;
    while ((found = stream_index_next(in->store.index, &place, &record, &is_error, e)) > 0) {
        if (!check_header(in, stream_index_segment(in->store.index),
                          stream_index_segment_header(in->store.index),
                          cli_input_name(in->inputs->item[place.file]), e) ||
            add_record(in, &record, is_error, place, e) < 0)
            return false;
    }
    return found == 0;
}

/* ---- Pipes ---------------------------------------------------------------------------------- */

/* Adds a record that is in the store; drops it there when it is left out. */
static bool add_stored(face_input *in, const msgpack_object *record, bool is_error,
                       stream_place place, error *e)
{
    int added = add_record(in, record, is_error, place, e);
    if (added == 0) face_store_drop_last(&in->store);
    return added >= 0;
}

/* Takes over a record of input number `file`. */
static bool add_owned(face_input *in, stream_record *record, uint32_t file, error *e)
{
    stored_record stored;
    stream_place place;
    stored.bytes = stream_record_take_bytes(record, &stored.size);
    bool added = face_store_add(&in->store, stored, file, &place, e) &&
                 add_stored(in, &record->object, record->is_error, place, e);
    stream_record_free(record);
    return added;
}

/* The number of the input that the reader's last record came from. */
static uint32_t input_number(face_input *in)
{
    const cli_strings *inputs = in->inputs;
    const char *name = stream_reader_input(in->reader);
    while (in->file + 1 < inputs->count &&
           strcmp(cli_input_name(inputs->item[in->file]), name) != 0)
        in->file++;
    return in->file;
}

/* Does the record belong to the window after this one? A photo stays together, lest its faces stand
   on both sides of the split, unless it has too many of them. */
static bool ends_window(const face_input *in, const stream_record *record, size_t limit)
{
    if (in->faces.face_count < limit || record->is_error) return false;
    return in->faces.face_count < limit + PHOTO_FACES_MOST
               ? catalog_begins_photo(&in->faces, &record->object)
               : catalog_begins_face(&in->faces, &record->object);
}

/* Adds the records of faces until there are `limit` of them, and the first record of the next stays
   pending. */
static bool read_window(face_input *in, size_t limit, error *e)
{
    int found;
    stream_record *record = in->pending;
    in->pending = NULL;
    if (record && !add_owned(in, record, input_number(in), e)) return false;
    while ((found = stream_reader_next(in->reader, &record, e)) > 0) {
        if (!check_header(in, record->segment, stream_reader_header(in->reader),
                          stream_reader_input(in->reader), e)) {
            stream_record_free(record);
            return false;
        }
        if (ends_window(in, record, limit)) {
            in->pending = record;
            break;
        }
        if (!add_owned(in, record, input_number(in), e)) return false;
    }
    return found >= 0;
}

static bool keep_record(face_input *in, face_store *old, const face_variant *variant,
                        stream_buffer *buffer, error *e)
{
    stream_place from = variant->place, place;
    if (!face_store_add(&in->store, face_store_take(old, from), from.file, &place, e)) return false;
    const msgpack_object *record = face_store_get(&in->store, place, buffer);
    if (!record) return error_set(e, STATUS_SYSTEM, "out of memory");
    size_t count = in->faces.variant_count;
    bool added = add_stored(in, record, false, place, e);
    if (in->faces.variant_count > count) in->faces.variant[count].reported = variant->reported;
    return added;
}

/* Moves the records of the kept faces, each listed once, out of the window before. */
static bool keep_records(face_input *in, const uint32_t *kept, size_t count, face_store *old,
                         error *e)
{
    catalog before = in->faces;
    stream_buffer buffer = {0};
    *old = in->store;
    in->store = (face_store){0};
    bool good = catalog_open(&in->faces, &in->options, in->tasks, e);
    for (size_t i = 0; good && i < count; i++) {
        const catalog_face *face = &before.face[kept[i]];
        for (uint32_t k = face->first; good && k < face->first + face->count; k++)
            good = keep_record(in, old, &before.variant[k], &buffer, e);
    }
    stream_buffer_free(&buffer);
    catalog_close(&before);
    return good;
}

static bool same_key(const void *items, uint32_t number, const void *key)
{
    return memcmp((const uint64_t *)items + number, key, sizeof(uint64_t)) == 0;
}

/* Notes the faces of a window from number `first` on, and counts those that came before. */
static bool note_seen(face_input *in, size_t first, error *e)
{
    seen_faces *s = &in->seen;
    for (size_t i = first; i < in->faces.face_count && s->count < SEEN_MOST; i++) {
        uint64_t key = in->faces.face[i].key[1];
        if (slot_table_find(&s->slots, key, same_key, s->key, &key) >= 0) {
            in->returned++;
            continue;
        }
        uint64_t *grown = array_grow(s->key, s->count + 1, &s->capacity, sizeof *grown, e);
        if (!grown) return false;
        s->key = grown;
        s->key[s->count] = key;
        if (!slot_table_add(&s->slots, key, (uint32_t)s->count++, e)) return false;
    }
    return true;
}

static bool next_window(face_input *in, const uint32_t *kept, size_t kept_count, error *e)
{
    face_store old = {0};
    in->problem_count = 0;
    in->options.fill_sides = false;
    bool good = keep_records(in, kept, kept_count, &old, e);
    size_t first = in->faces.face_count;
    good = good && read_window(in, first + in->window, e) && note_seen(in, first, e);
    face_store_close(&old);
    return good;
}

/* ---- Public --------------------------------------------------------------------------------- */

bool face_input_open(face_input *in, const cli_strings *inputs, const catalog_options *options,
                     task_list *tasks, size_t window, error *e)
{
    *in = (face_input){
        .inputs = inputs, .options = *options, .tasks = tasks, .window = window, .more = true};
    if (!catalog_open(&in->faces, options, tasks, e)) return false;
    if (stream_index_possible(inputs))
        return (in->store.index = stream_index_open(inputs, kinds, e)) != NULL;
    /* the reader forgets the first header with the next segment */
    return (in->reader = stream_reader_open(inputs, kinds, e)) != NULL &&
           object_copy_make(&in->header, stream_reader_header(in->reader), e);
}

const msgpack_object *face_input_header(const face_input *in)
{
    return in->reader ? &in->header.object : stream_index_header(in->store.index);
}

static void count_left_out(face_input *in)
{
    in->left_out.generated += in->faces.left_out.generated;
    in->left_out.outside += in->faces.left_out.outside;
    in->left_out.repeated += in->faces.left_out.repeated;
}

int face_input_next(face_input *in, const uint32_t *kept, size_t kept_count, error *e)
{
    if (!in->more) return 0;
    bool good;
    if (!in->reader)
        good = read_index(in, e);
    else if (in->windows == 0)
        good = read_window(in, in->window, e) && note_seen(in, 0, e);
    else
        good = next_window(in, kept, kept_count, e);
    if (!good) return -1;
    in->more = in->pending != NULL;
    in->whole = in->windows++ == 0 && !in->more;
    in->faces.options.fill_sides = in->whole;
    bool finished = catalog_finish(&in->faces, e);
    count_left_out(in);
    if (!finished && in->faces.conflicting) name_conflict(in, e);
    return finished ? 1 : -1;
}

void face_input_close(face_input *in)
{
    face_store_close(&in->store);
    catalog_close(&in->faces);
    stream_reader_close(in->reader);
    stream_record_free(in->pending);
    object_copy_free(&in->header);
    free(in->problem);
    free(in->seen.key);
    slot_table_free(&in->seen.slots);
    *in = (face_input){0};
}

/* ---- Spooling ------------------------------------------------------------------------------- */

bool standard_input_spool(error *e)
{
    int file = input_spool(STDIN_FILENO, cli_input_name("-"), e);
    if (file < 0) return false;
    bool done = dup2(file, STDIN_FILENO) >= 0 || error_set(e, STATUS_IO, "standard input: ");
    close(file);
    return done;
}
