/* Writing, token by token: few rows, so that threads share the units, with a barrier a layer. */

#define WIDE(count) (((count) + WIDTH - 1) / WIDTH)

/* The product of one row: twice the sums of `tile`, as each waits for the one before. */
static void NAME(row)(int64_t depth, const float *a, const float *b, const float *start, float *sums)
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

static void NAME(rows)(
    int64_t rows, int64_t depth, const float *const *a, const float *b, const float *start, float *sums, int64_t stride)
{
    if (rows == 1)
        NAME(row)(depth, *a, b, start, sums);
    else
        NAME(multiply)(rows, depth, a, b, start, sums, stride);
}

/* Floats of the packed matrices of a layer: [panel][gate][of U, of W, the bias][WIDTH]. */
#define OF_GATE(layer) (((layer)->features + (layer)->units + 1) * WIDTH)
#define OF_LAYER(layer) (WIDE((layer)->units) * (layer)->gates * OF_GATE(layer))

static int64_t NAME(packed_floats)(const Text *text)
{
    int64_t floats = 0;
    for (int64_t l = 0; l < text->layers; l++)
        floats += OF_LAYER(text->layer + l);
    return floats + WIDE(text->vocabulary) * (text->layer[text->layers - 1].units + 1) * WIDTH;
}

static void NAME(pack_text)(const Text *text)
{
    float *to = text->packed;
    for (int64_t l = 0; l < text->layers; l++) {
        const Layer *layer = text->layer + l;
        const int64_t n = layer->units, width = layer->gates * n;
        for (int64_t panel = 0; panel < WIDE(n); panel++)
            for (int64_t g = 0; g < layer->gates; g++, to += OF_GATE(layer)) {
                NAME(pack)(layer->u + g * n, n, n, width, panel, to);
                NAME(pack)(layer->w + g * n, layer->features, n, width, panel, to + n * WIDTH);
                NAME(pack)(layer->bias + g * n, 1, n, 0, panel, to + (n + layer->features) * WIDTH);
            }
    }
    const int64_t units = text->layer[text->layers - 1].units;
    for (int64_t panel = 0; panel < WIDE(text->vocabulary); panel++, to += (units + 1) * WIDTH) {
        NAME(pack)(text->head, units, text->vocabulary, text->vocabulary, panel, to);
        NAME(pack)(text->head_bias, 1, text->vocabulary, 0, panel, to + units * WIDTH);
    }
}

/* The token of one row. */
static int32_t NAME(choose)(const Writer *writer, int64_t row, int64_t step)
{
    Text *text = writer->text;
    const int64_t n = text->vocabulary, place = row * text->steps + step;
    const float *logits = writer->logits + row * writer->words;
    const float sharpness = text->temperature > 0.0f ? 1.0f / text->temperature : 1.0f;
    float most = logits[0], total = 0.0f;
    int64_t chosen = 0;
    for (int64_t i = 1; i < n; i++)
        if (logits[i] > most) {
            most = logits[i];
            chosen = i;
        }
    for (int again = 0; again <= (sharpness != 1.0f); again++) { /* as the model says, and as the temperature does */
        total = 0.0f;
        for (int64_t i = 0; i < n; i += V) {
            VF x = (NAME(load_n)(logits + i, n - i) - most) * (again ? sharpness : 1.0f), size, y = NAME(exp_parts)(x, &size);
            NAME(store)(writer->p + i, NAME(either)(x < (VF){0} - 87.0f, (VF){0}, y * size + size));
            for (int64_t v = 0; v < V && v < n - i; v++)
                total += writer->p[i + v];
        }
        if (!again)
            text->sums[place] = total;
    }
    if (text->temperature > 0.0f) {
        int64_t kept = n;
        for (int64_t i = 0; i < n; i++) /* what is no number has no probability */
            writer->choices[i] = (Choice){writer->p[i] > 0.0f ? writer->p[i] : 0.0f, (int32_t)i};
        if (text->top_k || text->top_p < 1.0f)
            kept = likeliest(text, writer->choices, total);
        chosen = writer->choices[invert(writer->choices, kept, text->uniforms[step * text->batch + row])].token;
    }
    text->gains[place] = logits[chosen] - most;
    return text->tokens[place] = (int32_t)chosen;
}

/* Some panels of a layer; phase 1 is the last gate of GRU_V1, see `step_forward`. The table's row is there already, what
 * comes from the layer below is projected first. */
INLINE void NAME(write_gates)(
    int kind, int phase, const Writer *writer, const Layer *layer, const Job *job, const float *packed, const float **rows,
    const float *in, const float *h, float *next, int64_t first, int64_t last)
{
    const int64_t n = layer->units, batch = job->batch, depth = layer->features, padded = WIDE(n) * WIDTH;
    const int64_t stride = SUMS(padded), apart = depth ? stride : layer->gates * n, gap = depth ? padded : n;
    const int from = phase ? 2 : 0, to = kind == GRU_V1 && !phase ? 2 : OF[kind].gates;
    for (int64_t panel = first; panel < last; panel++)
        for (int g = from; g < to; g++) {
            const float *b = packed + (panel * OF[kind].gates + g) * OF_GATE(layer);
            for (int64_t i = 0; i < batch; i++)
                rows[i] = (phase ? writer->reset : h) + i * n;
            NAME(rows)(batch, n, rows, b, NULL, writer->sums + g * padded + panel * WIDTH, stride);
            for (int64_t i = 0; i < batch; i++)
                rows[i] = in + i * depth;
            if (depth)
                NAME(rows)(batch, depth, rows, b + n * WIDTH, b + (n + depth) * WIDTH,
                           writer->input + g * padded + panel * WIDTH, stride);
        }
    const float *input = depth ? writer->input : in;
    const int64_t end = last * WIDTH < n ? last * WIDTH : n;
    float *to_rows = kind == GRU_V1 && !phase ? writer->reset : next;
    for (int64_t i = 0; i < batch; i++)
        for (int64_t j = first * WIDTH; j < end; j += V)
            NAME(gates_forward)(kind, phase, job, i, j, n - j, h + i * n, to_rows + i * n, job->c + i * n, input + i * apart,
                                gap, writer->sums + i * stride, padded, to_rows + i * n);
}

/* One layer, one step on. */
static void NAME(write_layer)(
    Shared *shared, int me, int64_t l, const float *packed, const float **rows, const float *in, const float *h, float *next)
{
    const Writer *writer = shared->writer;
    const Layer *layer = writer->text->layer + l;
    const Job *job = writer->jobs + l;
    const int64_t panels = WIDE(layer->units), first = panels * me / shared->threads, last = panels * (me + 1) / shared->threads;
#define CASE(kind) case kind: NAME(write_gates)(kind, 0, writer, layer, job, packed, rows, in, h, next, first, last); break;
    for (int phase = 0; phase <= (layer->kind == GRU_V1); phase++) {
        switch (phase ? KINDS : layer->kind) {
            EACH_KIND(CASE)
        default: NAME(write_gates)(GRU_V1, 1, writer, layer, job, packed, rows, in, h, next, first, last);
        }
        barrier(shared);
    }
#undef CASE
}

static void NAME(write)(Shared *shared, int me)
{
    const Writer *writer = shared->writer;
    const Text *text = writer->text;
    const int64_t batch = text->batch, panels = WIDE(text->vocabulary), width = writer->width;
    const int64_t units = text->layer[text->layers - 1].units;
    const float **rows = writer->rows + me * batch;
    for (int64_t step = 0; step < text->steps; step++) {
        for (int64_t i = 0; i < batch && !me; i++)
            memcpy(writer->first + i * width, text->table + NAME(choose)(writer, i, step) * width, (size_t)width * sizeof(float));
        barrier(shared);
        const float *in = writer->first, *packed = text->packed;
        for (int64_t l = 0; l < text->layers; packed += OF_LAYER(text->layer + l), l++) {
            float *next = writer->h[2 * l + !(step % 2)];
            NAME(write_layer)(shared, me, l, packed, rows, in, writer->h[2 * l + step % 2], next);
            in = next;
        }
        for (int64_t i = 0; i < batch; i++)
            rows[i] = in + i * units;
        for (int64_t panel = panels * me / shared->threads; panel < panels * (me + 1) / shared->threads; panel++) {
            const float *b = packed + panel * (units + 1) * WIDTH;
            NAME(rows)(batch, units, rows, b, b + units * WIDTH, writer->logits + panel * WIDTH, writer->words);
        }
        barrier(shared);
    }
}

#undef OF_GATE
#undef OF_LAYER
#undef WIDE
