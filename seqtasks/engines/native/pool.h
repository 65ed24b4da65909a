/* Threads of one call, and what each of them works on. */

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

typedef struct {
    int64_t rows, *order;          /* rows, those that end last first */
    int64_t first, last;           /* panels of units */
    int64_t pack_first, pack_last; /* those that it packs */
    const float **pointers;        /* room for two of each row */
    float *sums;                   /* of its rows */
} Share;

static void *aligned(size_t bytes)
{
#if defined(_WIN32)
    return _aligned_malloc(bytes, 64);
#else
    void *found = NULL;
    return posix_memalign(&found, 64, bytes) ? NULL : found;
#endif
}

static void release(void *memory)
{
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* Every second (third, …) row, so that long and short ones are spread; or all rows and some of the panels. */
static Share share(const Shared *shared, int me, int64_t panels, int64_t width)
{
    const int64_t batch = shared->job->batch, n = shared->threads;
    Share mine = {
        .order = shared->memory + me * batch,
        .pointers = shared->pointers + me * 2 * batch,
        .sums = shared->sums + (shared->by_units ? 0 : me * ((batch + n - 1) / n) * SUMS(panels * width)),
    };
    const int all = shared->by_units, beside = !shared->job->mask; /* of full rows those that lie together */
    const int64_t begin = all ? 0 : beside ? batch * me / n : me, end = !all && beside ? batch * (me + 1) / n : batch;
    for (int64_t i = begin; i < end; i += all || beside ? 1 : n)
        mine.order[mine.rows++] = shared->order[i];
    mine.pack_first = mine.first = panels * me / n;
    mine.pack_last = mine.last = panels * (me + 1) / n;
    if (!shared->by_units) {
        mine.first = 0;
        mine.last = panels;
    }
    return mine;
}

/* Where the next h of a row goes: the h of two steps change places. */
static float *other(const Shared *shared, int64_t row, const float *h)
{
    float *first = shared->compact + row * shared->job->units;
    return h == first ? first + shared->job->batch * shared->job->units : first;
}

/* How many of its rows have a real step at t or later; they come first. */
static int64_t living(const Shared *shared, const Share *mine, int64_t t)
{
    int64_t live = 0;
    while (live < mine->rows && shared->ends[mine->order[live]] > t)
        live++;
    return live;
}

#if THREADS
/* One turn of waiting for what comes soon; from the 2,000th on others may have the core. */
static void pause_after(int *spins)
{
    if (*spins < 2000)
        ++*spins;
    else
        sched_yield();
}
#endif

/* Waits until all threads of the job are here. They run at once or not at all, so it spins before it yields. */
static void barrier(Shared *shared)
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

/* Between parts of a step, where threads read what others wrote. */
static void step_barrier(Shared *shared)
{
    if (shared->by_units)
        barrier(shared);
}

typedef void (*Work)(Shared *, int);

typedef struct {
    Shared *shared;
    Work work;
    int me;
} Call;

#if THREADS
/* Threads that live on between calls: a new one may wait for long behind the thread that made it. */
static struct {
    pthread_mutex_t turn, lock;
    pthread_cond_t wake;
    int size;
    uint64_t round;
    const Call *calls;
    int count;
    atomic_int left;
} pool = {.turn = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void *serve(void *number)
{
    const int me = (int)(intptr_t)number; /* its call is that after the caller's own, and those of threads before it */
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.round == seen || me >= pool.count)
            pthread_cond_wait(&pool.wake, &pool.lock);
        seen = pool.round;
        const Call call = pool.calls[me];
        pthread_mutex_unlock(&pool.lock);
        call.work(call.shared, call.me);
        atomic_fetch_sub(&pool.left, 1);
        pthread_mutex_lock(&pool.lock);
    }
    return NULL;
}

/* One call at a time: each has all the cores that it may use. */
static void enter(void) { pthread_mutex_lock(&pool.turn); }

static void leave(void) { pthread_mutex_unlock(&pool.turn); }

/* A fork has none of the threads: a lock that one of them had nobody would open, and what they had to do is not for new ones. */
static void forget_threads(void)
{
    pool.calls = NULL;
    pool.count = 0;
    atomic_store(&pool.left, 0);
    pthread_mutex_init(&pool.turn, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.size = 0;
}

__attribute__((constructor)) static void prepare_for_forks(void) { pthread_atfork(NULL, NULL, forget_threads); }

/* Makes the pool large enough; false where threads cannot be had. */
static int grow(int threads)
{
    pthread_t id;
    while (pool.size + 1 < threads && !pthread_create(&id, NULL, serve, (void *)(intptr_t)(pool.size + 1))) {
        pthread_detach(id);
        pool.size++;
    }
    return pool.size + 1 >= threads;
}

/* Runs all calls at once, the first in this thread. */
static void share_out(const Call *calls, int count)
{
    pthread_mutex_lock(&pool.lock);
    pool.calls = calls;
    pool.count = count;
    pool.round++;
    atomic_store(&pool.left, count - 1);
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    calls->work(calls->shared, calls->me);
    for (int spins = 0; atomic_load(&pool.left);)
        pause_after(&spins);
    pthread_mutex_lock(&pool.lock);
    pool.count = 0;
    pthread_mutex_unlock(&pool.lock);
}
#else
static void enter(void) {}
static void leave(void) {}
#endif

/* Runs `work` in all threads of all jobs, this thread being one of them; in this one alone where there are no others. */
static void together(Shared *jobs, int count, Work work)
{
#if THREADS
    int threads = 0;
    for (int i = 0; i < count; i++)
        threads += jobs[i].threads;
    Call *calls = threads > 1 ? malloc((size_t)threads * sizeof *calls) : NULL;
    if (calls && grow(threads)) {
        for (int i = 0, k = 0; i < count; i++)
            for (int me = 0; me < jobs[i].threads; me++)
                calls[k++] = (Call){&jobs[i], work, me};
        share_out(calls, threads);
        free(calls);
        return;
    }
    free(calls);
#endif
    for (int i = 0; i < count; i++) {
        jobs[i].threads = 1;
        work(&jobs[i], 0);
    }
}
