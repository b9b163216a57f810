/* Reading batches ahead on a thread. */
#include "cli/memory.h"
#include "train/batch.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct batch_source {
    stream_reader *reader;
    const task_list *tasks;
    preprocessing how; /* of the first header */
    pthread_t thread;
    sem_t wanted, ready; /* a pair may be read; a pair has been read */
    sem_t ended;         /* the thread is about to return */
    bool stop;           /* no more pairs are wanted; set before `wanted` */
    /* Written by the thread between wanted and ready, read by the caller after ready: */
    int result;
    batch_pair pair;
    error failure;
    /* The thread's own: */
    batch *held; /* a training batch that ended the pair before it */
    int64_t segment, errors;
};

static bool check_segment(batch_source *s, const stream_record *record, error *e)
{
    if (record->segment == s->segment) return true;
    s->segment = record->segment;
    task_list *tasks =
        task_list_from_header(object_get(stream_reader_header(s->reader), "tasks"), e);
    bool same = tasks && batch_tasks_match(s->tasks, tasks);
    task_list_free(tasks);
    if (!same && !e->status)
        error_set(e, STATUS_DATA, "record %lld: the tasks differ from those of the first header",
                  (long long)record->number);
    preprocessing how;
    if (!e->status && preprocessing_of_header(&how, stream_reader_header(s->reader), e) &&
        !preprocessing_equal(&how, &s->how))
        error_set(e, STATUS_DATA,
                  "record %lld: the faces are cropped or resized otherwise than the first header "
                  "says",
                  (long long)record->number);
    return e->status == 0;
}

static bool parse_record(batch_source *s, stream_record *record, batch **out, bool *training,
                         error *e)
{
    *training = batch_is_training(record);
    bool good = check_segment(s, record, e);
    if (good && !*training && !object_text_is(&record->object, "split", "val"))
        good = error_set(e, STATUS_DATA, "record %lld: split is neither 'train' nor 'val'",
                         (long long)record->number);
    if (!good)
        stream_record_free(record);
    else
        *out = batch_parse(record, s->tasks, *training, e);
    if (!good || !*out) return error_context(e, "%s", stream_reader_input(s->reader));
    (*out)->input = stream_reader_input(s->reader);
    return true;
}

/* The next batch of either split: 1, 0 at the end, -1 on error. */
static int read_batch(batch_source *s, batch **out, bool *training, error *e)
{
    stream_record *record;
    int more;
    while ((more = stream_reader_next(s->reader, &record, e)) > 0) {
        if (!record->is_error) break;
        s->errors++;
        stream_record_free(record);
    }
    if (more <= 0) return more;
    return parse_record(s, record, out, training, e) ? 1 : -1;
}

static int read_pair(batch_source *s, batch_pair *pair, error *e)
{
    batch *next = NULL;
    bool training = true;
    pair->train = s->held;
    s->held = NULL;
    if (!pair->train) {
        int more = read_batch(s, &pair->train, &training, e);
        if (more <= 0) return more;
        if (!training) {
            error_set(e, STATUS_DATA,
                      "%s: record %lld: a validation batch without a training batch before it",
                      pair->train->input, (long long)pair->train->record->number);
            return -1;
        }
    }
    int more = read_batch(s, &next, &training, e);
    if (more < 0) return -1;
    if (more == 0) return 1;
    if (training)
        s->held = next;
    else
        pair->validation = next;
    return 1;
}

static void *read_ahead(void *argument)
{
    batch_source *s = argument;
    do {
        while (sem_wait(&s->wanted) != 0) continue;
        if (s->stop) break;
        s->result = read_pair(s, &s->pair, &s->failure);
        s->pair.errors = s->errors;
        sem_post(&s->ready);
    } while (s->result > 0);
    sem_post(&s->ended);
    return NULL;
}

static void source_free(batch_source *s)
{
    batch_pair_free(&s->pair);
    batch_free(s->held);
    sem_destroy(&s->wanted);
    sem_destroy(&s->ready);
    sem_destroy(&s->ended);
    free(s);
}

/* Waits a fifth of a second at most. */
static bool wait_briefly(sem_t *semaphore)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 200000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return sem_timedwait(semaphore, &until) == 0;
}

batch_source *batch_source_open(stream_reader *reader, const task_list *tasks, error *e)
{
    batch_source *s = memory_zeroed(1, sizeof *s, e);
    if (!s) return NULL;
    s->reader = reader;
    s->tasks = tasks;
    if (!preprocessing_of_header(&s->how, stream_reader_header(reader), e)) {
        free(s);
        return NULL;
    }
    sem_init(&s->wanted, 0, 1);
    sem_init(&s->ready, 0, 0);
    sem_init(&s->ended, 0, 0);
    sigset_t all, before;
    sigfillset(&all); /* signals are for the thread that trains */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&s->thread, NULL, read_ahead, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) return s;
    error_set(e, STATUS_SYSTEM, "cannot start a thread: %s", strerror(failed));
    source_free(s);
    return NULL;
}

/* A thread that still waits for input cannot be ended from outside: it is left to the end of the
   process, with all it uses. */
bool batch_source_close(batch_source *s)
{
    if (!s) return true;
    s->stop = true;
    sem_post(&s->wanted);
    if (!wait_briefly(&s->ended)) {
        pthread_detach(s->thread);
        return false;
    }
    pthread_join(s->thread, NULL);
    source_free(s);
    return true;
}

/* Waits for a pair, looking up five times a second whether a signal came. */
static bool wait_ready(batch_source *s, const volatile sig_atomic_t *interrupted)
{
    while (!wait_briefly(&s->ready))
        if (*interrupted) return false;
    return true;
}

int batch_source_next(batch_source *s, batch_pair *pair, const volatile sig_atomic_t *interrupted,
                      error *e)
{
    if (!wait_ready(s, interrupted)) return -2;
    int result = s->result;
    if (result == 0) pair->errors = s->pair.errors;
    if (result > 0) {
        *pair = s->pair;
        s->pair = (batch_pair){0};
        sem_post(&s->wanted);
    } else {
        if (result < 0) error_set(e, s->failure.status, "%s", s->failure.text);
        sem_post(&s->ready); /* the answer stays the same */
    }
    return result;
}
