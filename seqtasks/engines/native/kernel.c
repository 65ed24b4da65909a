/* The loop over time of LSTM, GRU and plain RNN layers, forward and backward, on a CPU.
 *
 * The products that need no state are made for all real steps at once, of inputs before the
 * loop and of gradients after it. The recurrent matrix is packed once a call into panels of
 * the width of the registers. A thread has a share of the rows for
 * all steps, or, where rows are few and units many, a share of the units with a barrier a step.
 * Rows are sorted by where they end, and a step works on those that have not ended.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "text.h"
#include "pool.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define RUNTIME_CHOICE 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define V 8
#define NAME(x) x##_avx2
#include "all.h"
#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx2,fma")
#endif
#define V 16
#define NAME(x) x##_avx512
#include "all.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define V 4
#define NAME(x) x##_portable
#include "all.h"

typedef void (*Loop)(Shared *, int);

enum { FORWARD, BACKWARD, INPUTS };

typedef struct {
    const char *name;
    int lanes;
    Loop work[3], write;
    int64_t (*packed)(const Text *);
    void (*pack)(const Text *);
} Kernel;

#define KERNEL(name, lanes) \
    {#name, lanes, {forward_##name, backward_##name, inputs_##name}, write_##name, packed_floats_##name, pack_text_##name}

static const Kernel KERNELS[] = {
#ifdef RUNTIME_CHOICE
    KERNEL(avx512, 16),
    KERNEL(avx2, 8),
#endif
    KERNEL(portable, 4),
};

static int chosen = -1;

static int supported(const char *name)
{
#ifdef RUNTIME_CHOICE
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f");
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return 1;
}

/* Takes the kernel of that name, or the fastest that this CPU runs (null); -1 if it cannot run it. */
EXPORT int seqtasks_choose(const char *name)
{
    for (int i = 0; i < (int)(sizeof KERNELS / sizeof *KERNELS); i++)
        if ((!name || !strcmp(name, KERNELS[i].name)) && supported(KERNELS[i].name)) {
            chosen = i;
            return i;
        }
    return -1;
}

EXPORT const char *seqtasks_chosen(void)
{
    if (chosen < 0)
        seqtasks_choose(NULL);
    return KERNELS[chosen].name;
}

enum { NO_MEMORY = 1, NO_ROW = 2 };

/* After which step each row has no real one, and the rows, those that end last first; nonzero without memory. */
static int order_rows(const Job *a, int64_t *order, int64_t *ends)
{
    int64_t *counts = calloc((size_t)a->steps + 2, sizeof *counts);
    if (!counts)
        return NO_MEMORY;
    for (int64_t b = 0; b < a->batch; b++) {
        int64_t end = a->steps;
        while (a->mask && end && !a->mask[b * a->steps + end - 1])
            end--;
        ends[b] = end;
        counts[a->steps - end + 1]++;
    }
    for (int64_t e = 0; e <= a->steps; e++)
        counts[e + 1] += counts[e];
    for (int64_t b = 0; b < a->batch; b++)
        order[counts[a->steps - ends[b]]++] = b;
    free(counts);
    return 0;
}

/* Lists the real steps of all rows. */
static void list_places(Shared *shared)
{
    const Job *a = shared->job;
    for (int64_t t = 0; t < a->steps; t++)
        for (int64_t row = 0; row < a->batch; row++)
            if (!a->mask || a->mask[row * a->steps + t]) {
                shared->places[shared->real] = row * a->steps + t;
                shared->moments[shared->real++] = t * a->batch + row;
            }
}

/* Lists the rows of the table that real steps have, each once; nonzero without memory, or where a token has none. */
static int list_tokens(Shared *shared)
{
    const Job *a = shared->job;
    int64_t *slot = calloc((size_t)a->vocabulary + 1, sizeof *slot); /* 0: not yet there */
    shared->rows = malloc(((size_t)shared->real + 1) * sizeof *shared->rows);
    shared->slots = malloc(((size_t)(a->batch * a->steps) + 1) * sizeof *shared->slots);
    int failed = !slot || !shared->rows || !shared->slots ? NO_MEMORY : 0;
    for (int64_t i = 0; i < shared->real && !failed; i++) {
        const int64_t at = shared->places[i], token = a->tokens[at];
        if (token < 0 || token >= a->vocabulary) {
            failed = NO_ROW;
            break;
        }
        if (!slot[token]) {
            shared->rows[shared->inputs++] = token;
            slot[token] = shared->inputs;
        }
        shared->slots[at] = slot[token] - 1;
    }
    free(slot);
    if (failed || !a->used)
        return failed;
    a->used[0] = (int32_t)shared->inputs;
    for (int64_t i = 0; i < shared->inputs; i++)
        a->used[i + 1] = (int32_t)shared->rows[i];
    return 0;
}

static float *floats(size_t count) { return aligned((count + 16) * sizeof(float)); }

/* Where the inputs to project are and where they go; nonzero as `list_tokens`. */
static int list_inputs(Shared *shared, int what)
{
    const Job *a = shared->job;
    list_places(shared);
    if (a->tokens) {
        const int failed = list_tokens(shared);
        if (failed)
            return failed;
        shared->from = shared->rows;
        shared->apart = OF[a->kind].gates * a->units;
        shared->projected = floats((size_t)(shared->inputs * shared->apart));
        return shared->projected ? 0 : NO_MEMORY;
    }
    shared->inputs = shared->real;
    shared->from = shared->places;
    shared->to = shared->moments;
    shared->projected = what == FORWARD ? a->kept : a->found;
    shared->apart = (what == FORWARD ? OF[a->kind].kept : OF[a->kind].found) * a->units;
    return 0;
}

/* Makes ready what the threads of a job share; nonzero as `list_tokens`. */
static int prepare(Shared *shared, const Job *a, int threads, int64_t width, int what)
{
    const int64_t panels = (a->units + width - 1) / width, most = threads < 1 ? 1 : threads;
    const int gates = OF[a->kind].gates;
    /* Few rows and many units: rows in tiles of six leave little for each thread. */
    const int by_units = most > 1 && a->batch < 16 * most && a->units >= 256 && panels >= most;
    const int64_t useful = by_units ? panels : (a->batch + 5) / 6;
    const int stepwise = !by_units && !a->tokens && (a->features + a->units) * a->units * gates <= CACHE;
    *shared = (Shared){.job = a, .by_units = by_units, .stepwise = stepwise, .threads = (int)(most < useful ? most : useful)};
    const size_t n = (size_t)shared->threads, batch = (size_t)a->batch, units = (size_t)a->units;
    const size_t features = (size_t)a->features, places = batch * (size_t)a->steps, wide = (size_t)width;
    shared->order = malloc(batch * sizeof *shared->order);
    shared->ends = malloc(batch * sizeof *shared->ends);
    shared->memory = malloc(n * batch * sizeof *shared->memory);
    shared->pointers = malloc(n * 2 * batch * sizeof *shared->pointers);
    shared->places = malloc((places + 1) * sizeof *shared->places);
    shared->moments = malloc((places + 1) * sizeof *shared->moments);
    shared->sums = floats((batch + n) * (size_t)SUMS(panels * width));
    shared->packed = floats((size_t)(panels * width * gates) * units);
    shared->compact = floats(batch * 4 * units);
    shared->weights = floats((features + wide) * (gates * units + wide));
    if (what == BACKWARD)
        shared->work = floats(n * DEPTH * SIDE * wide);
    if (!shared->order || !shared->ends || !shared->memory || !shared->pointers || !shared->places || !shared->moments ||
        !shared->sums || !shared->packed || !shared->compact || !shared->weights || (what == BACKWARD && !shared->work))
        return NO_MEMORY;
    const int failed = list_inputs(shared, what);
    return failed ? failed : order_rows(a, shared->order, shared->ends);
}

static void finish(Shared *shared)
{
    float *arrays[] = {shared->sums, shared->packed, shared->compact, shared->weights, shared->work};
    for (int i = 0; i < 5; i++)
        release(arrays[i]);
    if (shared->rows)
        release(shared->projected);
    free(shared->rows);
    free(shared->slots);
    free(shared->places);
    free(shared->moments);
    free(shared->pointers);
    free(shared->memory);
    free(shared->ends);
    free(shared->order);
}

/* Runs one job, or two at once that share the threads of the first; nonzero as `list_tokens`. */
static int run(const Job *jobs, int count, int what)
{
    enter();
    seqtasks_chosen();
    const Kernel *kernel = &KERNELS[chosen];
    const int both = count > 1 && jobs->threads > 1;
    int failed = 0;
    for (int i = 0; i < count && !failed; i += 1 + both) {
        Shared shared[2] = {{0}};
        int ready = 0;
        for (int j = 0; j <= both && !failed; j++) {
            const Job *job = &jobs[i + j];
            const int threads = both ? (jobs->threads + !j) / 2 : jobs->threads;
            if (job->batch && job->units)
                failed = prepare(&shared[ready++], job, threads, 2 * kernel->lanes, what);
        }
        if (!failed && ready)
            together(shared, ready, kernel->work[what]);
        for (int j = 0; j < ready; j++)
            finish(&shared[j]);
    }
    leave();
    return failed;
}

EXPORT int seqtasks_forward(const Job *jobs, int count) { return run(jobs, count, FORWARD); }

EXPORT int seqtasks_backward(const Job *jobs, int count) { return run(jobs, count, BACKWARD); }

EXPORT int seqtasks_inputs(const Job *jobs, int count) { return run(jobs, count, INPUTS); }

#include "writer.h"
#include "call.h"
#include "xla.h"
#include "tensorflow.h"

/* The linker of Windows looks for it. Nothing of Python is used: the library is loaded by ctypes. */
EXPORT void *PyInit__kernel(void) { return NULL; }
