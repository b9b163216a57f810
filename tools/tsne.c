/* tsne: embeddings laid out in the plane. */
#include "detect/tsne.h"
#include "cli/memory.h"
#include "cli/plural.h"
#include "cli/progress.h"
#include "cli/threads.h"
#include "detect/embeddings.h"
#include "detect/pca.h"
#include "detect/scatter_svg.h"
#include "stream/writer.h"

#include <math.h>
#include <stdlib.h>

static const char *const method_choices[] = {"tsne", "pca", NULL};
enum { METHOD_TSNE, METHOD_PCA };

static struct {
    int method;
    double perplexity, exaggeration, angle, learning_rate;
    int64_t iterations;
    const char *svg;
} options = {.exaggeration = 12, .angle = 0.3, .iterations = 1500};

static const cli_option option_table[] = {
    {"method", 0, CLI_CHOICE, &options.method, .choices = method_choices, .argument = "METHOD",
     .help = "how faces are laid out (tsne)"},
    {"perplexity", 0, CLI_NUMBER, &options.perplexity, 1, 10000, .argument = "X",
     .help = "neighbours that count for a face, about (30)"},
    {"iterations", 0, CLI_INTEGER, &options.iterations, 0, 1000000, .argument = "N",
     .help = "of gradient descent (1500)"},
    {"exaggeration", 0, CLI_NUMBER, &options.exaggeration, 1, 1000, .argument = "X",
     .help = "of affinities in the first iterations (12)"},
    {"angle", 0, CLI_NUMBER, &options.angle, 0, 1, .argument = "X",
     .help = "Barnes-Hut's accuracy; 0 is exact and slow (0.3)"},
    {"learning-rate", 0, CLI_NUMBER, &options.learning_rate, 0, 1e9, .argument = "X",
     .help = "0: by the number of faces (0)"},
    {"svg", 0, CLI_STRING, &options.svg, .argument = "FILE", .unrecorded = true, .written = true,
     .help = "draw a plot here"},
};

static const char *const tsne_keys[] = {"x", "y", NULL};

static const cli_tool tool = {
    .name = "tsne",
    .operands = "[EMBEDDINGS...]",
    .summary = "Lay out embeddings in the plane by t-SNE or principal components.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED | CLI_SET | CLI_PROVENANCE,
    .keys = tsne_keys,
};

typedef struct run_state {
    cli *c;
    embeddings faces;
    double *positions; /* (count, 2) */
    double divergence; /* tsne */
    double share[2];   /* pca: of the variance */
    progress shown;
} run_state;

static void say(void *context, int iterations)
{
    run_state *r = context;
    progress_add(&r->shown, iterations, NULL);
}

static bool lay_out(run_state *r, error *e)
{
    points p = embeddings_points(&r->faces, NULL, r->faces.count);
    r->positions = memory_allocate(2 * p.count, sizeof *r->positions, e);
    if (!r->positions) return false;
    if (options.method == METHOD_PCA)
        return pca_project(&p, r->c->threads, r->positions, r->share, e);
    if (options.perplexity == 0) options.perplexity = fmax(1, fmin(30, (double)p.count / 4));
    tsne_options o = {
        .perplexity = options.perplexity,
        .exaggeration = options.exaggeration,
        .angle = options.angle,
        .learning_rate = options.learning_rate,
        .iterations = (int)options.iterations,
        .threads = r->c->threads,
        .say = say,
        .context = r,
    };
    progress_start(&r->shown, r->c, "iterations", options.iterations);
    bool done = tsne_fit(&p, &o, r->positions, &r->divergence, e);
    progress_end(&r->shown);
    if (done)
        cli_note(r->c, "Kullback-Leibler divergence %.6f after %lld iteration%s", r->divergence,
                 (long long)options.iterations, plural((size_t)options.iterations));
    return done;
}

static void put_header(const run_state *r, stream_chunk *header)
{
    put_text(header, "method", method_choices[options.method]);
    if (r->faces.model) put_text(header, "model", r->faces.model);
    if (options.method == METHOD_TSNE) {
        put_number(header, "kl_divergence", r->divergence);
        put_number(header, "perplexity", options.perplexity);
        put_integer(header, "iterations", options.iterations);
        return;
    }
    put_array(header, "variance_share", 2);
    put_number(header, NULL, r->share[0]);
    put_number(header, NULL, r->share[1]);
}

/* The point of one face, with what its embedding held beside the vector. */
static bool write_point(run_state *r, stream_writer *w, stream_chunk *k, size_t i, error *e)
{
    static const char *const own[] = {"id", "x", "y", NULL};
    const embedding_info *info = &r->faces.info[i];
    msgpack_unpacked rest;
    msgpack_unpacked_init(&rest);
    bool good =
        msgpack_unpack_next(&rest, info->rest, info->rest_size, NULL) == MSGPACK_UNPACK_SUCCESS;
    record_begin(k, "point");
    put_text(k, "id", info->id);
    put_number(k, "x", r->positions[2 * i]);
    put_number(k, "y", r->positions[2 * i + 1]);
    if (good) put_rest(k, r->c, &rest.data, own);
    record_end(k);
    msgpack_unpacked_destroy(&rest);
    return good ? stream_writer_put(w, k, e) : error_set(e, STATUS_SYSTEM, "out of memory");
}

/* An error record of the input, as it is. */
static bool pass_error(stream_writer *w, const embedding_error *failed, error *e)
{
    msgpack_unpacked record;
    msgpack_unpacked_init(&record);
    bool good =
        msgpack_unpack_next(&record, failed->record, failed->size, NULL) == MSGPACK_UNPACK_SUCCESS;
    stream_record passed = {.is_error = true, .object = record.data};
    good = good ? stream_writer_pass(w, &passed, e) : error_set(e, STATUS_SYSTEM, "out of memory");
    msgpack_unpacked_destroy(&record);
    return good;
}

static bool write_points(run_state *r, error *e)
{
    stream_writer w;
    stream_chunk k = {0};
    if (!stream_writer_open(&w, r->c, "point", e)) return false;
    put_header(r, stream_writer_header_begin(&w, &r->faces.header.object));
    bool good = stream_writer_header_end(&w, e);
    for (size_t i = 0, failed = 0; good && i <= r->faces.count; i++) {
        for (; good && failed < r->faces.errors && r->faces.failed[failed].before == i; failed++)
            good = pass_error(&w, &r->faces.failed[failed], e);
        if (good && i < r->faces.count) good = write_point(r, &w, &k, i, e);
    }
    stream_chunk_free(&k);
    return stream_writer_close(&w, e);
}

static bool write_svg(run_state *r, error *e)
{
    output out = {0};
    char title[120];
    if (!options.svg) return true;
    if (!output_open(&out, options.svg, false, e)) return false;
    if (options.method == METHOD_TSNE)
        snprintf(title, sizeof title, "t-SNE of %zu face%s, perplexity %g, divergence %.3f",
                 r->faces.count, plural(r->faces.count), options.perplexity, r->divergence);
    else
        snprintf(title, sizeof title,
                 "Principal components of %zu face%s: %.1f %% and %.1f %% of the variance",
                 r->faces.count, plural(r->faces.count), 100 * r->share[0], 100 * r->share[1]);
    scatter_svg_write(&r->faces, r->positions, title, out.file, e);
    return output_commit(&out, e);
}

static void run(run_state *r, error *e)
{
    if (!output_check(r->c->output, true, e) ||
        (options.svg && !output_check(options.svg, false, e)) || !threads_start(r->c->threads, e) ||
        !embeddings_read(&r->faces, &r->c->inputs, true, e))
        return;
    size_t errors = r->faces.errors;
    if (errors) cli_note(r->c, "%zu image%s had failed before", errors, plural(errors));
    if (lay_out(r, e) && write_svg(r, e)) write_points(r, e);
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
    free(r.positions);
    return cli_finish(&c, &e);
}
