/* The calls as XLA makes them, for JAX on a CPU: https://openxla.org/xla/custom_call
 *
 * Of its interface in C, which keeps its layout within a major version, this declares what is used, so
 * that no headers are needed to build.
 */

typedef struct XlaError XlaError;

typedef struct XlaExtension {
    size_t size;
    int type; /* 1: asks for a Metadata */
    struct XlaExtension *next;
} XlaExtension;

typedef struct {
    size_t size;
    XlaExtension *extension;
    int major, minor;
} XlaVersion;

typedef struct {
    size_t size;
    XlaVersion version;
    uint32_t traits;
} XlaMetadata;

typedef struct {
    XlaExtension base;
    XlaMetadata *metadata;
} XlaMetadataExtension;

typedef struct {
    size_t size;
    XlaExtension *extension;
    const char *message;
    int code; /* 3: invalid argument; 8: resource exhausted */
} XlaErrorArguments;

typedef struct {
    size_t size;
    XlaExtension *extension;
    XlaVersion version;
    const void *internal;
    XlaError *(*error)(XlaErrorArguments *);
} XlaApi;

typedef struct {
    size_t size;
    XlaExtension *extension;
    int dtype;
    void *data;
    int64_t rank;
    int64_t *dims;
} XlaBuffer;

typedef struct {
    size_t size;
    XlaExtension *extension;
    int64_t count;
    int *types;
    XlaBuffer **buffers;
} XlaBuffers;

typedef struct {
    size_t size;
    XlaExtension *extension;
    const XlaApi *api;
    void *context;
    int stage;
    XlaBuffers arguments, results;
} XlaCall;

/* The places in a Job of what comes, once for each loop, after a Shape as a vector of int32; and of what is wanted. */
#define P(name) offsetof(Job, name)
#define GIVEN P(x), P(tokens), P(w), P(bias), P(u), P(b), P(h0), P(c0), P(mask)
static const size_t OF_FORWARD[] = {GIVEN}, OF_INPUTS[] = {GIVEN, P(found)};
static const size_t OF_BACKWARD[] = {GIVEN, P(out), P(before), P(c), P(kept), P(dout), P(dh_last), P(dc_last)};
static const size_t STATES[] = {P(out), P(before), P(c), P(kept), P(h_last), P(c_last)}, DX[] = {P(dx)};
static const size_t GRADIENTS[] = {P(dw), P(dbias), P(du), P(db), P(dh0), P(dc0), P(found), P(used), P(dx)};
#undef GIVEN
#undef P
enum { BY_TOKENS = 1, MASKED = 2, SEQUENCES = 4 };
typedef struct {
    int32_t kind, reverse, threads, flags;
} Shape;

static void put(Job *job, size_t where, const XlaBuffer *buffer)
{
    memcpy((char *)job + where, &buffer->data, sizeof buffer->data);
}

static Job job_of(XlaBuffer **arguments, const size_t *given, int64_t count, XlaBuffer **results, const size_t *wanted, int64_t many)
{
    const Shape *shape = arguments++[0]->data;
    const XlaBuffer *x = arguments[0], *steps = shape->flags & BY_TOKENS ? arguments[1] : x;
    Job job = {.steps = steps->dims[1], .batch = steps->dims[0], .features = x->dims[x->rank - 1],
               .units = arguments[4]->dims[0], .vocabulary = x->dims[0], .kind = shape->kind, .reverse = shape->reverse,
               .threads = shape->threads};
    for (int64_t i = 0; i < count; i++)
        put(&job, given[i], arguments[i]);
    for (int64_t i = 0; i < many; i++)
        put(&job, wanted[i], results[i]);
    if (!(shape->flags & BY_TOKENS)) {
        job.tokens = NULL;
        job.used = NULL;
    }
    if (!(shape->flags & MASKED))
        job.mask = NULL;
    if (!(shape->flags & SEQUENCES))
        job.dout = NULL;
    return job;
}

static XlaError *refuse(const XlaCall *call, const char *message, int code)
{
    XlaErrorArguments about = {.size = sizeof about, .message = message, .code = code};
    return call->api->error(&about);
}

static XlaError *call_of_xla(
    const XlaCall *call, int what, const size_t *given, int64_t count, const size_t *wanted, int64_t many)
{
    if (call->extension && call->extension->type == 1) { /* this needs nothing that a minor version may lack */
        ((XlaMetadataExtension *)call->extension)->metadata->version.major = 0;
        ((XlaMetadataExtension *)call->extension)->metadata->version.minor = call->api ? call->api->version.minor : 1;
        return NULL;
    }
    Job jobs[2];
    const int64_t loops = call->arguments.count / (count + 1);
    for (int64_t i = 0; i < loops; i++) {
        XlaBuffer **results = call->results.buffers + i * many;
        jobs[i] = job_of(call->arguments.buffers + i * (count + 1), given, count, results, wanted, many);
        for (int64_t j = 0; j < many && !(jobs[i].batch && jobs[i].units); j++) { /* there is nothing to go over */
            size_t size = 4;
            for (int64_t k = 0; k < results[j]->rank; k++)
                size *= (size_t)results[j]->dims[k];
            memset(results[j]->data, 0, size);
        }
    }
    switch (run(jobs, (int)loops, what)) {
    case 0: return NULL;
    case NO_ROW: return refuse(call, "tokens name rows that the table has not got", 3);
    default: return refuse(call, "not enough memory; take smaller batches", 8);
    }
}

#define TABLE(array) array, (int64_t)(sizeof(array) / sizeof *(array))
EXPORT XlaError *seqtasks_xla_forward(XlaCall *call) { return call_of_xla(call, FORWARD, TABLE(OF_FORWARD), TABLE(STATES)); }

EXPORT XlaError *seqtasks_xla_backward(XlaCall *call)
{
    return call_of_xla(call, BACKWARD, TABLE(OF_BACKWARD), TABLE(GRADIENTS));
}

EXPORT XlaError *seqtasks_xla_inputs(XlaCall *call) { return call_of_xla(call, INPUTS, TABLE(OF_INPUTS), TABLE(DX)); }
