/* OpenMP's threads wait without burning the processor. */
#ifndef BLADES_CLI_WAITING_H
#define BLADES_CLI_WAITING_H

/* Links the program with what makes the waits short, which runs before main; the call itself does
   nothing. cli_start and nn_threads_set call it. */
void waiting_short(void);

#endif
