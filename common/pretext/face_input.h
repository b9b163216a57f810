/* Face streams as they are batched: a regular file at once, mapped and indexed; a pipe window by
   window, in memory. */
#ifndef BLADES_PRETEXT_FACE_INPUT_H
#define BLADES_PRETEXT_FACE_INPUT_H

#include "pretext/catalog.h"
#include "pretext/store.h"
#include "stream/reader.h"

/* A record that is passed on as it is (an error record of an earlier stage), or becomes one. */
typedef struct face_problem {
    stream_place place;
    char reason[80]; /* empty: passed on */
} face_problem;

/* The faces of all windows of a pipe, as long as they are not too many. */
typedef struct seen_faces {
    uint64_t *key;
    size_t count, capacity;
    slot_table slots;
} seen_faces;

typedef struct face_input {
    const cli_strings *inputs;
    catalog_options options;
    task_list *tasks;
    size_t window;            /* faces of a window of a pipe */
    stream_reader *reader;    /* NULL: a mapped file */
    object_copy header;       /* the first header of a pipe */
    stream_record *pending;   /* the first record of the next window */
    uint32_t file;            /* number of the input that is being read from a pipe */
    int64_t segment;          /* number of the one whose header was checked last */
    int64_t windows;          /* read so far */
    bool whole;               /* this window is all there is */
    bool more;                /* another one follows */
    left_out_counts left_out; /* of all windows so far */
    seen_faces seen;
    int64_t returned; /* faces of a window that an earlier one had, too: their records are apart */
    /* Of the current window, valid until the next: */
    face_store store;
    catalog faces;
    face_problem *problem;
    size_t problem_count, problem_capacity;
} face_input;

/* Opens the inputs. `tasks` is completed by the first window; it and `inputs` must outlive. */
bool face_input_open(face_input *in, const cli_strings *inputs, const catalog_options *options,
                     task_list *tasks, size_t window, error *e);
const msgpack_object *face_input_header(const face_input *in);

/* Reads the next window: 1, 0 when there is none, -1 on error. The faces numbered in `kept` (of the
   window before, no face twice; may be NULL) belong to the new one too. */
int face_input_next(face_input *in, const uint32_t *kept, size_t kept_count, error *e);

void face_input_close(face_input *in);

/* Copies standard input to a temporary file ($TMPDIR or /tmp) without a name, which becomes
   standard input: a pipe turned into a regular file. */
bool standard_input_spool(error *e);

#endif
