/* The backward pass: gradients of the projected inputs, the weights and the initial states. */

/* Store the gradient of gate k, and of its recurrent product, of the units from the j-th on. */
#define STORE_GATE_GRAD(k, value) NAME(store_n)(gate_grads + (k) * n + j, value, left)
#define STORE_PRODUCT(k, value) NAME(store_n)(products + (k) * n + j, value, left)

/* Gradients of the gates for one vector of units of one row. old_state: c before the step, or h for cells without c;
 * products: GRU only, gradients of the recurrent products, which differ from those of the projected inputs. dh and
 * dc are updated. */
INLINE void NAME(gates_backward)(int kind, const RnnCall *call, int64_t time_major, int64_t batch_major, int64_t j,
                                 int64_t left, const float *old_state, float *gate_grads, float *products, float *dh, float *dc)
{
    const int64_t n = call->units;
    const int saved = CELLS[kind].saved;
    VF d = NAME(load_n)(dh + j, left), carried = {0};
    const VF old = NAME(load_n)(old_state + j, left);
    if (call->dout)
        d += NAME(load_n)(call->dout + batch_major * n + j, left);
    if (CELLS[kind].has_c) {
        const int coupled = kind == COUPLED_LSTM;
        VF f = LOAD_PART(call->saved, saved, coupled ? 0 : 1), g = LOAD_PART(call->saved, saved, coupled ? 1 : 2);
        VF o = LOAD_PART(call->saved, saved, coupled ? 2 : 3), i = 1.0f - f, moved = old;
        if (coupled)
            moved -= g;
        else
            i = LOAD_PART(call->saved, saved, 0);
        VF squashed = NAME(tanh)(LOAD_PART(call->c, 1, 0)), dout = d * squashed * o * (1.0f - o);
        VF dnew = NAME(load_n)(dc + j, left) + d * o * (1.0f - squashed * squashed);
        if (kind == PEEPHOLE_LSTM)
            dnew += dout * NAME(load_n)(call->b + 2 * n + j, left);
        VF din = dnew * g * i * (1.0f - i), dforget = dnew * moved * f * (1.0f - f), dold = dnew * f;
        VF dg = dnew * i * (1.0f - g * g);
        if (!coupled)
            STORE_GATE_GRAD(0, din);
        STORE_GATE_GRAD(coupled ? 0 : 1, dforget);
        STORE_GATE_GRAD(coupled ? 1 : 2, dg);
        STORE_GATE_GRAD(coupled ? 2 : 3, dout);
        if (kind == PEEPHOLE_LSTM)
            dold += din * NAME(load_n)(call->b + j, left) + dforget * NAME(load_n)(call->b + n + j, left);
        NAME(store_n)(dc + j, dold, left);
    } else if (kind == SIMPLE_RNN) {
        VF h = NAME(load_n)(call->out + batch_major * n + j, left), dnew = d * (1.0f - h * h);
        STORE_GATE_GRAD(0, dnew);
    } else {
        VF z = LOAD_PART(call->saved, 4, 0), candidate = LOAD_PART(call->saved, 4, 2);
        VF dnew = d * (1.0f - z) * (1.0f - candidate * candidate), dz = d * (old - candidate) * z * (1.0f - z);
        STORE_GATE_GRAD(0, dz);
        STORE_GATE_GRAD(2, dnew);
        carried = d * z;
        if (kind == GRU) {
            VF r = LOAD_PART(call->saved, 4, 1), dreset = dnew * LOAD_PART(call->saved, 4, 3) * r * (1.0f - r);
            STORE_GATE_GRAD(1, dreset);
            STORE_GATE_GRAD(3, dnew * r);
            STORE_PRODUCT(0, dz);
            STORE_PRODUCT(1, dreset);
            STORE_PRODUCT(2, dnew * r);
        }
    }
    NAME(store_n)(dh + j, carried, left);
}

/* Gradients of the gates of all rows; rows that are masked at t keep their dh and dc. */
INLINE void NAME(rows_backward)(int kind, CallShared *shared, const ThreadShare *share, int64_t step, int64_t t)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, earlier = call->reverse ? call->batch : -call->batch;
    const int64_t begin = share->first * WIDTH, end = share->last * WIDTH < n ? share->last * WIDTH : n;
    const float **before = share->pointers;
    for (int64_t i = 0; i < share->rows; i++) {
        const int64_t row = share->order[i], batch_major = row * call->steps + t, time_major = t * call->batch + row;
        if (call->mask && !call->mask[batch_major])
            continue;
        before[i] = !CELLS[kind].has_c ? call->before + time_major * n
                    : step             ? call->c + (time_major + earlier) * n
                                       : call->c0 + row * n;
        float *dh = call->dh0 + row * n, *dc = CELLS[kind].has_c ? call->dc0 + row * n : NULL;
        float *gate_grads = call->gate_grads + time_major * CELLS[kind].gate_grads * n;
        float *products = shared->compact + row * CELLS[kind].gates * n;
        int64_t j = begin;
        for (; j + V <= end; j += V)
            NAME(gates_backward)(kind, call, time_major, batch_major, j, V, before[i], gate_grads, products, dh, dc);
        if (j < end)
            NAME(gates_backward)(kind, call, time_major, batch_major, j, n - j, before[i], gate_grads, products, dh, dc);
    }
}

/* rows_backward, compiled for each kind of cell. */
static void NAME(gates_of_step)(CallShared *shared, const ThreadShare *share, int64_t step, int64_t t)
{
#define CASE(kind) \
    case kind: NAME(rows_backward)(kind, shared, share, step, t); break;
    switch (shared->call->kind) {
        EACH_KIND(CASE)
    }
#undef CASE
}

/* GRU_V1: gradients of r and h from `through`, the gradient of r * h. */
INLINE void NAME(reset_backward)(const RnnCall *call, int64_t time_major, int64_t j, const float *before, float *gate_grads,
                                 float *dh, VF through)
{
    const int64_t n = call->units, left = n - j;
    VF r = LOAD_PART(call->saved, 4, 1), dreset = through * NAME(load_n)(before + j, left) * r * (1.0f - r);
    STORE_GATE_GRAD(1, dreset);
    NAME(store_n)(dh + j, NAME(load_n)(dh + j, left) + through * r, left);
}

/* Adds to dh the gradients through the recurrent products of gates `from` to `to`. */
static void NAME(step_backward)(CallShared *shared, const ThreadShare *share, int64_t t, int64_t active, int64_t from,
                                int64_t to)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, depth = CELLS[call->kind].gates * n;
    const float **before = share->pointers, **d = before + call->batch;
    const int reset = call->kind == GRU_V1 && from;
    const int64_t stride = SUMS(PADDED(call));
    for (int64_t i = 0; i < active; i++) {
        const int64_t row = share->order[i];
        const int in_gate_grads = call->kind != GRU && (!call->mask || call->mask[row * call->steps + t]);
        d[i] = (in_gate_grads ? call->gate_grads + (t * call->batch + row) * depth : shared->compact + row * depth) + from * n;
    }
    for (int64_t panel = share->first; panel < share->last; panel++) {
        float *sums = share->sums + panel * WIDTH;
        NAME(multiply)(active, (to - from) * n, d, shared->packed_u + (panel * depth + from * n) * WIDTH, NULL, sums, stride);
        for (int64_t i = 0; i < active; i++) {
            const int64_t row = share->order[i], batch_major = row * call->steps + t, time_major = t * call->batch + row;
            float *dh = call->dh0 + row * n;
            if (call->mask && !call->mask[batch_major])
                continue;
            for (int64_t j = panel * WIDTH, w = 0; w < 2 && j < n; w++, j += V) {
                VF sum = NAME(load)(sums + i * stride + w * V);
                if (reset)
                    NAME(reset_backward)(call, time_major, j, before[i], call->gate_grads + time_major * depth, dh, sum);
                else
                    NAME(store_n)(dh + j, NAME(load_n)(dh + j, n - j) + sum, n - j);
            }
        }
    }
}

/* Gradients of the projected rows of a table: sums over the steps that read the row. Each thread computes some
 * columns. */
static void NAME(table_backward)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t width = shared->projected_stride, panels = (width + WIDTH - 1) / WIDTH;
    const int64_t begin = panels * thread / shared->threads * WIDTH, stop = panels * (thread + 1) / shared->threads * WIDTH;
    const int64_t end = stop < width ? stop : width;
    for (int64_t i = 0; i < shared->num_inputs && begin < end; i++)
        memset(shared->projected + i * width + begin, 0, (size_t)(end - begin) * sizeof(float));
    for (int64_t i = 0; i < shared->num_valid; i++) {
        const float *from = call->gate_grads + shared->time_major_index[i] * CELLS[call->kind].gate_grads * call->units;
        float *to = shared->projected + shared->distinct_index[shared->batch_major_index[i]] * width;
        for (int64_t j = begin; j < end; j += V)
            NAME(store_n)(to + j, NAME(load_n)(to + j, end - j) + NAME(load_n)(from + j, end - j), end - j);
    }
}

/* Products of factors and gradients of gates, summed over valid steps. `from`: first column of gate_grads. Each
 * thread computes some columns. */
static void NAME(sums_of_steps)(const CallShared *shared, int thread, const Factor *factors, int num_factors, int64_t from,
                                int64_t columns, float *totals)
{
    const RnnCall *call = shared->call;
    const int64_t panels = (columns + WIDTH - 1) / WIDTH, n = shared->threads;
    NAME(columns_product)(shared->time_major_index, shared->num_valid, factors, num_factors, call->gate_grads + from,
                          CELLS[call->kind].gate_grads * call->units, columns, panels * thread / n, panels * (thread + 1) / n,
                          CELLS[call->kind].gates * call->units, totals, shared->grad_panels + thread * DEPTH * SIDE * WIDTH);
}

/* Gradients of weights and biases. */
static void NAME(weights_backward)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, width = CELLS[call->kind].gates * n, panels = (width + WIDTH - 1) / WIDTH;
    const int64_t num_threads = shared->threads;
    Factor factors[FACTORS] = {{shared->input_rows, call->x, call->features, call->features, call->dw},
                               {shared->time_major_index, call->before, n, n, call->du}};
    const Factor *of_steps = factors + (call->tokens != NULL); /* dw with tokens is a sum over distinct tokens */
    const int num_factors = call->tokens ? 1 : 2;
    if (call->tokens)
        NAME(columns_product)(shared->projected_rows, shared->num_inputs, factors, 1, shared->projected,
                              shared->projected_stride, width, panels * thread / num_threads,
                              panels * (thread + 1) / num_threads, width, call->dbias,
                              shared->grad_panels + thread * DEPTH * SIDE * WIDTH);
    if (call->kind == GRU) { /* gradients of the third gate differ for U and W */
        NAME(sums_of_steps)(shared, thread, of_steps, num_factors, 0, 2 * n, call->db);
        factors[0].to += 2 * n;
        factors[1].to += 2 * n;
        NAME(sums_of_steps)(shared, thread, factors + 1, 1, 3 * n, n, call->db + 2 * n);
        if (!call->tokens) {
            NAME(sums_of_steps)(shared, thread, factors, 1, 2 * n, n, call->dbias + 2 * n);
            const int64_t panels_of_two = (2 * n + WIDTH - 1) / WIDTH, begin = panels_of_two * thread / num_threads * WIDTH;
            for (int64_t j = begin; j < panels_of_two * (thread + 1) / num_threads * WIDTH && j < 2 * n; j++)
                call->dbias[j] = call->db[j];
        }
    } else if (call->kind == GRU_V1) { /* the third gate multiplies r * h */
        NAME(sums_of_steps)(shared, thread, of_steps, num_factors, 0, 2 * n, call->tokens ? NULL : call->dbias);
        factors[0].to += 2 * n;
        factors[1] = (Factor){shared->time_major_index, call->saved + 3 * n, CELLS[call->kind].saved * n, n, call->du + 2 * n};
        NAME(sums_of_steps)(shared, thread, of_steps, num_factors, 2 * n, n, call->tokens ? NULL : call->dbias + 2 * n);
    } else {
        NAME(sums_of_steps)(shared, thread, of_steps, num_factors, 0, width, call->tokens ? NULL : call->dbias);
    }
    if (call->kind != PEEPHOLE_LSTM || thread)
        return;
    const float *d = call->gate_grads;
    const int64_t stride = CELLS[call->kind].gate_grads * n;
    memset(call->db, 0, (size_t)(3 * n) * sizeof(float));
    for (int64_t i = 0; i < shared->num_valid; i++) {
        const int64_t time_major = shared->time_major_index[i], row = time_major % call->batch, t = time_major / call->batch;
        const int64_t first = call->reverse ? call->steps - 1 : 0;
        const float *old =
            t == first ? call->c0 + row * n : call->c + (time_major + (call->reverse ? call->batch : -call->batch)) * n;
        for (int64_t j = 0; j < n; j++) {
            call->db[j] += d[time_major * stride + j] * old[j];
            call->db[n + j] += d[time_major * stride + n + j] * old[j];
            call->db[2 * n + j] += d[time_major * stride + 3 * n + j] * call->c[time_major * n + j];
        }
    }
}

/* Gradients of inputs; each thread computes some. A separate pass, because the inputs of a model need no gradients.
 * With tokens it is part of the backward pass, which has just computed the sums over steps. */
static void NAME(input_grads)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t width = CELLS[call->kind].gates * call->units, panels = (call->features + WIDTH - 1) / WIDTH,
                  n = shared->threads;
    for (int64_t panel = panels * thread / n; panel < panels * (thread + 1) / n; panel++)
        NAME(pack_transposed)(call->w, width, call->features, panel, shared->packed_w + panel * width * WIDTH);
    for (int64_t batch_major = call->batch * call->steps * thread / n;
         call->mask && !call->tokens && batch_major < call->batch * call->steps * (thread + 1) / n; batch_major++)
        if (!call->mask[batch_major])
            memset(call->dx + batch_major * call->features, 0, (size_t)call->features * sizeof(float));
    barrier(shared);
    const int64_t *to = call->tokens ? NULL : shared->batch_major_index;
    const int64_t begin = shared->num_inputs * thread / n, end = shared->num_inputs * (thread + 1) / n;
    NAME(rows_product)(shared->projected_rows, to, begin, end, shared->projected, shared->projected_stride, width,
                       shared->packed_w, call->features, NULL, call->dx, call->features);
}

/* The backward pass of one thread. */
static void NAME(backward)(CallShared *shared, int thread)
{
    const RnnCall *call = shared->call;
    const int64_t n = call->units, gates = CELLS[call->kind].gates;
    const int has_c = CELLS[call->kind].has_c;
    const ThreadShare share = thread_share(shared, thread, PANELS(call), WIDTH);
    const int64_t begin = share.first * WIDTH, end = share.last * WIDTH < n ? share.last * WIDTH : n;
    const size_t bytes = (size_t)(end - begin) * sizeof(float);
    for (int64_t panel = share.pack_first; panel < share.pack_last; panel++)
        NAME(pack_transposed)(call->u, gates * n, n, panel, shared->packed_u + panel * gates * n * WIDTH);
    for (int64_t i = 0; i < share.rows; i++) {
        const int64_t row = share.order[i];
        memcpy(call->dh0 + row * n + begin, call->dh_last + row * n + begin, bytes);
        if (has_c)
            memcpy(call->dc0 + row * n + begin, call->dc_last + row * n + begin, bytes);
        for (int64_t g = 0; g < gates; g++) /* read by the products of masked rows, whose results are not used */
            memset(shared->compact + (row * gates + g) * n + begin, 0, bytes);
    }
    barrier(shared);
    for (int64_t step = call->steps - 1; step >= 0; step--) {
        const int64_t t = call->reverse ? call->steps - 1 - step : step, active = active_rows(shared, &share, t);
        NAME(gates_of_step)(shared, &share, step, t);
        step_barrier(shared);
        if (call->kind == GRU_V1) {
            NAME(step_backward)(shared, &share, t, active, 2, 3);
            step_barrier(shared);
            NAME(step_backward)(shared, &share, t, active, 0, 2);
        } else {
            NAME(step_backward)(shared, &share, t, active, 0, gates);
        }
        step_barrier(shared); /* the next step overwrites values that other threads may still read */
    }
    barrier(shared);
    if (call->tokens) {
        NAME(table_backward)(shared, thread);
        barrier(shared);
    }
    NAME(weights_backward)(shared, thread);
    if (call->tokens)
        NAME(input_grads)(shared, thread);
}

#undef STORE_GATE_GRAD
#undef STORE_PRODUCT
#undef SAVE
#undef LOAD_PART
#undef PADDED
