/* The way back through time: gradients of the projected inputs and of the first states. */

#define GIVE(k, value) NAME(store_n)(found + (k) * n + j, value, left)
#define MULTIPLY(k, value) NAME(store_n)(products + (k) * n + j, value, left)

/* One vector of units of one row. old_state: c, or where there is none h, before the step; products: of GRU
 * what meets U, as that is not what is found. */
INLINE void NAME(gates_backward)(
    int kind, const Job *a, int64_t at, int64_t place, int64_t j, int64_t left, const float *old_state, float *found,
    float *products, float *dh, float *dc)
{
    const int64_t n = a->units;
    const int kept = OF[kind].kept;
    VF d = NAME(load_n)(dh + j, left), carried = {0};
    const VF old = NAME(load_n)(old_state + j, left);
    if (a->dout)
        d += NAME(load_n)(a->dout + place * n + j, left);
    if (OF[kind].cell) {
        const int coupled = kind == COUPLED_LSTM;
        VF f = AT(a->kept, kept, coupled ? 0 : 1), g = AT(a->kept, kept, coupled ? 1 : 2);
        VF o = AT(a->kept, kept, coupled ? 2 : 3), i = 1.0f - f, moved = old;
        if (coupled)
            moved -= g;
        else
            i = AT(a->kept, kept, 0);
        VF squashed = NAME(tanh)(AT(a->c, 1, 0)), dout = d * squashed * o * (1.0f - o);
        VF dnew = NAME(load_n)(dc + j, left) + d * o * (1.0f - squashed * squashed);
        if (kind == PEEPHOLE_LSTM)
            dnew += dout * NAME(load_n)(a->b + 2 * n + j, left);
        VF din = dnew * g * i * (1.0f - i), dforget = dnew * moved * f * (1.0f - f), dold = dnew * f;
        VF dg = dnew * i * (1.0f - g * g);
        if (!coupled)
            GIVE(0, din);
        GIVE(coupled ? 0 : 1, dforget);
        GIVE(coupled ? 1 : 2, dg);
        GIVE(coupled ? 2 : 3, dout);
        if (kind == PEEPHOLE_LSTM)
            dold += din * NAME(load_n)(a->b + j, left) + dforget * NAME(load_n)(a->b + n + j, left);
        NAME(store_n)(dc + j, dold, left);
    } else if (kind == SIMPLE_RNN) {
        VF h = NAME(load_n)(a->out + place * n + j, left), dnew = d * (1.0f - h * h);
        GIVE(0, dnew);
    } else {
        VF z = AT(a->kept, 4, 0), new = AT(a->kept, 4, 2);
        VF dnew = d * (1.0f - z) * (1.0f - new * new), dz = d * (old - new) * z * (1.0f - z);
        GIVE(0, dz);
        GIVE(2, dnew);
        carried = d * z;
        if (kind == GRU) {
            VF r = AT(a->kept, 4, 1), dreset = dnew * AT(a->kept, 4, 3) * r * (1.0f - r);
            GIVE(1, dreset);
            GIVE(3, dnew * r);
            MULTIPLY(0, dz);
            MULTIPLY(1, dreset);
            MULTIPLY(2, dnew * r);
        }
    }
    NAME(store_n)(dh + j, carried, left);
}

/* The gates of all rows; of those that have no real step at t nothing is touched. */
INLINE void NAME(rows_backward)(int kind, Shared *shared, const Share *mine, int64_t step, int64_t t)
{
    const Job *a = shared->job;
    const int64_t n = a->units, earlier = a->reverse ? a->batch : -a->batch;
    const int64_t begin = mine->first * WIDTH, end = mine->last * WIDTH < n ? mine->last * WIDTH : n;
    const float **before = mine->pointers;
    for (int64_t i = 0; i < mine->rows; i++) {
        const int64_t row = mine->order[i], place = row * a->steps + t, at = t * a->batch + row;
        if (a->mask && !a->mask[place])
            continue;
        before[i] = !OF[kind].cell ? a->before + at * n : step ? a->c + (at + earlier) * n : a->c0 + row * n;
        float *dh = a->dh0 + row * n, *dc = OF[kind].cell ? a->dc0 + row * n : NULL;
        float *found = a->found + at * OF[kind].found * n, *products = shared->compact + row * OF[kind].gates * n;
        int64_t j = begin;
        for (; j + V <= end; j += V)
            NAME(gates_backward)(kind, a, at, place, j, V, before[i], found, products, dh, dc);
        if (j < end)
            NAME(gates_backward)(kind, a, at, place, j, n - j, before[i], found, products, dh, dc);
    }
}

static void NAME(gates_of_step)(Shared *shared, const Share *mine, int64_t step, int64_t t)
{
#define CASE(kind) case kind: NAME(rows_backward)(kind, shared, mine, step, t); break;
    switch (shared->job->kind) {
        EACH_KIND(CASE)
    }
#undef CASE
}

/* GRU_V1: what came through r * h. */
INLINE void NAME(reset_backward)(
    const Job *a, int64_t at, int64_t j, const float *before, float *found, float *dh, VF through)
{
    const int64_t n = a->units, left = n - j;
    VF r = AT(a->kept, 4, 1), dreset = through * NAME(load_n)(before + j, left) * r * (1.0f - r);
    GIVE(1, dreset);
    NAME(store_n)(dh + j, NAME(load_n)(dh + j, left) + through * r, left);
}

/* Adds to dh what comes through the products of gates `from` to `to`. */
static void NAME(step_backward)(Shared *shared, const Share *mine, int64_t t, int64_t live, int64_t from, int64_t to)
{
    const Job *a = shared->job;
    const int64_t n = a->units, depth = OF[a->kind].gates * n;
    const float **before = mine->pointers, **d = before + a->batch;
    const int reset = a->kind == GRU_V1 && from;
    const int64_t stride = SUMS(PADDED(a));
    for (int64_t i = 0; i < live; i++) {
        const int64_t row = mine->order[i];
        const int here = a->kind != GRU && (!a->mask || a->mask[row * a->steps + t]);
        d[i] = (here ? a->found + (t * a->batch + row) * depth : shared->compact + row * depth) + from * n;
    }
    for (int64_t panel = mine->first; panel < mine->last; panel++) {
        float *sums = mine->sums + panel * WIDTH;
        NAME(multiply)(live, (to - from) * n, d, shared->packed + (panel * depth + from * n) * WIDTH, NULL, sums, stride);
        for (int64_t i = 0; i < live; i++) {
            const int64_t row = mine->order[i], place = row * a->steps + t, at = t * a->batch + row;
            float *dh = a->dh0 + row * n;
            if (a->mask && !a->mask[place])
                continue;
            for (int64_t j = panel * WIDTH, w = 0; w < 2 && j < n; w++, j += V) {
                VF sum = NAME(load)(sums + i * stride + w * V);
                if (reset)
                    NAME(reset_backward)(a, at, j, before[i], a->found + at * depth, dh, sum);
                else
                    NAME(store_n)(dh + j, NAME(load_n)(dh + j, n - j) + sum, n - j);
            }
        }
    }
}

/* The gradients of projected rows of a table, each thread some columns: sums over the steps that have the row. */
static void NAME(table_backward)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t width = shared->apart, panels = (width + WIDTH - 1) / WIDTH;
    const int64_t begin = panels * me / shared->threads * WIDTH, stop = panels * (me + 1) / shared->threads * WIDTH;
    const int64_t end = stop < width ? stop : width;
    for (int64_t i = 0; i < shared->inputs && begin < end; i++)
        memset(shared->projected + i * width + begin, 0, (size_t)(end - begin) * sizeof(float));
    for (int64_t i = 0; i < shared->real; i++) {
        const float *from = a->found + shared->moments[i] * OF[a->kind].found * a->units;
        float *to = shared->projected + shared->slots[shared->places[i]] * width;
        for (int64_t j = begin; j < end; j += V)
            NAME(store_n)(to + j, NAME(load_n)(to + j, end - j) + NAME(load_n)(from + j, end - j), end - j);
    }
}

/* Sums over real steps of factors times the gradients of gates from the `from`th float on, each thread some columns. */
static void NAME(sums_of_steps)(
    const Shared *shared, int me, const Factor *factors, int many, int64_t from, int64_t columns, float *totals)
{
    const Job *a = shared->job;
    const int64_t panels = (columns + WIDTH - 1) / WIDTH, n = shared->threads;
    NAME(columns_product)(shared->moments, shared->real, factors, many, a->found + from,
                          OF[a->kind].found * a->units, columns, panels * me / n, panels * (me + 1) / n,
                          OF[a->kind].gates * a->units, totals, shared->work + me * DEPTH * SIDE * WIDTH);
}

/* The gradients of matrices. */
static void NAME(weights_backward)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t n = a->units, width = OF[a->kind].gates * n, panels = (width + WIDTH - 1) / WIDTH, last = shared->threads;
    Factor factors[FACTORS] = {{shared->from, a->x, a->features, a->features, a->dw}, {shared->moments, a->before, n, n, a->du}};
    const Factor *of_steps = factors + (a->tokens != NULL); /* rows of a table are summed over on their own */
    const int many = a->tokens ? 1 : 2;
    if (a->tokens)
        NAME(columns_product)(shared->to, shared->inputs, factors, 1, shared->projected, shared->apart, width,
                              panels * me / last, panels * (me + 1) / last, width, a->dbias,
                              shared->work + me * DEPTH * SIDE * WIDTH);
    if (a->kind == GRU) { /* the third gate's product has a gradient of its own */
        NAME(sums_of_steps)(shared, me, of_steps, many, 0, 2 * n, a->db);
        factors[0].to += 2 * n;
        factors[1].to += 2 * n;
        NAME(sums_of_steps)(shared, me, factors + 1, 1, 3 * n, n, a->db + 2 * n);
        if (!a->tokens) {
            NAME(sums_of_steps)(shared, me, factors, 1, 2 * n, n, a->dbias + 2 * n);
            const int64_t of_two = (2 * n + WIDTH - 1) / WIDTH, begin = of_two * me / last * WIDTH;
            for (int64_t j = begin; j < of_two * (me + 1) / last * WIDTH && j < 2 * n; j++)
                a->dbias[j] = a->db[j];
        }
    } else if (a->kind == GRU_V1) { /* its third gate meets r * h */
        NAME(sums_of_steps)(shared, me, of_steps, many, 0, 2 * n, a->tokens ? NULL : a->dbias);
        factors[0].to += 2 * n;
        factors[1] = (Factor){shared->moments, a->kept + 3 * n, OF[a->kind].kept * n, n, a->du + 2 * n};
        NAME(sums_of_steps)(shared, me, of_steps, many, 2 * n, n, a->tokens ? NULL : a->dbias + 2 * n);
    } else {
        NAME(sums_of_steps)(shared, me, of_steps, many, 0, width, a->tokens ? NULL : a->dbias);
    }
    if (a->kind != PEEPHOLE_LSTM || me)
        return;
    const float *d = a->found;
    const int64_t apart = OF[a->kind].found * n;
    memset(a->db, 0, (size_t)(3 * n) * sizeof(float));
    for (int64_t i = 0; i < shared->real; i++) {
        const int64_t at = shared->moments[i], row = at % a->batch, t = at / a->batch, first = a->reverse ? a->steps - 1 : 0;
        const float *old = t == first ? a->c0 + row * n : a->c + (at + (a->reverse ? a->batch : -a->batch)) * n;
        for (int64_t j = 0; j < n; j++) {
            a->db[j] += d[at * apart + j] * old[j];
            a->db[n + j] += d[at * apart + n + j] * old[j];
            a->db[2 * n + j] += d[at * apart + 3 * n + j] * a->c[at * n + j];
        }
    }
}

/* The gradients of inputs, each thread some. Apart from the rest, as the inputs of a model need none; but not those of a
 * table: on the way back they are sums that are at hand. */
static void NAME(inputs)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t width = OF[a->kind].gates * a->units, panels = (a->features + WIDTH - 1) / WIDTH, n = shared->threads;
    for (int64_t panel = panels * me / n; panel < panels * (me + 1) / n; panel++)
        NAME(pack_transposed)(a->w, width, a->features, panel, shared->weights + panel * width * WIDTH);
    for (int64_t at = a->batch * a->steps * me / n; a->mask && !a->tokens && at < a->batch * a->steps * (me + 1) / n; at++)
        if (!a->mask[at])
            memset(a->dx + at * a->features, 0, (size_t)a->features * sizeof(float));
    barrier(shared);
    const int64_t *to = a->tokens ? NULL : shared->places, begin = shared->inputs * me / n, end = shared->inputs * (me + 1) / n;
    NAME(rows_product)(shared->to, to, begin, end, shared->projected, shared->apart, width, shared->weights, a->features, NULL,
                       a->dx, a->features);
}

static void NAME(backward)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t n = a->units, gates = OF[a->kind].gates;
    const int cell = OF[a->kind].cell;
    const Share mine = share(shared, me, PANELS(a), WIDTH);
    const int64_t begin = mine.first * WIDTH, end = mine.last * WIDTH < n ? mine.last * WIDTH : n;
    const size_t bytes = (size_t)(end - begin) * sizeof(float);
    for (int64_t panel = mine.pack_first; panel < mine.pack_last; panel++)
        NAME(pack_transposed)(a->u, gates * n, n, panel, shared->packed + panel * gates * n * WIDTH);
    for (int64_t i = 0; i < mine.rows; i++) {
        const int64_t row = mine.order[i];
        memcpy(a->dh0 + row * n + begin, a->dh_last + row * n + begin, bytes);
        if (cell)
            memcpy(a->dc0 + row * n + begin, a->dc_last + row * n + begin, bytes);
        for (int64_t g = 0; g < gates; g++) /* read, but not used, of masked rows */
            memset(shared->compact + (row * gates + g) * n + begin, 0, bytes);
    }
    barrier(shared);
    for (int64_t step = a->steps - 1; step >= 0; step--) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, live = living(shared, &mine, t);
        NAME(gates_of_step)(shared, &mine, step, t);
        step_barrier(shared);
        if (a->kind == GRU_V1) {
            NAME(step_backward)(shared, &mine, t, live, 2, 3);
            step_barrier(shared);
            NAME(step_backward)(shared, &mine, t, live, 0, 2);
        } else {
            NAME(step_backward)(shared, &mine, t, live, 0, gates);
        }
        step_barrier(shared); /* the next step writes where others still read */
    }
    barrier(shared);
    if (a->tokens) {
        NAME(table_backward)(shared, me);
        barrier(shared);
    }
    NAME(weights_backward)(shared, me);
    if (a->tokens)
        NAME(inputs)(shared, me);
}

#undef GIVE
#undef MULTIPLY
#undef KEEP
#undef AT
#undef PADDED
