/* Conversion of the arguments and results of TensorFlow and XLA to an RnnCall. */

#ifndef SEQTASKS_FRAMEWORK_CALL_H
#define SEQTASKS_FRAMEWORK_CALL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rnn_call.h"

/* An array, with the layout of XLA_FFI_Buffer. */
typedef struct {
    size_t size;     /* of this struct; set by XLA */
    void *extension; /* set by XLA */
    int dtype;       /* the framework's number of the type */
    void *data;
    int64_t rank;
    int64_t *dims; /* (rank) */
} Buffer;

/* Fields of RnnCall, in the order in which an operation receives and returns them for each direction. A ShapeHeader, as
 * a vector of int32, precedes the inputs. */
#define FIELD(name) offsetof(RnnCall, name)
#define LOOP_INPUTS FIELD(x), FIELD(tokens), FIELD(w), FIELD(bias), FIELD(u), FIELD(b), FIELD(h0), FIELD(c0), FIELD(mask)
static const size_t FORWARD_INPUTS[] = {LOOP_INPUTS}, INPUT_GRADS_INPUTS[] = {LOOP_INPUTS, FIELD(gate_grads)};
static const size_t BACKWARD_INPUTS[] = {LOOP_INPUTS,  FIELD(out),  FIELD(before),  FIELD(c),
                                         FIELD(saved), FIELD(dout), FIELD(dh_last), FIELD(dc_last)};
static const size_t FORWARD_OUTPUTS[] = {FIELD(out), FIELD(before), FIELD(c), FIELD(saved), FIELD(h_last), FIELD(c_last)},
                    INPUT_GRADS_OUTPUTS[] = {FIELD(dx)};
static const size_t BACKWARD_OUTPUTS[] = {FIELD(dw),  FIELD(dbias),      FIELD(du),   FIELD(db), FIELD(dh0),
                                          FIELD(dc0), FIELD(gate_grads), FIELD(used), FIELD(dx)};
#undef LOOP_INPUTS
#define TABLE(array) array, (int64_t)(sizeof(array) / sizeof *(array))
static const struct Operation {
    const size_t *inputs; /* offsets into RnnCall */
    int64_t num_inputs;
    const size_t *outputs; /* offsets into RnnCall */
    int64_t num_outputs;
} OPERATIONS[] = {[FORWARD] = {TABLE(FORWARD_INPUTS), TABLE(FORWARD_OUTPUTS)},
                  [BACKWARD] = {TABLE(BACKWARD_INPUTS), TABLE(BACKWARD_OUTPUTS)},
                  [INPUT_GRADS] = {TABLE(INPUT_GRADS_INPUTS), TABLE(INPUT_GRADS_OUTPUTS)}};

/* Flags: inputs are rows of a table; there is a mask; there is a gradient of the outputs of all steps. */
enum { BY_TOKENS = 1, MASKED = 2, SEQUENCES = 4 };

/* Properties of a direction that its arrays do not show. Python builds it in arguments.py. */
typedef struct {
    int32_t kind, reverse, threads, flags;
} ShapeHeader;

static void set_pointer(RnnCall *call, size_t offset, const Buffer *buffer)
{
    memcpy((char *)call + offset, &buffer->data, sizeof buffer->data);
}

/* Returns the call of one direction, without its results. */
static RnnCall read_call(Buffer **arguments, const struct Operation *operation)
{
    const ShapeHeader *shape = arguments++[0]->data;
    const Buffer *x = arguments[0], *steps = shape->flags & BY_TOKENS ? arguments[1] : x;
    RnnCall call = {.steps = steps->dims[1],
                    .batch = steps->dims[0],
                    .features = x->dims[x->rank - 1],
                    .units = arguments[4]->dims[0],
                    .vocabulary = x->dims[0],
                    .kind = shape->kind,
                    .reverse = shape->reverse,
                    .threads = shape->threads};
    for (int64_t i = 0; i < operation->num_inputs; i++)
        set_pointer(&call, operation->inputs[i], arguments[i]);
    if (!(shape->flags & BY_TOKENS))
        call.tokens = NULL;
    if (!(shape->flags & MASKED))
        call.mask = NULL;
    if (!(shape->flags & SEQUENCES))
        call.dout = NULL;
    return call;
}

/* Sets where the results of a direction are stored; fills them with zeros if there are no rows or units, because
 * then no kernel runs. */
static void set_results(RnnCall *call, Buffer **results, const struct Operation *operation)
{
    for (int64_t i = 0; i < operation->num_outputs; i++) {
        set_pointer(call, operation->outputs[i], results[i]);
        size_t size = 4;
        for (int64_t k = 0; k < results[i]->rank; k++)
            size *= (size_t)results[i]->dims[k];
        if (!(call->batch && call->units))
            memset(results[i]->data, 0, size);
    }
    if (!call->tokens)
        call->used = NULL;
}

/* Message for an error code. */
static const char *error_message(int failed)
{
    return failed == TOKEN_OUT_OF_RANGE
               ? "tokens are outside of the table; allowed: 0 to vocabulary - 1; change them or the table"
               : "not enough memory; use smaller batches";
}

#endif
