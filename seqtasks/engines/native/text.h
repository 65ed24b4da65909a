/* A model that writes: tokens, each drawn from a softmax over what the recurrent layers make of those before it. */

typedef struct {
    int64_t features, units; /* no features: what comes in is projected already, (batch, gates * units) */
    int32_t kind, gates;
    const float *w;          /* (features, gates * units) */
    const float *bias;       /* (gates * units) */
    const float *u, *b;      /* as those of a Job */
    float *h, *c;            /* (batch, units): before the first token, then after the last */
} Layer;

typedef struct {
    int64_t steps, batch, vocabulary, layers, top_k; /* top_k: 0, all */
    int32_t threads, kernel;
    float temperature, top_p;    /* 0: the likeliest token; top_p of 1: all */
    Layer *layer;
    const float *table;          /* (vocabulary, …): what comes into the first layer */
    const float *head;           /* (units, vocabulary) */
    const float *head_bias;      /* (vocabulary) */
    float *packed;               /* all matrices, as `seqtasks_pack` leaves them for this kernel */
    const float *uniforms;       /* (steps, batch), from 0 to below 1 */
    float *logits;               /* (batch, vocabulary): of the first token, then of that after the last */
    int32_t *tokens;             /* (batch, steps) */
    float *gains, *sums;         /* (batch, steps): log-probabilities are gain - log(sum) */
} Text;

typedef struct {
    float p;
    int32_t token;
} Choice;

/* What the threads have together while they write. */
typedef struct Writer {
    Text *text;
    Job *jobs;                   /* one a layer, of a single step */
    float **h;                   /* two of each layer, (batch, units), which change places */
    int64_t width;               /* of the table */
    const float **rows;          /* room of each thread */
    float *sums, *input;         /* products of each row with U and W, gate by gate */
    float *reset, *first;        /* (batch, …): r * h of GRU_V1; what comes into the first layer */
    int64_t words;               /* floats of a row of logits: the vocabulary, in whole panels */
    float *logits;               /* (batch, words) */
    float *p;                    /* of one row, and a vector more */
    Choice *choices;
} Writer;

static int by_probability(const void *one, const void *other)
{
    const Choice *a = one, *b = other;
    return a->p != b->p ? (a->p < b->p) - (a->p > b->p) : (a->token > b->token) - (a->token < b->token);
}

/* Leaves the likeliest choices; all that is told of them is in their order, the likeliest first. Returns how many. */
static int64_t likeliest(const Text *text, Choice *choices, float total)
{
    int64_t kept = 0;
    float before = 0.0f;
    qsort(choices, (size_t)text->vocabulary, sizeof *choices, by_probability);
    while (kept < text->vocabulary && (!text->top_k || kept < text->top_k) && (!kept || before < text->top_p * total))
        before += choices[kept++].p;
    return kept;
}

/* The place of a choice by inversion of the distribution function; rounding must not reach one that has no probability. */
static int64_t invert(const Choice *choices, int64_t count, float uniform)
{
    float total = 0.0f, below = 0.0f;
    int64_t last = 0, place = 0;
    for (int64_t i = 0; i < count; i++) {
        total += choices[i].p;
        if (choices[i].p > 0.0f)
            last = i;
    }
    for (; place < last; place++) {
        below += choices[place].p;
        if (!(below <= uniform * total))
            break;
    }
    return place;
}
