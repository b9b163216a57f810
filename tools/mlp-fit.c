/* mlp-fit: a classifier of embeddings, photographic against generated, and its threshold. */
#include "cli/memory.h"
#include "cli/plural.h"
#include "detect/fitting.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const classifier_choices[] = {"mlp", "linear", "knn", NULL};
static const detector_kind classifier_kinds[] = {DETECTOR_MLP, DETECTOR_LINEAR, DETECTOR_KNN};
enum { CLASSIFIER_MLP, CLASSIFIER_LINEAR, CLASSIFIER_KNN };

/* 0, of the weight decay NAN: not given. */
static struct {
    int classifier;
    int64_t hidden, epochs, patience, batch, neighbours;
    double learning_rate, weight_decay, held_out_fraction, far;
    bool unbalanced;
} options = {
    .weight_decay = NAN,
    .held_out_fraction = 0.2,
};

static const cli_option option_table[] = {
    {"classifier", 0, CLI_CHOICE, &options.classifier, .choices = classifier_choices,
     .argument = "KIND", .help = "what is fitted (mlp)"},
    {"hidden", 0, CLI_INTEGER, &options.hidden, 0, 65536, .argument = "N",
     .help = "hidden units of the mlp (0: twice the dimension)"},
    {"epochs", 0, CLI_INTEGER, &options.epochs, 1, 1000000, .argument = "N",
     .help = "stop then at the latest (200; linear: 1000)"},
    {"patience", 0, CLI_INTEGER, &options.patience, 1, 1000000, .argument = "N",
     .help = "epochs without a better held-out loss to stop (10)"},
    {"batch", 0, CLI_INTEGER, &options.batch, 1, 65536, .argument = "N",
     .help = "faces a step (64)"},
    {"lr", 0, CLI_NUMBER, &options.learning_rate, 1e-12, 1e3, .argument = "X",
     .help = "AdamW's learning rate (1e-3; linear: 0.03)"},
    {"weight-decay", 0, CLI_NUMBER, &options.weight_decay, 0, 1e3, .argument = "X",
     .help = "AdamW's weight decay (1e-2)"},
    {"neighbours", 0, CLI_INTEGER, &options.neighbours, 1, 100000, .argument = "N",
     .help = "nearest faces that knn asks (15)"},
    {"no-balance", 0, CLI_FLAG, &options.unbalanced,
     .help = "do not weigh the classes by their frequency"},
    {"held-out-fraction", 0, CLI_NUMBER, &options.held_out_fraction, 0.001, 0.9, .argument = "X",
     .help = "share of the photos to stop and calibrate by (0.2)"},
    {"far", 0, CLI_NUMBER, &options.far, 0, 1, .argument = "X",
     .help = "false alarm rate that sets the threshold (0: 1/2)"},
};

static const cli_tool tool = {
    .name = "mlp-fit",
    .operands = "[EMBEDDINGS...]",
    .summary = "Fit a classifier that tells generated faces from photographs by their embeddings.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED | CLI_PROVENANCE,
};

typedef struct run_state {
    cli *c;
    fitting f;       /* of both classes */
    uint8_t *labels; /* of f.index: 1 generated */
} run_state;

/* Sets what was not given; a linear classifier has a longer way to go. */
static void complete_options(const cli *c)
{
    bool network = options.classifier != CLASSIFIER_KNN;
    bool linear = options.classifier == CLASSIFIER_LINEAR;
    const struct {
        const char *name;
        bool idle;
    } given[] = {
        {"hidden", options.hidden && options.classifier != CLASSIFIER_MLP},
        {"epochs", options.epochs && !network},
        {"patience", options.patience && !network},
        {"batch", options.batch && !network},
        {"lr", options.learning_rate > 0 && !network},
        {"weight-decay", !isnan(options.weight_decay) && !network},
        {"no-balance", options.unbalanced && !network},
        {"neighbours", options.neighbours && network},
    };
    for (size_t i = 0; i < CLI_COUNT(given); i++)
        if (given[i].idle)
            cli_note(c, "--%s changes nothing with --classifier %s", given[i].name,
                     classifier_choices[options.classifier]);
    if (!options.epochs) options.epochs = linear ? 1000 : 200;
    if (!options.patience) options.patience = 10;
    if (!options.batch) options.batch = 64;
    if (!options.neighbours) options.neighbours = 15;
    if (!(options.learning_rate > 0)) options.learning_rate = linear ? 0.03 : 1e-3;
    if (isnan(options.weight_decay)) options.weight_decay = 1e-2;
}

static size_t count_manipulated(const embeddings *faces, face_label label)
{
    size_t count = 0;
    for (size_t i = 0; i < faces->count; i++)
        count += faces->info[i].manipulated && faces->info[i].label == label;
    return count;
}

static bool refuse_class(const embeddings *faces, face_label label, size_t count, error *e)
{
    char left_out[80] = "";
    size_t manipulated = count_manipulated(faces, label);
    if (manipulated)
        snprintf(left_out, sizeof left_out, ", %zu manipulated one%s left out", manipulated,
                 plural(manipulated));
    return error_set(e, STATUS_DATA,
                     "%zu face%s labelled %s%s: at least two photos of each class are needed "
                     "(label them when embedding: --set label=generated)",
                     count, count == 1 ? " is" : "s are", face_label_names[label], left_out);
}

/* Splits one class and appends it to both parts, which grow towards each other. */
static bool split_class(run_state *r, face_label label, uint32_t *scratch, size_t *held, error *e)
{
    fitting *f = &r->f;
    size_t count = 0, fitted = 0;
    for (size_t i = 0; i < f->faces.count; i++)
        if (f->faces.info[i].label == label && !f->faces.info[i].manipulated)
            scratch[count++] = (uint32_t)i;
    if (count < 2) return refuse_class(&f->faces, label, count, e);
    if (!embeddings_split(&f->faces, scratch, count, options.held_out_fraction, r->c->seed, &fitted,
                          e))
        return false;
    if (fitted == count)
        return error_set(e, STATUS_DATA,
                         "the %zu faces labelled %s are of one photo: at least two photos of each "
                         "class are needed, one to hold out",
                         count, face_label_names[label]);
    memcpy(f->index + f->fitted, scratch, fitted * sizeof *scratch);
    f->fitted += fitted;
    *held += count - fitted;
    memcpy(f->index + f->faces.count - *held, scratch + fitted, (count - fitted) * sizeof *scratch);
    return true;
}

/* Both classes are divided alike, so that the held-out part has both. */
static bool choose_faces(run_state *r, error *e)
{
    fitting *f = &r->f;
    size_t n = f->faces.count, held = 0;
    r->labels = memory_allocate(n + 1, 1, e);
    uint32_t *scratch = memory_allocate(n + 1, sizeof *scratch, e);
    bool done = r->labels && scratch && split_class(r, FACE_PHOTOGRAPHIC, scratch, &held, e) &&
                split_class(r, FACE_GENERATED, scratch, &held, e);
    free(scratch);
    if (!done) return false;
    f->used = f->fitted + held;
    memmove(f->index + f->fitted, f->index + n - held, held * sizeof *f->index);
    for (size_t i = 0; i < f->used; i++)
        r->labels[i] = f->faces.info[f->index[i]].label == FACE_GENERATED;
    if (f->used < n)
        cli_note(r->c,
                 "left out %zu face%s neither labelled photographic nor generated, or manipulated",
                 n - f->used, n - f->used == 1 ? " that is" : "s that are");
    return true;
}

static void say(void *context, const char *text)
{
    cli_detail(context, "%s", text);
}

static bool fit_network(run_state *r, const points *fit, const points *held, error *e)
{
    size_t hidden = options.hidden ? (size_t)options.hidden : 2 * fit->dimension;
    perceptron_options o = {
        .hidden = r->f.result.kind == DETECTOR_MLP ? hidden : 0,
        .learning_rate = options.learning_rate,
        .weight_decay = options.weight_decay,
        .batch = (int)options.batch,
        .epochs = (int)options.epochs,
        .patience = (int)options.patience,
        .balanced = !options.unbalanced,
        .threads = r->c->threads,
        .seed = r->c->seed,
        .say = say,
        .context = r->c,
    };
    perceptron_result result;
    if (!perceptron_fit(&r->f.result.network, fit, r->labels, held, r->labels + r->f.fitted, &o,
                        &result, e))
        return false;
    cli_note(
        r->c,
        "fitted to %zu faces: epoch %d of %d kept, held-out loss %.4f, accuracy %.4f on %zu faces",
        fit->count, result.best_epoch, result.epochs, result.held_out_loss,
        result.held_out_accuracy, held->count);
    if (result.epochs - result.best_epoch < options.patience)
        cli_warn(r->c, "not converged: raise --epochs (%lld)", (long long)options.epochs);
    return true;
}

/* The scores of the held-out photographs become the calibration. */
static bool calibrate(run_state *r, error *e)
{
    /* The generated ones come first: they were put before the others. */
    const fitting *f = &r->f;
    size_t first = f->fitted;
    while (first < f->used && r->labels[first]) first++;
    points p = embeddings_points(&f->faces, f->index + first, f->used - first);
    if (!fitting_calibrate(&r->f, &p, options.far > 0 ? options.far : NAN, "heldout", e))
        return false;
    cli_note(r->c, "threshold %.4f; p-values from %zu held-out photographic face%s",
             f->result.threshold, p.count, plural(p.count));
    return true;
}

static void run(run_state *r, error *e)
{
    detector *d = &r->f.result;
    complete_options(r->c);
    if (!fitting_begin(&r->f, r->c, classifier_kinds[options.classifier], e) || !choose_faces(r, e))
        return;
    points fit = fitting_points(&r->f), held = fitting_held_out_points(&r->f);
    bool fitted = d->kind == DETECTOR_KNN ? neighbours_create(&d->stored, &fit, r->labels,
                                                              (size_t)options.neighbours, e)
                                          : fit_network(r, &fit, &held, e);
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
    free(r.labels);
    return cli_finish(&c, &e);
}
