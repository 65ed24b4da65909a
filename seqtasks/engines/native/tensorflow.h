/* The calls as operations of TensorFlow: https://www.tensorflow.org/api_docs/cc
 *
 * Of its interface in C (tensorflow/c/ops.h and kernels.h), which is stable where that in C++ is not, this
 * declares what is used, and finds it in the process that loads this library: nothing of TensorFlow is needed to build.
 */

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

#define OF_TENSORFLOW(F)                                                                                   \
    F(TF_NewStatus, TfStatus *, (void))                                                                    \
    F(TF_DeleteStatus, void, (TfStatus *))                                                                 \
    F(TF_SetStatus, void, (TfStatus *, int, const char *))                                                 \
    F(TF_GetCode, int, (const TfStatus *))                                                                 \
    F(TF_NumInputs, int, (TfContext *))                                                                    \
    F(TF_NumOutputs, int, (TfContext *))                                                                   \
    F(TF_GetInput, void, (TfContext *, int, TfTensor **, TfStatus *))                                      \
    F(TF_ExpectedOutputDataType, int, (TfContext *, int))                                                  \
    F(TF_AllocateOutput, TfTensor *, (TfContext *, int, int, const int64_t *, int, size_t, TfStatus *))    \
    F(TF_OpKernelContext_Failure, void, (TfContext *, TfStatus *))                                         \
    F(TF_TensorType, int, (const TfTensor *))                                                              \
    F(TF_NumDims, int, (const TfTensor *))                                                                 \
    F(TF_Dim, int64_t, (const TfTensor *, int))                                                            \
    F(TF_TensorData, void *, (const TfTensor *))                                                           \
    F(TF_DeleteTensor, void, (TfTensor *))                                                                 \
    F(TF_NewOpDefinitionBuilder, TfOperation *, (const char *))                                            \
    F(TF_OpDefinitionBuilderAddAttr, void, (TfOperation *, const char *))                                  \
    F(TF_OpDefinitionBuilderAddInput, void, (TfOperation *, const char *))                                 \
    F(TF_OpDefinitionBuilderAddOutput, void, (TfOperation *, const char *))                                \
    F(TF_OpDefinitionBuilderSetShapeInferenceFunction, void, (TfOperation *, void (*)(TfShapes *, TfStatus *))) \
    F(TF_ShapeInferenceContextSetUnknownShape, void, (TfShapes *, TfStatus *))                             \
    F(TF_RegisterOpDefinition, void, (TfOperation *, TfStatus *))                                          \
    F(TF_NewKernelBuilder, TfKernel *,                                                                     \
      (const char *, const char *, void *(*)(void *), void (*)(void *, TfContext *), void (*)(void *)))    \
    F(TF_RegisterKernelBuilder, void, (const char *, TfKernel *, TfStatus *))

static struct {
#define MEMBER(name, type, arguments) type(*name) arguments;
    OF_TENSORFLOW(MEMBER)
#undef MEMBER
} tf;

enum { MOST_GIVEN = 2 * (sizeof OF_BACKWARD / sizeof *OF_BACKWARD + 1), MOST_WANTED = 2 * sizeof GRADIENTS / sizeof *GRADIENTS };

/* A letter for each axis: Batch, Time, Features, Vocabulary, N units, Gates, Kept, Differentiated gates, 3 units; of a table,
 * Used rows, and one More. */
static const struct {
    size_t place;
    const char *name, *axes;
    enum { ALWAYS, WITH_TOKENS, WITH_MASK, WITH_SEQUENCES, WITH_CELL, WITH_B } when;
} ARRAYS[] = {
    {P(x), "x", "BTF", ALWAYS}, {P(tokens), "tokens", "BT", WITH_TOKENS}, {P(w), "w", "FG", ALWAYS},
    {P(bias), "bias", "G", ALWAYS}, {P(u), "u", "NG", ALWAYS}, {P(b), "b", "3", WITH_B}, {P(h0), "h0", "BN", ALWAYS},
    {P(c0), "c0", "BN", WITH_CELL}, {P(mask), "mask", "BT", WITH_MASK}, {P(out), "out", "BTN", ALWAYS},
    {P(before), "before", "TBN", ALWAYS}, {P(c), "c", "TBN", WITH_CELL}, {P(kept), "kept", "TBK", ALWAYS},
    {P(h_last), "h_last", "BN", ALWAYS}, {P(c_last), "c_last", "BN", WITH_CELL}, {P(dout), "dout", "BTN", WITH_SEQUENCES},
    {P(dh_last), "dh_last", "BN", ALWAYS}, {P(dc_last), "dc_last", "BN", WITH_CELL}, {P(dw), "dw", "FG", ALWAYS},
    {P(dbias), "dbias", "G", ALWAYS}, {P(du), "du", "NG", ALWAYS}, {P(db), "db", "3", WITH_B}, {P(dh0), "dh0", "BN", ALWAYS},
    {P(dc0), "dc0", "BN", WITH_CELL}, {P(found), "found", "TBD", ALWAYS}, {P(used), "used", "M", WITH_TOKENS},
    {P(dx), "dx", "BTF", ALWAYS},
};

/* The axes of an array of a job: how many. One of no numbers stands for what there is not. */
static int axes_of(const Job *job, int flags, size_t place, int64_t *dims, const char **name)
{
    int which = 0;
    while (ARRAYS[which].place != place)
        which++;
    *name = ARRAYS[which].name;
    const int has_b = job->kind == GRU || job->kind == PEEPHOLE_LSTM;
    const int there[] = {1, flags & BY_TOKENS, flags & MASKED, flags & SEQUENCES, OF[job->kind].cell, has_b};
    const char *axes = ARRAYS[which].axes;
    if (!there[ARRAYS[which].when]) {
        dims[0] = 0;
        return 1;
    }
    if (flags & BY_TOKENS)
        axes = place == P(x) ? "VF" : place == P(dx) ? "UF" : axes;
    const int64_t real = job->batch * job->steps, used = real < job->vocabulary ? real : job->vocabulary, n = job->units;
    for (int i = 0; axes[i]; i++)
        switch (axes[i]) {
        case 'B': dims[i] = job->batch; break;
        case 'T': dims[i] = job->steps; break;
        case 'F': dims[i] = job->features; break;
        case 'V': dims[i] = job->vocabulary; break;
        case 'N': dims[i] = n; break;
        case 'G': dims[i] = n * OF[job->kind].gates; break;
        case 'K': dims[i] = n * OF[job->kind].kept; break;
        case 'D': dims[i] = n * OF[job->kind].found; break;
        case '3': dims[i] = n * 3; break;
        case 'U': dims[i] = used; break;
        case 'M': dims[i] = used + 1; break;
        }
    return (int)strlen(axes);
}

typedef struct {
    TfContext *context;
    TfStatus *status;
    TfTensor *tensors[MOST_GIVEN + MOST_WANTED];
    int count; /* of tensors that are held */
    Buffer buffers[MOST_GIVEN + MOST_WANTED], *arguments[MOST_GIVEN], *results[MOST_WANTED];
    int64_t dims[MOST_GIVEN + MOST_WANTED][3];
} Operands;

/* Refuses an operation. */
static int refuse(Operands *all, int code, const char *message)
{
    tf.TF_SetStatus(all->status, code, message);
    return 0;
}

static Buffer *hold(Operands *all, TfTensor *tensor, const int64_t *dims, int rank)
{
    const int i = all->count++;
    all->tensors[i] = tensor;
    memcpy(all->dims[i], dims, (size_t)rank * sizeof *dims);
    all->buffers[i] = (Buffer){
        .dtype = tf.TF_TensorType(tensor), .data = tf.TF_TensorData(tensor), .rank = rank, .dims = all->dims[i]};
    return &all->buffers[i];
}

/* How many loops there are inputs for. */
static int take_inputs(Operands *all, int what)
{
    const struct Operation *operation = &OPERATIONS[what];
    const int count = tf.TF_NumInputs(all->context), each = (int)operation->count + 1, loops = count / each;
    if (count % each || loops > 2 || tf.TF_NumOutputs(all->context) != loops * operation->many)
        return refuse(all, TF_INVALID, "so many arrays are not those of one loop or two");
    for (int i = 0; i < count; i++) {
        TfTensor *tensor = NULL;
        tf.TF_GetInput(all->context, i, &tensor, all->status);
        if (tf.TF_GetCode(all->status))
            return 0;
        int64_t dims[3] = {0};
        const int rank = tf.TF_NumDims(tensor);
        for (int k = 0; k < rank && k < 3; k++)
            dims[k] = tf.TF_Dim(tensor, k);
        all->arguments[i] = hold(all, tensor, dims, rank < 3 ? rank : 3);
        if (rank > 3)
            return refuse(all, TF_INVALID, "an array has more than three axes; allowed: (batch, time, features) and fewer");
    }
    return loops;
}

static int write_axes(char *to, size_t room, const int64_t *dims, int64_t rank)
{
    int at = snprintf(to, room, "(");
    for (int64_t k = 0; k < rank; k++)
        at += snprintf(to + at, room - (size_t)at, k ? ", %lld" : "%lld", (long long)dims[k]);
    return at + snprintf(to + at, room - (size_t)at, ")");
}

/* Whether an argument is what the loop reads. */
static int fits(Operands *all, const Job *job, int flags, size_t place, const Buffer *buffer)
{
    int64_t dims[3];
    const char *name;
    const int rank = axes_of(job, flags, place, dims, &name);
    const int dtype = place == P(tokens) ? TF_INT32 : place == P(mask) ? TF_BOOL : TF_FLOAT;
    const int nothing = rank == 1 && !dims[0]; /* is not read */
    int same = nothing || buffer->rank == rank;
    for (int k = 0; k < rank && same && !nothing; k++)
        same = buffer->dims[k] == dims[k];
    if (same && buffer->dtype == dtype)
        return 1;
    char message[300];
    int at = snprintf(message, sizeof message, "%s is ", name);
    at += write_axes(message + at, sizeof message - (size_t)at, buffer->dims, buffer->rank);
    at += snprintf(message + at, sizeof message - (size_t)at,
                   buffer->dtype == dtype ? "; allowed: " : " of another type; allowed: ");
    write_axes(message + at, sizeof message - (size_t)at, dims, rank);
    return refuse(all, TF_INVALID, message);
}

/* A job from its arguments, and room for its results. */
static int read_job(Operands *all, int what, int loop, Job *job)
{
    const struct Operation *operation = &OPERATIONS[what];
    Buffer **given = all->arguments + loop * (operation->count + 1);
    if (given[0]->dtype != TF_INT32 || given[0]->rank != 1 || given[0]->dims[0] != 4)
        return refuse(all, TF_INVALID, "a loop begins with kind, reverse, threads and flags");
    const Shape *shape = given[0]->data;
    const int by_tokens = shape->flags & BY_TOKENS;
    if (shape->kind < 0 || shape->kind >= KINDS || given[1]->rank != (by_tokens ? 2 : 3) || (by_tokens && given[2]->rank != 2) ||
        given[5]->rank != 2)
        return refuse(all, TF_INVALID, "inputs and weights have other axes than a loop has");
    *job = job_of(given, operation);
    const int64_t wide = job->units > job->features ? job->units : job->features;
    int64_t most = job->batch * job->steps > wide ? job->batch * job->steps : wide;
    most = by_tokens && job->vocabulary > most ? job->vocabulary : most;
    if (most > ((int64_t)1 << 38) / (wide ? wide : 1))
        return refuse(all, TF_INVALID, "too many steps of too many rows of too many units; take smaller batches");
    for (int64_t i = 0; i < operation->count; i++)
        if (!fits(all, job, shape->flags, operation->given[i], given[i + 1]))
            return 0;
    Buffer **results = all->results + loop * operation->many;
    for (int64_t i = 0; i < operation->many; i++) {
        int64_t dims[3], size = 4;
        const char *name;
        const int rank = axes_of(job, shape->flags, operation->wanted[i], dims, &name);
        for (int k = 0; k < rank; k++)
            size *= dims[k];
        const int at = (int)(loop * operation->many + i), dtype = operation->wanted[i] == P(used) ? TF_INT32 : TF_FLOAT;
        if (tf.TF_ExpectedOutputDataType(all->context, at) != dtype)
            return refuse(all, TF_INVALID, "results are float32, but for the numbers of rows, which are int32");
        TfTensor *tensor = tf.TF_AllocateOutput(all->context, at, dtype, dims, rank, (size_t)size, all->status);
        if (tf.TF_GetCode(all->status))
            return 0;
        results[i] = hold(all, tensor, dims, rank);
    }
    want(job, results, operation);
    return 1;
}

static void compute(TfContext *context, int what)
{
    Operands all = {.context = context, .status = tf.TF_NewStatus()};
    Job jobs[2];
    const int loops = take_inputs(&all, what);
    int ready = 0;
    while (ready < loops && read_job(&all, what, ready, &jobs[ready]))
        ready++;
    const int failed = ready && ready == loops ? run(jobs, loops, what) : 0;
    if (failed)
        refuse(&all, failed == NO_ROW ? TF_INVALID : TF_EXHAUSTED, told(failed));
    if (tf.TF_GetCode(all.status))
        tf.TF_OpKernelContext_Failure(context, all.status);
    for (int i = 0; i < all.count; i++)
        tf.TF_DeleteTensor(all.tensors[i]);
    tf.TF_DeleteStatus(all.status);
}

static void compute_forward(void *nothing, TfContext *context) { (void)nothing, compute(context, FORWARD); }
static void compute_backward(void *nothing, TfContext *context) { (void)nothing, compute(context, BACKWARD); }
static void compute_inputs(void *nothing, TfContext *context) { (void)nothing, compute(context, INPUTS); }
static void unknown_shapes(TfShapes *context, TfStatus *status) { tf.TF_ShapeInferenceContextSetUnknownShape(context, status); }

/* TensorFlow learns of operations while it loads a library; where it is not there, there is nothing to tell. */
__attribute__((constructor)) static void register_operations(void)
{
#ifdef __APPLE__
    void *from = RTLD_DEFAULT;
#else
    void *from = dlopen("libtensorflow_framework.so.2", RTLD_LAZY | RTLD_NOLOAD);
    if (!from)
        return;
#endif
#define FIND(name, type, arguments) \
    if (!(*(void **)&tf.name = dlsym(from, #name))) \
        return;
    OF_TENSORFLOW(FIND)
#undef FIND
    const struct {
        const char *name;
        void (*compute)(void *, TfContext *);
    } operations[] = {{"SeqtasksForward", compute_forward},
                      {"SeqtasksBackward", compute_backward},
                      {"SeqtasksInputs", compute_inputs}};
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
            tf.TF_RegisterKernelBuilder(
                name, tf.TF_NewKernelBuilder(name, "CPU", NULL, operations[i].compute, NULL), status);
    }
    tf.TF_DeleteStatus(status);
}
#endif
#undef P
