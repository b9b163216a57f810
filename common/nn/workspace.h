/* Memory of the compute core: one arena, and in it the buffers that operations share. */
#ifndef BLADES_NN_WORKSPACE_H
#define BLADES_NN_WORKSPACE_H

#include "cli/error.h"
#include "nn/block.h"

/* A region cut into aligned pieces that live equally long. With base NULL nothing but `used` is
   kept, so that the same code first measures and then takes. */
typedef struct arena {
    char *base;
    size_t used, capacity;
} arena;

/* Allocates all of the measured `used` bytes, zeroed, in huge pages where the system has them. */
bool arena_allocate(arena *a, error *e);
void arena_free(arena *a);
/* `size` bytes aligned to 64 bytes (4096 for large pieces). */
void *arena_take(arena *a, size_t size);

/* What operations need at most, in bytes; each operation raises it. */
typedef struct workspace_need {
    size_t thread; /* for every thread */
    size_t shared;
    size_t sums;  /* floats of block sums */
    int channels; /* of totals */
} workspace_need;

/* Raises one of the sizes; and what the sums of `blocks` blocks of C channels need. */
void need_raise(size_t *need, size_t size);
void need_sums(workspace_need *need, size_t blocks, int C);

typedef struct workspace {
    const matrix_kernels *matrix;
    const block_kernels *block;
    int threads;
    workspace_need need;
    char *thread; /* threads * need.thread bytes */
    char *shared;
    float *sums;    /* of blocks: RESULT_SUMS rows of C, and the number of pixels */
    double *totals; /* over all blocks: RESULT_SUMS rows of C */
} workspace;

/* Chooses the kernels; set `need` before workspace_take. */
void workspace_start(workspace *w, matrix_type type);
void workspace_take(workspace *w, arena *a);

/* Threads worth waking for so much work (about elements touched, or multiplications / 16). */
int workspace_threads(const workspace *w, double work);

/* The calling OpenMP worker's buffer, as an arena. */
arena workspace_thread(const workspace *w);

/* Floats that the sums of one block take. */
size_t sums_stride(int C);
/* The sums of a block, with its number of pixels noted; NULL when the kind has none. */
float *sums_of_block(const workspace *w, result_kind kind, int block, int C, int pixels);
/* Reduces the sums of `blocks` blocks, in order, into w->totals. For RESULT_STATISTICS: row 0 the
   mean, row 1 the variance (biased). Else the plain sums. */
void sums_total(const workspace *w, result_kind kind, int blocks, int C);

#endif
