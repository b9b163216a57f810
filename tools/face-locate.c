/* Joins annotation files to photos: photo records in, photo records with faces out. */
#include "cli/input.h"
#include "cli/progress.h"
#include "face/locate.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const missing_choices[] = {"pass", "drop", "error", NULL};
enum { MISSING_PASS, MISSING_DROP, MISSING_ERROR };

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

typedef struct source {
    annotations *a;
    int64_t found, missed, ambiguous;
} source;

typedef struct run {
    cli *c;
    source *source;
    size_t sources;
    stream_reader *reader;
    stream_writer writer;
    int64_t photos, without, faces;
    char *first; /* photo's path, or id */
} run;

/* The faces of one photo while they are gathered. */
typedef struct gathered {
    located_face *faces;
    size_t count;
    const json_t *extra; /* of the first entry found */
    bool found;
} gathered;

static annotation *entry_find(run *r, source *s, const stream_record *in, const char *path)
{
    annotation *entry = NULL;
    match m = annotations_find(s->a, path, &entry);
    if (m == MATCH_NONE && strcmp(path, in->id) != 0) m = annotations_find(s->a, in->id, &entry);
    if (m == MATCH_AMBIGUOUS) {
        s->ambiguous++;
        cli_detail(r->c, "%s: %s: several entries fit, or another photo has it", s->a->path, path);
        return NULL;
    }
    if (m == MATCH_NONE) {
        s->missed++;
        cli_detail(r->c, "%s: nothing for %s", s->a->path, path);
        return NULL;
    }
    s->found++;
    return entry;
}

static bool faces_gather(run *r, const stream_record *in, gathered *g, error *e)
{
    photo_frame frame = photo_frame_get(&in->object);
    locate_options how = {upright, resized_to};
    char *path = object_text_copy(&in->object, "path");
    bool done = true;
    if (r->first == NULL) r->first = strdup(path == NULL ? in->id : path);
    for (size_t i = 0; i < r->sources && done; i++) {
        annotation *entry = entry_find(r, &r->source[i], in, path == NULL ? in->id : path);
        if (entry == NULL) continue;
        g->found = true;
        if (g->extra == NULL) g->extra = entry->extra;
        done = faces_merge(r->source[i].a, entry, &frame, &how, &g->faces, &g->count, e);
    }
    free(path);
    if (done && g->count == 0 && whole && face_count(&in->object) == 0) {
        if (!frame.known) {
            return error_set(e, STATUS_DATA, "the record has no width and height for --whole");
        }
        g->faces = memory_zeroed(1, sizeof *g->faces, e);
        if (g->faces == NULL) return false;
        g->count = 1;
        g->faces[0].has_box = true;
        g->faces[0].face.box[2] = frame.width;
        g->faces[0].face.box[3] = frame.height;
    }
    return done;
}

/* Keys of an annotation that the record does not have and --set does not give. */
static void extra_put(const run *r, stream_chunk *k, const msgpack_object *record,
                      const json_t *extra)
{
    static const char *const never[] = {"type",   "id",          "path", "faces",    "width",
                                        "height", "orientation", "exif", "exif_raw", NULL};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)extra, key, value)
    {
        bool own = object_get(record, key) != NULL;
        for (int i = 0; never[i] != NULL; i++) own |= strcmp(never[i], key) == 0;
        for (size_t i = 0; i + 1 < r->c->sets.count; i += 2) {
            own |= strcmp(r->c->sets.item[i], key) == 0;
        }
        if (!own) put_json(k, key, value);
    }
}

static void faces_put(stream_chunk *k, const gathered *g)
{
    put_array(k, "faces", g->count);
    for (size_t i = 0; i < g->count; i++) {
        located_face *f = &g->faces[i];
        if (!f->has_box) f->has_box = landmark_box(f->face.landmarks, f->face.points, f->face.box);
        put_map_begin(k, NULL);
        face_put(k, &f->face);
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)f->extra, key, value) put_json(k, key, value);
        put_map_end(k);
    }
}

static void record_put(run *r, const stream_record *in, const gathered *g, stream_chunk *k)
{
    static const char *const own[] = {"faces", NULL};
    static const char *const none[] = {NULL};
    bool keeps = g->count == 0 && !g->found;
    record_begin(k, "photo");
    put_rest(k, r->c, &in->object, keeps ? none : own);
    if (!keeps) faces_put(k, g);
    extra_put(r, k, &in->object, g->extra);
    record_end(k);
    r->faces += (int64_t)g->count;
}

static bool photo_locate(run *r, const stream_record *in, error *e)
{
    if (in->is_error) return stream_writer_pass(&r->writer, in, e);
    error own = {0};
    gathered g = {0};
    stream_chunk k = {0};
    r->photos++;
    if (faces_gather(r, in, &g, &own) && !g.found && g.count == 0) {
        r->without++;
        if (missing == MISSING_ERROR) error_set(&own, STATUS_DATA, "no annotation for this photo");
    }
    if (own.status != 0) {
        put_error_record(&k, r->c, in->id, own.text, &in->object);
    } else if (g.found || g.count > 0 || missing == MISSING_PASS) {
        record_put(r, in, &g, &k);
    }
    bool done = stream_writer_put(&r->writer, &k, e);
    stream_chunk_free(&k);
    free(g.faces);
    return done;
}

static bool records_run(run *r, error *e)
{
    stream_record *in;
    progress shown;
    progress_start(&shown, r->c, "photos", 0);
    int got;
    while ((got = stream_reader_next(r->reader, &in, e)) == 1) {
        bool done = photo_locate(r, in, e);
        stream_record_free(in);
        if (!done) break;
        progress_add_share(&shown, 1, stream_reader_share(r->reader));
    }
    progress_end(&shown);
    return e->status == 0;
}

static void summary_note(const run *r)
{
    cli_note(r->c, "%" PRId64 " photos, %" PRId64 " faces, %" PRId64 " photos without annotation",
             r->photos, r->faces, r->without);
    for (size_t i = 0; i < r->sources; i++) {
        const source *s = &r->source[i];
        int64_t unclaimed = 0;
        for (size_t k = 0; k < s->a->count; k++) unclaimed += !s->a->entry[k].claimed;
        cli_note(r->c,
                 "%s: %zu entries, %" PRId64 " without a photo; %" PRId64
                 " photos with an entry, %" PRId64 " without, %" PRId64 " ambiguous",
                 s->a->path, s->a->count, unclaimed, s->found, s->missed, s->ambiguous);
        if (s->a->strays > 0) {
            cli_note(r->c, "%s: %zu annotations are of images that it does not have", s->a->path,
                     s->a->strays);
        }
        for (size_t k = 0; k < s->a->count && r->c->verbose > 0; k++) {
            if (s->a->entry[k].claimed) continue;
            cli_detail(r->c, "%s: no photo for %s", s->a->path, s->a->entry[k].name);
        }
    }
}

static bool is_folder(const char *path)
{
    struct stat status;
    return input_describe(path, &status) && S_ISDIR(status.st_mode);
}

/* Annotations of other photos, or in files that are not looked at, are no error: but who gives them
   wants to know. */
static void mismatch_warn(const run *r)
{
    int64_t found = 0, ambiguous = 0;
    const annotation *entry = NULL;
    for (size_t i = 0; i < r->sources; i++) {
        const source *s = &r->source[i];
        found += s->found;
        ambiguous += s->ambiguous;
        if (entry == NULL && s->a->count > 0) entry = s->a->entry;
        if (s->a->count == 0 && is_folder(s->a->path)) {
            cli_warn(r->c,
                     "%s: no .pts or .npy files in this folder and below, and others are not "
                     "looked for: name them, like -a %s/annotations.jsonl",
                     s->a->path, s->a->path);
        }
    }
    if (found > 0 || ambiguous > 0 || entry == NULL || r->photos == 0) return;
    cli_warn(r->c,
             "no annotation fits a photo: their file names without suffix must be those of the "
             "photos' paths as exif-extract was given them, or of their ids; the first annotation "
             "is of '%s', the first photo is '%s' (-v names all)",
             entry->name, r->first == NULL ? "" : r->first);
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
    for (size_t i = 0; i < r.sources; i++) annotations_free(r.source[i].a);
    free(r.source);
    free(r.first);
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
