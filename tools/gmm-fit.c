/* gmm-fit: a Gaussian mixture of photographic embeddings, and its threshold. */
#include "cli/progress.h"
#include "detect/detector.h"
#include "detect/embeddings.h"
#include "detect/gmm_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const covariance_choices[] = {"full", "diagonal", "tied", NULL};

static struct {
    const char *components, *calibrate, *init;
    int covariance;
    int64_t starts, max_iterations;
    double regularisation, tolerance, far, held_out_fraction;
} options = {
    .components = "10",
    .calibrate = "heldout",
    .starts = 1,
    .max_iterations = 100,
    .regularisation = 1e-6,
    .tolerance = 1e-3,
    .far = 0.05,
    .held_out_fraction = 0.1,
};

static const cli_option option_table[] = {
    {"components", 'k', CLI_STRING, &options.components, .argument = "N|A:B",
     .help = "how many, or a range to choose from by BIC (10)"},
    {"covariance", 0, CLI_CHOICE, &options.covariance, .choices = covariance_choices,
     .argument = "KIND", .help = "full, diagonal or tied (full)"},
    {"starts", 0, CLI_INTEGER, &options.starts, 1, 1000, .argument = "N",
     .help = "k-means++ starts; the likeliest fit wins (1)"},
    {"init", 0, CLI_STRING, &options.init, .argument = "FILE",
     .help = "begin with this file's mixture or responsibilities"},
    {"regularisation", 0, CLI_NUMBER, &options.regularisation, 0, 1e6, .argument = "X",
     .help = "added to every variance (1e-6)"},
    {"tolerance", 0, CLI_NUMBER, &options.tolerance, 0, 1e6, .argument = "X",
     .help = "stop at a smaller change of log-likelihood (1e-3)"},
    {"max-iterations", 0, CLI_INTEGER, &options.max_iterations, 0, 1000000, .argument = "N",
     .help = "stop after so many at the latest (100)"},
    {"calibrate", 0, CLI_STRING, &options.calibrate, .argument = "HOW",
     .help = "threshold from: heldout, fit, or a FILE of faces"},
    {"held-out-fraction", 0, CLI_NUMBER, &options.held_out_fraction, 0.001, 0.9, .argument = "X",
     .help = "share of the photos kept for the threshold (0.1)"},
    {"far", 0, CLI_NUMBER, &options.far, 0, 1, .argument = "X",
     .help = "false alarm rate that sets the threshold (0.05)"},
};

static const cli_tool tool = {
    .name = "gmm-fit",
    .operands = "[EMBEDDINGS...]",
    .summary = "Fit a Gaussian mixture to photographic faces, for score to find others odd.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
};

typedef struct run_state {
    cli *c;
    embeddings faces;
    uint32_t *index; /* the photographic faces: those fitted to, then those held out */
    size_t used, fitted;
    size_t least, most; /* components */
    gmm_start start;
    detector result;
    progress shown;
} run_state;

static bool parse_components(run_state *r, error *e)
{
    char *end;
    unsigned long long first = strtoull(options.components, &end, 10), last = first;
    bool good = end != options.components && *options.components != '-';
    if (good && *end == ':') {
        const char *second = end + 1;
        last = strtoull(second, &end, 10);
        good = end != second && *second != '-';
    }
    if (!good || *end || first < 1 || last < first || last > 10000)
        return error_set(e, STATUS_USAGE,
                         "--components %s: give a number from 1 to 10000, or a range like 1:20",
                         options.components);
    r->least = (size_t)first;
    r->most = (size_t)last;
    return true;
}

static bool is_heldout(void)
{
    return strcmp(options.calibrate, "heldout") == 0;
}

/* Photographs only: generated and manipulated faces are left out, and said so. */
static bool choose_faces(run_state *r, error *e)
{
    size_t generated = 0, manipulated = 0;
    r->index = memory_allocate(r->faces.count + 1, sizeof *r->index, e);
    if (!r->index) return false;
    for (size_t i = 0; i < r->faces.count; i++) {
        bool is_generated = r->faces.info[i].label == FACE_GENERATED;
        generated += is_generated;
        manipulated += !is_generated && r->faces.info[i].manipulated;
        if (!is_generated && !r->faces.info[i].manipulated) r->index[r->used++] = (uint32_t)i;
    }
    if (generated) cli_note(r->c, "left out %zu faces labelled generated", generated);
    if (manipulated) cli_note(r->c, "left out %zu manipulated faces", manipulated);
    if (r->faces.errors) cli_note(r->c, "%zu images had failed before", r->faces.errors);
    if (r->used == 0) return error_set(e, STATUS_DATA, "there is no photographic face to fit to");
    r->fitted = r->used;
    if (!is_heldout()) return true;
    if (!embeddings_split(&r->faces, r->index, r->used, options.held_out_fraction, r->c->seed,
                          &r->fitted, e))
        return false;
    if (r->fitted == r->used)
        cli_warn(r->c, "one photo cannot be divided: the threshold is set on the face fitted to");
    return true;
}

static void say(void *context, bool detail, const char *text)
{
    run_state *r = context;
    if (!detail) {
        cli_warn(r->c, "%s", text);
        return;
    }
    cli_detail(r->c, "%s", text);
    progress_add(&r->shown, 1, NULL);
}

static gmm_options fit_options(run_state *r, size_t components)
{
    return (gmm_options){
        .components = components,
        .covariance = (gmm_covariance)options.covariance,
        .regularisation = options.regularisation,
        .tolerance = options.tolerance,
        .max_iterations = (int)options.max_iterations,
        .starts = (int)options.starts,
        .threads = r->c->threads,
        .seed = r->c->seed,
        .initial = r->start.mixture.components ? &r->start.mixture : NULL,
        .responsibilities = r->start.responsibilities,
        .say = say,
        .context = r,
    };
}

static void report(const run_state *r, const gmm_result *result)
{
    const gmm *m = &r->result.mixture;
    cli_note(r->c,
             "%zu %s components fitted to %zu faces: mean log-likelihood %.4f after %d iterations",
             m->components, gmm_covariance_names[m->covariance], r->fitted, result->log_likelihood,
             result->iterations);
    if (!result->converged && options.max_iterations > 0)
        cli_warn(r->c, "not converged: raise --max-iterations (%lld) or --tolerance",
                 (long long)options.max_iterations);
    double lone = 0;
    for (size_t c = 0; c < m->components; c++) lone += m->weights[c] * (double)r->fitted < 1.5;
    if (lone > 0)
        cli_warn(r->c, "%.0f of %zu components hold a single face: fewer components would do", lone,
                 m->components);
    if (m->covariance == GMM_FULL && r->fitted < m->components * m->dimension)
        cli_note(
            r->c,
            "%zu faces are few for %zu full covariances of %zu dimensions, which then rest on the "
            "regularisation: consider more faces, fewer components, --covariance tied or diagonal",
            r->fitted, m->components, m->dimension);
}

/* Fits every number of components of the range and keeps the one of the lowest BIC. */
static bool fit(run_state *r, error *e)
{
    points p = embeddings_points(&r->faces, r->index, r->fitted);
    gmm_result best = {0};
    double least = INFINITY;
    size_t most = r->most < p.count ? r->most : p.count;
    if (r->least > p.count)
        return error_set(
            e, STATUS_DATA,
            "%zu faces to fit to (%zu held out) are too few for %zu components: give a "
            "smaller -k, or more photographs",
            p.count, r->used - r->fitted, r->least);
    for (size_t k = r->least; k <= most; k++) {
        gmm candidate;
        gmm_result result = {0};
        gmm_options o = fit_options(r, k);
        if (!gmm_fit(&candidate, &p, &o, &result, e)) return false;
        double bic = gmm_bic(&candidate, result.log_likelihood, p.count);
        if (r->least < r->most)
            cli_note(r->c, "%zu components: BIC %.1f, mean log-likelihood %.4f", k, bic,
                     result.log_likelihood);
        if (bic < least) {
            least = bic;
            best = result;
            gmm_free(&r->result.mixture);
            r->result.mixture = candidate;
        } else {
            gmm_free(&candidate);
        }
    }
    report(r, &best);
    return true;
}

static bool load_start(run_state *r, error *e)
{
    points p = embeddings_points(&r->faces, r->index, r->fitted);
    if (!options.init) return true;
    if (!gmm_start_read(&r->start, options.init, (gmm_covariance)options.covariance, &p,
                        r->c->threads, e))
        return false;
    r->least = r->most = r->start.components;
    return true;
}

/* The scores of `count` faces become the calibration. */
static bool calibrate_on(run_state *r, const embeddings *faces, const uint32_t *index, size_t count,
                         const char *name, error *e)
{
    points p = embeddings_points(faces, index, count);
    double *scores = memory_allocate(count, sizeof *scores, e);
    if (!scores || !detector_scores(&r->result, &p, r->c->threads, scores, e)) {
        free(scores);
        return false;
    }
    detector_calibrate(&r->result, scores, count, options.far, name);
    cli_note(r->c, "threshold %.4f: %.4g %% of %zu photographic faces (%s) lie below",
             r->result.threshold, 100 * options.far, count, name);
    if (options.far > 0 && (double)count * options.far < 1)
        cli_warn(r->c, "%zu faces are few for a false alarm rate of %g: the threshold is rough",
                 count, options.far);
    return true;
}

static bool calibrate_on_file(run_state *r, error *e)
{
    embeddings faces;
    const char *path = options.calibrate;
    cli_strings inputs = {&path, 1, 1};
    if (!embeddings_read(&faces, &inputs, false, e)) return false;
    uint32_t *index = memory_allocate(faces.count + 1, sizeof *index, e);
    size_t count = 0;
    for (size_t i = 0; index && i < faces.count; i++)
        if (faces.info[i].label != FACE_GENERATED && !faces.info[i].manipulated)
            index[count++] = (uint32_t)i;
    bool done = index != NULL;
    if (done && count == 0)
        done = error_set(e, STATUS_DATA, "%s: no photographic face to calibrate on", path);
    if (done && faces.dimension != r->faces.dimension)
        done = error_set(e, STATUS_DATA, "%s: embeddings of dimension %zu, not %zu", path,
                         faces.dimension, r->faces.dimension);
    done = done && calibrate_on(r, &faces, index, count, "file", e);
    free(index);
    embeddings_free(&faces);
    return done;
}

static bool calibrate(run_state *r, error *e)
{
    if (strcmp(options.calibrate, "fit") == 0 || (is_heldout() && r->fitted == r->used))
        return calibrate_on(r, &r->faces, r->index, r->fitted, "fit", e);
    if (is_heldout())
        return calibrate_on(r, &r->faces, r->index + r->fitted, r->used - r->fitted, "heldout", e);
    return calibrate_on_file(r, e);
}

static bool write_result(run_state *r, error *e)
{
    msgpack_unpacked header;
    msgpack_unpacked_init(&header);
    bool done = msgpack_unpack_next(&header, r->faces.header.data, r->faces.header.size, NULL) ==
                    MSGPACK_UNPACK_SUCCESS ||
                error_set(e, STATUS_SYSTEM, "out of memory");
    done = done && detector_write(&r->result, r->c, &header.data, e);
    msgpack_unpacked_destroy(&header);
    return done;
}

static void run(run_state *r, error *e)
{
    r->result = (detector){.kind = DETECTOR_GMM, .false_alarm_rate = NAN};
    if (!parse_components(r, e) || !embeddings_read(&r->faces, &r->c->inputs, false, e)) return;
    r->result.model = r->faces.model ? strdup(r->faces.model) : NULL;
    if (!choose_faces(r, e) || !load_start(r, e)) return;
    progress_start(&r->shown, r->c, "iterations", 0);
    bool fitted = fit(r, e);
    progress_end(&r->shown);
    if (fitted && calibrate(r, e)) write_result(r, e);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run_state r = {.c = &c};
    points_single_threaded_blas();
    run(&r, &e);
    embeddings_free(&r.faces);
    gmm_start_free(&r.start);
    detector_free(&r.result);
    free(r.index);
    return cli_finish(&c, &e);
}
