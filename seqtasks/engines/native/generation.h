/* Text generation with a language model: the arguments of a call, and sampling from the softmax. */

#ifndef SEQTASKS_GENERATION_H
#define SEQTASKS_GENERATION_H

#include <stdint.h>
#include <stdlib.h>

#include "rnn_call.h"

/* A recurrent layer. Python mirrors it: `_Layer` of text_generation.py. */
typedef struct {
    int64_t features; /* width of the input; 0: the input is already projected, (batch, gates * units) */
    int64_t units;
    int32_t kind;       /* LSTM, GRU, ... */
    int32_t gates;      /* number of gates of the weight matrices, see CELLS */
    const float *w;     /* (features, gates * units) */
    const float *bias;  /* (gates * units) */
    const float *u, *b; /* as in RnnCall */
    float *h, *c;       /* (batch, units): states before the first token, replaced by those after the last */
} Layer;

/* The model and one request. Python mirrors it: `_GenerationCall` of text_generation.py. */
typedef struct {
    int64_t steps, batch, vocabulary; /* tokens to generate per row, rows, size of the softmax */
    int64_t layers;                   /* number of layers */
    int64_t top_k;                    /* sample from the k most probable tokens; 0: from all */
    int32_t threads;                  /* number of threads */
    int32_t kernel;                   /* index into KERNELS for which the matrices are packed */
    float temperature;                /* temperature of the softmax; 0: take the most probable token */
    float top_p;                      /* sample from the most probable tokens with this total probability; 1: from all */
    Layer *layer;                     /* the layers */
    const float *table;               /* input of the first layer for each token, (vocabulary, features or gates * units) */
    const float *head;                /* output weights, (units, vocabulary) */
    const float *head_bias;           /* (vocabulary) */
    float *packed;                    /* all matrices, packed by `seqtasks_pack` for this kernel */
    const float *uniforms;            /* (steps, batch), uniform random numbers in [0, 1) */
    float *logits;                    /* (batch, vocabulary): logits of the first token, replaced by those after the last */
    int32_t *tokens;                  /* (batch, steps), the generated tokens */
    float *shifted_logits;            /* (batch, steps), logit of the token minus the largest logit */
    float *exp_sums;                  /* (batch, steps), sum of exp(logit - largest logit): log-probability is
                                         shifted_logits - log(exp_sums) */
} GenerationCall;

/* A token that can be sampled. */
typedef struct {
    float p; /* probability, not normalized */
    int32_t token;
} Candidate;

/* The data that the threads share during generation. */
typedef struct Generator {
    GenerationCall *call;
    RnnCall *layer_calls;  /* one per layer, of a single step */
    float **h;             /* two per layer, (batch, units), read and written alternately */
    int64_t table_width;   /* columns of the table */
    const float **rows;    /* (threads, batch), addresses of the rows to multiply */
    float *sums;           /* products of each row with U, gate by gate */
    float *projected;      /* products of each row with W, gate by gate */
    float *reset_h;        /* (batch, units), r * h of GRU_V1 */
    float *first_input;    /* (batch, table_width), input of the first layer */
    int64_t logits_stride; /* floats of a row of logits: the vocabulary, rounded up to whole panels */
    float *logits;         /* (batch, logits_stride) */
    float *probabilities;  /* probabilities of one row, not normalized */
    Candidate *candidates; /* candidates of one row */
} Generator;

static int by_probability(const void *first, const void *second)
{
    const Candidate *a = first, *b = second;
    return a->p != b->p ? (a->p < b->p) - (a->p > b->p) : (a->token > b->token) - (a->token < b->token);
}

/* Sorts candidates by probability, largest first, and returns how many remain after top_k and top_p. */
static int64_t keep_likeliest(const GenerationCall *call, Candidate *candidates, float total)
{
    int64_t count = 0;
    float before = 0.0f;
    qsort(candidates, (size_t)call->vocabulary, sizeof *candidates, by_probability);
    while (count < call->vocabulary && (!call->top_k || count < call->top_k) && (!count || before < call->top_p * total))
        before += candidates[count++].p;
    return count;
}

/* Index of a candidate, sampled by inverting the distribution function. A candidate of probability 0 is never
 * sampled, not even after rounding. */
static int64_t sample_index(const Candidate *candidates, int64_t count, float uniform)
{
    float total = 0.0f, below = 0.0f;
    int64_t last = 0, index = 0;
    for (int64_t i = 0; i < count; i++) {
        total += candidates[i].p;
        if (candidates[i].p > 0.0f)
            last = i;
    }
    for (; index < last; index++) {
        below += candidates[index].p;
        if (!(below <= uniform * total))
            break;
    }
    return index;
}

#endif
