/* model-convert: opens other people's weights, and writes them as a model file. */
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/text.h"
#include "cli/threads.h"
#include "model/convert.h"
#include "nn/threads.h"
#include "stream/json.h"
#include "train/model_setup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 20 };

static struct {
    bool info, strict;
    int architecture;
    int64_t embedding_dim, size, text_layers, text_width, text_heads;
    double width;
    const char *vocabulary, *tasks;
} options = {.architecture = -1};

static const cli_option option_table[] = {
    {"info", 0, CLI_FLAG, &options.info, .help = "list what FILE holds, and convert nothing"},
    {"strict", 0, CLI_FLAG, &options.strict, .help = "fail when a parameter is missing"},
    {"arch", 0, CLI_CHOICE, &options.architecture, .choices = architecture_names,
     .argument = "NAME", .help = "image encoder (as in FILE)"},
    {"width", 0, CLI_NUMBER, &options.width, 0.01, 16, .argument = "X",
     .help = "factor on the channels (as in FILE)"},
    {"embedding-dim", 0, CLI_INTEGER, &options.embedding_dim, 1, 65536, .argument = "N",
     .help = "dimension of the embedding (as in FILE)"},
    {"size", 0, CLI_INTEGER, &options.size, 1, 4096, .argument = "N",
     .help = "input size in pixels (224)"},
    {"text-layers", 0, CLI_INTEGER, &options.text_layers, 0, 200, .argument = "N",
     .help = "blocks of the text transformer (as in FILE)"},
    {"text-width", 0, CLI_INTEGER, &options.text_width, 1, 16384, .argument = "N",
     .help = "its width (as in FILE)"},
    {"text-heads", 0, CLI_INTEGER, &options.text_heads, 1, 256, .argument = "N",
     .help = "its heads (width / 64)"},
    {"vocabulary", 0, CLI_STRING, &options.vocabulary, .argument = "FILE",
     .help = "CLIP's bpe_simple_vocab_16e6.txt.gz or merges.txt"},
    {"tasks", 0, CLI_STRING, &options.tasks, .argument = "FILE",
     .help = "task file to keep in the model"},
};

static const cli_tool tool = {
    .name = "model-convert",
    .operands = "[FILE]",
    .summary = "Turn weights saved by PyTorch, or another safetensors file, into a model file.",
    .options = option_table,
    .option_count = CLI_COUNT(option_table),
    .common = CLI_SEED | CLI_PROVENANCE,
};

/* ---- --info --------------------------------------------------------------------------------- */

static void text_show(FILE *to, const char *text)
{
    char shown[201];
    size_t length = strlen(text);
    snprintf(shown, sizeof shown, "%s", text);
    text_print(to, shown, NULL, NULL);
    if (length >= sizeof shown) fprintf(to, "... (%zu bytes)", length);
}

static bool info(const tensor_file *f, const char *path, error *e)
{
    output out = {0};
    int64_t total = 0;
    if (!output_open(&out, path, false, e)) return false;
    for (size_t i = 0; i < f->count; i++) total += f->tensors[i].count;
    fprintf(out.file, "format\t%s\ntensors\t%zu\nnumbers\t%" PRId64 "\n", f->format, f->count,
            total);
    for (size_t i = 0; i < f->metadata_count; i++) {
        fputs("metadata\t", out.file);
        text_show(out.file, f->metadata[2 * i]);
        fputc('\t', out.file);
        text_show(out.file, f->metadata[2 * i + 1]);
        fputc('\n', out.file);
    }
    for (size_t i = 0; i < f->count; i++) {
        const tensor *t = &f->tensors[i];
        char shape[128];
        fputs("tensor\t", out.file);
        text_show(out.file, t->name);
        fprintf(out.file, "\t%s\t%s\n", tensor_type_name(t->type),
                tensor_shape_text(shape, t->rank, t->shape));
    }
    return output_commit(&out, e);
}

/* ---- Conversion ----------------------------------------------------------------------------- */

/* The architecture of the file, where it has one, with what the options say instead. */
static bool config_choose(const cli *c, model_config *config, const weight_list *l, error *e)
{
    error unknown = {0};
    model_config defaults = *config = model_config_default();
    config->text.heads = (int)options.text_heads;
    if (!model_config_infer_image(config, l, &unknown)) {
        cli_detail(c, "%s; using ResNet-50 of width 1 unless told otherwise", unknown.text);
        config->depth = defaults.depth;
        config->width = defaults.width;
        config->embedding_dim = defaults.embedding_dim;
    }
    if (!model_config_infer_text(config, l, e)) return false;
    if ((options.text_layers || options.text_width || options.vocabulary) &&
        config->text.vocabulary == 0) {
        config->text = defaults.text;
    }
    if (options.architecture >= 0) config->depth = architecture_depths[options.architecture];
    if (options.width > 0) config->width = options.width;
    if (options.embedding_dim) config->embedding_dim = (int)options.embedding_dim;
    if (options.size)
        preprocessing_set_size(&config->preprocessing, (int)options.size,
                               config->preprocessing.step[0].how);
    if (options.text_layers) config->text.layers = (int)options.text_layers;
    if (options.text_width) {
        config->text.width = (int)options.text_width;
        config->text.heads = 0;
    }
    if (options.text_heads) config->text.heads = (int)options.text_heads;
    return model_config_check(config, e);
}

static void names_show(const cli *c, const char *what, char *const *names, size_t count, bool all)
{
    size_t shown = all || count <= NAMES_SHOWN ? count : NAMES_SHOWN;
    cli_note(c, "%s: %zu", what, count);
    for (size_t i = 0; i < shown; i++) cli_note(c, "  %s", names[i]);
    if (shown < count) cli_note(c, "  ... and %zu more (-v shows all)", count - shown);
}

static bool report_show(const cli *c, const model_report *r, const char *path, error *e)
{
    if (c->verbose) {
        names_show(c, "found", r->found, r->found_count, true);
    } else {
        cli_note(c, "found: %zu", r->found_count);
    }
    names_show(c, r->missing_count ? "missing (drawn at random)" : "missing", r->missing,
               r->missing_count, c->verbose > 0);
    names_show(c, "unused", r->unused, r->unused_count, c->verbose > 0);
    if (!options.strict || r->missing_count == 0) return true;
    return error_set(e, STATUS_DATA, "%s: %zu parameters are missing, %s the first", path,
                     r->missing_count, r->missing[0]);
}

/* A model made of a file that is not our own. */
static model *convert(const cli *c, const weight_list *l, error *e)
{
    const char *path = l->file->path;
    model_config config;
    model_report report = {0};
    tokenizer *words = NULL;
    if (!config_choose(c, &config, l, e)) return NULL;
    if (options.vocabulary && !(words = tokenizer_read_merges(options.vocabulary, e))) return NULL;
    if (words && tokenizer_size(words) != config.text.vocabulary) {
        error_set(e, STATUS_DATA, "%s: has %d tokens, %s %d", options.vocabulary,
                  tokenizer_size(words), path, config.text.vocabulary);
        tokenizer_free(words);
        return NULL;
    }
    model *m = model_create(&config, words, c->seed, e);
    bool ok = m && model_initialise(m, l->file, &report, e) && report_show(c, &report, path, e);
    model_report_free(&report);
    if (ok) return m;
    model_free(m);
    return NULL;
}

/* One of our own files, say a checkpoint, loses all but the model. */
static model *reread(const tensor_file *f, error *e)
{
    if (options.architecture >= 0 || options.width > 0 || options.embedding_dim ||
        options.text_layers || options.text_width || options.text_heads || options.size) {
        error_set(e, STATUS_USAGE, "%s says its architecture itself; leave those options out",
                  f->path);
        return NULL;
    }
    model *m = model_from_file(f, e);
    if (!m || !options.vocabulary) return m;
    tokenizer_free(m->words);
    m->words = tokenizer_read_merges(options.vocabulary, e);
    if (m->words && tokenizer_size(m->words) == m->config.text.vocabulary) return m;
    error_set(e, STATUS_DATA, "%s: is another vocabulary than the model's", options.vocabulary);
    model_free(m);
    return NULL;
}

static bool tasks_add(model *m, error *e)
{
    if (!options.tasks) return true;
    task_list *tasks = task_list_read(options.tasks, e);
    if (!tasks) return false;
    bool added = model_setup_tasks(m, tasks, e);
    task_list_free(tasks);
    return added;
}

/* This tool's entry at the end of the model's provenance. */
static bool provenance_add(const cli *c, model *m, error *e)
{
    char *provenance = json_provenance_after(c, m->provenance, e);
    free(m->provenance);
    m->provenance = provenance;
    return provenance != NULL;
}

static bool run(const cli *c, error *e)
{
    if (c->inputs.count != 1) return error_set(e, STATUS_USAGE, "give one file");
    weight_list l = {0};
    tensor_file *f = tensor_file_open(c->inputs.item[0], e);
    bool ok = f != NULL;
    if (ok && options.info) {
        ok = info(f, c->output, e);
        tensor_file_close(f);
        return ok;
    }
    bool own = ok && tensor_file_metadata(f, "blades_kind");
    ok = ok && weight_list_make(&l, f, e);
    model *m = !ok ? NULL : own ? reread(f, e) : convert(c, &l, e);
    weight_list_free(&l);
    tensor_file_close(f);
    ok = m && tasks_add(m, e) && (!c->provenance || provenance_add(c, m, e)) &&
         model_write(m, c->output, "model", NULL, 0, NULL, 0, e);
    model_free(m);
    return ok;
}

int main(int argc, char **argv)
{
    cli c;
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    if (threads_start(c.threads, &e)) {
        nn_threads_set(c.threads);
        run(&c, &e);
    }
    return cli_finish(&c, &e);
}
