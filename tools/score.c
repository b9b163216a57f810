/* score: how likely each face is to be a photograph, and the decision. */
#include "cli/memory.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "cli/threads.h"
#include "detect/detector.h"
#include "detect/embeddings.h"
#include "stream/writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 }; /* faces scored at once */

static struct {
    const char *detector, *threshold;
    bool text, fail_on_generated;
} options;

static const cli_option option_table[] = {
    {"detector", 'd', CLI_STRING, &options.detector, .argument = "FILE",
     .help = "made by gmm-fit or mlp-fit (required)"},
    {"threshold", 0, CLI_STRING, &options.threshold, .argument = "X",
     .help = "decide by this score, not the detector's own"},
    {"text", 0, CLI_FLAG, &options.text, .help = "one line of plain words a face"},
    {"fail-on-generated", 0, CLI_FLAG, &options.fail_on_generated,
     .help = "exit 1 when a face looks generated"},
};

static const char *const score_keys[] = {"score", "generated", "threshold", "p_value", NULL};

static const cli_tool tool = {
    .name = "score",
    .operands = "[EMBEDDINGS...]",
    .summary = "Score faces by a detector and decide whether they were generated.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SET | CLI_MAX_ERRORS | CLI_PROVENANCE,
    .keys = score_keys,
};

/* One record of a block, in order: a face to score, or an error. */
typedef struct pending {
    stream_record *record;
    char reason[100]; /* it cannot be scored; "": its vector is in the block */
} pending;

typedef struct run_state {
    cli *c;
    detector detector;
    stream_reader *reader;
    stream_writer writer; /* without --text */
    output text;          /* with it */
    stream_chunk chunk;
    pending block[BLOCK];
    size_t pending_count, face_count;
    float *vectors; /* (BLOCK, dimension) */
    double scores[BLOCK];
    int64_t generated, scored;  /* faces */
    int64_t unscorable, passed; /* faces; error records of earlier stages */
    progress shown;
} run_state;

static bool load_detector(run_state *r, error *e)
{
    char *end;
    if (!options.detector)
        return error_set(e, STATUS_USAGE,
                         "--detector FILE is needed; gmm-fit and mlp-fit make one");
    if (!detector_read(&r->detector, options.detector, r->c->threads, e)) return false;
    if (!options.threshold) return true;
    r->detector.threshold = strtod(options.threshold, &end);
    if (end == options.threshold || *end || !isfinite(r->detector.threshold))
        return error_set(e, STATUS_USAGE, "--threshold: '%s' is not a number", options.threshold);
    return true;
}

/* A detector judges the embeddings of the one model it was fitted to. */
static bool check_model(const run_state *r, error *e)
{
    char *model = object_text_copy(stream_reader_header(r->reader), "model");
    bool good = !model || !r->detector.model || strcmp(model, r->detector.model) == 0;
    if (!good)
        error_set(e, STATUS_DATA,
                  "%s: embeddings of the model %s, but %s was fitted to those of %s: embed and fit "
                  "with the same model",
                  stream_reader_input(r->reader), model, options.detector, r->detector.model);
    free(model);
    return good;
}

static bool write_header(run_state *r, error *e)
{
    static const char *const own[] = {"blades",   "kind",   "provenance", "dimension",
                                      "detector", "higher", "threshold",  NULL};
    const msgpack_object *input = stream_reader_header(r->reader);
    if (!check_model(r, e)) return false;
    if (options.text) return true;
    stream_chunk *header = stream_writer_header_begin(&r->writer, input);
    put_text(header, "detector", detector_kind_names[r->detector.kind]);
    put_text(header, "higher",
             detector_higher_is_photographic(&r->detector) ? "photographic" : "generated");
    put_number(header, "threshold", r->detector.threshold);
    put_rest(header, NULL, input, own);
    return stream_writer_header_end(&r->writer, e);
}

static void put_score(run_state *r, const stream_record *record, double score)
{
    static const char *const own[] = {"id",        "vector",  "score", "generated",
                                      "threshold", "p_value", NULL};
    double p = detector_p_value(&r->detector, score);
    record_begin(&r->chunk, "score");
    put_text(&r->chunk, "id", record->id);
    put_number(&r->chunk, "score", score);
    put_boolean(&r->chunk, "generated", detector_says_generated(&r->detector, score));
    put_number(&r->chunk, "threshold", r->detector.threshold);
    if (!isnan(p)) put_number(&r->chunk, "p_value", p);
    put_rest(&r->chunk, r->c, &record->object, own);
    record_end(&r->chunk);
}

static void print_score(const run_state *r, const stream_record *record, double score)
{
    FILE *to = r->text.file;
    bool generated = detector_says_generated(&r->detector, score);
    double p = detector_p_value(&r->detector, score);
    text_print(to, record->id, NULL, NULL);
    fprintf(to, ": %s (", generated ? "looks generated" : "looks like a photograph");
    if (detector_higher_is_photographic(&r->detector))
        fprintf(to, "log-likelihood %.2f, threshold %.2f", score, r->detector.threshold);
    else
        fprintf(to, "probability of being generated %.1f %%", 100 * score);
    if (!isnan(p) && p > 0)
        fprintf(to, "; %.1f %% of known photographs look at least as odd", 100 * p);
    if (p == 0)
        fprintf(to, "; none of %zu known photographs looks as odd", r->detector.calibration_count);
    fputs(")\n", to);
}

static bool emit_error(run_state *r, const pending *item, error *e)
{
    const char *id = item->record->id, *reason = item->reason;
    if (!options.text && item->record->is_error)
        return stream_writer_pass(&r->writer, item->record, e);
    if (!options.text) {
        put_error_record(&r->chunk, r->c, id, reason, &item->record->object);
        return stream_writer_put(&r->writer, &r->chunk, e);
    }
    r->c->error_count += !item->record->is_error;
    char *told = object_text_copy(&item->record->object, "reason");
    if (item->record->is_error) reason = told;
    text_print(r->text.file, id, NULL, NULL);
    fputs(": could not be examined", r->text.file);
    if (reason) {
        fputs(": ", r->text.file);
        text_print(r->text.file, error_reason(id, reason), NULL, NULL);
    }
    fputc('\n', r->text.file);
    free(told);
    return true;
}

static bool emit_block(run_state *r, error *e)
{
    points p = {r->vectors, NULL, r->face_count, detector_dimension(&r->detector)};
    bool good = detector_scores(&r->detector, &p, r->c->threads, r->scores, e);
    size_t face = 0;
    for (size_t i = 0; i < r->pending_count; i++) {
        pending *item = &r->block[i];
        bool has_vector = !item->record->is_error && !*item->reason;
        double score = good && has_vector ? r->scores[face++] : 0;
        if (!isfinite(score))
            snprintf(item->reason, sizeof item->reason, "the detector's score is not finite");
        if (good && (item->record->is_error || *item->reason)) {
            r->passed += item->record->is_error;
            r->unscorable += !item->record->is_error;
            good = emit_error(r, item, e);
        } else if (good) {
            r->scored++;
            r->generated += detector_says_generated(&r->detector, score);
            if (options.text) {
                print_score(r, item->record, score);
            } else {
                put_score(r, item->record, score);
                good = stream_writer_put(&r->writer, &r->chunk, e);
            }
        }
        stream_record_free(item->record);
    }
    if (options.text && good && ferror(r->text.file))
        good = error_set(e, STATUS_IO, "%s: cannot be written", output_name(r->text.path));
    progress_add_share(&r->shown, (int64_t)r->pending_count, stream_reader_share(r->reader));
    r->pending_count = r->face_count = 0;
    return good;
}

static void add_pending(run_state *r, stream_record *record)
{
    size_t dimension = detector_dimension(&r->detector);
    pending *item = &r->block[r->pending_count++];
    *item = (pending){.record = record};
    if (record->is_error) return;
    float *room = r->vectors + r->face_count * dimension;
    error unfit = {0};
    if (embedding_vector(&record->object, &dimension, room, &unfit))
        r->face_count++;
    else
        snprintf(item->reason, sizeof item->reason, "%.99s", unfit.text);
}

static bool score_all(run_state *r, error *e)
{
    stream_record *record;
    int more;
    int64_t segment = 0;
    while ((more = stream_reader_next(r->reader, &record, e)) > 0) {
        bool next = record->segment != segment;
        segment = record->segment;
        if (next && (!emit_block(r, e) || !write_header(r, e))) {
            stream_record_free(record);
            return false;
        }
        add_pending(r, record);
        if (r->pending_count == BLOCK && !emit_block(r, e)) return false;
    }
    return more == 0 && emit_block(r, e);
}

/* "No face looks generated" must not mean that none was looked at. */
static void check_scored(const run_state *r, error *e)
{
    if (r->scored > 0) return;
    const char *why = r->unscorable ? "this detector can score none of the input"
                      : r->passed   ? "the input has only error records"
                                  : "the input has no faces; photos need face-locate before embed";
    if (options.fail_on_generated)
        error_set(e, STATUS_DATA, "no face was scored: %s", why);
    else
        cli_warn(r->c, "no face was scored: %s", why);
}

static void run(run_state *r, error *e)
{
    static const char *const kinds[] = {"embedding", NULL};
    if (!threads_start(r->c->threads, e) || !load_detector(r, e)) return;
    r->vectors = memory_allocate(BLOCK * detector_dimension(&r->detector), sizeof *r->vectors, e);
    if (!r->vectors) return;
    r->reader = stream_reader_open(&r->c->inputs, kinds, e);
    if (!r->reader) return;
    bool opened = options.text ? output_open(&r->text, r->c->output, false, e)
                               : stream_writer_open(&r->writer, r->c, "score", e);
    if (opened && write_header(r, e)) {
        progress_start(&r->shown, r->c, "faces", 0);
        score_all(r, e);
        progress_end(&r->shown);
    }
    for (size_t i = 0; i < r->pending_count; i++) stream_record_free(r->block[i].record);
    if (!opened) return;
    bool written = options.text ? output_commit(&r->text, e) : stream_writer_close(&r->writer, e);
    if (written) check_scored(r, e);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run_state *r = memory_zeroed(1, sizeof *r, &e);
    int status = STATUS_DONE;
    if (r) {
        r->c = &c;
        points_single_threaded_blas();
        run(r, &e);
        if (options.fail_on_generated && r->generated > 0) status = STATUS_NO;
        stream_reader_close(r->reader);
        detector_free(&r->detector);
        stream_chunk_free(&r->chunk);
        free(r->vectors);
        free(r);
    }
    return cli_finish_status(&c, &e, status);
}
