/* What a framework gives and wants, as a Job. */

/* An array, laid out as XLA has it, which hands over such. */
typedef struct {
    size_t size;
    void *extension;
    int dtype;
    void *data;
    int64_t rank;
    int64_t *dims;
} Buffer;

/* The places in a Job of what comes, once for each loop, after a Shape as a vector of int32; and of what is wanted. */
#define P(name) offsetof(Job, name)
#define GIVEN P(x), P(tokens), P(w), P(bias), P(u), P(b), P(h0), P(c0), P(mask)
static const size_t OF_FORWARD[] = {GIVEN}, OF_INPUTS[] = {GIVEN, P(found)};
static const size_t OF_BACKWARD[] = {GIVEN, P(out), P(before), P(c), P(kept), P(dout), P(dh_last), P(dc_last)};
static const size_t STATES[] = {P(out), P(before), P(c), P(kept), P(h_last), P(c_last)}, DX[] = {P(dx)};
static const size_t GRADIENTS[] = {P(dw), P(dbias), P(du), P(db), P(dh0), P(dc0), P(found), P(used), P(dx)};
#undef GIVEN
#define TABLE(array) array, (int64_t)(sizeof(array) / sizeof *(array))
static const struct Operation {
    const size_t *given;
    int64_t count;
    const size_t *wanted;
    int64_t many;
} OPERATIONS[] = {[FORWARD] = {TABLE(OF_FORWARD), TABLE(STATES)},
                  [BACKWARD] = {TABLE(OF_BACKWARD), TABLE(GRADIENTS)},
                  [INPUTS] = {TABLE(OF_INPUTS), TABLE(DX)}};
enum { BY_TOKENS = 1, MASKED = 2, SEQUENCES = 4 };
typedef struct {
    int32_t kind, reverse, threads, flags;
} Shape;

static void put(Job *job, size_t where, const Buffer *buffer)
{
    memcpy((char *)job + where, &buffer->data, sizeof buffer->data);
}

/* Of one loop, without what is wanted. */
static Job job_of(Buffer **arguments, const struct Operation *operation)
{
    const Shape *shape = arguments++[0]->data;
    const Buffer *x = arguments[0], *steps = shape->flags & BY_TOKENS ? arguments[1] : x;
    Job job = {.steps = steps->dims[1], .batch = steps->dims[0], .features = x->dims[x->rank - 1],
               .units = arguments[4]->dims[0], .vocabulary = x->dims[0], .kind = shape->kind, .reverse = shape->reverse,
               .threads = shape->threads};
    for (int64_t i = 0; i < operation->count; i++)
        put(&job, operation->given[i], arguments[i]);
    if (!(shape->flags & BY_TOKENS))
        job.tokens = NULL;
    if (!(shape->flags & MASKED))
        job.mask = NULL;
    if (!(shape->flags & SEQUENCES))
        job.dout = NULL;
    return job;
}

/* Where the results of a loop go; zeros there, where there is nothing to go over. */
static void want(Job *job, Buffer **results, const struct Operation *operation)
{
    for (int64_t i = 0; i < operation->many; i++) {
        put(job, operation->wanted[i], results[i]);
        size_t size = 4;
        for (int64_t k = 0; k < results[i]->rank; k++)
            size *= (size_t)results[i]->dims[k];
        if (!(job->batch && job->units))
            memset(results[i]->data, 0, size);
    }
    if (!job->tokens)
        job->used = NULL;
}

static const char *told(int failed)
{
    return failed == NO_ROW ? "tokens name rows that the table has not got" : "not enough memory; take smaller batches";
}
