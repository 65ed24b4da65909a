/* The functions for text generation that Python calls. */

#ifndef SEQTASKS_GENERATION_CALLS_H
#define SEQTASKS_GENERATION_CALLS_H

#include "generation.h"
#include "pool.h"

/* Number of floats of the packed matrices. Stores the kernel in use in the call, as the layout depends on it. */
EXPORT int64_t seqtasks_packed(GenerationCall *call)
{
    seqtasks_chosen();
    call->kernel = chosen;
    return KERNELS[chosen].packed_floats(call);
}

/* Packs all matrices into call->packed. */
EXPORT void seqtasks_pack(const GenerationCall *call) { KERNELS[call->kernel].pack_weights(call); }

/* Allocates and fills the data that the threads share. Returns the block that holds all arrays, or null if there is
 * not enough memory. */
static float *allocate(Generator *generator, int threads, int64_t lanes)
{
    GenerationCall *call = generator->call;
    const int64_t batch = call->batch,
                  logits_stride = generator->logits_stride = (call->vocabulary + 2 * lanes - 1) / (2 * lanes) * 2 * lanes;
    int64_t units = 0, total = 0;
    for (int64_t l = 0; l < call->layers; l++)
        units = call->layer[l].units > units ? call->layer[l].units : units;
    const int64_t row = SUMS(units + 2 * lanes), all = call->layers * batch * units;
    generator->table_width = call->layer->features ? call->layer->features : call->layer->gates * call->layer->units;
    const struct {
        float **array; /* null: scratch memory, then the states */
        int64_t count;
    } parts[] = {{&generator->sums, batch * row},
                 {&generator->projected, batch * row},
                 {&generator->reset_h, batch * units},
                 {&generator->first_input, batch * generator->table_width},
                 {&generator->logits, batch * logits_stride},
                 {&generator->probabilities, logits_stride},
                 {NULL, batch * units * 5},
                 {NULL, 2 * all}};
    enum { PARTS = sizeof parts / sizeof *parts };
    for (int i = 0; i < PARTS; i++)
        total += parts[i].count + 32; /* a vector may be read from or written to the last element of a part */
    generator->layer_calls = calloc((size_t)call->layers, sizeof *generator->layer_calls);
    generator->h = malloc((size_t)(2 * call->layers) * sizeof *generator->h);
    generator->rows = malloc((size_t)(threads * batch) * sizeof *generator->rows);
    generator->candidates = malloc((size_t)call->vocabulary * sizeof *generator->candidates);
    float *memory = aligned((size_t)total * sizeof *memory);
    if (!generator->layer_calls || !generator->h || !generator->rows || !generator->candidates || !memory) {
        release(memory);
        return NULL;
    }
    memset(memory, 0, (size_t)total * sizeof *memory);
    float *next = memory, *scratch = NULL;
    for (int i = 0; i < PARTS; next += (parts[i].count + 32) / 16 * 16, i++)
        if (parts[i].array)
            *parts[i].array = next;
        else if (!scratch)
            scratch = next;
        else
            for (int64_t l = 0; l < 2 * call->layers; l++)
                generator->h[l] = next + l * batch * units;
    for (int64_t l = 0; l < call->layers; l++) {
        Layer *layer = call->layer + l;
        const size_t bytes = (size_t)(batch * layer->units) * sizeof(float);
        memcpy(generator->h[2 * l], layer->h, bytes);
        generator->layer_calls[l] = (RnnCall){.steps = 1,
                                              .batch = batch,
                                              .units = layer->units,
                                              .kind = layer->kind,
                                              .b = layer->b,
                                              .c = CELLS[layer->kind].has_c ? layer->c : scratch,
                                              .saved = scratch,
                                              .before = scratch + 4 * batch * layer->units};
    }
    for (int64_t i = 0; i < batch; i++)
        memcpy(generator->logits + i * logits_stride, call->logits + i * call->vocabulary,
               (size_t)call->vocabulary * sizeof(float));
    return memory;
}

/* Generates tokens. Returns an error code. */
EXPORT int seqtasks_write(GenerationCall *call)
{
    const Kernel *kernel = &KERNELS[call->kernel];
    Generator generator = {.call = call};
    CallShared shared = {.threads = call->threads, .generator = &generator};
    float *memory = allocate(&generator, call->threads, kernel->lanes);
    if (memory) {
        lock_pool();
        run_threads(&shared, 1, kernel->generate);
        unlock_pool();
        for (int64_t i = 0; i < call->batch; i++)
            memcpy(call->logits + i * call->vocabulary, generator.logits + i * generator.logits_stride,
                   (size_t)call->vocabulary * sizeof(float));
        for (int64_t l = 0; l < call->layers; l++)
            memcpy(call->layer[l].h, generator.h[2 * l + call->steps % 2],
                   (size_t)(call->batch * call->layer[l].units) * sizeof(float));
    }
    release(memory);
    free(generator.candidates);
    free(generator.rows);
    free(generator.h);
    free(generator.layer_calls);
    return memory ? 0 : NO_MEMORY;
}

#endif
