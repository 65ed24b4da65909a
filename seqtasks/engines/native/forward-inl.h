/* The forward pass. Locals: `batch_major`, index of a step into (batch, steps); `time_major`, into (steps, batch);
 * n, units; left, units from the j-th on. */

#define PANELS(call) (((call)->units + WIDTH - 1) / WIDTH) /* panels of WIDTH units; the last one may be narrower */
#define PADDED(call) (PANELS(call) * WIDTH)                /* units, rounded up to whole panels */
/* Load part k of an array (steps, batch, parts * units), and store part k of `saved`: the units from the j-th on. */
#define LOAD_PART(array, parts, k) NAME(load_n)((array) + (time_major * (parts) + (k)) * n + j, left)
#define SAVE(k, value) NAME(store_n)(call->saved + (time_major * CELLS[kind].saved + (k)) * n + j, value, left)

/* Packs some panels of U as [panel][gate][k][WIDTH]. */
static void NAME(pack_forward)(const RnnCall *call, int64_t first, int64_t last, float *packed)
{
    const int64_t n = call->units, gates = CELLS[call->kind].gates;
    for (int64_t panel = first; panel < last; panel++)
        for (int64_t g = 0; g < gates; g++)
            NAME(pack)(call->u + g * n, n, n, gates * n, panel, packed + (panel * gates + g) * n * WIDTH);
}

/* Packs W as [panel][k][WIDTH], each thread some panels. */
static void NAME(pack_inputs)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t width = CELLS[call->kind].gates * call->units, panels = (width + WIDTH - 1) / WIDTH, n = shared->threads;
    for (int64_t panel = panels * thread / n; panel < panels * (thread + 1) / n; panel++)
        NAME(pack)(call->w, call->features, width, width, panel, shared->packed_w + panel * call->features * WIDTH);
}

/* Projects the inputs `first` to `last`: rows from[i] of x to rows to[i] of `projected`. */
static void NAME(project)(CallShared *shared, const int64_t *from, const int64_t *to, int64_t first, int64_t last)
{
    const RnnCall *call = shared->call;
    NAME(rows_product)(from, to, first, last, call->x, call->features, call->features, shared->packed_w,
                       CELLS[call->kind].gates * call->units, call->bias, shared->projected, shared->projected_stride);
}

/* Projects the inputs of one step. */
static void NAME(project_step)(CallShared *shared, const ThreadShare *share, int64_t t, int64_t active)
{
    const RnnCall *call = shared->call;
    int64_t from[CHUNK], to[CHUNK];
    for (int64_t i = 0; i < active;) {
        int64_t count = 0;
        for (; i < active && count < CHUNK; i++) {
            from[count] = share->order[i] * call->steps + t;
            to[count] = t * call->batch + share->order[i];
            count += !call->mask || call->mask[from[count]];
        }
        NAME(project)(shared, from, to, 0, count);
    }
}

/* One step of one vector of units of one row. s: gates before the activation; gap, padded: floats from one gate to
 * the next in input and in sums. `kind`, `phase` and, if there are V units or more, `left` are constants after
 * inlining, so that the compiler removes the code of other kinds. */
INLINE void NAME(gates_forward)(int kind, int phase, const RnnCall *call, int64_t time_major, int64_t j, int64_t left,
                                const float *h, float *next, const float *c, const float *input, int64_t gap, const float *sums,
                                int64_t padded, float *out)
{
    const int64_t n = call->units;
    const int coupled = kind == COUPLED_LSTM, last = CELLS[kind].gates - 1;
    const VF h_old = NAME(load_n)(h + j, left);
    VF s[4], result;
    for (int g = phase ? 2 : 0; g <= (kind == GRU_V1 && !phase ? 1 : last); g++) {
        s[g] = NAME(load)(sums + g * padded + j);
        if (kind == GRU)
            s[g] += NAME(load_n)(call->b + g * n + j, left);
        if (kind != GRU || g < 2) /* the last gate of GRU: r multiplies the product before the input is added */
            s[g] += NAME(load_n)(input + g * gap + j, left);
    }
    if (CELLS[kind].has_c) {
        const VF old = NAME(load_n)(c + j, left);
        VF f = s[coupled ? 0 : 1], g = NAME(tanh)(s[coupled ? 1 : 2]), o = s[last], i = s[0];
        if (kind == PEEPHOLE_LSTM) {
            i += NAME(load_n)(call->b + j, left) * old;
            f += NAME(load_n)(call->b + n + j, left) * old;
        }
        f = NAME(sigmoid)(f);
        if (coupled)
            i = 1.0f - f;
        else
            i = NAME(sigmoid)(i);
        result = f * old + i * g;
        if (kind == PEEPHOLE_LSTM)
            o += NAME(load_n)(call->b + 2 * n + j, left) * result;
        o = NAME(sigmoid)(o);
        if (!coupled)
            SAVE(0, i);
        SAVE(coupled ? 0 : 1, f);
        SAVE(coupled ? 1 : 2, g);
        SAVE(last, o);
        NAME(store_n)(call->c + time_major * n + j, result, left);
        result = o * NAME(tanh)(result);
    } else if (kind == SIMPLE_RNN) {
        result = NAME(tanh)(s[0]);
    } else {
        VF z, whole;
        if (!phase) {
            VF r = NAME(sigmoid)(s[1]), extra = r * h_old;
            z = NAME(sigmoid)(s[0]);
            SAVE(0, z);
            SAVE(1, r);
            if (kind == GRU) {
                extra = s[2];
                whole = NAME(load_n)(input + 2 * gap + j, left) + r * s[2];
            }
            SAVE(3, extra);
            if (kind == GRU_V1) {
                NAME(store_n)(next + j, extra, left);
                return;
            }
        } else {
            z = LOAD_PART(call->saved, 4, 0);
            whole = s[2];
        }
        result = NAME(tanh)(whole);
        SAVE(2, result);
        result += z * (h_old - result);
    }
    NAME(store_n)(call->before + time_major * n + j, h_old, left);
    NAME(store_n)(next + j, result, left);
    NAME(store_n)(out + j, result, left);
}

/* Computes the states after a step from its recurrent products, row by row, because a row is contiguous in memory. */
INLINE void NAME(rows_forward)(int kind, int phase, CallShared *shared, const ThreadShare *share, int64_t t, int64_t active)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, padded = PADDED(call), stride = SUMS(padded);
    const int64_t begin = share->first * WIDTH, end = share->last * WIDTH < n ? share->last * WIDTH : n;
    const float **h = share->pointers, **c = h + call->batch;
    for (int64_t i = 0; i < active; i++) {
        const int64_t row = share->order[i], batch_major = row * call->steps + t, time_major = t * call->batch + row;
        if (call->mask && !call->mask[batch_major])
            continue;
        float *next = kind == GRU_V1 && !phase ? shared->compact + (2 * call->batch + row) * n : next_state(shared, row, h[i]);
        const float *sums = share->sums + i * stride;
        const float *input = shared->projected + (shared->distinct_index ? shared->distinct_index[batch_major] : time_major) *
                                                     shared->projected_stride;
        float *out = call->out + batch_major * n;
        int64_t j = begin;
        for (; j + V <= end; j += V)
            NAME(gates_forward)(kind, phase, call, time_major, j, V, h[i], next, c[i], input, n, sums, padded, out);
        if (j < end)
            NAME(gates_forward)(kind, phase, call, time_major, j, n - j, h[i], next, c[i], input, n, sums, padded, out);
    }
}

/* One step of a thread's rows and units. Phase 1 is the last gate of GRU_V1, which needs r * h of all units. */
static void NAME(step_forward)(CallShared *shared, const ThreadShare *share, int64_t t, int64_t active, int phase)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, gates = CELLS[call->kind].gates, stride = SUMS(PADDED(call));
    const float **read = share->pointers;
    const int64_t from = phase ? 2 : 0, to = call->kind == GRU_V1 && !phase ? 2 : gates;
    if (phase)
        read += call->batch; /* GRU_V1 has no c; these pointers hold the addresses of r * h */
    for (int64_t i = 0; phase && i < active; i++)
        read[i] = shared->compact + (2 * call->batch + share->order[i]) * n;
    for (int64_t panel = share->first; panel < share->last; panel++)
        for (int64_t g = from; g < to; g++) {
            const float *packed = shared->packed_u + (panel * gates + g) * n * WIDTH;
            NAME(multiply)(active, n, read, packed, NULL, share->sums + g * PADDED(call) + panel * WIDTH, stride);
        }
#define CASE(kind) \
    case kind: NAME(rows_forward)(kind, 0, shared, share, t, active); break;
    switch (phase ? KINDS : call->kind) {
        EACH_KIND(CASE)
    default: NAME(rows_forward)(GRU_V1, 1, shared, share, t, active);
    }
#undef CASE
}

/* The forward pass of one thread. */
static void NAME(forward)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units;
    const int has_c = CELLS[call->kind].has_c;
    const ThreadShare share = thread_share(shared, thread, PANELS(call), WIDTH);
    const float **h = share.pointers, **c = share.pointers + call->batch;
    const int64_t begin = share.first * WIDTH, end = share.last * WIDTH < n ? share.last * WIDTH : n;
    const size_t bytes = (size_t)(end - begin) * sizeof(float);
    for (int64_t i = 0; i < share.rows; i++) {
        const int64_t row = share.order[i];
        float *first = shared->compact + row * n;
        memcpy(first + begin, call->h0 + row * n + begin, bytes);
        h[i] = first;
        c[i] = has_c ? call->c0 + row * n : NULL;
        if (call->kind == GRU_V1) /* read by the products of masked rows; the results are not used, but must not be NaN */
            memset(first + 2 * call->batch * n + begin, 0, bytes);
    }
    NAME(pack_forward)(call, share.pack_first, share.pack_last, shared->packed_u);
    NAME(pack_inputs)(shared, thread);
    barrier(shared);
    if (!shared->stepwise) {
        const int64_t count = shared->num_inputs;
        NAME(project)(shared, shared->input_rows, shared->projected_rows, count * thread / shared->threads,
                      count * (thread + 1) / shared->threads);
        barrier(shared);
    }
    for (int64_t step = 0; step < call->steps; step++) {
        const int64_t t = call->reverse ? call->steps - 1 - step : step, active = active_rows(shared, &share, t);
        if (shared->stepwise)
            NAME(project_step)(shared, &share, t, active);
        NAME(step_forward)(shared, &share, t, active, 0);
        if (call->kind == GRU_V1) {
            step_barrier(shared);
            NAME(step_forward)(shared, &share, t, active, 1);
        }
        for (int64_t i = 0; i < share.rows; i++) {
            const int64_t row = share.order[i], batch_major = row * call->steps + t, time_major = t * call->batch + row;
            if (!call->mask || call->mask[batch_major]) {
                h[i] = next_state(shared, row, h[i]);
            } else {
                memset(call->out + batch_major * n + begin, 0, bytes);
                if (has_c)
                    memcpy(call->c + time_major * n + begin, c[i] + begin, bytes);
            }
            if (has_c)
                c[i] = call->c + time_major * n;
        }
        step_barrier(shared);
    }
    for (int64_t i = 0; i < share.rows; i++) {
        memcpy(call->h_last + share.order[i] * n + begin, h[i] + begin, bytes);
        if (has_c)
            memcpy(call->c_last + share.order[i] * n + begin, c[i] + begin, bytes);
    }
}
