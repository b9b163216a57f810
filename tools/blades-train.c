/* blades-train: batches in, a trained joint embedding model out. */
#include "cli/output.h"
#include "cli/threads.h"
#include "nn/threads.h"
#include "train/settings.h"
#include "train/trainer.h"

#include <string.h>

enum { ORDINAL_REFERENCE, ORDINAL_THURSTONE };
enum { MEMORY_SMALL, MEMORY_MEDIUM, MEMORY_LARGE, MEMORY_HUGE };

static struct {
    /* the model */
    int arch;
    double width;
    int64_t embedding_dim, text_layers, text_width;
    const char *init, *vocabulary, *freeze;
    /* steps */
    int64_t steps, warmup, schedule_epochs, schedule_steps;
    double rate, rate_image, rate_text, rate_scale, decay, clip;
    int optimizer, schedule;
    /* task weights */
    int lambda, hypergradient;
    bool lag;
    double lambda_rate;
    const char *weights;
    /* losses */
    int ordinal;
    double gamma;
    /* how */
    int precision, memory;
    /* files */
    const char *resume, *checkpoint, *log, *trace;
    int64_t checkpoint_every, validate_every;
} options = {
    .arch = RESNET50,
    .width = 1,
    .embedding_dim = 768,
    .text_layers = 12,
    .text_width = 512,
    .steps = -1,
    .schedule_epochs = 20,
    .rate = 1e-5,
    .rate_image = -1,
    .rate_text = -1,
    .rate_scale = -1,
    .decay = 1e-3,
    .lambda_rate = 3e-4,
    .gamma = 2,
    .memory = MEMORY_MEDIUM,
    .checkpoint_every = 500,
    .validate_every = 1,
};

/* Names of enumerations, whose values are their indices. */
static const char *const optimizers[] = {
    [OPTIMIZER_ADAMW] = "adamw", [OPTIMIZER_SGD] = "sgd", NULL};
static const char *const schedules[] = {
    [SCHEDULE_COSINE] = "cosine", [SCHEDULE_CONSTANT] = "constant", NULL};
static const char *const lambdas[] = {
    [LAMBDA_RAW] = "raw", [LAMBDA_SOFTPLUS] = "softplus", [LAMBDA_SOFTMAX] = "softmax", NULL};
static const char *const hypergradients[] = {
    [HYPERGRADIENT_JVP] = "jvp", [HYPERGRADIENT_FD] = "fd", NULL};
static const char *const ordinals[] = {
    [ORDINAL_REFERENCE] = "reference", [ORDINAL_THURSTONE] = "thurstone", NULL};
static const char *const precisions[] = {[IMAGE_FLOAT32] = "float32", [IMAGE_BF16] = "bf16", NULL};
static const char *const memories[] = {[MEMORY_SMALL] = "small",
                                       [MEMORY_MEDIUM] = "medium",
                                       [MEMORY_LARGE] = "large",
                                       [MEMORY_HUGE] = "huge",
                                       NULL};

static const cli_option option_table[] = {
    {"arch", 0, CLI_CHOICE, &options.arch, .choices = architecture_names, .argument = "NET",
     .help = "image encoder (resnet50)"},
    {"width", 0, CLI_NUMBER, &options.width, 0.01, 16, .argument = "X",
     .help = "factor on the image encoder's channels (1)"},
    {"embedding-dim", 0, CLI_INTEGER, &options.embedding_dim, 1, 65536, .argument = "N",
     .help = "length of the embedding (768)", .rare = true},
    {"text-layers", 0, CLI_INTEGER, &options.text_layers, 1, 100, .argument = "N",
     .help = "blocks of the text transformer (12)", .rare = true},
    {"text-width", 0, CLI_INTEGER, &options.text_width, 1, 8192, .argument = "N",
     .help = "width of the text transformer (512)", .rare = true},
    {"init", 0, CLI_STRING, &options.init, .argument = "FILE", .help = "initial values from FILE"},
    {"vocabulary", 0, CLI_STRING, &options.vocabulary, .argument = "FILE",
     .help = "CLIP's vocabulary (default: words of the prompts)", .rare = true},
    {"freeze", 0, CLI_STRING, &options.freeze, .argument = "LIST",
     .help = "leave parts as they are: image,text,transformer,scale", .rare = true},
    {"steps", 0, CLI_INTEGER, &options.steps, 0, 1e15, .argument = "N",
     .help = "steps in all (default: as the stream has batches)"},
    {"lr", 0, CLI_NUMBER, &options.rate, 0, 1e30, .argument = "X", .help = "learning rate (1e-5)"},
    {"lr-image", 0, CLI_NUMBER, &options.rate_image, 0, 1e30, .argument = "X",
     .help = "... of the image encoder (--lr)", .rare = true},
    {"lr-text", 0, CLI_NUMBER, &options.rate_text, 0, 1e30, .argument = "X",
     .help = "... of the text encoder (--lr)", .rare = true},
    {"lr-scale", 0, CLI_NUMBER, &options.rate_scale, 0, 1e30, .argument = "X",
     .help = "... of the logit scale (--lr)", .rare = true},
    {"weight-decay", 0, CLI_NUMBER, &options.decay, 0, 1e3, .argument = "X",
     .help = "weight decay (1e-3)", .rare = true},
    {"optimizer", 0, CLI_CHOICE, &options.optimizer, .choices = optimizers, .argument = "NAME",
     .help = "how gradients are followed (adamw)", .rare = true},
    {"schedule", 0, CLI_CHOICE, &options.schedule, .choices = schedules, .argument = "NAME",
     .help = "of the learning rate (cosine)", .rare = true},
    {"schedule-epochs", 0, CLI_INTEGER, &options.schedule_epochs, 1, 1e9, .argument = "N",
     .help = "the cosine ends after N epochs (20)", .rare = true},
    {"schedule-steps", 0, CLI_INTEGER, &options.schedule_steps, 0, 1e15, .argument = "N",
     .help = "the cosine ends after N steps instead", .rare = true},
    {"warmup", 0, CLI_INTEGER, &options.warmup, 0, 1e15, .argument = "N",
     .help = "steps over which the learning rate rises (0)", .rare = true},
    {"clip", 0, CLI_NUMBER, &options.clip, 0, 1e9, .argument = "X",
     .help = "longest gradient (0: any)", .rare = true},
    {"weights", 0, CLI_STRING, &options.weights, .argument = "FILE",
     .help = "fixed task weights: \"equal\", or a JSON object"},
    {"lambda", 0, CLI_CHOICE, &options.lambda, .choices = lambdas, .argument = "FORM",
     .help = "form of the task weights (raw)"},
    {"lambda-lr", 0, CLI_NUMBER, &options.lambda_rate, 0, 1e3, .argument = "X",
     .help = "learning rate of the task weights (3e-4)", .rare = true},
    {"lambda-lag", 0, CLI_FLAG, &options.lag,
     .help = "new weights act one step later: a backward pass less", .rare = true},
    {"hypergradient", 0, CLI_CHOICE, &options.hypergradient, .choices = hypergradients,
     .argument = "HOW", .help = "exact or by finite differences (jvp)", .rare = true},
    {"ordinal", 0, CLI_CHOICE, &options.ordinal, .choices = ordinals, .argument = "FORM",
     .help = "ranking probability (reference)", .rare = true},
    {"gamma", 0, CLI_NUMBER, &options.gamma, 0, 100, .argument = "X",
     .help = "focal exponent of categorical losses (2)", .rare = true},
    {"precision", 0, CLI_CHOICE, &options.precision, .choices = precisions, .argument = "TYPE",
     .help = "of the image encoder (float32)"},
    {"memory", 0, CLI_CHOICE, &options.memory, .choices = memories, .argument = "SIZE",
     .help = "less is slower (medium)", .rare = true},
    {"validate-every", 0, CLI_INTEGER, &options.validate_every, 0, 1e15, .argument = "N",
     .help = "with --weights: validate each N-th step (1)", .rare = true},
    {"checkpoint", 0, CLI_STRING, &options.checkpoint, .argument = "FILE",
     .help = "keep all that --resume needs in FILE", .unrecorded = true, .written = true},
    {"checkpoint-every", 0, CLI_INTEGER, &options.checkpoint_every, 0, 1e15, .argument = "N",
     .help = "write it after each N steps (500; 0: at the end)", .rare = true},
    {"resume", 0, CLI_STRING, &options.resume, .argument = "FILE",
     .help = "go on from this checkpoint", .unrecorded = true},
    {"log", 0, CLI_STRING, &options.log, .argument = "FILE",
     .help = "a JSON line a step: losses, weights, rates", .unrecorded = true, .written = true},
    {"trace", 0, CLI_STRING, &options.trace, .argument = "FILE",
     .help = "a JSON line a step: all a verifier needs", .unrecorded = true, .written = true,
     .rare = true},
};

static const cli_tool tool = {
    .name = "blades-train",
    .operands = "[BATCHES...]",
    .summary = "Train a joint embedding of faces and prompts, learning the tasks' weights.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED | CLI_PROVENANCE,
};

static volatile sig_atomic_t interrupted;

/* The first signal asks for a stop after the step under way; a second one ends the tool at once. */
static void interrupt(int number)
{
    if (interrupted) {
        output_remove_unfinished();
        signal(number, SIG_DFL);
        raise(number);
    }
    interrupted = number;
}

/* What whoever started the tool wants ignored (nohup, a shell's background) stays ignored. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction now, action = {.sa_handler = interrupt};
        sigemptyset(&action.sa_mask);
        sigaction(numbers[i], NULL, &now);
        if (now.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
}

/* --freeze: names between commas. */
static bool parse_freeze(bool frozen[PARAMETER_GROUPS], error *e)
{
    static const struct {
        const char *name;
        parameter_group group[2];
    } parts[] = {
        {"image", {PARAMETER_IMAGE, PARAMETER_IMAGE}},
        {"text", {PARAMETER_TEXT, PARAMETER_TEXT_FC}},
        {"transformer", {PARAMETER_TEXT, PARAMETER_TEXT}},
        {"scale", {PARAMETER_SCALE, PARAMETER_SCALE}},
    };
    for (const char *at = options.freeze; at && *at;) {
        size_t length = strcspn(at, ","), found = 0;
        for (size_t i = 0; i < CLI_COUNT(parts); i++) {
            if (strlen(parts[i].name) != length || strncmp(parts[i].name, at, length) != 0)
                continue;
            frozen[parts[i].group[0]] = frozen[parts[i].group[1]] = true;
            found = 1;
        }
        if (!found)
            return error_set(e, STATUS_USAGE,
                             "--freeze: '%.*s' is none of image, text, transformer, scale",
                             (int)length, at);
        at += length + (at[length] == ',');
    }
    return true;
}

static double rate_or_default(double rate)
{
    return rate < 0 ? options.rate : rate;
}

static bool is_given(const cli *c, const char *name)
{
    return settings_given(option_table, CLI_COUNT(option_table), &c->given, name);
}

static void note_idle(const cli *c)
{
    bool constant = options.schedule == SCHEDULE_CONSTANT, fixed = options.weights != NULL;
    const struct {
        const char *option;
        bool idle;
        const char *with;
    } rows[] = {
        {"schedule-epochs", constant, "--schedule constant"},
        {"schedule-steps", constant, "--schedule constant"},
        {"validate-every", !fixed, "weights that are learnt"},
        {"lambda", fixed, "--weights"},
        {"lambda-lr", fixed, "--weights"},
        {"lambda-lag", fixed, "--weights"},
        {"hypergradient", fixed, "--weights"},
        {"checkpoint-every", !options.checkpoint, "no --checkpoint"},
    };
    for (size_t i = 0; i < CLI_COUNT(rows); i++)
        if (rows[i].idle && is_given(c, rows[i].option))
            cli_note(c, "--%s changes nothing with %s", rows[i].option, rows[i].with);
}

/* A model to begin with says what the network is like, where no option does. */
static bool adopt_architecture(const cli *c, error *e)
{
    model_config of = model_config_default();
    int known = options.init ? model_read_architecture(options.init, &of, e) : 0;
    if (known <= 0) return known == 0;
    for (int i = 0; !is_given(c, "arch") && architecture_names[i]; i++)
        if (architecture_depths[i] == of.depth) options.arch = i;
    if (!is_given(c, "width")) options.width = of.width;
    if (!is_given(c, "embedding-dim")) options.embedding_dim = of.embedding_dim;
    if (!is_given(c, "text-layers")) options.text_layers = of.text.layers;
    if (!is_given(c, "text-width")) options.text_width = of.text.width;
    return true;
}

static void fill_config(model_config *config)
{
    *config = model_config_default();
    config->depth = architecture_depths[options.arch];
    config->width = options.width;
    config->embedding_dim = (int)options.embedding_dim;
    config->text.embedding_dim = (int)options.embedding_dim;
    config->text.layers = (int)options.text_layers;
    config->text.width = (int)options.text_width;
    config->text.heads = 0;
}

/* Stages of the image encoder, by --memory. */
static const int recomputed[] = {4, 1, 0, 0}, recomputed_ends[] = {4, 3, 0, 0};

static bool fill_options(trainer_options *o, const cli *c, error *e)
{
    fill_config(&o->config);
    bool learn = !options.weights;
    o->network = (network_options){
        .slots = learn && options.memory == MEMORY_HUGE ? 2 : 1,
        .recompute = recomputed[options.memory],
        .recompute_end = recomputed_ends[options.memory],
        .precision = (image_precision)options.precision,
        .gamma = options.gamma,
        .thurstone = options.ordinal == ORDINAL_THURSTONE,
    };
    o->bilevel = (bilevel_options){
        .learn = learn,
        .hypergradient = (hypergradient_kind)options.hypergradient,
        .lag = options.lag,
        .lambda_rate = options.lambda_rate,
        .decay = options.decay,
        .clip = options.clip,
        .schedule = {(schedule_kind)options.schedule, options.schedule_epochs,
                     options.schedule_steps, options.warmup},
    };
    o->bilevel.rate[PARAMETER_IMAGE] = rate_or_default(options.rate_image);
    o->bilevel.rate[PARAMETER_TEXT] = rate_or_default(options.rate_text);
    o->bilevel.rate[PARAMETER_TEXT_FC] = rate_or_default(options.rate_text);
    o->bilevel.rate[PARAMETER_SCALE] = rate_or_default(options.rate_scale);
    o->optimizer = (optimizer_kind)options.optimizer;
    o->lambda = (lambda_kind)options.lambda;
    o->steps = options.steps;
    o->checkpoint_every = options.checkpoint_every;
    o->validate_every = options.validate_every;
    o->init = options.init;
    o->vocabulary = options.vocabulary;
    o->weights = options.weights;
    o->checkpoint = options.checkpoint;
    o->resume = options.resume;
    o->log = options.log;
    o->trace = options.trace;
    o->output = c->output;
    o->stream_opened = catch_signals;
    return parse_freeze(o->network.frozen, e);
}

/* Names that stand for standard input or output elsewhere. */
static bool check_names(error *e)
{
    const struct {
        const char *option, *path;
    } files[] = {{"weights", options.weights},
                 {"checkpoint", options.checkpoint},
                 {"log", options.log},
                 {"trace", options.trace}};
    for (size_t i = 0; i < CLI_COUNT(files); i++)
        if (files[i].path && strcmp(files[i].path, "-") == 0)
            return error_set(e, STATUS_USAGE, "--%s takes the name of a file, not '-'",
                             files[i].option);
    return true;
}

/* -1 when not stated, as in older checkpoints. */
static int saved_memory(const checkpoint_state *state)
{
    const char *name = json_string_value(json_object_get(state->settings, "memory"));
    for (int i = 0; name && memories[i]; i++)
        if (strcmp(memories[i], name) == 0) return i;
    return -1;
}

/* What is computed again is rounded otherwise. */
static void compare_memory(const cli *c, const checkpoint_state *state)
{
    int saved = saved_memory(state), now = options.memory;
    if (saved < 0 && !is_given(c, "memory"))
        cli_warn(c, "%s does not say its --memory; %s is taken", options.resume, memories[now]);
    else if (saved >= 0 && (recomputed[saved] != recomputed[now] ||
                            recomputed_ends[saved] != recomputed_ends[now]))
        cli_warn(c,
                 "--memory is %s, but the run that wrote the checkpoint had %s: the model will "
                 "differ in its last digits from that of one run",
                 memories[now], memories[saved]);
}

/* A resumed run has its checkpoint's options, but for those that leave its course as it is. */
static bool restore_options(cli *c, checkpoint_state *state, error *e)
{
    static const char *const changeable[] = {"steps", "memory", "validate-every",
                                             "checkpoint-every", NULL};
    if (!checkpoint_read_state(options.resume, state, e)) return false;
    if (c->seed_given && c->seed != state->seed)
        return error_set(e, STATUS_USAGE, "--seed differs from the checkpoint's %llu; leave it out",
                         (unsigned long long)state->seed);
    c->seed = state->seed;
    c->seed_given = state->seed_given;
    c->provenance = c->provenance && state->provenance;
    if (!settings_restore(option_table, CLI_COUNT(option_table), state->settings, &c->given,
                          changeable, e))
        return e->status == STATUS_DATA ? error_context(e, "%s", options.resume) : false;
    compare_memory(c, state);
    return true;
}

/* The options in force, spelled in one way, are what the model's provenance shows: a resumed run's
 * model is the same as that of a run that was never stopped. How far either should have gone is
 * left out; the steps done stand elsewhere in the model. So is what no model depends on, and how
 * weights would be learnt when they are not. */
static bool record_options(cli *c, const json_t *defaults, json_t **texts, error *e)
{
    static const char *const skipped[] = {"lambda",           "lambda-lr", "lambda-lag",
                                          "hypergradient",    "steps",     "validate-every",
                                          "checkpoint-every", NULL};
    enum { OF_LEARNING = 4 };
    cli_strings given = {0};
    bool good =
        settings_arguments(option_table, CLI_COUNT(option_table), defaults,
                           options.weights ? skipped : skipped + OF_LEARNING, &given, texts, e);
    cli_strings_free(&c->given);
    c->given = given;
    return good;
}

static void run(cli *c, const json_t *defaults, error *e)
{
    checkpoint_state state = {0};
    trainer_options o = {0};
    json_t *texts = NULL, *settings = NULL;
    if (!threads_start(c->threads, e)) return;
    nn_threads_set(c->threads);
    if (!options.resume) note_idle(c);
    if (check_names(e) &&
        (options.resume ? restore_options(c, &state, e) : adopt_architecture(c, e)) &&
        record_options(c, defaults, &texts, e) && fill_options(&o, c, e)) {
        settings = settings_get(option_table, CLI_COUNT(option_table));
        if (settings)
            trainer_run(c, &o, settings, options.resume ? &state : NULL, &interrupted, e);
        else
            error_set(e, STATUS_SYSTEM, "out of memory");
    }
    json_decref(settings);
    json_decref(state.settings);
    cli_strings_free(&c->given);
    json_decref(texts);
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    json_t *defaults = settings_get(option_table, CLI_COUNT(option_table));
    if (!cli_start(&c, &tool, argc, argv)) {
        json_decref(defaults);
        return cli_status(&c);
    }
    run(&c, defaults, &e);
    json_decref(defaults);
    int status = cli_finish(&c, &e);
    if (interrupted && status == STATUS_DONE) {
        signal(interrupted, SIG_DFL);
        raise(interrupted); /* as the shell, make and whoever sent it expect */
    }
    return status;
}
