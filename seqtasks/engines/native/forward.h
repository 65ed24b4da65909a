/* The loop over time. */

#define PANELS(job) (((job)->units + WIDTH - 1) / WIDTH) /* of WIDTH units, the last one perhaps narrower */
#define PADDED(job) (PANELS(job) * WIDTH)
#define AT(array, parts, k) NAME(load_n)((array) + (at * (parts) + (k)) * n + j, left)
#define KEEP(k, value) NAME(store_n)(a->kept + (at * OF[kind].kept + (k)) * n + j, value, left)

/* U by panels of units, gate by gate: [panel][gate][k][WIDTH]. */
static void NAME(pack_forward)(const Job *a, int64_t first, int64_t last, float *packed)
{
    const int64_t n = a->units, gates = OF[a->kind].gates;
    for (int64_t panel = first; panel < last; panel++)
        for (int64_t g = 0; g < gates; g++)
            NAME(pack)(a->u + g * n, n, n, gates * n, panel, packed + (panel * gates + g) * n * WIDTH);
}

static void NAME(pack_inputs)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t width = OF[a->kind].gates * a->units, panels = (width + WIDTH - 1) / WIDTH, n = shared->threads;
    for (int64_t panel = panels * me / n; panel < panels * (me + 1) / n; panel++)
        NAME(pack)(a->w, a->features, width, width, panel, shared->weights + panel * a->features * WIDTH);
}

/* Some inputs projected. */
static void NAME(project)(Shared *shared, const int64_t *from, const int64_t *to, int64_t first, int64_t last)
{
    const Job *a = shared->job;
    NAME(rows_product)(from, to, first, last, a->x, a->features, a->features, shared->weights,
                       OF[a->kind].gates * a->units, a->bias, shared->projected, shared->apart);
}

/* Those of one step. */
static void NAME(project_step)(Shared *shared, const Share *mine, int64_t t, int64_t live)
{
    const Job *a = shared->job;
    int64_t from[CHUNK], to[CHUNK];
    for (int64_t i = 0; i < live;) {
        int64_t count = 0;
        for (; i < live && count < CHUNK; i++) {
            from[count] = mine->order[i] * a->steps + t;
            to[count] = t * a->batch + mine->order[i];
            count += !a->mask || a->mask[from[count]];
        }
        NAME(project)(shared, from, to, 0, count);
    }
}

/* One vector of units of one row, one step on. s: what of each gate is known before the activation. Gates are `gap` floats
 * apart in input, `padded` in sums. `kind`, `phase` and `left`, where there are V units or more, are known to the compiler,
 * which drops what they do not need. */
INLINE void NAME(gates_forward)(
    int kind, int phase, const Job *a, int64_t at, int64_t j, int64_t left, const float *h, float *next, const float *c,
    const float *input, int64_t gap, const float *sums, int64_t padded, float *out)
{
    const int64_t n = a->units;
    const int coupled = kind == COUPLED_LSTM, last = OF[kind].gates - 1;
    const VF h_old = NAME(load_n)(h + j, left);
    VF s[4], new;
    for (int g = phase ? 2 : 0; g <= (kind == GRU_V1 && !phase ? 1 : last); g++) {
        s[g] = NAME(load)(sums + g * padded + j);
        if (kind == GRU)
            s[g] += NAME(load_n)(a->b + g * n + j, left);
        if (kind != GRU || g < 2) /* the reset gate comes between that product and the input */
            s[g] += NAME(load_n)(input + g * gap + j, left);
    }
    if (OF[kind].cell) {
        const VF old = NAME(load_n)(c + j, left);
        VF f = s[coupled ? 0 : 1], g = NAME(tanh)(s[coupled ? 1 : 2]), o = s[last], i = s[0];
        if (kind == PEEPHOLE_LSTM) {
            i += NAME(load_n)(a->b + j, left) * old;
            f += NAME(load_n)(a->b + n + j, left) * old;
        }
        f = NAME(sigmoid)(f);
        if (coupled)
            i = 1.0f - f;
        else
            i = NAME(sigmoid)(i);
        new = f * old + i * g;
        if (kind == PEEPHOLE_LSTM)
            o += NAME(load_n)(a->b + 2 * n + j, left) * new;
        o = NAME(sigmoid)(o);
        if (!coupled)
            KEEP(0, i);
        KEEP(coupled ? 0 : 1, f);
        KEEP(coupled ? 1 : 2, g);
        KEEP(last, o);
        NAME(store_n)(a->c + at * n + j, new, left);
        new = o * NAME(tanh)(new);
    } else if (kind == SIMPLE_RNN) {
        new = NAME(tanh)(s[0]);
    } else {
        VF z, whole;
        if (!phase) {
            VF r = NAME(sigmoid)(s[1]), extra = r * h_old;
            z = NAME(sigmoid)(s[0]);
            KEEP(0, z);
            KEEP(1, r);
            if (kind == GRU) {
                extra = s[2];
                whole = NAME(load_n)(input + 2 * gap + j, left) + r * s[2];
            }
            KEEP(3, extra);
            if (kind == GRU_V1) {
                NAME(store_n)(next + j, extra, left);
                return;
            }
        } else {
            z = AT(a->kept, 4, 0);
            whole = s[2];
        }
        new = NAME(tanh)(whole);
        KEEP(2, new);
        new += z * (h_old - new);
    }
    NAME(store_n)(a->before + at * n + j, h_old, left);
    NAME(store_n)(next + j, new, left);
    NAME(store_n)(out + j, new, left);
}

/* From the products of a step to the states after it, row by row: it is in long stretches of memory. */
INLINE void NAME(rows_forward)(int kind, int phase, Shared *shared, const Share *mine, int64_t t, int64_t live)
{
    const Job *a = shared->job;
    const int64_t n = a->units, padded = PADDED(a), stride = SUMS(padded);
    const int64_t begin = mine->first * WIDTH, end = mine->last * WIDTH < n ? mine->last * WIDTH : n;
    const float **h = mine->pointers, **c = h + a->batch;
    for (int64_t i = 0; i < live; i++) {
        const int64_t row = mine->order[i], place = row * a->steps + t, at = t * a->batch + row;
        if (a->mask && !a->mask[place])
            continue;
        float *next = kind == GRU_V1 && !phase ? shared->compact + (2 * a->batch + row) * n : other(shared, row, h[i]);
        const float *sums = mine->sums + i * stride;
        const float *input = shared->projected + (shared->slots ? shared->slots[place] : at) * shared->apart;
        float *out = a->out + place * n;
        int64_t j = begin;
        for (; j + V <= end; j += V)
            NAME(gates_forward)(kind, phase, a, at, j, V, h[i], next, c[i], input, n, sums, padded, out);
        if (j < end)
            NAME(gates_forward)(kind, phase, a, at, j, n - j, h[i], next, c[i], input, n, sums, padded, out);
    }
}

/* All rows of some units; the last gate of GRU_V1 needs the others of all units, and is a phase of its own. */
static void NAME(step_forward)(Shared *shared, const Share *mine, int64_t t, int64_t live, int phase)
{
    const Job *a = shared->job;
    const int64_t n = a->units, gates = OF[a->kind].gates, stride = SUMS(PADDED(a));
    const float **read = mine->pointers;
    const int64_t from = phase ? 2 : 0, to = a->kind == GRU_V1 && !phase ? 2 : gates;
    if (phase)
        read += a->batch; /* GRU_V1 has no c: here are the products r * h */
    for (int64_t i = 0; phase && i < live; i++)
        read[i] = shared->compact + (2 * a->batch + mine->order[i]) * n;
    for (int64_t panel = mine->first; panel < mine->last; panel++)
        for (int64_t g = from; g < to; g++) {
            const float *packed = shared->packed + (panel * gates + g) * n * WIDTH;
            NAME(multiply)(live, n, read, packed, NULL, mine->sums + g * PADDED(a) + panel * WIDTH, stride);
        }
#define CASE(kind) case kind: NAME(rows_forward)(kind, 0, shared, mine, t, live); break;
    switch (phase ? KINDS : a->kind) {
        EACH_KIND(CASE)
    default: NAME(rows_forward)(GRU_V1, 1, shared, mine, t, live);
    }
#undef CASE
}

static void NAME(forward)(Shared *shared, int me)
{
    const Job *a = shared->job;
    const int64_t n = a->units;
    const int cell = OF[a->kind].cell;
    const Share mine = share(shared, me, PANELS(a), WIDTH);
    const float **h = mine.pointers, **c = mine.pointers + a->batch;
    const int64_t begin = mine.first * WIDTH, end = mine.last * WIDTH < n ? mine.last * WIDTH : n;
    const size_t bytes = (size_t)(end - begin) * sizeof(float);
    for (int64_t i = 0; i < mine.rows; i++) {
        const int64_t row = mine.order[i];
        float *first = shared->compact + row * n;
        memcpy(first + begin, a->h0 + row * n + begin, bytes);
        h[i] = first;
        c[i] = cell ? a->c0 + row * n : NULL;
        if (a->kind == GRU_V1) /* what masked rows read there is not used, but has to be a number */
            memset(first + 2 * a->batch * n + begin, 0, bytes);
    }
    NAME(pack_forward)(a, mine.pack_first, mine.pack_last, shared->packed);
    NAME(pack_inputs)(shared, me);
    barrier(shared);
    if (!shared->stepwise) {
        const int64_t many = shared->inputs;
        NAME(project)(shared, shared->from, shared->to, many * me / shared->threads, many * (me + 1) / shared->threads);
        barrier(shared);
    }
    for (int64_t step = 0; step < a->steps; step++) {
        const int64_t t = a->reverse ? a->steps - 1 - step : step, live = living(shared, &mine, t);
        if (shared->stepwise)
            NAME(project_step)(shared, &mine, t, live);
        NAME(step_forward)(shared, &mine, t, live, 0);
        if (a->kind == GRU_V1) {
            step_barrier(shared);
            NAME(step_forward)(shared, &mine, t, live, 1);
        }
        for (int64_t i = 0; i < mine.rows; i++) {
            const int64_t row = mine.order[i], place = row * a->steps + t, at = t * a->batch + row;
            if (!a->mask || a->mask[place]) {
                h[i] = other(shared, row, h[i]);
            } else {
                memset(a->out + place * n + begin, 0, bytes);
                if (cell)
                    memcpy(a->c + at * n + begin, c[i] + begin, bytes);
            }
            if (cell)
                c[i] = a->c + at * n;
        }
        step_barrier(shared);
    }
    for (int64_t i = 0; i < mine.rows; i++) {
        memcpy(a->h_last + mine.order[i] * n + begin, h[i] + begin, bytes);
        if (cell)
            memcpy(a->c_last + mine.order[i] * n + begin, c[i] + begin, bytes);
    }
}
