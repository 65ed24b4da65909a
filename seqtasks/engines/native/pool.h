/* The thread pool, and the division of a call among its threads. */

#ifndef SEQTASKS_POOL_H
#define SEQTASKS_POOL_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "rnn_call.h"

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#define THREADS 0
#else
#define EXPORT __attribute__((visibility("default")))
#define THREADS 1
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#endif

/* The part of a call that one thread computes. */
typedef struct {
    int64_t rows;                  /* number of rows of the batch */
    int64_t *order;                /* these rows, by descending last valid step */
    int64_t first, last;           /* panels of units to compute, from first to last - 1 */
    int64_t pack_first, pack_last; /* panels to pack, from pack_first to pack_last - 1 */
    const float **pointers;        /* (2, batch), addresses of states of its rows */
    float *sums;                   /* recurrent products of its rows */
} ThreadShare;

/* Memory aligned to cache lines; null if there is not enough. */
static void *aligned(size_t bytes)
{
#if defined(_WIN32)
    return _aligned_malloc(bytes, 64);
#else
    void *memory = NULL;
    return posix_memalign(&memory, 64, bytes) ? NULL : memory;
#endif
}

/* Frees memory of `aligned`. */
static void release(void *memory)
{
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* The share of one thread. With by_units: all rows and some panels; otherwise: all panels and some rows. With a mask
 * these are every n-th row of the order, so that each thread has long and short rows. */
static ThreadShare thread_share(const CallShared *shared, int thread, int64_t panels, int64_t width)
{
    const int64_t batch = shared->call->batch, n = shared->threads;
    ThreadShare share = {
        .order = shared->thread_rows + thread * batch,
        .pointers = shared->pointers + thread * 2 * batch,
        .sums = shared->sums + (shared->by_units ? 0 : thread * ((batch + n - 1) / n) * SUMS(panels * width)),
    };
    const int all = shared->by_units;
    const int adjacent = !shared->call->mask; /* without a mask rows have equal lengths */
    const int64_t begin = all ? 0 : adjacent ? batch * thread / n : thread;
    const int64_t end = !all && adjacent ? batch * (thread + 1) / n : batch;
    for (int64_t i = begin; i < end; i += all || adjacent ? 1 : n)
        share.order[share.rows++] = shared->order[i];
    share.pack_first = share.first = panels * thread / n;
    share.pack_last = share.last = panels * (thread + 1) / n;
    if (!shared->by_units) {
        share.first = 0;
        share.last = panels;
    }
    return share;
}

/* Address of the next h of a row: of two buffers, the one that does not hold h. */
static float *next_state(const CallShared *shared, int64_t row, const float *h)
{
    float *first = shared->compact + row * shared->call->units;
    return h == first ? first + shared->call->batch * shared->call->units : first;
}

/* Number of rows of a thread with a valid step at t or later. They come first in its order. */
static int64_t active_rows(const CallShared *shared, const ThreadShare *share, int64_t t)
{
    int64_t active = 0;
    while (active < share->rows && shared->ends[share->order[active]] > t)
        active++;
    return active;
}

#if THREADS
/* Counts the iterations of a busy wait; from the 2,000th on, yields the core. */
static void pause_after(int *spins)
{
    if (*spins < 2000)
        ++*spins;
    else
        sched_yield();
}
#endif

/* Waits until all threads of the call have arrived. A busy wait, because they all run at the same time and the wait is
 * short. */
static void barrier(CallShared *shared)
{
    if (shared->threads == 1)
        return;
#if THREADS
    int round = atomic_load(&shared->round);
    if (atomic_fetch_add(&shared->waiting, 1) + 1 == shared->threads) {
        atomic_store(&shared->waiting, 0);
        atomic_store(&shared->round, round + 1);
        return;
    }
    for (int spins = 0; atomic_load(&shared->round) == round;)
        pause_after(&spins);
#endif
}

/* Barrier between parts of a step, needed only if threads share rows. */
static void step_barrier(CallShared *shared)
{
    if (shared->by_units)
        barrier(shared);
}

typedef void (*ThreadFunction)(CallShared *, int thread);

/* A task of one thread of the pool: work(shared, thread). */
typedef struct {
    CallShared *shared;
    ThreadFunction work;
    int thread;
} Task;

#if THREADS
/* Threads are kept between calls, because the system may schedule a new one late. */
static struct {
    pthread_mutex_t call_lock; /* held during a call */
    pthread_mutex_t lock;      /* protects the fields below */
    pthread_cond_t wake;       /* signals new tasks */
    int size;                  /* threads in the pool */
    uint64_t round;            /* counts calls of run_tasks */
    const Task *tasks;         /* (count), task i is run by thread i of the pool, task 0 by the caller */
    int count;
    atomic_int pending; /* tasks of the pool that have not finished */
} pool = {.call_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* A thread of the pool: waits for tasks and runs the one with its number. */
static void *worker(void *number)
{
    const int index = (int)(intptr_t)number; /* number of its task, from 1 on */
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.round == seen || index >= pool.count)
            pthread_cond_wait(&pool.wake, &pool.lock);
        seen = pool.round;
        const Task task = pool.tasks[index];
        pthread_mutex_unlock(&pool.lock);
        task.work(task.shared, task.thread);
        atomic_fetch_sub(&pool.pending, 1);
        pthread_mutex_lock(&pool.lock);
    }
    return NULL;
}

/* Only one call runs at a time, because each uses all threads that the process may use. */
static void lock_pool(void) { pthread_mutex_lock(&pool.call_lock); }

static void unlock_pool(void) { pthread_mutex_unlock(&pool.call_lock); }

/* Resets the pool in a forked process, which has none of the threads: locks that they held would never be released. */
static void forget_threads(void)
{
    pool.tasks = NULL;
    pool.count = 0;
    atomic_store(&pool.pending, 0);
    pthread_mutex_init(&pool.call_lock, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.size = 0;
}

__attribute__((constructor)) static void prepare_for_forks(void) { pthread_atfork(NULL, NULL, forget_threads); }

/* Starts workers until `threads` tasks can run at the same time, one of them in the caller. Returns 0 if that fails. */
static int start_workers(int threads)
{
    pthread_t id;
    while (pool.size + 1 < threads && !pthread_create(&id, NULL, worker, (void *)(intptr_t)(pool.size + 1))) {
        pthread_detach(id);
        pool.size++;
    }
    return pool.size + 1 >= threads;
}

/* Runs all tasks at the same time, the first in this thread. */
static void run_tasks(const Task *tasks, int count)
{
    pthread_mutex_lock(&pool.lock);
    pool.tasks = tasks;
    pool.count = count;
    pool.round++;
    atomic_store(&pool.pending, count - 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    tasks->work(tasks->shared, tasks->thread);
    for (int spins = 0; atomic_load(&pool.pending);)
        pause_after(&spins);
    pthread_mutex_lock(&pool.lock);
    pool.count = 0;
    pthread_mutex_unlock(&pool.lock);
}
#else
static void lock_pool(void) {}
static void unlock_pool(void) {}
#endif

/* Runs `work` in all threads of all calls; this thread is one of them. If no other threads can be started, this one runs
 * call after call. */
static void run_threads(CallShared *calls, int count, ThreadFunction work)
{
#if THREADS
    int threads = 0;
    for (int i = 0; i < count; i++)
        threads += calls[i].threads;
    Task *tasks = threads > 1 ? malloc((size_t)threads * sizeof *tasks) : NULL;
    if (tasks && start_workers(threads)) {
        for (int i = 0, k = 0; i < count; i++)
            for (int thread = 0; thread < calls[i].threads; thread++)
                tasks[k++] = (Task){&calls[i], work, thread};
        run_tasks(tasks, threads);
        free(tasks);
        return;
    }
    free(tasks);
#endif
    for (int i = 0; i < count; i++) {
        calls[i].threads = 1;
        work(&calls[i], 0);
    }
}

#endif
