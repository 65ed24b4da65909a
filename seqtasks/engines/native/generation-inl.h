/* Text generation, token by token. There are few rows, so each thread computes some units, with a barrier per layer. */

#define NUM_PANELS(count) (((count) + WIDTH - 1) / WIDTH)

/* The product of one row, in four independent sums: an addition has to wait for the previous one to the same sum. */
static void NAME(multiply_row)(int64_t depth, const float *a, const float *b, const float *start, float *sums)
{
    VF s[4][2] = {{{0}}};
    int64_t k = 0;
    for (int w = 0; w < 2 && start; w++)
        s[0][w] = NAME(load)(start + w * V);
    for (; k + 4 <= depth; k += 4)
        for (int r = 0; r < 4; r++) {
            VF x = a[k + r] - (VF){0};
            s[r][0] += x * NAME(load)(b + (k + r) * WIDTH);
            s[r][1] += x * NAME(load)(b + (k + r) * WIDTH + V);
        }
    for (; k < depth; k++)
        for (int w = 0; w < 2; w++)
            s[0][w] += a[k] * NAME(load)(b + k * WIDTH + w * V);
    for (int w = 0; w < 2; w++)
        NAME(store)(sums + w * V, (s[0][w] + s[1][w]) + (s[2][w] + s[3][w]));
}

/* Products of any number of rows, see `multiply`. */
static void NAME(multiply_rows)(int64_t rows, int64_t depth, const float *const *a, const float *b, const float *start,
                                float *sums, int64_t stride)
{
    if (rows == 1)
        NAME(multiply_row)(depth, *a, b, start, sums);
    else
        NAME(multiply)(rows, depth, a, b, start, sums, stride);
}

/* Floats of the packed matrices of a layer: [panel][gate][rows of U, rows of W, bias][WIDTH]. */
#define GATE_FLOATS(layer) (((layer)->features + (layer)->units + 1) * WIDTH)
#define LAYER_FLOATS(layer) (NUM_PANELS((layer)->units) * (layer)->gates * GATE_FLOATS(layer))

static int64_t NAME(packed_floats)(const GenerationCall *call)
{
    int64_t floats = 0;
    for (int64_t l = 0; l < call->layers; l++)
        floats += LAYER_FLOATS(call->layer + l);
    return floats + NUM_PANELS(call->vocabulary) * (call->layer[call->layers - 1].units + 1) * WIDTH;
}

static void NAME(pack_weights)(const GenerationCall *call)
{
    float *to = call->packed;
    for (int64_t l = 0; l < call->layers; l++) {
        const Layer *layer = call->layer + l;
        const int64_t n = layer->units, width = layer->gates * n;
        for (int64_t panel = 0; panel < NUM_PANELS(n); panel++)
            for (int64_t g = 0; g < layer->gates; g++, to += GATE_FLOATS(layer)) {
                NAME(pack)(layer->u + g * n, n, n, width, panel, to);
                NAME(pack)(layer->w + g * n, layer->features, n, width, panel, to + n * WIDTH);
                NAME(pack)(layer->bias + g * n, 1, n, 0, panel, to + (n + layer->features) * WIDTH);
            }
    }
    const int64_t units = call->layer[call->layers - 1].units;
    for (int64_t panel = 0; panel < NUM_PANELS(call->vocabulary); panel++, to += (units + 1) * WIDTH) {
        NAME(pack)(call->head, units, call->vocabulary, call->vocabulary, panel, to);
        NAME(pack)(call->head_bias, 1, call->vocabulary, 0, panel, to + units * WIDTH);
    }
}

/* Samples the next token of one row and stores its log-probability. */
static int32_t NAME(sample_token)(const Generator *generator, int64_t row, int64_t step)
{
    GenerationCall *call = generator->call;
    const int64_t n = call->vocabulary, position = row * call->steps + step;
    const float *logits = generator->logits + row * generator->logits_stride;
    const float sharpness = call->temperature > 0.0f ? 1.0f / call->temperature : 1.0f;
    float largest = logits[0], total = 0.0f;
    int64_t chosen = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > largest) {
            largest = logits[i];
            chosen = i;
        }
    for (int pass = 0; pass <= (sharpness != 1.0f);
         pass++) { /* at temperature 1 for the log-probability, then at `temperature` */
        total = 0.0f;
        for (int64_t i = 0; i < n; i += V) {
            VF x = (NAME(load_n)(logits + i, n - i) - largest) * (pass ? sharpness : 1.0f), size, y = NAME(exp_parts)(x, &size);
            NAME(store)(generator->probabilities + i, NAME(either)(x < (VF){0} - 87.0f, (VF){0}, y * size + size));
            for (int64_t v = 0; v < V && v < n - i; v++)
                total += generator->probabilities[i + v];
        }
        if (!pass)
            call->exp_sums[position] = total;
    }
    if (call->temperature > 0.0f) {
        int64_t count = n;
        for (int64_t i = 0; i < n; i++) /* NaN counts as probability 0 */
            generator->candidates[i] =
                (Candidate){generator->probabilities[i] > 0.0f ? generator->probabilities[i] : 0.0f, (int32_t)i};
        if (call->top_k || call->top_p < 1.0f)
            count = keep_likeliest(call, generator->candidates, total);
        chosen =
            generator->candidates[sample_index(generator->candidates, count, call->uniforms[step * call->batch + row])].token;
    }
    call->shifted_logits[position] = logits[chosen] - largest;
    return call->tokens[position] = (int32_t)chosen;
}

/* One step of some panels of a layer. Phase 1 is the last gate of GRU_V1, see `step_forward`. The input is a
 * projected row of the table, or the h of the layer below, which is projected here. */
INLINE void NAME(generate_gates)(int kind, int phase, const Generator *generator, const Layer *layer, const RnnCall *layer_call,
                                 const float *packed, const float **rows, const float *in, const float *h, float *next,
                                 int64_t first, int64_t last)
{
    const int64_t n = layer->units, batch = layer_call->batch, depth = layer->features, padded = NUM_PANELS(n) * WIDTH;
    const int64_t stride = SUMS(padded), input_stride = depth ? stride : layer->gates * n, gap = depth ? padded : n;
    const int from = phase ? 2 : 0, to = kind == GRU_V1 && !phase ? 2 : CELLS[kind].gates;
    for (int64_t panel = first; panel < last; panel++)
        for (int g = from; g < to; g++) {
            const float *b = packed + (panel * CELLS[kind].gates + g) * GATE_FLOATS(layer);
            for (int64_t i = 0; i < batch; i++)
                rows[i] = (phase ? generator->reset_h : h) + i * n;
            NAME(multiply_rows)(batch, n, rows, b, NULL, generator->sums + g * padded + panel * WIDTH, stride);
            for (int64_t i = 0; i < batch; i++)
                rows[i] = in + i * depth;
            if (depth)
                NAME(multiply_rows)(batch, depth, rows, b + n * WIDTH, b + (n + depth) * WIDTH,
                                    generator->projected + g * padded + panel * WIDTH, stride);
        }
    const float *input = depth ? generator->projected : in;
    const int64_t end = last * WIDTH < n ? last * WIDTH : n;
    float *to_rows = kind == GRU_V1 && !phase ? generator->reset_h : next;
    for (int64_t i = 0; i < batch; i++)
        for (int64_t j = first * WIDTH; j < end; j += V)
            NAME(gates_forward)(kind, phase, layer_call, i, j, n - j, h + i * n, to_rows + i * n, layer_call->c + i * n,
                                input + i * input_stride, gap, generator->sums + i * stride, padded, to_rows + i * n);
}

/* One step of one layer. */
static void NAME(generate_layer)(CallShared *shared, int thread, int64_t l, const float *packed, const float **rows,
                                 const float *in, const float *h, float *next)
{
    const Generator *generator = shared->generator;
    const Layer *layer = generator->call->layer + l;
    const RnnCall *layer_call = generator->layer_calls + l;
    const int64_t panels = NUM_PANELS(layer->units), first = panels * thread / shared->threads,
                  last = panels * (thread + 1) / shared->threads;
#define CASE(kind) \
    case kind: NAME(generate_gates)(kind, 0, generator, layer, layer_call, packed, rows, in, h, next, first, last); break;
    for (int phase = 0; phase <= (layer->kind == GRU_V1); phase++) {
        switch (phase ? KINDS : layer->kind) {
            EACH_KIND(CASE)
        default: NAME(generate_gates)(GRU_V1, 1, generator, layer, layer_call, packed, rows, in, h, next, first, last);
        }
        barrier(shared);
    }
#undef CASE
}

/* All steps, run by each thread. */
static void NAME(generate)(CallShared *shared, int thread)
{
    const Generator *generator = shared->generator;
    const GenerationCall *call = generator->call;
    const int64_t batch = call->batch, panels = NUM_PANELS(call->vocabulary), width = generator->table_width;
    const int64_t units = call->layer[call->layers - 1].units;
    const float **rows = generator->rows + thread * batch;
    for (int64_t step = 0; step < call->steps; step++) {
        for (int64_t i = 0; i < batch && !thread; i++)
            memcpy(generator->first_input + i * width, call->table + NAME(sample_token)(generator, i, step) * width,
                   (size_t)width * sizeof(float));
        barrier(shared);
        const float *in = generator->first_input, *packed = call->packed;
        for (int64_t l = 0; l < call->layers; packed += LAYER_FLOATS(call->layer + l), l++) {
            float *next = generator->h[2 * l + !(step % 2)];
            NAME(generate_layer)(shared, thread, l, packed, rows, in, generator->h[2 * l + step % 2], next);
            in = next;
        }
        for (int64_t i = 0; i < batch; i++)
            rows[i] = in + i * units;
        for (int64_t panel = panels * thread / shared->threads; panel < panels * (thread + 1) / shared->threads; panel++) {
            const float *b = packed + panel * (units + 1) * WIDTH;
            NAME(multiply_rows)(batch, units, rows, b, b + units * WIDTH, generator->logits + panel * WIDTH,
                                generator->logits_stride);
        }
        barrier(shared);
    }
}

#undef GATE_FLOATS
#undef LAYER_FLOATS
#undef NUM_PANELS
