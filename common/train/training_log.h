/* What training tells while it runs: the log for people and plots, the trace for verifiers; both
   are JSON lines. blades-train(1) describes their keys. */
#ifndef BLADES_TRAIN_TRAINING_LOG_H
#define BLADES_TRAIN_TRAINING_LOG_H

#include "model/text_encoder.h"
#include "train/bilevel.h"

#include <stdio.h>

/* A file that grows a line at a time and is complete after every line. */
typedef struct line_file {
    FILE *file; /* NULL if not wanted */
    const char *path;
} line_file;

/* Opens the file at `path` (NULL if none is wanted) for lines. Position -1 empties it; otherwise
   the lines behind that many bytes are cut off, so that a resumed run repeats none, provided that
   the last one before is that of the step `last` (-1: the prompts of a trace): STATUS_DATA when it
   is another file, as any is at position 0. One that is missing or empty is begun. */
bool line_file_open(line_file *f, const char *path, int64_t position, int64_t last, error *e);
int64_t line_file_position(const line_file *f);
/* STATUS_IO when the last line could not be written. */
bool line_file_close(line_file *f, error *e);

/* {"prompts", "tokens", "tasks"}: the first line of a trace. */
bool trace_prompts(line_file *f, const task_list *tasks, const token_sequences *sequences,
                   error *e);
bool trace_step(line_file *f, const bilevel *b, error *e);
/* `seconds` the step took, `images` it trained on. */
bool log_step(line_file *f, const bilevel *b, int images, double seconds, error *e);

#endif
