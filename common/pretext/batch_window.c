/* Batches of a face input, window by window. */
#include "pretext/batch_window.h"

#include "cli/memory.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct window_job {
    const batch_windows *from;
    progress shown;
    int side;
    int64_t steps; /* written or skipped so far */
    uint32_t *kept;
    size_t kept_count;
    bool warned; /* of faces that come in several windows */
} window_job;

/* ---- Checks --------------------------------------------------------------------------------- */

bool batch_side_find(const batch_settings *settings, const catalog *faces, int *side, error *e)
{
    int before = *side;
    *side = (int)settings->size;
    if (*side) return true;
    *side = faces->width - (int)settings->shift;
    if (faces->sizes_differ || (before && *side != before) || faces->width != faces->height)
        return error_set(
            e, STATUS_DATA,
            "the faces are not squares of one size (%dx%d is one of them); give --size",
            faces->width, faces->height);
    if (*side < 1)
        return error_set(e, STATUS_DATA,
                         "faces of %d pixels leave nothing beside --shift %" PRId64
                         "; give --size too",
                         faces->width, settings->shift);
    return true;
}

static bool check_faces(const face_input *in, error *e)
{
    const char *why = in->left_out.generated > 0
                          ? " but generated ones; keep those with --with-generated"
                      : in->left_out.outside > 0 ? " but those of other splits than train and val"
                                                 : "";
    return in->faces.face_count > 0 ||
           error_set(e, STATUS_DATA, "there are no faces in the input%s", why);
}

static bool check_draws(const batch_windows *w, error *e)
{
    for (size_t i = 0; i < w->draws->count; i++) {
        const draw_weight *entry = &w->draws->entry[i];
        if (draw_weight_used(entry, &w->input->faces)) continue;
        if (w->input->whole)
            return error_set(e, STATUS_USAGE, "--draw %.100s: no record has this manipulation",
                             entry->name);
        cli_warn(w->c, "--draw %.100s: no record of the first window has this manipulation",
                 entry->name);
    }
    return true;
}

/* Is there a face whose record has the key that --balance names? */
static bool check_balance(const batch_windows *w, error *e)
{
    const catalog *c = &w->input->faces;
    const char *key = c->options.balance;
    bool missing = key && c->groups.count == 1 && !*c->groups.text[0];
    if (!missing) return true;
    if (w->input->whole)
        return error_set(e, STATUS_USAGE, "--balance %.100s: no face has this tag or key", key);
    cli_warn(w->c, "--balance %.100s: no face of the first window has this tag or key", key);
    return true;
}

static bool check_counts(const batch_windows *w, const sampler *s, error *e)
{
    const batch_settings *settings = w->settings;
    const catalog *c = &w->input->faces;
    bool whole = w->input->whole;
    if (settings->epochs == 0) return true;
    if (sampler_val_count(s) == 0 && c->options.val_fraction > 0)
        return error_set(e, STATUS_DATA,
                         "none of %zu faces is left to validate on; raise --val-fraction%s or give"
                         " --val-from train, or --val-fraction 0 for no validation",
                         c->face_count, whole ? "" : " or --window");
    if (sampler_steps(s) == 0)
        return error_set(e, STATUS_DATA,
                         "only %zu faces to train on, but a batch has %" PRId64 "; lower --batch%s",
                         c->member_count[SPLIT_TRAIN], settings->batch,
                         whole ? "" : " or raise --window");
    if (!whole && settings->epochs > 1)
        return error_set(e, STATUS_USAGE,
                         "the input is a pipe of more than %" PRId64 " faces (--window) and can be"
                         " read once only; for --epochs %" PRId64 " give a file or --spool",
                         settings->window, settings->epochs);
    return true;
}

/* ---- One window ----------------------------------------------------------------------------- */

static bool write_problem(const batch_windows *w, const face_problem *problem,
                          stream_buffer *buffer, error *e)
{
    const msgpack_object *map = face_store_get(&w->input->store, problem->place, buffer);
    if (!map) return error_set(e, STATUS_IO, "an input file was cut short or cannot be read");
    if (!problem->reason[0]) {
        stream_record record = {.id = "", .is_error = true, .object = *map};
        return stream_writer_pass(w->writer, &record, e);
    }
    stream_chunk k = {0};
    char *id = object_text_copy(map, "id");
    put_error_record(&k, w->c, id ? id : "", problem->reason, map);
    bool written = stream_writer_put(w->writer, &k, e);
    free(id);
    stream_chunk_free(&k);
    return written;
}

static bool write_problems(const batch_windows *w, error *e)
{
    stream_buffer buffer = {0};
    for (size_t i = 0; i < w->input->problem_count; i++)
        if (!write_problem(w, &w->input->problem[i], &buffer, e)) break;
    stream_buffer_free(&buffer);
    return !e->status;
}

static bool write_batches(window_job *j, sampler *s, error *e)
{
    const batch_windows *w = j->from;
    const batch_settings *settings = w->settings;
    batch_run run = {.c = w->c,
                     .writer = w->writer,
                     .faces = &w->input->faces,
                     .builder = {.faces = &w->input->faces,
                                 .sampler = s,
                                 .store = &w->input->store,
                                 .width = j->side,
                                 .height = j->side,
                                 .play = (int)settings->shift,
                                 .how = settings->how},
                     .sampler = s,
                     .shown = &j->shown,
                     .epochs = settings->epochs,
                     .first_step = j->steps,
                     .skip = settings->skip_steps};
    if (sampler_steps(s) == 0) return true;
    j->steps += (int64_t)sampler_steps(s) * settings->epochs;
    return batch_run_write(&run, e);
}

static bool begin_stream(window_job *j, sampler *s, error *e)
{
    const batch_windows *w = j->from;
    const batch_settings *settings = w->settings;
    int64_t steps = (int64_t)sampler_steps(s) * settings->epochs - settings->skip_steps;
    bool begun = check_draws(w, e) && check_balance(w, e) && check_counts(w, s, e) &&
                 batch_size_check(w->input->tasks, (size_t)settings->batch, j->side, e) &&
                 w->begin(w->context, s, j->side, e);
    if (begun)
        progress_start(&j->shown, w->c, "faces",
                       w->input->whole && steps > 0 ? steps * settings->batch : 0);
    return begun;
}

size_t batch_kept_choose(const batch_settings *settings, sampler *s, uint32_t **kept, error *e)
{
    int64_t quarter = settings->window / 4;
    size_t limit = (size_t)(quarter > settings->batch ? quarter : settings->batch);
    size_t val = sampler_val_count(s) > 0 ? s->faces->member_count[SPLIT_VAL] : 0;
    *kept = memory_allocate((size_t)settings->batch + limit, sizeof **kept, e);
    if (!*kept) return 0;
    size_t count = sampler_rest(s, 0, *kept);
    for (size_t i = val > limit ? val - limit : 0; i < val; i++)
        (*kept)[count++] = s->faces->member[SPLIT_VAL][i];
    return count;
}

/* Says so at the first of them: it may be the first window of many. */
static void warn_returned(window_job *j)
{
    if (j->warned || j->from->input->returned == 0) return;
    cli_warn(j->from->c,
             "records of a face come in several windows: it is trained on more than once"
             " an epoch, and not photographic half of the time; bring the records of a"
             " face together, or give --spool, a file or a larger --window");
    j->warned = true;
}

static bool write_window(window_job *j, error *e)
{
    const batch_windows *w = j->from;
    const batch_settings *settings = w->settings;
    sampler s = {0};
    int64_t number = w->input->windows - 1;
    bool good = check_faces(w->input, e) &&
                batch_side_find(settings, &w->input->faces, &j->side, e) &&
                sampler_open(&s, &w->input->faces, w->draws, (size_t)settings->batch, e);
    s.flip = settings->flip;
    s.shift = settings->shift > 0;
    s.pass_first = number << 20;
    good = good && (number > 0 || begin_stream(j, &s, e)) && write_problems(w, e) &&
           write_batches(j, &s, e);
    if (good && w->input->more) j->kept_count = batch_kept_choose(settings, &s, &j->kept, e);
    sampler_close(&s);
    return good && !e->status;
}

/* ---- All of them ---------------------------------------------------------------------------- */

bool batch_windows_write(const batch_windows *w, error *e)
{
    window_job j = {.from = w};
    bool good = true;
    while (good && face_input_next(w->input, j.kept, j.kept_count, e) > 0) {
        free(j.kept);
        j.kept = NULL;
        j.kept_count = 0;
        warn_returned(&j);
        good = write_window(&j, e);
    }
    free(j.kept);
    progress_end(&j.shown);
    return !e->status;
}
