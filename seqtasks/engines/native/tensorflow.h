/* The passes as TensorFlow operations: https://www.tensorflow.org/api_docs/cc
 *
 * Declares the part of TensorFlow's C interface (tensorflow/c/ops.h and kernels.h; stable, unlike the C++ interface)
 * that is used, and looks it up in the process that loads this library. No headers are needed to build.
 */

#ifndef SEQTASKS_TENSORFLOW_H
#define SEQTASKS_TENSORFLOW_H

#include "framework_call.h"
#include "pool.h"

#if THREADS
#include <dlfcn.h>
#include <stdio.h>

typedef struct TfStatus TfStatus;
typedef struct TfTensor TfTensor;
typedef struct TfContext TfContext;
typedef struct TfKernel TfKernel;
typedef struct TfOperation TfOperation;
typedef struct TfShapes TfShapes;
enum { TF_FLOAT = 1, TF_INT32 = 3, TF_BOOL = 10, TF_INVALID = 3, TF_EXHAUSTED = 8 };

#define TENSORFLOW_FUNCTIONS(F)                                                                                 \
    F(TF_NewStatus, TfStatus *, (void))                                                                         \
    F(TF_DeleteStatus, void, (TfStatus *))                                                                      \
    F(TF_SetStatus, void, (TfStatus *, int, const char *))                                                      \
    F(TF_GetCode, int, (const TfStatus *))                                                                      \
    F(TF_NumInputs, int, (TfContext *))                                                                         \
    F(TF_NumOutputs, int, (TfContext *))                                                                        \
    F(TF_GetInput, void, (TfContext *, int, TfTensor **, TfStatus *))                                           \
    F(TF_ExpectedOutputDataType, int, (TfContext *, int))                                                       \
    F(TF_AllocateOutput, TfTensor *, (TfContext *, int, int, const int64_t *, int, size_t, TfStatus *))         \
    F(TF_OpKernelContext_Failure, void, (TfContext *, TfStatus *))                                              \
    F(TF_TensorType, int, (const TfTensor *))                                                                   \
    F(TF_NumDims, int, (const TfTensor *))                                                                      \
    F(TF_Dim, int64_t, (const TfTensor *, int))                                                                 \
    F(TF_TensorData, void *, (const TfTensor *))                                                                \
    F(TF_DeleteTensor, void, (TfTensor *))                                                                      \
    F(TF_NewOpDefinitionBuilder, TfOperation *, (const char *))                                                 \
    F(TF_OpDefinitionBuilderAddAttr, void, (TfOperation *, const char *))                                       \
    F(TF_OpDefinitionBuilderAddInput, void, (TfOperation *, const char *))                                      \
    F(TF_OpDefinitionBuilderAddOutput, void, (TfOperation *, const char *))                                     \
    F(TF_OpDefinitionBuilderSetShapeInferenceFunction, void, (TfOperation *, void (*)(TfShapes *, TfStatus *))) \
    F(TF_ShapeInferenceContextSetUnknownShape, void, (TfShapes *, TfStatus *))                                  \
    F(TF_RegisterOpDefinition, void, (TfOperation *, TfStatus *))                                               \
    F(TF_NewKernelBuilder, TfKernel *,                                                                          \
      (const char *, const char *, void *(*)(void *), void (*)(void *, TfContext *), void (*)(void *)))         \
    F(TF_RegisterKernelBuilder, void, (const char *, TfKernel *, TfStatus *))

static struct {
#define MEMBER(name, type, arguments) type(*name) arguments;
    TENSORFLOW_FUNCTIONS(MEMBER)
#undef MEMBER
} tf;

enum {
    MAX_INPUTS = 2 * (sizeof BACKWARD_INPUTS / sizeof *BACKWARD_INPUTS + 1),
    MAX_OUTPUTS = 2 * sizeof BACKWARD_OUTPUTS / sizeof *BACKWARD_OUTPUTS
};

/* Shapes of the arrays. A letter per axis: B batch, T time, F features, V vocabulary, N units; per unit, G gates,
 * S saved values, D gate gradients and 3 values; with tokens, U the maximum number of distinct tokens, M = U + 1. */
static const struct {
    size_t offset;
    const char *name;
    const char *axes;
    enum { ALWAYS, WITH_TOKENS, WITH_MASK, WITH_SEQUENCES, WITH_CELL, WITH_B } when;
} ARRAYS[] = {
    {FIELD(x), "x", "BTF", ALWAYS},
    {FIELD(tokens), "tokens", "BT", WITH_TOKENS},
    {FIELD(w), "w", "FG", ALWAYS},
    {FIELD(bias), "bias", "G", ALWAYS},
    {FIELD(u), "u", "NG", ALWAYS},
    {FIELD(b), "b", "3", WITH_B},
    {FIELD(h0), "h0", "BN", ALWAYS},
    {FIELD(c0), "c0", "BN", WITH_CELL},
    {FIELD(mask), "mask", "BT", WITH_MASK},
    {FIELD(out), "out", "BTN", ALWAYS},
    {FIELD(before), "before", "TBN", ALWAYS},
    {FIELD(c), "c", "TBN", WITH_CELL},
    {FIELD(saved), "saved", "TBS", ALWAYS},
    {FIELD(h_last), "h_last", "BN", ALWAYS},
    {FIELD(c_last), "c_last", "BN", WITH_CELL},
    {FIELD(dout), "dout", "BTN", WITH_SEQUENCES},
    {FIELD(dh_last), "dh_last", "BN", ALWAYS},
    {FIELD(dc_last), "dc_last", "BN", WITH_CELL},
    {FIELD(dw), "dw", "FG", ALWAYS},
    {FIELD(dbias), "dbias", "G", ALWAYS},
    {FIELD(du), "du", "NG", ALWAYS},
    {FIELD(db), "db", "3", WITH_B},
    {FIELD(dh0), "dh0", "BN", ALWAYS},
    {FIELD(dc0), "dc0", "BN", WITH_CELL},
    {FIELD(gate_grads), "gate_grads", "TBD", ALWAYS},
    {FIELD(used), "used", "M", WITH_TOKENS},
    {FIELD(dx), "dx", "BTF", ALWAYS},
};

/* Sets the name and shape of an array of a call. Returns its rank. An array that the call does not have is empty,
 * (0,). */
static int shape_of(const RnnCall *call, int flags, size_t offset, int64_t *dims, const char **name)
{
    int which = 0;
    while (ARRAYS[which].offset != offset)
        which++;
    *name = ARRAYS[which].name;
    const int has_b = call->kind == GRU || call->kind == PEEPHOLE_LSTM;
    const int present[] = {1, flags & BY_TOKENS, flags & MASKED, flags & SEQUENCES, CELLS[call->kind].has_c, has_b};
    const char *axes = ARRAYS[which].axes;
    if (!present[ARRAYS[which].when]) {
        dims[0] = 0;
        return 1;
    }
    if (flags & BY_TOKENS)
        axes = offset == FIELD(x) ? "VF" : offset == FIELD(dx) ? "UF" : axes;
    const int64_t num_steps = call->batch * call->steps, used = num_steps < call->vocabulary ? num_steps : call->vocabulary,
                  n = call->units;
    for (int i = 0; axes[i]; i++)
        switch (axes[i]) {
        case 'B': dims[i] = call->batch; break;
        case 'T': dims[i] = call->steps; break;
        case 'F': dims[i] = call->features; break;
        case 'V': dims[i] = call->vocabulary; break;
        case 'N': dims[i] = n; break;
        case 'G': dims[i] = n * CELLS[call->kind].gates; break;
        case 'S': dims[i] = n * CELLS[call->kind].saved; break;
        case 'D': dims[i] = n * CELLS[call->kind].gate_grads; break;
        case '3': dims[i] = n * 3; break;
        case 'U': dims[i] = used; break;
        case 'M': dims[i] = used + 1; break;
        }
    return (int)strlen(axes);
}

/* Inputs and outputs of a running operation. */
typedef struct {
    TfContext *context;
    TfStatus *status;
    TfTensor *tensors[MAX_INPUTS + MAX_OUTPUTS]; /* deleted when the operation has run */
    int count;                                   /* number of tensors */
    Buffer buffers[MAX_INPUTS + MAX_OUTPUTS], *arguments[MAX_INPUTS], *results[MAX_OUTPUTS];
    int64_t dims[MAX_INPUTS + MAX_OUTPUTS][3];
} Operands;

/* Makes the operation fail. Returns 0. */
static int set_error(Operands *operands, int code, const char *message)
{
    tf.TF_SetStatus(operands->status, code, message);
    return 0;
}

/* Stores a tensor in operands and returns it as a Buffer. */
static Buffer *hold_tensor(Operands *operands, TfTensor *tensor, const int64_t *dims, int rank)
{
    const int i = operands->count++;
    operands->tensors[i] = tensor;
    memcpy(operands->dims[i], dims, (size_t)rank * sizeof *dims);
    operands->buffers[i] =
        (Buffer){.dtype = tf.TF_TensorType(tensor), .data = tf.TF_TensorData(tensor), .rank = rank, .dims = operands->dims[i]};
    return &operands->buffers[i];
}

/* Reads the inputs of the operation. Returns the number of directions, or 0 after an error. */
static int read_inputs(Operands *operands, int pass)
{
    const struct Operation *operation = &OPERATIONS[pass];
    const int count = tf.TF_NumInputs(operands->context), each = (int)operation->num_inputs + 1, loops = count / each;
    if (count % each || loops > 2 || tf.TF_NumOutputs(operands->context) != loops * operation->num_outputs)
        return set_error(operands, TF_INVALID,
                         "the number of arrays is not that of one loop or two; pass the arrays of each loop");
    for (int i = 0; i < count; i++) {
        TfTensor *tensor = NULL;
        tf.TF_GetInput(operands->context, i, &tensor, operands->status);
        if (tf.TF_GetCode(operands->status))
            return 0;
        int64_t dims[3] = {0};
        const int rank = tf.TF_NumDims(tensor);
        for (int k = 0; k < rank && k < 3; k++)
            dims[k] = tf.TF_Dim(tensor, k);
        operands->arguments[i] = hold_tensor(operands, tensor, dims, rank < 3 ? rank : 3);
        if (rank > 3)
            return set_error(operands, TF_INVALID,
                             "an array has more than three axes; allowed: (batch, time, features) and fewer; reshape it");
    }
    return loops;
}

/* Writes a shape as text, such as (2, 3). Returns the number of characters. */
static int format_shape(char *to, size_t size, const int64_t *dims, int64_t rank)
{
    int at = snprintf(to, size, "(");
    for (int64_t k = 0; k < rank; k++)
        at += snprintf(to + at, size - (size_t)at, k ? ", %lld" : "%lld", (long long)dims[k]);
    return at + snprintf(to + at, size - (size_t)at, ")");
}

/* Checks the type and shape of an argument. Returns 0 after an error. */
static int check_argument(Operands *operands, const RnnCall *call, int flags, size_t offset, const Buffer *buffer)
{
    int64_t dims[3];
    const char *name;
    const int rank = shape_of(call, flags, offset, dims, &name);
    const int dtype = offset == FIELD(tokens) ? TF_INT32 : offset == FIELD(mask) ? TF_BOOL : TF_FLOAT;
    const int unused = rank == 1 && !dims[0]; /* it is not read, so it may have any shape */
    int same = unused || buffer->rank == rank;
    for (int k = 0; k < rank && same && !unused; k++)
        same = buffer->dims[k] == dims[k];
    if (same && buffer->dtype == dtype)
        return 1;
    char message[300];
    int at = snprintf(message, sizeof message, "%s is ", name);
    at += format_shape(message + at, sizeof message - (size_t)at, buffer->dims, buffer->rank);
    at += snprintf(message + at, sizeof message - (size_t)at,
                   buffer->dtype == dtype ? "; allowed: " : " of another dtype; allowed: ");
    format_shape(message + at, sizeof message - (size_t)at, dims, rank);
    return set_error(operands, TF_INVALID, message);
}

/* Reads and checks the call of one direction and allocates its results. Returns 0 after an error. */
static int read_loop(Operands *operands, int pass, int loop, RnnCall *call)
{
    const struct Operation *operation = &OPERATIONS[pass];
    Buffer **arguments = operands->arguments + loop * (operation->num_inputs + 1);
    if (arguments[0]->dtype != TF_INT32 || arguments[0]->rank != 1 || arguments[0]->dims[0] != 4)
        return set_error(
            operands, TF_INVALID,
            "the header of a loop has another type or shape; allowed: int32 (4): kind, reverse, threads, flags; pass it first");
    const ShapeHeader *shape = arguments[0]->data;
    const int by_tokens = shape->flags & BY_TOKENS;
    if (shape->kind < 0 || shape->kind >= KINDS || arguments[1]->rank != (by_tokens ? 2 : 3) ||
        (by_tokens && arguments[2]->rank != 2) || arguments[5]->rank != 2)
        return set_error(operands, TF_INVALID,
                         "the kind or the axes of inputs and weights are not those of a loop; see ARRAYS of tensorflow.h");
    *call = read_call(arguments, operation);
    const int64_t widest = call->units > call->features ? call->units : call->features;
    int64_t largest = call->batch * call->steps > widest ? call->batch * call->steps : widest;
    largest = by_tokens && call->vocabulary > largest ? call->vocabulary : largest;
    if (largest > ((int64_t)1 << 38) / (widest ? widest : 1))
        return set_error(operands, TF_INVALID,
                         "steps, rows and units are too many; allowed: products of less than 2^40 bytes; use smaller batches");
    for (int64_t i = 0; i < operation->num_inputs; i++)
        if (!check_argument(operands, call, shape->flags, operation->inputs[i], arguments[i + 1]))
            return 0;
    Buffer **results = operands->results + loop * operation->num_outputs;
    for (int64_t i = 0; i < operation->num_outputs; i++) {
        int64_t dims[3], size = 4;
        const char *name;
        const int rank = shape_of(call, shape->flags, operation->outputs[i], dims, &name);
        for (int k = 0; k < rank; k++)
            size *= dims[k];
        const int at = (int)(loop * operation->num_outputs + i),
                  dtype = operation->outputs[i] == FIELD(used) ? TF_INT32 : TF_FLOAT;
        if (tf.TF_ExpectedOutputDataType(operands->context, at) != dtype)
            return set_error(operands, TF_INVALID,
                             "results have other types; allowed: float32, and int32 for the numbers of rows; change R");
        TfTensor *tensor = tf.TF_AllocateOutput(operands->context, at, dtype, dims, rank, (size_t)size, operands->status);
        if (tf.TF_GetCode(operands->status))
            return 0;
        results[i] = hold_tensor(operands, tensor, dims, rank);
    }
    set_results(call, results, operation);
    return 1;
}

/* Runs an operation. */
static void compute(TfContext *context, int pass)
{
    Operands operands = {.context = context, .status = tf.TF_NewStatus()};
    RnnCall calls[2];
    const int loops = read_inputs(&operands, pass);
    int ready = 0;
    while (ready < loops && read_loop(&operands, pass, ready, &calls[ready]))
        ready++;
    const int failed = ready && ready == loops ? run(calls, loops, pass) : 0;
    if (failed)
        set_error(&operands, failed == TOKEN_OUT_OF_RANGE ? TF_INVALID : TF_EXHAUSTED, error_message(failed));
    if (tf.TF_GetCode(operands.status))
        tf.TF_OpKernelContext_Failure(context, operands.status);
    for (int i = 0; i < operands.count; i++)
        tf.TF_DeleteTensor(operands.tensors[i]);
    tf.TF_DeleteStatus(operands.status);
}

static void compute_forward(void *unused, TfContext *context) { (void)unused, compute(context, FORWARD); }
static void compute_backward(void *unused, TfContext *context) { (void)unused, compute(context, BACKWARD); }
static void compute_inputs(void *unused, TfContext *context) { (void)unused, compute(context, INPUT_GRADS); }
static void unknown_shapes(TfShapes *context, TfStatus *status) { tf.TF_ShapeInferenceContextSetUnknownShape(context, status); }

/* Registers the operations when TensorFlow loads this library. Does nothing in a process without TensorFlow. */
__attribute__((constructor)) static void register_operations(void)
{
#ifdef __APPLE__
    void *tensorflow = RTLD_DEFAULT;
#else
    void *tensorflow = dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD);
    if (!tensorflow)
        return;
#endif
#define FIND(name, type, arguments)                       \
    if (!(*(void **)&tf.name = dlsym(tensorflow, #name))) \
        return;
    TENSORFLOW_FUNCTIONS(FIND)
#undef FIND
    const struct {
        const char *name;
        void (*compute)(void *, TfContext *);
    } operations[] = {
        {"SeqtasksForward", compute_forward}, {"SeqtasksBackward", compute_backward}, {"SeqtasksInputs", compute_inputs}};
    TfStatus *status = tf.TF_NewStatus();
    for (int i = 0; i < 3 && !tf.TF_GetCode(status); i++) {
        const char *name = operations[i].name;
        TfOperation *operation = tf.TF_NewOpDefinitionBuilder(name);
        tf.TF_OpDefinitionBuilderAddAttr(operation, "T: list(type) >= 1");
        tf.TF_OpDefinitionBuilderAddAttr(operation, "R: list(type) >= 1");
        tf.TF_OpDefinitionBuilderAddInput(operation, "arguments: T");
        tf.TF_OpDefinitionBuilderAddOutput(operation, "results: R");
        tf.TF_OpDefinitionBuilderSetShapeInferenceFunction(operation, unknown_shapes);
        tf.TF_RegisterOpDefinition(operation, status);
        if (!tf.TF_GetCode(status))
            tf.TF_RegisterKernelBuilder(name, tf.TF_NewKernelBuilder(name, "CPU", NULL, operations[i].compute, NULL), status);
    }
    tf.TF_DeleteStatus(status);
}
#endif
#undef FIELD

#endif
