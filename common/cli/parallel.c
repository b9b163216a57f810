/* The ordered parallel map: a ring of items, workers that take the oldest waiting one, and the
   calling thread that fills the ring and takes finished items from its tail. */
#include "cli/parallel.h"

#include "cli/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef enum { ITEM_WAITING, ITEM_RUNNING, ITEM_DONE } item_state;

typedef struct ring_item {
    void *item;
    item_state state;
} ring_item;

typedef struct ring {
    const parallel_plan *plan;
    void *context;
    ring_item *slots;
    size_t size;
    size_t tail, next, head; /* running counts: tail <= next <= head <= tail + size */
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t work_waits, item_done;
} ring;

typedef struct worker {
    ring *r;
    int number;
    pthread_t thread;
} worker;

static void *run_worker(void *argument)
{
    worker *w = argument;
    ring *r = w->r;
    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->stop && r->next == r->head) pthread_cond_wait(&r->work_waits, &r->lock);
        if (r->stop) break;
        ring_item *slot = &r->slots[r->next++ % r->size];
        slot->state = ITEM_RUNNING;
        pthread_mutex_unlock(&r->lock);
        r->plan->work(r->context, slot->item, w->number);
        pthread_mutex_lock(&r->lock);
        slot->state = ITEM_DONE;
        pthread_cond_signal(&r->item_done);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* Takes back the oldest item once it is done. */
static bool take_tail(ring *r, error *e)
{
    pthread_mutex_lock(&r->lock);
    ring_item *slot = &r->slots[r->tail % r->size];
    while (slot->state != ITEM_DONE) pthread_cond_wait(&r->item_done, &r->lock);
    void *item = slot->item;
    r->tail++;
    pthread_mutex_unlock(&r->lock);
    return r->plan->take(r->context, item, e);
}

static void push_head(ring *r, void *item)
{
    pthread_mutex_lock(&r->lock);
    r->slots[r->head++ % r->size] = (ring_item){.item = item, .state = ITEM_WAITING};
    pthread_cond_signal(&r->work_waits);
    pthread_mutex_unlock(&r->lock);
}

static bool feed_ring(ring *r, error *e)
{
    for (;;) {
        if (r->head - r->tail == r->size && !take_tail(r, e)) return false;
        void *item = NULL;
        int more = r->plan->next(r->context, &item, e);
        if (more < 0) return false;
        if (more == 0) break;
        push_head(r, item);
    }
    while (r->tail < r->head)
        if (!take_tail(r, e)) return false;
    return true;
}

static bool run_threads(ring *r, int threads, error *e)
{
    worker *workers = memory_zeroed((size_t)threads, sizeof *workers, e);
    if (!workers) return false;
    int started = 0;
    for (; started < threads; started++) {
        workers[started] = (worker){.r = r, .number = started};
        if (pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]) != 0)
            break;
    }
    bool done =
        started > 0 ? feed_ring(r, e) : error_set(e, STATUS_SYSTEM, "cannot start a thread");
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->work_waits);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < started; i++) pthread_join(workers[i].thread, NULL);
    for (; r->tail < r->head; r->tail++)
        r->plan->discard(r->context, r->slots[r->tail % r->size].item);
    free(workers);
    return done;
}

static bool run_alone(const parallel_plan *plan, void *context, error *e)
{
    for (;;) {
        void *item = NULL;
        int more = plan->next(context, &item, e);
        if (more <= 0) return more == 0;
        plan->work(context, item, 0);
        if (!plan->take(context, item, e)) return false;
    }
}

bool parallel_map(const parallel_plan *plan, void *context, int threads, int window, error *e)
{
    if (threads <= 1) return run_alone(plan, context, e);
    ring r = {.plan = plan, .context = context};
    r.size = (size_t)(window > 0 ? window : 4 * threads);
    r.slots = memory_zeroed(r.size, sizeof *r.slots, e);
    if (!r.slots) return false;
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.work_waits, NULL);
    pthread_cond_init(&r.item_done, NULL);
    bool done = run_threads(&r, threads, e);
    pthread_cond_destroy(&r.item_done);
    pthread_cond_destroy(&r.work_waits);
    pthread_mutex_destroy(&r.lock);
    free(r.slots);
    return done;
}
