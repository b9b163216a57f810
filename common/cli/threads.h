/* Whether OpenMP's threads can be started is tried before they are. */
#ifndef BLADES_CLI_THREADS_H
#define BLADES_CLI_THREADS_H

#include "cli/error.h"

/* Starts OpenMP's workers for teams of `threads`, which wait for work. STATUS_SYSTEM where so many
   cannot live at once: GNU OpenMP would end the process with 1, the answer "no". Call it once in
   main, before the first parallel region; with 1 no thread is started. */
bool threads_start(int threads, error *e);

#endif
