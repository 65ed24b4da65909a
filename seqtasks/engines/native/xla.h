/* The functions that XLA calls, for JAX on a CPU: https://openxla.org/xla/custom_call
 *
 * Declares the part of XLA's C interface (xla/ffi/api/c_api.h) that is used, so that no headers are needed to build.
 * Its layout does not change within a major version.
 */

#ifndef SEQTASKS_XLA_H
#define SEQTASKS_XLA_H

#include "framework_call.h"

typedef struct XlaError XlaError;

typedef struct XlaExtension {
    size_t size;
    int type; /* 1: a request for metadata, see XlaMetadataExtension */
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

/* Runs one pass of one or two directions. */
static XlaError *run_xla_call(const XlaCall *xla_call, int pass)
{
    if (xla_call->extension && xla_call->extension->type == 1) { /* report the caller's minor version: nothing newer is used */
        ((XlaMetadataExtension *)xla_call->extension)->metadata->version.major = 0;
        ((XlaMetadataExtension *)xla_call->extension)->metadata->version.minor =
            xla_call->api ? xla_call->api->version.minor : 1;
        return NULL;
    }
    const struct Operation *operation = &OPERATIONS[pass];
    RnnCall calls[2];
    const int64_t loops = xla_call->arguments.count / (operation->num_inputs + 1);
    for (int64_t i = 0; i < loops; i++) {
        calls[i] = read_call(xla_call->arguments.buffers + i * (operation->num_inputs + 1), operation);
        set_results(&calls[i], xla_call->results.buffers + i * operation->num_outputs, operation);
    }
    const int failed = run(calls, (int)loops, pass);
    if (!failed)
        return NULL;
    XlaErrorArguments error = {
        .size = sizeof error, .message = error_message(failed), .code = failed == TOKEN_OUT_OF_RANGE ? 3 : 8};
    return xla_call->api->error(&error);
}

EXPORT XlaError *seqtasks_xla_forward(XlaCall *xla_call) { return run_xla_call(xla_call, FORWARD); }

EXPORT XlaError *seqtasks_xla_backward(XlaCall *xla_call) { return run_xla_call(xla_call, BACKWARD); }

EXPORT XlaError *seqtasks_xla_inputs(XlaCall *xla_call) { return run_xla_call(xla_call, INPUT_GRADS); }

#endif
