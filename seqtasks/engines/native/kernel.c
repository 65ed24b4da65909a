/* LSTM, GRU and plain RNN layers on a CPU: forward and backward pass over time, and text generation.
 *
 * Build. This file is the only translation unit; setup.py compiles it to _kernel.abi3.so, which Python loads with ctypes.
 * Nothing but a C11 compiler with GNU extensions is needed, no headers of Python, NumPy, TensorFlow or JAX. To build it alone:
 *
 *     cc -O3 -std=gnu11 -ffp-contract=fast -pthread -shared -fPIC kernel.c -o _kernel.abi3.so
 *
 * Instruction sets. The `*-inl.h` headers are templates over V, the floats per vector register, and NAME, which appends the
 * name of the instruction set to each function. all-inl.h includes them (vector, product, forward, backward, generation) and
 * is included below for avx2 (V = 8) and avx512 (V = 16) on x86-64 with GCC or Clang, and for portable (V = 4) everywhere.
 * `seqtasks_choose` selects an entry of KERNELS at run time: by name, or the first that __builtin_cpu_supports allows.
 *
 * Threads (pool.h). One pool serves the process, and one call runs at a time. A thread computes some rows of the batch for all
 * steps without waiting for other threads; with few rows and many units it computes some units of all rows, with a barrier per
 * step.
 *
 * Products that need no state are computed for all valid steps at once: of the inputs before the loop over time, of the
 * gradients after it. The recurrent matrix is packed once per call into panels as wide as a tile. Rows are sorted by their
 * last valid step, and a step computes only the rows that have not ended.
 *
 * Headers without `-inl` are included once: rnn_call.h and generation.h (arguments), pool.h (threads), and, at the end because
 * they use the functions of this file, generation_calls.h, framework_call.h, xla.h (JAX) and tensorflow.h.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "generation.h"
#include "pool.h"
#include "rnn_call.h"

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
#include "all-inl.h"
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
#include "all-inl.h"
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define V 4
#define NAME(x) x##_portable
#include "all-inl.h"

/* The passes over a sequence; INPUT_GRADS computes dx from the gate_grads of BACKWARD. */
enum { FORWARD, BACKWARD, INPUT_GRADS };

/* The functions compiled for one instruction set. */
typedef struct {
    const char *name;
    int lanes;                                        /* floats per vector register */
    ThreadFunction passes[3];                         /* FORWARD, BACKWARD, INPUT_GRADS */
    ThreadFunction generate;                          /* text generation */
    int64_t (*packed_floats)(const GenerationCall *); /* size of the packed matrices for generation */
    void (*pack_weights)(const GenerationCall *);     /* packs these matrices */
} Kernel;

#define KERNEL(name, lanes)                                 \
    {#name,                                                 \
     lanes,                                                 \
     {forward_##name, backward_##name, input_grads_##name}, \
     generate_##name,                                       \
     packed_floats_##name,                                  \
     pack_weights_##name}

/* The fastest first. */
static const Kernel KERNELS[] = {
#ifdef RUNTIME_CHOICE
    KERNEL(avx512, 16),
    KERNEL(avx2, 8),
#endif
    KERNEL(portable, 4),
};

static int chosen = -1; /* index into KERNELS; -1: not yet chosen */

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

/* Chooses the kernel of this name, or the fastest that this CPU supports if name is null. Returns its index, or -1 if this CPU
 * does not support it. */
EXPORT int seqtasks_choose(const char *name)
{
    for (int i = 0; i < (int)(sizeof KERNELS / sizeof *KERNELS); i++)
        if ((!name || !strcmp(name, KERNELS[i].name)) && supported(KERNELS[i].name)) {
            chosen = i;
            return i;
        }
    return -1;
}

/* Name of the kernel in use. */
EXPORT const char *seqtasks_chosen(void)
{
    if (chosen < 0)
        seqtasks_choose(NULL);
    return KERNELS[chosen].name;
}

/* Error codes; 0 is success. */
enum { NO_MEMORY = 1, TOKEN_OUT_OF_RANGE = 2 };

/* Sets ends[row] to the number of steps up to the last valid one, and order to the rows by descending ends (counting sort).
 * Returns an error code. */
static int sort_rows(const RnnCall *call, int64_t *order, int64_t *ends)
{
    int64_t *counts = calloc((size_t)call->steps + 2, sizeof *counts);
    if (!counts)
        return NO_MEMORY;
    for (int64_t b = 0; b < call->batch; b++) {
        int64_t end = call->steps;
        while (call->mask && end && !call->mask[b * call->steps + end - 1])
            end--;
        ends[b] = end;
        counts[call->steps - end + 1]++;
    }
    for (int64_t e = 0; e <= call->steps; e++)
        counts[e + 1] += counts[e];
    for (int64_t b = 0; b < call->batch; b++)
        order[counts[call->steps - ends[b]]++] = b;
    free(counts);
    return 0;
}

/* Lists the valid steps of all rows. */
static void list_valid_steps(CallShared *shared)
{
    const RnnCall *call = shared->call;
    for (int64_t t = 0; t < call->steps; t++)
        for (int64_t row = 0; row < call->batch; row++)
            if (!call->mask || call->mask[row * call->steps + t]) {
                shared->batch_major_index[shared->num_valid] = row * call->steps + t;
                shared->time_major_index[shared->num_valid++] = t * call->batch + row;
            }
}

/* Lists the distinct tokens at valid steps. Returns an error code. */
static int list_distinct_tokens(CallShared *shared)
{
    const RnnCall *call = shared->call;
    int64_t *slot = calloc((size_t)call->vocabulary + 1, sizeof *slot); /* 1 + index in distinct_tokens; 0: not seen yet */
    shared->distinct_tokens = malloc(((size_t)shared->num_valid + 1) * sizeof *shared->distinct_tokens);
    shared->distinct_index = malloc(((size_t)(call->batch * call->steps) + 1) * sizeof *shared->distinct_index);
    int failed = !slot || !shared->distinct_tokens || !shared->distinct_index ? NO_MEMORY : 0;
    for (int64_t i = 0; i < shared->num_valid && !failed; i++) {
        const int64_t batch_major = shared->batch_major_index[i], token = call->tokens[batch_major];
        if (token < 0 || token >= call->vocabulary) {
            failed = TOKEN_OUT_OF_RANGE;
            break;
        }
        if (!slot[token]) {
            shared->distinct_tokens[shared->num_inputs++] = token;
            slot[token] = shared->num_inputs;
        }
        shared->distinct_index[batch_major] = slot[token] - 1;
    }
    free(slot);
    if (failed || !call->used)
        return failed;
    call->used[0] = (int32_t)shared->num_inputs;
    for (int64_t i = 0; i < shared->num_inputs; i++)
        call->used[i + 1] = (int32_t)shared->distinct_tokens[i];
    return 0;
}

static float *floats(size_t count) { return aligned((count + 16) * sizeof(float)); }

/* Sets which inputs are projected and where the results are stored. Returns an error code. */
static int list_inputs(CallShared *shared, int pass)
{
    const RnnCall *call = shared->call;
    list_valid_steps(shared);
    if (call->tokens) {
        const int failed = list_distinct_tokens(shared);
        if (failed)
            return failed;
        shared->input_rows = shared->distinct_tokens;
        shared->projected_stride = CELLS[call->kind].gates * call->units;
        shared->projected = floats((size_t)(shared->num_inputs * shared->projected_stride));
        return shared->projected ? 0 : NO_MEMORY;
    }
    shared->num_inputs = shared->num_valid;
    shared->input_rows = shared->batch_major_index;
    shared->projected_rows = shared->time_major_index;
    shared->projected = pass == FORWARD ? call->saved : call->gate_grads;
    shared->projected_stride = (pass == FORWARD ? CELLS[call->kind].saved : CELLS[call->kind].gate_grads) * call->units;
    return 0;
}

/* Allocates and fills the data that the threads of a call share. `width`: units per panel. Returns an error code. */
static int prepare(CallShared *shared, const RnnCall *call, int threads, int64_t width, int pass)
{
    const int64_t panels = (call->units + width - 1) / width, max_threads = threads < 1 ? 1 : threads;
    const int gates = CELLS[call->kind].gates;
    /* With few rows and many units there are too few tiles of six rows to occupy all threads. */
    const int by_units = max_threads > 1 && call->batch < 16 * max_threads && call->units >= 256 && panels >= max_threads;
    const int64_t useful = by_units ? panels : (call->batch + 5) / 6;
    const int stepwise = !by_units && !call->tokens && (call->features + call->units) * call->units * gates <= CACHE;
    *shared = (CallShared){.call = call,
                           .by_units = by_units,
                           .stepwise = stepwise,
                           .threads = (int)(max_threads < useful ? max_threads : useful)};
    const size_t n = (size_t)shared->threads, batch = (size_t)call->batch, units = (size_t)call->units;
    const size_t features = (size_t)call->features, num_steps = batch * (size_t)call->steps, panel_width = (size_t)width;
    shared->order = malloc(batch * sizeof *shared->order);
    shared->ends = malloc(batch * sizeof *shared->ends);
    shared->thread_rows = malloc(n * batch * sizeof *shared->thread_rows);
    shared->pointers = malloc(n * 2 * batch * sizeof *shared->pointers);
    shared->batch_major_index = malloc((num_steps + 1) * sizeof *shared->batch_major_index);
    shared->time_major_index = malloc((num_steps + 1) * sizeof *shared->time_major_index);
    shared->sums = floats((batch + n) * (size_t)SUMS(panels * width));
    shared->packed_u = floats((size_t)(panels * width * gates) * units);
    shared->compact = floats(batch * 4 * units);
    shared->packed_w = floats((features + panel_width) * (gates * units + panel_width));
    if (pass == BACKWARD)
        shared->grad_panels = floats(n * DEPTH * SIDE * panel_width);
    if (!shared->order || !shared->ends || !shared->thread_rows || !shared->pointers || !shared->batch_major_index ||
        !shared->time_major_index || !shared->sums || !shared->packed_u || !shared->compact || !shared->packed_w ||
        (pass == BACKWARD && !shared->grad_panels))
        return NO_MEMORY;
    const int failed = list_inputs(shared, pass);
    return failed ? failed : sort_rows(call, shared->order, shared->ends);
}

static void free_shared(CallShared *shared)
{
    float *arrays[] = {shared->sums, shared->packed_u, shared->compact, shared->packed_w, shared->grad_panels};
    for (int i = 0; i < 5; i++)
        release(arrays[i]);
    if (shared->distinct_tokens)
        release(shared->projected);
    free(shared->distinct_tokens);
    free(shared->distinct_index);
    free(shared->batch_major_index);
    free(shared->time_major_index);
    free(shared->pointers);
    free(shared->thread_rows);
    free(shared->ends);
    free(shared->order);
}

/* Runs one pass of each call; two calls run at the same time if there are threads for both. Returns an error code. */
static int run(const RnnCall *calls, int count, int pass)
{
    lock_pool();
    seqtasks_chosen();
    const Kernel *kernel = &KERNELS[chosen];
    const int both = count > 1 && calls->threads > 1;
    int failed = 0;
    for (int i = 0; i < count && !failed; i += 1 + both) {
        CallShared shared[2] = {{0}};
        int ready = 0;
        for (int j = 0; j <= both && !failed; j++) {
            const RnnCall *call = &calls[i + j];
            const int threads = both ? (calls->threads + !j) / 2 : calls->threads;
            if (call->batch && call->units)
                failed = prepare(&shared[ready++], call, threads, 2 * kernel->lanes, pass);
        }
        if (!failed && ready)
            run_threads(shared, ready, kernel->passes[pass]);
        for (int j = 0; j < ready; j++)
            free_shared(&shared[j]);
    }
    unlock_pool();
    return failed;
}

/* The passes, called by ctypes with an array of calls. Each returns an error code. */
EXPORT int seqtasks_forward(const RnnCall *calls, int count) { return run(calls, count, FORWARD); }

EXPORT int seqtasks_backward(const RnnCall *calls, int count) { return run(calls, count, BACKWARD); }

EXPORT int seqtasks_inputs(const RnnCall *calls, int count) { return run(calls, count, INPUT_GRADS); }

#include "generation_calls.h"
#include "framework_call.h"
#include "xla.h"
#include "tensorflow.h"

/* The Windows linker requires this symbol of an extension module. It is never called: the library is loaded with ctypes. */
EXPORT void *PyInit__kernel(void) { return NULL; }
