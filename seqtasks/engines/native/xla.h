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
    int64_t count;
    int *types;
    Buffer **buffers;
} XlaBuffers;

typedef struct {
    size_t size;
    XlaExtension *extension;
    const XlaApi *api;
    void *context;
    int stage;
    XlaBuffers arguments, results;
} XlaCall;

static XlaError *call_of_xla(const XlaCall *call, int what)
{
    if (call->extension && call->extension->type == 1) { /* this needs nothing that a minor version may lack */
        ((XlaMetadataExtension *)call->extension)->metadata->version.major = 0;
        ((XlaMetadataExtension *)call->extension)->metadata->version.minor = call->api ? call->api->version.minor : 1;
        return NULL;
    }
    const struct Operation *operation = &OPERATIONS[what];
    Job jobs[2];
    const int64_t loops = call->arguments.count / (operation->count + 1);
    for (int64_t i = 0; i < loops; i++) {
        jobs[i] = job_of(call->arguments.buffers + i * (operation->count + 1), operation);
        want(&jobs[i], call->results.buffers + i * operation->many, operation);
    }
    const int failed = run(jobs, (int)loops, what);
    if (!failed)
        return NULL;
    XlaErrorArguments about = {.size = sizeof about, .message = told(failed), .code = failed == NO_ROW ? 3 : 8};
    return call->api->error(&about);
}

EXPORT XlaError *seqtasks_xla_forward(XlaCall *call) { return call_of_xla(call, FORWARD); }

EXPORT XlaError *seqtasks_xla_backward(XlaCall *call) { return call_of_xla(call, BACKWARD); }

EXPORT XlaError *seqtasks_xla_inputs(XlaCall *call) { return call_of_xla(call, INPUTS); }
