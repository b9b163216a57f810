/* face-synth: drawn faces behind simulated cameras, and stand-ins for generated ones, as JPEGs with
 * annotations. */
#include "cli/cli.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/parallel.h"
#include "cli/progress.h"
#include "image/jpeg_encode.h"
#include "synth/camera.h"
#include "synth/standin.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct options {
    int64_t count, first, size;
    int generator; /* 0: a camera; else a standin_kind + 1 */
} options;

typedef struct job {
    cli *c;
    options o;
    int64_t next;
    output annotations;
    progress progress;
} job;

/* One picture on its way from a worker to the folder. */
typedef struct picture {
    int64_t index;
    char name[32];
    unsigned char *jpeg;
    size_t size;
    char *line; /* of the annotations */
    error e;
} picture;

static const char *source_name(const options *o)
{
    return o->generator ? standin_names[o->generator - 1] : "drawn";
}

/* JSON is UTF-8, and what a picture is said to be must be true; `source` is a name, the user's. */
static bool check_sets(const cli *c, error *e)
{
    static const char *const own[] = {"label", "upright", NULL};
    for (int i = 0; own[i]; i++) {
        if (cli_set_has(c, own[i], strlen(own[i])))
            return error_set(e, STATUS_USAGE, "--set: the key '%s' is given by the pictures",
                             own[i]);
    }
    for (size_t i = 0; i < c->sets.count; i++) {
        json_t *text = json_string(c->sets.item[i]);
        if (!text)
            return error_set(e, STATUS_USAGE, "--set: '%s' is not UTF-8, which annotations are in",
                             c->sets.item[i]);
        json_decref(text);
    }
    return true;
}

static bool add_sets(json_t *row, const cli *c)
{
    bool added = true;
    for (size_t i = 0; i + 1 < c->sets.count; i += 2) {
        added &= json_object_set_new(row, c->sets.item[i], json_string(c->sets.item[i + 1])) == 0;
    }
    return added;
}

/* The picture's row of annotations.jsonl: coordinates of the upright picture. */
static char *annotation_line(const job *j, const picture *p, const drawn_picture *place, error *e)
{
    json_t *box = json_array(), *points = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(box, json_real(round(100 * (double)place->box[i]) / 100));
    for (int i = 0; i < 2 * LANDMARK_COUNT; i++) {
        json_array_append_new(points,
                              json_real(round(100 * (double)place->landmarks[i / 2][i % 2]) / 100));
    }
    const char *label = j->o.generator ? "generated" : "photographic";
    json_t *row = json_pack("{s:s, s:s, s:s, s:b, s:[{s:o, s:s, s:o}]}", "path", p->name, "label",
                            label, "source", source_name(&j->o), "upright", 1, "faces", "box", box,
                            "scheme", "68", "landmarks", points);
    char *line =
        row && add_sets(row, j->c) ? json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(8)) : NULL;
    json_decref(row);
    if (!line) error_set(e, STATUS_SYSTEM, "out of memory");
    return line;
}

/* The picture as a camera stores it that was held on its side. */
static bool store_turned(image *i, int orientation, error *e)
{
    if (orientation == 1) return true;
    image turned = {0};
    if (!image_orient(i, orientation == 6 ? 8 : 6, &turned, e)) return false;
    image_free(i);
    *i = turned;
    return true;
}

static bool photograph(const job *j, int64_t index, image *out, jpeg_options *coding,
                       drawn_picture *place, error *e)
{
    random_state r = random_keyed(j->c->seed, "photograph", (uint64_t)index);
    drawn_person person;
    drawn_scene scene;
    camera_shot shot;
    drawn_person_choose(&person, &r);
    drawn_scene_choose(&scene, &person, &r);
    camera_shot_choose(&shot, &r);
    camera_shot_arrange(&shot, &scene, &r);
    if (!drawn_scene_render(&scene, out->width, place, e)) return false;
    bool done = camera_shot_take(&shot, place, &r, out->pixels, e) &&
                store_turned(out, shot.orientation, e);
    drawn_picture_free(place);
    coding->quality = shot.camera->jpeg_quality;
    coding->chroma_subsampling = shot.camera->chroma_subsampling;
    unsigned char *exif = done ? camera_shot_exif(&shot, out->width, &coding->exif_size, e) : NULL;
    coding->exif = exif;
    return exif != NULL;
}

/* Coded like the photographs, so that the coding tells nothing. */
static bool stand_in(const job *j, int64_t index, image *out, jpeg_options *coding,
                     drawn_picture *place, error *e)
{
    random_state r = random_keyed(j->c->seed, "coding", (uint64_t)index);
    const camera_model *like = &camera_models[random_below(&r, (uint64_t)camera_model_count)];
    coding->quality = like->jpeg_quality;
    coding->chroma_subsampling = like->chroma_subsampling;
    standin_kind kind = (standin_kind)(j->o.generator - 1);
    return standin_draw(kind, j->c->seed, (uint64_t)index, out->width, out->pixels, place, e);
}

static int next_picture(void *context, void **item, error *e)
{
    job *j = context;
    if (j->next == j->o.count) return 0;
    picture *p = memory_zeroed(1, sizeof *p, e);
    if (!p) return -1;
    p->index = j->o.first + j->next++;
    snprintf(p->name, sizeof p->name, "%06lld.jpg", (long long)p->index);
    *item = p;
    return 1;
}

static void make_picture(void *context, void *item, int worker)
{
    const job *j = context;
    picture *p = item;
    image i = {0};
    drawn_picture place = {0};
    jpeg_options coding = {0};
    int size = (int)j->o.size;
    bool done = image_allocate(&i, size, size, &p->e) &&
                (j->o.generator ? stand_in : photograph)(j, p->index, &i, &coding, &place, &p->e);
    if (done && jpeg_encode(&i, &coding, &p->jpeg, &p->size, &p->e)) {
        p->line = annotation_line(j, p, &place, &p->e);
    }
    free((void *)coding.exif);
    image_free(&i);
}

static void free_picture(void *context, void *item)
{
    picture *p = item;
    free(p->jpeg);
    free(p->line);
    free(p);
}

static bool write_jpeg(const job *j, const picture *p, error *e)
{
    output o = {0};
    char *path = memory_allocate(strlen(j->c->output) + sizeof p->name + 2, 1, e);
    if (!path) return false;
    sprintf(path, "%s/%s", j->c->output, p->name);
    bool open = output_open(&o, path, true, e);
    if (open && fwrite(p->jpeg, 1, p->size, o.file) != p->size)
        error_set(e, STATUS_IO, "%s: ", path);
    free(path);
    return open && output_commit(&o, e);
}

static bool take_picture(void *context, void *item, error *e)
{
    job *j = context;
    picture *p = item;
    if (p->e.status)
        *e = p->e;
    else if (write_jpeg(j, p, e))
        fprintf(j->annotations.file, "%s\n", p->line);
    progress_add(&j->progress, 1, NULL);
    free_picture(context, item);
    return e->status == 0;
}

/* The annotations appear last: where they are, the pictures are complete. So those of an earlier
   run go first. */
static bool begin_annotations(job *j, const char *folder, error *e)
{
    char *path = memory_allocate(strlen(folder) + 32, 1, e);
    if (!path) return false;
    sprintf(path, "%s/annotations.jsonl", folder);
    bool open = output_open(&j->annotations, path, false, e);
    if (open && unlink(path) != 0 && errno != ENOENT)
        error_set(e, STATUS_CANNOT_CREATE, "%s: ", path);
    free(path);
    return open;
}

static void run(job *j, error *e)
{
    const char *folder = j->c->output;
    if (!folder || strcmp(folder, "-") == 0) {
        error_set(e, STATUS_USAGE, "name a folder for the pictures with -o");
        return;
    }
    if (!check_sets(j->c, e)) return;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        error_set(e, STATUS_CANNOT_CREATE, "%s: ", folder);
        return;
    }
    if (!begin_annotations(j, folder, e)) return;
    if (e->status == 0) {
        progress_start(&j->progress, j->c, "pictures", j->o.count);
        parallel_plan plan = {next_picture, make_picture, take_picture, free_picture};
        parallel_map(&plan, j, j->c->threads, 0, e);
        progress_end(&j->progress);
    }
    output_commit(&j->annotations, e);
}

int main(int argc, char **argv)
{
    const char *generators[STANDIN_COUNT + 2] = {"camera"}; /* NULL-ended */
    for (int i = 0; i < STANDIN_COUNT; i++) generators[i + 1] = standin_names[i];
    static cli c;
    static job j = {.c = &c, .o = {.count = 100, .size = 256}};
    const cli_option table[] = {
        {"count", 'n', CLI_INTEGER, &j.o.count, 1, 1e6, .argument = "N",
         .help = "pictures to draw (100)"},
        {"first", 0, CLI_INTEGER, &j.o.first, 0, 999999, .argument = "N",
         .help = "number of the first picture (0)"},
        {"size", 0, CLI_INTEGER, &j.o.size, 32, 1024, .argument = "N",
         .help = "side of the pictures in pixels (256)"},
        {"generator", 0, CLI_CHOICE, &j.o.generator, .choices = generators, .argument = "NAME",
         .help = "a photograph or a stand-in kind (camera)"},
    };
    const cli_tool tool = {
        .name = "face-synth",
        .summary = "Draws faces behind simulated cameras, and stand-ins for generated ones, into "
                   "the folder of -o.",
        .options = table,
        .option_count = CLI_COUNT(table),
        .common = CLI_SEED | CLI_SET,
        .folder_output = true,
    };
    error e = {0};
    if (!cli_start(&c, &tool, argc, argv)) return cli_status(&c);
    run(&j, &e);
    return cli_finish(&c, &e);
}
