/* Batches of a face input, window by window: how large the faces come out, what is too little, and
   which faces go on into the next window. */
#ifndef BLADES_PRETEXT_BATCH_WINDOW_H
#define BLADES_PRETEXT_BATCH_WINDOW_H

#include "pretext/batch_run.h"
#include "pretext/face_input.h"

typedef struct batch_settings {
    int64_t batch;  /* faces of a batch */
    int64_t size;   /* pixels of the faces that come out; 0: as they are */
    int64_t shift;  /* pixels by which the windows cut out of faces move */
    int64_t epochs; /* 0: the header alone */
    int64_t window; /* faces of a window of a pipe */
    int64_t skip_steps;
    resampling how;
    bool flip;
} batch_settings;

typedef struct batch_windows {
    cli *c;
    face_input *input;
    const draw_table *draws;
    stream_writer *writer;
    const batch_settings *settings;
    /* Writes the header, when the first window is known and found good. */
    bool (*begin)(void *context, sampler *first, int side, error *e);
    void *context;
} batch_windows;

/* Writes the batches of all windows, and the error records. STATUS_DATA when the faces are too few,
   or of several sizes; STATUS_USAGE when the settings do not fit the input. */
bool batch_windows_write(const batch_windows *w, error *e);

/* ---- Shared for their tests ----------------------------------------------------------------- */

/* Pixels of the faces that come out: `*side`, which holds those of the window before, or 0.
   STATUS_DATA when there is none for all. */
bool batch_side_find(const batch_settings *settings, const catalog *faces, int *side, error *e);

/* The faces that the next window begins with, each once: those left over, and the latest to
   validate on (at most a quarter of a window, or a batch). Returns how many; caller frees *kept. */
size_t batch_kept_choose(const batch_settings *settings, sampler *s, uint32_t **kept, error *e);

#endif
