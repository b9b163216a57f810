/* gmm-fit: a Gaussian mixture of photographic embeddings, and its threshold. */
#include "cli/memory.h"
#include "cli/plural.h"
#include "cli/progress.h"
#include "detect/fitting.h"
#include "detect/gmm_start.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COMPONENTS = 10 };
static const char *const covariance_choices[] = {"full", "diagonal", "tied", NULL};

/* NULL, NAN: not given. */
static struct {
    const char *components, *calibrate, *init, *shrinkage;
    int covariance;
    int64_t starts, max_iterations;
    double regularisation, tolerance, far, held_out_fraction;
} options = {
    .calibrate = "heldout",
    .starts = 1,
    .max_iterations = 100,
    .regularisation = 1e-6,
    .tolerance = 1e-3,
    .far = 0.05,
    .held_out_fraction = NAN,
};

static const cli_option option_table[] = {
    {"components", 'k', CLI_STRING, &options.components, .argument = "N|A:B",
     .help = "how many, or a range to choose from by BIC (10)"},
    {"covariance", 0, CLI_CHOICE, &options.covariance, .choices = covariance_choices,
     .argument = "KIND", .help = "of a component (full)"},
    {"starts", 0, CLI_INTEGER, &options.starts, 1, 1000, .argument = "N",
     .help = "k-means++ starts; the likeliest fit wins (1)"},
    {"init", 0, CLI_STRING, &options.init, .argument = "FILE",
     .help = "begin with this file's mixture or responsibilities"},
    {"regularisation", 0, CLI_NUMBER, &options.regularisation, 0, 1e6, .argument = "X",
     .help = "added to every variance (1e-6)"},
    {"shrinkage", 0, CLI_STRING, &options.shrinkage, .argument = "HOW",
     .help = "of covariances: auto, none, oas or a share (auto)"},
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
    .common = CLI_SEED | CLI_PROVENANCE,
};

typedef struct run_state {
    cli *c;
    fitting f;          /* of the photographic faces */
    size_t least, most; /* components */
    double shrinkage;   /* as gmm_options'; NAN: automatic */
    gmm_start start;
    embeddings calibration; /* --calibrate FILE, and which of its faces count */
    uint32_t *calibration_index;
    size_t calibration_count;
    progress shown;
} run_state;

static bool is_heldout(void)
{
    return strcmp(options.calibrate, "heldout") == 0;
}

static void complete_options(const cli *c)
{
    if (options.init && options.starts > 1) cli_note(c, "--starts changes nothing with --init");
    if (options.shrinkage && options.covariance == GMM_DIAGONAL)
        cli_note(c, "--shrinkage changes nothing with --covariance diagonal");
    if (!isnan(options.held_out_fraction) && !is_heldout())
        cli_note(c, "--held-out-fraction changes nothing with --calibrate %s", options.calibrate);
    if (!options.shrinkage) options.shrinkage = "auto";
    if (isnan(options.held_out_fraction)) options.held_out_fraction = 0.1;
}

static bool parse_components(run_state *r, error *e)
{
    char *end;
    r->least = r->most = DEFAULT_COMPONENTS;
    if (!options.components) return true;
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

static bool parse_shrinkage(run_state *r, error *e)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {{"auto", NAN}, {"none", 0}, {"oas", GMM_SHRINKAGE_OAS}};
    for (size_t i = 0; i < CLI_COUNT(names); i++)
        if (strcmp(options.shrinkage, names[i].name) == 0) {
            r->shrinkage = names[i].value;
            return true;
        }
    char *end;
    r->shrinkage = strtod(options.shrinkage, &end);
    if (end != options.shrinkage && !*end && r->shrinkage >= 0 && r->shrinkage <= 1) return true;
    return error_set(e, STATUS_USAGE, "--shrinkage %s: auto, none, oas, or a share from 0 to 1",
                     options.shrinkage);
}

/* Full covariances with fewer than two faces for each component and dimension say more of the
   sample than of photographs. What a file begins is continued as it is. One answer for all numbers
   of components of a range, as the BIC of shrunk and of other mixtures cannot be compared. */
static double choose_shrinkage(const run_state *r)
{
    size_t matrices = options.covariance == GMM_FULL ? r->most : 1;
    if (options.covariance == GMM_DIAGONAL) return 0;
    if (!isnan(r->shrinkage)) return r->shrinkage;
    bool few = r->f.fitted < 2 * matrices * r->f.faces.dimension;
    return few && !options.init ? GMM_SHRINKAGE_OAS : 0;
}

/* Says which faces are no photographs and therefore left out. */
static void note_left_out(const cli *c, const embeddings *faces)
{
    size_t generated = 0, manipulated = 0, other = 0;
    for (size_t i = 0; i < faces->count; i++) {
        const embedding_info *info = &faces->info[i];
        generated += info->label == FACE_GENERATED;
        other += info->label == FACE_OTHER;
        manipulated +=
            info->label != FACE_GENERATED && info->label != FACE_OTHER && info->manipulated;
    }
    if (generated)
        cli_note(c, "left out %zu face%s labelled generated", generated, plural(generated));
    if (manipulated)
        cli_note(c, "left out %zu manipulated face%s", manipulated, plural(manipulated));
    if (other)
        cli_warn(c, "left out %zu face%s whose label is neither photographic nor generated", other,
                 plural(other));
}

static bool choose_faces(run_state *r, error *e)
{
    fitting *f = &r->f;
    f->used = f->fitted = embeddings_photographs(&f->faces, f->index);
    note_left_out(r->c, &f->faces);
    if (f->used == 0) return error_set(e, STATUS_DATA, "there is no photographic face to fit to");
    if (!is_heldout()) return true;
    if (!embeddings_split(&f->faces, f->index, f->used, options.held_out_fraction, r->c->seed,
                          &f->fitted, e))
        return false;
    if (f->fitted == f->used)
        cli_warn(r->c, "one photo cannot be divided: the threshold is set on the face fitted to");
    return true;
}

static void say(void *context, bool iteration, const char *text)
{
    run_state *r = context;
    cli_detail(r->c, "%s", text);
    if (iteration) progress_add(&r->shown, 1, NULL);
}

static gmm_options fit_options(run_state *r, size_t components)
{
    return (gmm_options){
        .components = components,
        .covariance = (gmm_covariance)options.covariance,
        .regularisation = options.regularisation,
        .shrinkage = choose_shrinkage(r),
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

/* Components whose covariances the faces do not determine. */
static size_t thin_components(const run_state *r)
{
    const gmm *m = &r->f.result.mixture;
    size_t thin = 0;
    for (size_t c = 0; c < m->components && m->covariance == GMM_FULL; c++)
        thin += m->weights[c] * (double)r->f.fitted < (double)m->dimension;
    return m->covariance == GMM_TIED ? r->f.fitted < m->dimension : thin;
}

static void warn_of_collapses(const run_state *r, const gmm_result *result)
{
    if (result->reseeded > 0)
        cli_warn(r->c,
                 "components lost their points %d time%s and were re-seeded on the least likely "
                 "ones (--verbose: which): fewer components would do",
                 result->reseeded, plural((size_t)result->reseeded));
    if (result->mended > 0)
        cli_warn(r->c,
                 "covariances collapsed %d time%s and were regularised more (--verbose: which): "
                 "raise --regularisation, or use fewer components",
                 result->mended, plural((size_t)result->mended));
}

static void report_shrinkage(const run_state *r, const gmm_result *result)
{
    char range[40], why[80] = "";
    double least = 100 * result->least_shrinkage, most = 100 * result->most_shrinkage;
    bool wide = most - least >= 0.1;
    snprintf(range, sizeof range, wide ? "%.1f to %.1f %%" : "%.1f %%", wide ? least : most, most);
    if (isnan(r->shrinkage) && r->least < r->most)
        snprintf(why, sizeof why, ", as the faces are few for %zu components", r->most);
    else if (isnan(r->shrinkage))
        snprintf(why, sizeof why, ", as the faces are few");
    cli_note(r->c, "covariances are shrunk by %s%s%s", range, why,
             *why ? " (--shrinkage none: not)" : "");
}

static void warn_of_few(const run_state *r, const gmm_result *result)
{
    const gmm *m = &r->f.result.mixture;
    size_t lone = 0, thin = thin_components(r);
    for (size_t c = 0; c < m->components; c++) lone += m->weights[c] * (double)r->f.fitted < 1.5;
    if (lone > 0 && m->components > 1)
        cli_warn(r->c, "%zu of %zu components hold%s a single face: fewer components would do",
                 lone, m->components, lone == 1 ? "s" : "");
    if (thin > 0 && !(result->most_shrinkage > 0))
        cli_warn(r->c,
                 "%zu of %zu component%s %s fewer faces than the %zu dimensions, and rest%s on the "
                 "regularisation: use --shrinkage oas, fewer components, --covariance tied or "
                 "diagonal, or more faces",
                 thin, m->components, plural(m->components), thin == 1 ? "has" : "have",
                 m->dimension, thin == 1 ? "s" : "");
}

static void report(const run_state *r, const gmm_result *result)
{
    const gmm *m = &r->f.result.mixture;
    size_t faces = r->f.fitted, iterations = (size_t)result->iterations;
    cli_note(r->c,
             "%zu %s component%s fitted to %zu face%s: mean log-likelihood %.4f after %zu "
             "iteration%s",
             m->components, gmm_covariance_names[m->covariance], plural(m->components), faces,
             plural(faces), result->log_likelihood, iterations, plural(iterations));
    if (!result->converged && options.max_iterations > 0)
        cli_warn(r->c, "not converged: raise --max-iterations (%lld) or --tolerance",
                 (long long)options.max_iterations);
    warn_of_collapses(r, result);
    warn_of_few(r, result);
    if (result->most_shrinkage > 0) report_shrinkage(r, result);
}

/* Fits every number of components of the range and keeps the one of the lowest BIC. */
static bool fit(run_state *r, error *e)
{
    points p = fitting_points(&r->f);
    gmm_result best = {0};
    double least = INFINITY;
    if (r->least > p.count)
        return error_set(
            e, STATUS_DATA,
            "%zu face%s to fit to (%zu held out) %s too few for %zu component%s: give a "
            "smaller -k, or more photographs",
            p.count, plural(p.count), r->f.used - r->f.fitted, p.count == 1 ? "is" : "are",
            r->least, plural(r->least));
    if (p.count < r->most) {
        cli_note(r->c, "%zu face%s to fit to: more components than that are not tried", p.count,
                 plural(p.count));
        r->most = p.count;
    }
    for (size_t k = r->least; k <= r->most; k++) {
        gmm candidate;
        gmm_result result = {0};
        gmm_options o = fit_options(r, k);
        if (!gmm_fit(&candidate, &p, &o, &result, e)) return false;
        double bic = gmm_bic(&candidate, result.log_likelihood, p.count);
        if (r->least < r->most)
            cli_note(r->c, "%zu component%s: BIC %.1f, mean log-likelihood %.4f", k, plural(k), bic,
                     result.log_likelihood);
        if (bic < least) {
            least = bic;
            best = result;
            gmm_free(&r->f.result.mixture);
            r->f.result.mixture = candidate;
        } else {
            gmm_free(&candidate);
        }
    }
    report(r, &best);
    return true;
}

static bool load_start(run_state *r, error *e)
{
    points p = fitting_points(&r->f);
    if (!options.init) return true;
    if (!gmm_start_read(&r->start, options.init, r->f.faces.model,
                        (gmm_covariance)options.covariance, &p, r->c->threads, e))
        return false;
    size_t components = r->start.components;
    if (options.components && (r->least != components || r->most != components))
        return error_set(e, STATUS_USAGE,
                         "--components %s: %s begins %zu component%s: leave the option out",
                         options.components, options.init, components, plural(components));
    r->least = r->most = components;
    return true;
}

static bool calibrate_on(run_state *r, const points *p, const char *name, error *e)
{
    if (!fitting_calibrate(&r->f, p, options.far, name, e)) return false;
    const detector *d = &r->f.result;
    size_t below = 0;
    while (below < d->calibration_count && d->calibration_scores[below] < d->threshold) below++;
    cli_note(r->c, "threshold %.4f: %zu of %zu photographic face%s (%s) lie%s below", d->threshold,
             below, p->count, plural(p->count), name, below == 1 ? "s" : "");
    return true;
}

static bool check_calibration_faces(const run_state *r, const embeddings *faces, size_t count,
                                    error *e)
{
    const char *path = options.calibrate, *model = r->f.faces.model;
    if (count == 0)
        return error_set(e, STATUS_DATA, "%s: no photographic face to calibrate on", path);
    if (faces->dimension != r->f.faces.dimension)
        return error_set(e, STATUS_DATA, "%s: embeddings of dimension %zu, not %zu", path,
                         faces->dimension, r->f.faces.dimension);
    if (faces->model && model && strcmp(faces->model, model) != 0)
        return error_set(e, STATUS_DATA, "%s: embeddings of the model %s, not of %s", path,
                         faces->model, model);
    return true;
}

/* Before the fit, which may take long. */
static bool read_calibration_faces(run_state *r, error *e)
{
    if (is_heldout() || strcmp(options.calibrate, "fit") == 0) return true;
    embeddings *faces = &r->calibration;
    cli_strings inputs = {&options.calibrate, 1, 1};
    if (!embeddings_read(faces, &inputs, false, e)) return false;
    r->calibration_index = memory_allocate(faces->count + 1, sizeof *r->calibration_index, e);
    if (!r->calibration_index) return false;
    r->calibration_count = embeddings_photographs(faces, r->calibration_index);
    note_left_out(r->c, faces);
    return check_calibration_faces(r, faces, r->calibration_count, e);
}

static bool calibrate(run_state *r, error *e)
{
    bool divided = r->f.fitted < r->f.used;
    points fit = fitting_points(&r->f), held = fitting_held_out_points(&r->f);
    points read = embeddings_points(&r->calibration, r->calibration_index, r->calibration_count);
    if (r->calibration_index) return calibrate_on(r, &read, "file", e);
    return is_heldout() && divided ? calibrate_on(r, &held, "heldout", e)
                                   : calibrate_on(r, &fit, "fit", e);
}

static void run(run_state *r, error *e)
{
    complete_options(r->c);
    if (!parse_components(r, e) || !parse_shrinkage(r, e) ||
        !fitting_begin(&r->f, r->c, DETECTOR_GMM, e) || !choose_faces(r, e) ||
        !read_calibration_faces(r, e) || !load_start(r, e))
        return;
    progress_start(&r->shown, r->c, "iterations", 0);
    bool fitted = fit(r, e);
    progress_end(&r->shown);
    if (fitted && calibrate(r, e)) fitting_write(&r->f, e);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run_state r = {.c = &c};
    run(&r, &e);
    fitting_end(&r.f);
    gmm_start_free(&r.start);
    embeddings_free(&r.calibration);
    free(r.calibration_index);
    return cli_finish(&c, &e);
}
