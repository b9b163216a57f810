/* Starting OpenMP's threads, after trying whether so many can live at once. */
#include "cli/threads.h"

#include "cli/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

typedef struct gathering {
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ended;
} gathering;

static void *wait_for_end(void *argument)
{
    gathering *g = argument;
    pthread_mutex_lock(&g->lock);
    while (!g->ended) pthread_cond_wait(&g->end, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

/* Of this process; 0 when the system does not tell. */
static long count_threads(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 ? (long)tasks.st_nlink : 0;
}

/* A thread that was joined counts against the user's limit until the kernel has put it away. */
static void wait_until_gone(long before)
{
    for (int i = 0; i < 1000 && count_threads() > before; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Can so many threads live beside the calling one? */
static bool can_live(int count, pthread_t *threads)
{
    gathering g = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    long before = count_threads();
    int started = 0;
    while (started < count && pthread_create(&threads[started], NULL, wait_for_end, &g) == 0)
        started++;
    pthread_mutex_lock(&g.lock);
    g.ended = true;
    pthread_cond_broadcast(&g.end);
    pthread_mutex_unlock(&g.lock);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    wait_until_gone(before);
    return started == count;
}

bool threads_start(int threads, error *e)
{
    if (threads <= 1) return true;
    pthread_t *tried = memory_allocate((size_t)threads - 1, sizeof *tried, e);
    bool good = tried && can_live(threads - 1, tried);
    free(tried);
    if (!good) return error_set(e, STATUS_SYSTEM, "cannot start a thread; give a smaller -j");
#pragma omp parallel num_threads(threads)
    {
    }
    return true;
}
