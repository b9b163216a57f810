/* Crops faces and manipulates them: photo records in, face records out. */
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/parallel.h"
#include "cli/plural.h"
#include "cli/progress.h"
#include "face/produce.h"
#include "face/sheet.h"
#include "stream/writer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANTS_ALL, VARIANTS_SAMPLED };
enum { CODING_RAW, CODING_PNG };
enum { VFLIP_ROTATE, VFLIP_AXIS };
enum { WARP_PIECEWISE, WARP_AFFINE };
static const char *const variants_choices[] = {"all", "sampled", NULL};
static const char *const coding_choices[] = {"raw", "png", NULL};
static const char *const vflip_choices[] = {"rotate", "axis", NULL};
static const char *const warp_choices[] = {"piecewise", "affine", NULL};

static int variants = VARIANTS_ALL, coding = CODING_RAW, vflip = VFLIP_ROTATE,
           warp = WARP_PIECEWISE, how = RESAMPLE_ANTIALIAS;
static int64_t size = CROP_SIZE, working_size, per_face = 1, epochs = 1, sheet_rows = 24;
static double scale = CROP_SCALE, megapixels = 100;
static bool nose, masks;
static const char *trace_path, *sheet_path;

static const cli_option options[] = {
    {"variants", 0, CLI_CHOICE, &variants, .choices = variants_choices, .argument = "WHICH",
     .help = "every variant of a face, or draws (all)"},
    {"per-face", 0, CLI_INTEGER, &per_face, 1, 1000, .argument = "N",
     .help = "draws a face and epoch (1)"},
    {"epochs", 0, CLI_INTEGER, &epochs, 1, 100000, .argument = "N",
     .help = "epochs to draw for (1)"},
    {"nose", 0, CLI_FLAG, &nose, .help = "the nose flip takes part"},
    {"vflip", 0, CLI_CHOICE, &vflip, .choices = vflip_choices, .argument = "HOW",
     .help = "vertical flips: turn by 180 degrees, or mirror (rotate)", .rare = true},
    {"warp", 0, CLI_CHOICE, &warp, .choices = warp_choices, .argument = "HOW",
     .help = "a jittered grid, or one affine map (piecewise)", .rare = true},
    {"scale", 0, CLI_NUMBER, &scale, 0.1, 10, .argument = "X",
     .help = "crop's side over the box's longer side (1.3)"},
    {"size", 0, CLI_INTEGER, &size, 16, 1024, .argument = "N",
     .help = "side of the faces written (224)"},
    {"working-size", 0, CLI_INTEGER, &working_size, 16, 1024, .argument = "N",
     .help = "side at which faces are manipulated (224, or --size)"},
    {"resampling", 0, CLI_CHOICE, &how, .choices = resampling_names, .argument = "HOW",
     .help = "how crops are resized (antialias)", .rare = true},
    {"coding", 0, CLI_CHOICE, &coding, .choices = coding_choices, .argument = "HOW",
     .help = "of the pixels (raw)", .rare = true},
    {"masks", 0, CLI_FLAG, &masks, .help = "records of flips hold their soft mask", .rare = true},
    {"max-megapixels", 0, CLI_NUMBER, &megapixels, 0.01, 2000, .argument = "N",
     .help = "larger photos are errors (100)", .rare = true},
    {"trace", 0, CLI_STRING, &trace_path, .argument = "FILE",
     .help = "write all choices as JSON lines", .unrecorded = true, .written = true},
    {"sheet", 0, CLI_STRING, &sheet_path, .argument = "FILE.png",
     .help = "draw a contact sheet, regions outlined", .unrecorded = true, .written = true},
    {"sheet-rows", 0, CLI_INTEGER, &sheet_rows, 1, 1000, .argument = "N",
     .help = "faces on the sheet (24)", .unrecorded = true, .rare = true},
};

static const char *const own_keys[] = {"face", "manipulation", "regions",     "draw", "coding",
                                       "mask", "epoch",        "orientation", NULL};

static const cli_tool tool = {
    .name = "face-manipulate",
    .operands = "[FILE...]",
    .summary = "Crops the faces of photos and manipulates them for the pretext tasks.",
    .options = options,
    .option_count = CLI_COUNT(options),
    .common = CLI_SEED | CLI_SET | CLI_MAX_ERRORS | CLI_PROVENANCE,
    .keys = own_keys,
};

/* A photo on its way through. */
typedef struct photo_run {
    produce_photo photo;
    stream_record *in;
    int holders;        /* items under way, and one while more are to come */
    int64_t sheet_rows; /* that its face cut into pieces may begin */
    bool failed;        /* nothing more is to come of it */
    int failed_face;    /* or of this face; -1: none */
    bool has_row;       /* the last row of the sheet is its last face's */
} photo_run;

/* A piece of it: what threads work on. */
typedef struct run_item {
    photo_run *of;
    face_piece piece;
    bool last; /* of the photo */
    int64_t sheet_rows;
    produced out;
    struct run_item *next_spare;
} run_item;

typedef struct run {
    cli *c;
    produce_options produce;
    producer **producers; /* one a thread */
    run_item *spare;      /* done with; their buffers serve the next pieces */
    stream_reader *reader;
    photo_run *photo;   /* whose next piece is the next item; NULL: none */
    face_pieces pieces; /* of it, that are left */
    stream_writer writer;
    output trace;
    sheet sheet;
    progress shown;
    produced sum; /* its counters only */
    int64_t photos, photos_without_faces, sheet_left, photos_read;
} run;

/* These, item_next, item_take and item_discard run on one thread. */
static void photo_release(photo_run *p)
{
    if (p == NULL || --p->holders > 0) return;
    stream_record_free(p->in);
    free(p);
}

static int photo_next(run *r, error *e)
{
    stream_record *in;
    int read = stream_reader_next(r->reader, &in, e);
    if (read <= 0) return read;
    r->photo = memory_zeroed(1, sizeof *r->photo, e);
    if (r->photo == NULL) {
        stream_record_free(in);
        return -1;
    }
    *r->photo =
        (photo_run){.photo = {in, ++r->photos_read}, .in = in, .holders = 1, .failed_face = -1};
    r->pieces = produce_pieces(&r->produce, in);
    return 1;
}

static int item_next(void *context, void **out, error *e)
{
    run *r = context;
    int read = r->photo != NULL ? 1 : photo_next(r, e);
    if (read <= 0) return read;
    run_item *item = r->spare;
    if (item != NULL) {
        r->spare = item->next_spare;
    } else if ((item = memory_zeroed(1, sizeof *item, e)) == NULL) {
        return -1;
    }
    photo_run *p = r->photo;
    item->of = p;
    item->piece = face_pieces_next(&r->pieces);
    if (item->piece.variant == 0) p->sheet_rows = r->sheet_left;
    item->sheet_rows = p->sheet_rows;
    item->last = face_pieces_done(&r->pieces);
    p->holders++;
    if (item->last) {
        photo_release(p);
        r->photo = NULL;
    }
    *out = item;
    return 1;
}

static void item_work(void *context, void *argument, int worker)
{
    run *r = context;
    run_item *item = argument;
    if (item->of->in->is_error) return;
    piece_produce(r->producers[worker], &item->of->photo, item->piece, item->sheet_rows,
                  &item->out);
}

static void item_discard(void *context, void *argument)
{
    run *r = context;
    run_item *item = argument;
    photo_release(item->of);
    item->of = NULL;
    produced_clear(&r->produce, &item->out);
    item->next_spare = r->spare;
    r->spare = item;
}

static bool producers_make(run *r, error *e)
{
    r->producers = memory_zeroed((size_t)r->c->threads, sizeof(producer *), e);
    for (int i = 0; r->producers != NULL && i < r->c->threads; i++) {
        r->producers[i] = producer_make(&r->produce, e);
    }
    return e->status == 0;
}

static void run_free(run *r)
{
    for (int i = 0; r->producers != NULL && i < r->c->threads; i++) producer_free(r->producers[i]);
    free(r->producers);
    photo_release(r->photo);
    while (r->spare != NULL) {
        run_item *item = r->spare;
        r->spare = item->next_spare;
        produced_free(&r->produce, &item->out);
        free(item);
    }
    sheet_free(&r->sheet);
}

static void counters_add(run *r, const produced *p)
{
    r->photos_without_faces += p->no_faces;
    r->sum.faces += p->faces;
    r->sum.variants += p->variants;
    r->sum.no_landmarks += p->no_landmarks;
    r->sum.decode_seconds += p->decode_seconds;
    r->sum.seconds += p->seconds;
    for (int i = 0; i < MANIPULATION_COUNT; i++) {
        for (int k = 0; k < LACK_COUNT; k++) r->sum.left_out[i][k] += p->left_out[i][k];
    }
}

static bool sheet_add(run *r, photo_run *of, const run_item *item, error *e)
{
    const produced *p = &item->out;
    int row = 0;
    if (item->piece.variant > 0 && p->sheet_rows > 0) {
        if (of->has_row) sheet_row_fill(&r->sheet, p->cells);
        row = 1;
    }
    for (; row < p->sheet_rows; row++) {
        of->has_row = r->sheet_left > 0;
        if (!of->has_row) break;
        if (!sheet_row_add(&r->sheet, p->cells + row * r->produce.sheet_columns, e)) return false;
        r->sheet_left--;
    }
    return true;
}

/* What failed in an earlier piece has said so, and ended there. */
static bool failed_before(photo_run *of, const run_item *item)
{
    int last = item->piece.face + item->piece.faces - 1;
    bool before = of->failed || (item->piece.variant > 0 && of->failed_face == last);
    of->failed |= item->out.photo_failed;
    if (item->out.face_failed) of->failed_face = last;
    return before;
}

static bool item_put(run *r, run_item *item, error *e)
{
    produced *p = &item->out;
    photo_run *of = item->of;
    if (of->in->is_error) return stream_writer_pass(&r->writer, of->in, e);
    r->photos += item->last;
    if (failed_before(of, item)) return true;
    counters_add(r, p);
    if (p->trace_length > 0 &&
        fwrite(p->trace, 1, p->trace_length, r->trace.file) != p->trace_length) {
        return error_set(e, STATUS_IO, "%s: ", trace_path);
    }
    return sheet_add(r, of, item, e) && stream_writer_put(&r->writer, &p->records, e);
}

static bool item_take(void *context, void *argument, error *e)
{
    run *r = context;
    run_item *item = argument;
    bool taken = item_put(r, item, e);
    progress_add_share(&r->shown, item->last, stream_reader_share(r->reader));
    item_discard(r, item);
    return taken;
}

static bool header_write(run *r, error *e)
{
    stream_chunk *k = stream_writer_header_begin(&r->writer, stream_reader_header(r->reader));
    put_map_begin(k, "preprocessing");
    put_integer(k, "size", size);
    put_integer(k, "working_size", working_size);
    put_number(k, "scale", scale);
    put_text(k, "resampling", resampling_names[how]);
    put_map_end(k);
    put_text(k, "variants", variants_choices[variants]);
    put_integer(k, "epochs", epochs);
    put_integer(k, "per_face", per_face);
    return stream_writer_header_end(&r->writer, e);
}

/* Of a manipulation: how many faces could not have it, and why. */
static void left_out_note(const cli *c, const char *name, const int64_t counts[LACK_COUNT])
{
    static const char *const reasons[LACK_COUNT] = {
        [LACKS_LANDMARKS] = "without landmarks for it",
        [LACKS_ENDS] = "with its landmarks outside the crop",
        [LACKS_SIZE] = "with too small a region",
    };
    char text[200] = "";
    size_t used = 0;
    int64_t sum = 0;
    for (int i = 0; i < LACK_COUNT; i++) {
        if (counts[i] == 0) continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRId64 " %s",
                                 sum == 0 ? "" : ", ", counts[i], reasons[i]);
        sum += counts[i];
    }
    if (sum == 0) return;
    cli_note(c,
             variants == VARIANTS_SAMPLED ? "%s became a warp in %" PRId64 " draw%s: %s"
                                          : "%s left out of %" PRId64 " face%s: %s",
             name, sum, plural((size_t)sum), text);
}

static void summary_note(const run *r)
{
    const produced *s = &r->sum;
    cli_note(r->c, "%" PRId64 " photo%s, %" PRId64 " face%s, %" PRId64 " variant%s", r->photos,
             plural((size_t)r->photos), s->faces, plural((size_t)s->faces), s->variants,
             plural((size_t)s->variants));
    if (r->photos_without_faces > 0) {
        cli_note(r->c, "%" PRId64 " photo%s without faces", r->photos_without_faces,
                 plural((size_t)r->photos_without_faces));
    }
    if (s->no_landmarks > 0) {
        cli_note(r->c, "%" PRId64 " face%s without landmarks: warps only", s->no_landmarks,
                 plural((size_t)s->no_landmarks));
    }
    for (int i = 0; i < MANIPULATION_COUNT; i++) {
        left_out_note(r->c, manipulation_name((manipulation)i, warp == WARP_AFFINE),
                      s->left_out[i]);
    }
    if (s->seconds > 0) {
        cli_detail(r->c, "decoding took %.3f s of %.3f s of work (%.1f %%), %.1f faces/s a thread",
                   s->decode_seconds, s->seconds, 100 * s->decode_seconds / s->seconds,
                   (double)s->faces / s->seconds);
    }
}

static void streams_run(run *r, error *e)
{
    static const parallel_plan plan = {item_next, item_work, item_take, item_discard};
    if (stream_writer_open(&r->writer, r->c, "face", e) && header_write(r, e)) {
        progress_start(&r->shown, r->c, "photos", 0);
        parallel_map(&plan, r, r->c->threads, 0, e);
        progress_end(&r->shown);
    }
    if (sheet_path != NULL && e->status == 0) sheet_write(&r->sheet, sheet_path, e);
    stream_writer_close(&r->writer, e);
}

static bool options_check(error *e)
{
    if (working_size == 0) working_size = size > CROP_SIZE ? size : CROP_SIZE;
    if (size > working_size) {
        return error_set(e, STATUS_USAGE,
                         "--size %" PRId64 " is larger than --working-size %" PRId64, size,
                         working_size);
    }
    if (masks && size != working_size) {
        return error_set(e, STATUS_USAGE, "--masks needs --size and --working-size to be equal");
    }
    if ((trace_path != NULL && strcmp(trace_path, "-") == 0) ||
        (sheet_path != NULL && strcmp(sheet_path, "-") == 0)) {
        return error_set(e, STATUS_USAGE,
                         "--trace and --sheet need a file: the stream has the output");
    }
    return true;
}

static void manipulate(cli *c, error *e)
{
    static const char *const kinds[] = {"photo", NULL};
    if (!options_check(e)) return;
    int64_t draws = epochs * per_face;
    int columns = variants == VARIANTS_SAMPLED ? (int)(draws < 8 ? draws : 8) : nose ? 6 : 5;
    run r = {
        .c = c,
        .produce = {.c = c,
                    .variant = {c->seed, nose, vflip == VFLIP_AXIS, warp == WARP_AFFINE},
                    .crop = {scale, (int)working_size, (resampling)how},
                    .size = (int)size,
                    .sampled = variants == VARIANTS_SAMPLED,
                    .draws = draws,
                    .per_face = per_face,
                    .masks = masks,
                    .png = coding == CODING_PNG,
                    .trace = trace_path != NULL,
                    .sheet_columns = sheet_path == NULL ? 0 : columns,
                    .limits = {(int64_t)(megapixels * 1e6), IMAGE_LIMITS.bytes}},
        .sheet = {.size = (int)working_size, .columns = columns},
        .sheet_left = sheet_rows,
    };
    r.reader = stream_reader_open(&c->inputs, kinds, e);
    if (r.reader != NULL && producers_make(&r, e) &&
        (trace_path == NULL || output_open(&r.trace, trace_path, false, e))) {
        streams_run(&r, e);
        output_commit(&r.trace, e);
        if (e->status == 0) summary_note(&r);
    }
    stream_reader_close(r.reader);
    run_free(&r);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    manipulate(&c, &e);
    return cli_finish(&c, &e);
}
