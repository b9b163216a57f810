/* Joins annotation files to photos: photo records in, photo records with faces out. */
#include "cli/input.h"
#include "cli/memory.h"
#include "cli/plural.h"
#include "cli/progress.h"
#include "face/locate.h"
#include "stream/json.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MISSING_PASS, MISSING_DROP, MISSING_ERROR };
static const char *const missing_choices[] = {
    [MISSING_PASS] = "pass", [MISSING_DROP] = "drop", [MISSING_ERROR] = "error", NULL};

static cli_strings files;
static int format, missing;
static bool upright, whole;
static double resized_to;

static const cli_option options[] = {
    {"annotations", 'a', CLI_LIST, &files, .argument = "FILE",
     .help = "file or folder with boxes, landmarks (repeatable)"},
    {"format", 0, CLI_CHOICE, &format, .choices = annotation_format_names, .argument = "FORMAT",
     .help = "of the annotation files (auto)"},
    {"upright", 0, CLI_FLAG, &upright, .help = "coordinates are of photos turned upright by EXIF"},
    {"resized-to", 0, CLI_NUMBER, &resized_to, 1, 100000, .argument = "N",
     .help = ".npy and .pts are of photos resized to N x N"},
    {"whole", 0, CLI_FLAG, &whole, .help = "a photo without faces is one face, whole"},
    {"missing", 0, CLI_CHOICE, &missing, .choices = missing_choices, .argument = "HOW",
     .help = "photos without annotation (pass)"},
};

static const cli_tool tool = {
    .name = "face-locate",
    .operands = "[FILE...]",
    .summary = "Adds face boxes and landmarks from annotation files to photos.",
    .options = options,
    .option_count = CLI_COUNT(options),
    .common = CLI_SET | CLI_MAX_ERRORS | CLI_PROVENANCE,
};

/* Names in messages are cut: files can hold ones of any length. */
#define NAME "%.1000s"

/* How often something happened, and the photo that it happened to first. */
typedef struct tally {
    int64_t count;
    char *first; /* its path, or id */
} tally;

typedef struct source {
    annotations *a;
    int64_t found, missed;
    tally ambiguous;
} source;

typedef struct run {
    cli *c;
    source *source;
    size_t sources;
    stream_reader *reader;
    stream_writer writer;
    tally photos, outside;
    int64_t without, faces;
} run;

/* What the annotations say of one photo while it is gathered. */
typedef struct gathered {
    located_faces faces;
    json_t *extra;        /* keys of the photo; NULL: none */
    const char *labeller; /* the file that gave the label among them */
    bool found;
} gathered;

static void tally_add(tally *t, const char *name)
{
    if (t->count++ == 0) t->first = strndup(name, 1000);
}

static const char *tally_first(const tally *t)
{
    return t->first == NULL ? "" : t->first;
}

static annotation *entry_find(run *r, source *s, const stream_record *in, const char *path)
{
    annotation *entry = NULL;
    match m = annotations_find(s->a, path, &entry);
    if (m == MATCH_NONE && strcmp(path, in->id) != 0) m = annotations_find(s->a, in->id, &entry);
    if (m == MATCH_AMBIGUOUS) {
        tally_add(&s->ambiguous, path);
        cli_detail(r->c, "%s: " NAME ": several entries fit", s->a->path, path);
        return NULL;
    }
    if (m == MATCH_NONE) {
        s->missed++;
        cli_detail(r->c, "%s: nothing for " NAME, s->a->path, path);
        return NULL;
    }
    s->found++;
    return entry;
}

/* Is a key the annotations' to give? */
static bool key_open(const run *r, const msgpack_object *record, const char *key)
{
    return object_get(record, key) == NULL && !cli_set_has(r->c, key, strlen(key));
}

/* Two files must not call a photo different things; which came first would decide about training.
 */
static bool label_check(const gathered *g, const source *s, const json_t *label, error *e)
{
    const json_t *first = json_object_get(g->extra, "label");
    if (first == NULL || json_equal(first, label)) return true;
    char *texts[] = {json_dumps(first, JSON_ENCODE_ANY), json_dumps(label, JSON_ENCODE_ANY)};
    error_set(e, STATUS_DATA, "the label is %.60s in %s, but %.60s in %s; correct one or use --set",
              texts[0], g->labeller, texts[1], s->a->path);
    free(texts[0]);
    free(texts[1]);
    return false;
}

static bool keys_gather(const run *r, const source *s, const annotation *entry,
                        const msgpack_object *record, gathered *g, error *e)
{
    const json_t *label = json_object_get(entry->extra, "label");
    if (label != NULL && key_open(r, record, "label")) {
        if (!label_check(g, s, label, e)) return false;
        if (g->labeller == NULL) g->labeller = s->a->path;
    }
    return extra_merge(&g->extra, entry->extra, e);
}

static bool whole_gather(const photo_frame *frame, located_faces *l, error *e)
{
    if (!frame->known) {
        return error_set(e, STATUS_DATA, "the record has no width and height for --whole");
    }
    l->face = memory_zeroed(1, sizeof *l->face, e);
    if (l->face == NULL) return false;
    l->count = 1;
    l->face[0].has_box = true;
    l->face[0].face.box[2] = frame->width;
    l->face[0].face.box[3] = frame->height;
    return true;
}

static bool photo_gather(run *r, const stream_record *in, gathered *g, error *e)
{
    photo_frame frame = photo_frame_get(&in->object);
    locate_options how = {upright, resized_to};
    char *path = object_text_copy(&in->object, "path");
    const char *name = path == NULL ? in->id : path;
    bool done = true;
    tally_add(&r->photos, name);
    for (size_t i = 0; i < r->sources && done; i++) {
        source *s = &r->source[i];
        annotation *entry = entry_find(r, s, in, name);
        if (entry == NULL) continue;
        g->found = true;
        done = keys_gather(r, s, entry, &in->object, g, e) &&
               faces_merge(s->a, entry, &frame, &how, &g->faces, e);
    }
    if (g->faces.outside) tally_add(&r->outside, name);
    free(path);
    if (done && g->faces.count == 0 && whole && face_count(&in->object) == 0) {
        return whole_gather(&frame, &g->faces, e);
    }
    return done && faces_box(&g->faces, e);
}

static void gathered_free(gathered *g)
{
    faces_free(&g->faces);
    json_decref(g->extra);
}

/* Keys of annotations that the record does not have and --set does not give. */
static void extra_put(const run *r, stream_chunk *k, const msgpack_object *record, json_t *extra)
{
    static const char *const never[] = {"type",   "id",          "path", "faces",    "width",
                                        "height", "orientation", "exif", "exif_raw", NULL};
    const char *key;
    json_t *value;
    json_object_foreach(extra, key, value)
    {
        bool open = key_open(r, record, key);
        for (int i = 0; never[i] != NULL; i++) open &= strcmp(never[i], key) != 0;
        if (open) put_json(k, key, value);
    }
}

static void faces_put(stream_chunk *k, const located_faces *l)
{
    put_array(k, "faces", l->count);
    for (size_t i = 0; i < l->count; i++) {
        put_map_begin(k, NULL);
        face_put(k, &l->face[i].face);
        const char *key;
        json_t *value;
        json_object_foreach(l->face[i].extra, key, value) put_json(k, key, value);
        put_map_end(k);
    }
}

static void record_put(run *r, const stream_record *in, const gathered *g, stream_chunk *k)
{
    static const char *const own[] = {"faces", NULL};
    static const char *const none[] = {NULL};
    bool keeps = g->faces.count == 0 && (!g->found || face_count(&in->object) > 0);
    record_begin(k, "photo");
    put_rest(k, r->c, &in->object, keeps ? none : own);
    if (!keeps) faces_put(k, &g->faces);
    extra_put(r, k, &in->object, g->extra);
    record_end(k);
}

/* The photo's record, if it is to be one: into the empty chunk. */
static void photo_locate(run *r, const stream_record *in, gathered *g, stream_chunk *k, error *e)
{
    if (!photo_gather(r, in, g, e)) return;
    bool has_faces = g->faces.count > 0 || (whole && face_count(&in->object) != 0);
    if (!g->found && !has_faces) {
        r->without++;
        if (missing == MISSING_DROP) return;
        if (missing == MISSING_ERROR) {
            error_set(e, STATUS_DATA, "no annotation for this photo");
            return;
        }
    }
    record_put(r, in, g, k);
    if (stream_chunk_readable(k, e)) r->faces += (int64_t)g->faces.count;
}

static bool photo_pass(run *r, const stream_record *in, error *e)
{
    if (in->is_error) return stream_writer_pass(&r->writer, in, e);
    error own = {0};
    gathered g = {0};
    stream_chunk k = {0};
    photo_locate(r, in, &g, &k, &own);
    if (own.status != 0) {
        stream_chunk_clear(&k);
        put_error_record(&k, r->c, in->id, own.text, &in->object);
    }
    bool done = stream_writer_put(&r->writer, &k, e);
    stream_chunk_free(&k);
    gathered_free(&g);
    return done;
}

static bool records_run(run *r, error *e)
{
    stream_record *in;
    progress shown;
    progress_start(&shown, r->c, "photos", 0);
    int got;
    while ((got = stream_reader_next(r->reader, &in, e)) == 1) {
        bool done = photo_pass(r, in, e);
        stream_record_free(in);
        if (!done) break;
        progress_add_share(&shown, 1, stream_reader_share(r->reader));
    }
    progress_end(&shown);
    return e->status == 0;
}

/* Entries that several photos found: what their names leave out may tell these photos apart. */
static void shared_warn(const run *r, const annotations *a)
{
    const annotation *first = NULL;
    int64_t shared = 0;
    for (size_t i = 0; i < a->count; i++) {
        const annotation *entry = &a->entry[i];
        if (entry->photos < 2) continue;
        shared++;
        if (first == NULL) first = entry;
        cli_detail(r->c, "%s: " NAME " fits %" PRId64 " photos", a->path, entry->name,
                   entry->photos);
    }
    if (shared == 0) return;
    cli_warn(r->c,
             "%s: entries that fit several photos each, which all got their faces: %" PRId64
             " (" NAME " fits %" PRId64 "); unless these are copies, name their folders in it",
             a->path, shared, first->name, first->photos);
}

static void ambiguous_warn(const run *r, const source *s)
{
    if (s->ambiguous.count == 0) return;
    cli_warn(r->c,
             "%s: photos that several entries fit alike, which got the faces of none: %" PRId64
             " (the first is %s); name folders in the entries, or leave all but one out",
             s->a->path, s->ambiguous.count, tally_first(&s->ambiguous));
}

static void categories_note(const run *r, const annotations *a)
{
    if (a->others > 0) {
        cli_note(r->c, "%s: %zu annotation%s of other categories than faces", a->path, a->others,
                 plural(a->others));
    }
    if (a->doubtful > 0) {
        cli_warn(r->c,
                 "%s: %zu box%s taken for faces, though their category is called '%s'; a "
                 "category of faces has face in its name",
                 a->path, a->doubtful, a->doubtful == 1 ? "" : "es", a->doubtful_category);
    }
}

static const char *entries(size_t count)
{
    return count == 1 ? "entry" : "entries";
}

static void source_note(const run *r, const source *s)
{
    int64_t unclaimed = 0;
    for (size_t i = 0; i < s->a->count; i++) unclaimed += s->a->entry[i].photos == 0;
    cli_note(r->c,
             "%s: %zu %s, %" PRId64 " without a photo; %" PRId64 " photo%s with an entry, %" PRId64
             " without, %" PRId64 " ambiguous",
             s->a->path, s->a->count, entries(s->a->count), unclaimed, s->found,
             plural((size_t)s->found), s->missed, s->ambiguous.count);
    if (s->a->joined > 0) {
        cli_note(r->c, "%s: %zu more %s of paths that had one", s->a->path, s->a->joined,
                 entries(s->a->joined));
    }
    if (s->a->strays > 0) {
        cli_note(r->c, "%s: %zu annotation%s of images that it does not have", s->a->path,
                 s->a->strays, plural(s->a->strays));
    }
    categories_note(r, s->a);
    for (size_t i = 0; i < s->a->count && r->c->verbose > 0; i++) {
        if (s->a->entry[i].photos > 0) continue;
        cli_detail(r->c, "%s: no photo for " NAME, s->a->path, s->a->entry[i].name);
    }
    shared_warn(r, s->a);
    ambiguous_warn(r, s);
}

static void outside_warn(const run *r)
{
    if (r->outside.count == 0) return;
    cli_warn(r->c,
             "%" PRId64
             " photo%s with landmarks outside the boxes that another file has in their place (the "
             "first is %s); are both files of the same faces, and of photos of the same size?",
             r->outside.count, plural((size_t)r->outside.count), tally_first(&r->outside));
}

static void summary_note(const run *r)
{
    cli_note(r->c,
             "%" PRId64 " photo%s, %" PRId64 " face%s, %" PRId64 " photo%s without annotation",
             r->photos.count, plural((size_t)r->photos.count), r->faces, plural((size_t)r->faces),
             r->without, plural((size_t)r->without));
    for (size_t i = 0; i < r->sources; i++) source_note(r, &r->source[i]);
    outside_warn(r);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return input_describe(path, &status) && S_ISDIR(status.st_mode);
}

/* Unmatched annotations are not an error, but the user will want to know. */
static void mismatch_warn(const run *r)
{
    int64_t found = 0, ambiguous = 0;
    const annotation *entry = NULL;
    for (size_t i = 0; i < r->sources; i++) {
        const source *s = &r->source[i];
        found += s->found;
        ambiguous += s->ambiguous.count;
        if (entry == NULL && s->a->count > 0) entry = s->a->entry;
        if (s->a->count == 0 && is_folder(s->a->path)) {
            cli_warn(r->c,
                     "%s: no .pts or .npy files in this folder and below, and others are not "
                     "looked for: name them, like -a %s/annotations.jsonl",
                     s->a->path, s->a->path);
        }
    }
    if (found > 0 || ambiguous > 0 || entry == NULL || r->photos.count == 0) return;
    cli_warn(r->c,
             "no annotation fits a photo: their file names without suffix must be those of the "
             "photos' paths as exif-extract was given them, or of their ids; the first annotation "
             "is of '" NAME "', the first photo is '%s' (-v names all)",
             entry->name, tally_first(&r->photos));
}

static bool sources_read(run *r, error *e)
{
    r->source = memory_zeroed(files.count + 1, sizeof *r->source, e);
    if (r->source == NULL) return false;
    for (size_t i = 0; i < files.count; i++) {
        r->source[i].a = annotations_read(files.item[i], (annotation_format)format, e);
        if (r->source[i].a == NULL) return false;
        r->sources++;
    }
    return true;
}

static void locate(cli *c, error *e)
{
    static const char *const kinds[] = {"photo", NULL};
    run r = {.c = c};
    if (files.count == 0 && !whole) {
        error_set(e, STATUS_USAGE, "nothing to do: give --annotations FILE or --whole");
        return;
    }
    if (sources_read(&r, e)) r.reader = stream_reader_open(&c->inputs, kinds, e);
    if (r.reader != NULL) {
        if (stream_writer_open(&r.writer, c, "photo", e)) {
            stream_writer_header_begin(&r.writer, stream_reader_header(r.reader));
            if (stream_writer_header_end(&r.writer, e)) records_run(&r, e);
        }
        if (stream_writer_close(&r.writer, e)) {
            summary_note(&r);
            mismatch_warn(&r);
        }
    }
    stream_reader_close(r.reader);
    for (size_t i = 0; i < r.sources; i++) {
        annotations_free(r.source[i].a);
        free(r.source[i].ambiguous.first);
    }
    free(r.source);
    free(r.photos.first);
    free(r.outside.first);
    cli_strings_free(&files);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    locate(&c, &e);
    return cli_finish(&c, &e);
}
