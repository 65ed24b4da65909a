/* Calls that write a text. */

/* How many floats the packed matrices of a text take, for the kernel that runs now, which the text keeps. */
EXPORT int64_t seqtasks_packed(Text *text)
{
    seqtasks_chosen();
    text->kernel = chosen;
    return KERNELS[chosen].packed(text);
}

EXPORT void seqtasks_pack(const Text *text) { KERNELS[text->kernel].pack(text); }

/* Memory for all that the threads have together; null without it. */
static float *allot(Writer *writer, int threads, int64_t lanes)
{
    Text *text = writer->text;
    const int64_t batch = text->batch, words = writer->words = (text->vocabulary + 2 * lanes - 1) / (2 * lanes) * 2 * lanes;
    int64_t units = 0, total = 0;
    for (int64_t l = 0; l < text->layers; l++)
        units = text->layer[l].units > units ? text->layer[l].units : units;
    const int64_t row = SUMS(units + 2 * lanes), all = text->layers * batch * units;
    writer->width = text->layer->features ? text->layer->features : text->layer->gates * text->layer->units;
    const struct {
        float **at;
        int64_t count;
    } parts[] = {{&writer->sums, batch * row}, {&writer->input, batch * row}, {&writer->reset, batch * units},
                 {&writer->first, batch * writer->width}, {&writer->logits, batch * words}, {&writer->p, words},
                 {NULL, batch * units * 5}, {NULL, 2 * all}};
    enum { PARTS = sizeof parts / sizeof *parts };
    for (int i = 0; i < PARTS; i++)
        total += parts[i].count + 32; /* vectors may begin at the last number of a part */
    writer->jobs = calloc((size_t)text->layers, sizeof *writer->jobs);
    writer->h = malloc((size_t)(2 * text->layers) * sizeof *writer->h);
    writer->rows = malloc((size_t)(threads * batch) * sizeof *writer->rows);
    writer->choices = malloc((size_t)text->vocabulary * sizeof *writer->choices);
    float *memory = aligned((size_t)total * sizeof *memory);
    if (!writer->jobs || !writer->h || !writer->rows || !writer->choices || !memory) {
        release(memory);
        return NULL;
    }
    memset(memory, 0, (size_t)total * sizeof *memory);
    float *next = memory, *scratch = NULL;
    for (int i = 0; i < PARTS; next += (parts[i].count + 32) / 16 * 16, i++)
        if (parts[i].at)
            *parts[i].at = next;
        else if (!scratch)
            scratch = next;
        else
            for (int64_t l = 0; l < 2 * text->layers; l++)
                writer->h[l] = next + l * batch * units;
    for (int64_t l = 0; l < text->layers; l++) {
        Layer *layer = text->layer + l;
        const size_t bytes = (size_t)(batch * layer->units) * sizeof(float);
        memcpy(writer->h[2 * l], layer->h, bytes);
        writer->jobs[l] = (Job){.steps = 1, .batch = batch, .units = layer->units, .kind = layer->kind, .b = layer->b,
                                .c = OF[layer->kind].cell ? layer->c : scratch, .kept = scratch,
                                .before = scratch + 4 * batch * layer->units};
    }
    for (int64_t i = 0; i < batch; i++)
        memcpy(writer->logits + i * words, text->logits + i * text->vocabulary, (size_t)text->vocabulary * sizeof(float));
    return memory;
}

/* Writes; nonzero without memory. */
EXPORT int seqtasks_write(Text *text)
{
    const Kernel *kernel = &KERNELS[text->kernel];
    Writer writer = {.text = text};
    Shared shared = {.threads = text->threads, .writer = &writer};
    float *memory = allot(&writer, text->threads, kernel->lanes);
    if (memory) {
        enter();
        together(&shared, 1, kernel->write);
        leave();
        for (int64_t i = 0; i < text->batch; i++)
            memcpy(text->logits + i * text->vocabulary, writer.logits + i * writer.words, (size_t)text->vocabulary * sizeof(float));
        for (int64_t l = 0; l < text->layers; l++)
            memcpy(text->layer[l].h, writer.h[2 * l + text->steps % 2],
                   (size_t)(text->batch * text->layer[l].units) * sizeof(float));
    }
    release(memory);
    free(writer.choices);
    free(writer.rows);
    free(writer.h);
    free(writer.jobs);
    return memory ? 0 : NO_MEMORY;
}
