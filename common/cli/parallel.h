/* An ordered parallel map: items are worked on by threads and taken back in the order they came. */
#ifndef BLADES_CLI_PARALLEL_H
#define BLADES_CLI_PARALLEL_H

#include "cli/error.h"

typedef struct parallel_plan {
    /* Gives the next item: 1, or 0 at the end, or -1 with e set. Called by the calling thread. */
    int (*next)(void *context, void **item, error *e);
    /* Works on an item, by worker number 0..threads-1 (for per-thread buffers). Problems of one
       item belong into the item. */
    void (*work)(void *context, void *item, int worker);
    /* Takes an item back, in order, and owns it from then on (also when it returns false). Called
       by the calling thread. */
    bool (*take)(void *context, void *item, error *e);
    /* Frees an item that will not be taken because of an error elsewhere. */
    void (*discard)(void *context, void *item);
} parallel_plan;

/* Runs the plan with `threads` workers and at most `window` items under way (0: 4 a thread). The
   order of next and take calls does not depend on the number of threads. With threads 1 no thread
   is started. */
bool parallel_map(const parallel_plan *plan, void *context, int threads, int window, error *e);

#endif
