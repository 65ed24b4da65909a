/* The arguments of one call of the kernel, and the data that its threads share. Arrays are contiguous. Sequences that a
 * framework reads are (batch, steps, ...); those that only the kernel reads are (steps, batch, ...), so that the
 * data of one step is contiguous. The last axis of arrays of gates is gate by gate. */

#ifndef SEQTASKS_RNN_CALL_H
#define SEQTASKS_RNN_CALL_H

#include <stdatomic.h>
#include <stdint.h>

enum { LSTM, GRU, SIMPLE_RNN, GRU_V1, PEEPHOLE_LSTM, COUPLED_LSTM, KINDS };
#define EACH_KIND(F) F(LSTM) F(GRU) F(SIMPLE_RNN) F(GRU_V1) F(PEEPHOLE_LSTM) F(COUPLED_LSTM)

/* Sizes that depend on the kind of cell. */
static const struct {
    int gates;      /* gates of the weight matrices */
    int saved;      /* values per unit and step saved for the backward pass: LSTM i f g o; COUPLED_LSTM f g o; GRU z r h' and
                       h U_h + b_h; GRU_V1 z r h' and r * h. Before its step, `saved` holds the projected inputs. */
    int gate_grads; /* gradients per unit and step: of the projected inputs; GRU: also of h U_h + b_h */
    int has_c;      /* 1 if the cell has a second state, c */
} CELLS[KINDS] = {{4, 4, 4, 1}, {3, 4, 4, 0}, {1, 1, 1, 0}, {3, 4, 3, 0}, {4, 4, 4, 1}, {3, 3, 3, 1}};

/* One direction of one layer. Python mirrors it: `RnnCall` of numpy_bridge.py. */
typedef struct {
    int64_t steps, batch, features, units; /* sizes of the axes below */
    int64_t vocabulary;                    /* with tokens: rows of x */
    int32_t kind;                          /* LSTM, GRU, ... */
    int32_t reverse;                       /* 1: from the last step to the first */
    int32_t threads;                       /* maximum number of threads */
    const float *x;                 /* (batch, steps, features); with tokens an embedding table, (vocabulary, features) */
    const int32_t *tokens;          /* (batch, steps), the row of x that each step reads; null: x holds the inputs themselves */
    const float *w;                 /* input weights, (features, gates * units) */
    const float *bias;              /* (gates * units) */
    const float *u;                 /* recurrent weights, (units, gates * units) */
    const float *b;                 /* (3 * units): GRU, bias of the recurrent product; PEEPHOLE_LSTM, peephole weights i f o */
    const float *h0, *c0;           /* initial states, (batch, units) */
    const uint8_t *mask;            /* (batch, steps), nonzero at valid steps; null: all are valid */
    float *out;                     /* (batch, steps, units), h after each step, zero at masked steps */
    float *before;                  /* (steps, batch, units), h before each valid step */
    float *c;                       /* (steps, batch, units), c after each step */
    float *saved;                   /* (steps, batch, saved * units), see CELLS */
    float *h_last, *c_last;         /* final states, (batch, units) */
    const float *dout;              /* gradient of out; null: zeros */
    const float *dh_last, *dc_last; /* gradients of the final states, (batch, units) */
    float *dx, *dw, *dbias, *du, *db, *dh0, *dc0; /* gradients, each with the shape of the array without the d */
    float *gate_grads; /* (steps, batch, gate_grads * units), written by backward, read by the pass for dx */
    int32_t *used;     /* with tokens: number of distinct tokens at valid steps, then these tokens; backward writes the
                          gradient of row used[i + 1] of x to row i of dx */
} RnnCall;

#define ROWS 6          /* rows of a tile; with two vectors per row the sums fill the registers of AVX2 */
#define CHUNK 48        /* rows that are multiplied by the whole packed matrix at a time */
#define DEPTH 256       /* steps that are summed over at a time, so that a panel of them fits into the L1 cache */
#define SIDE 4          /* panels of gradients that are packed at a time */
#define FACTORS 2       /* maximum number of matrices that are multiplied by the same gradients: inputs and states */
#define CACHE (1 << 17) /* floats: W and U together are expected to stay in the L2 cache up to this size */

/* A matrix that is multiplied by gradients of gates and summed over steps, and the result: (rows, columns of
 * gradients). */
typedef struct {
    const int64_t *index; /* row of a for each step of the sum; null: in order */
    const float *a;       /* the matrix */
    int64_t stride;       /* floats from one row of a to the next */
    int64_t rows;         /* rows of the result, which are columns of a */
    float *to;            /* the result */
} Factor;

/* Floats of one row of sums. Not a power of two, because then all rows would map to the same cache sets. */
#define SUMS(units) (4 * (units) + 16)

/* The data that the threads of one call share. */
typedef struct {
    const RnnCall *call;       /* null for text generation */
    int threads;               /* number of threads of the call */
    int by_units;              /* 1: a thread has some units of all rows, with a barrier per step; 0: all units of some rows */
    int stepwise;              /* 1: inputs are projected step by step, so that they are still in the cache for the gates */
    int64_t num_inputs;        /* input vectors to project: valid steps, or distinct tokens */
    const int64_t *input_rows; /* their rows in x */
    const int64_t *projected_rows; /* their rows in `projected`; null: in order */
    float *projected;              /* projected inputs: `saved`, or a buffer for tokens; in the backward pass their gradients */
    int64_t projected_stride;      /* floats from one row of `projected` to the next */
    int64_t *distinct_tokens;      /* with tokens: each token that occurs, once */
    int64_t *distinct_index;       /* with tokens: (batch, steps), index of the step's token in distinct_tokens */
    int64_t *order;                /* rows of the batch by descending last valid step */
    int64_t *ends;                 /* number of steps of each row up to and including its last valid one */
    int64_t *thread_rows;          /* (threads, batch), rows of each thread */
    const float **pointers;        /* (threads, 2, batch), addresses of the states of each thread's rows */
    float *packed_u, *packed_w;    /* recurrent and input weights in panels */
    float *sums;                   /* recurrent products of each row, gate by gate */
    float *grad_panels;            /* (threads, SIDE, DEPTH, columns of a panel), packed gradients of gates */
    int64_t num_valid;             /* number of valid steps in the batch */
    int64_t *batch_major_index;    /* valid steps as indices into (batch, steps) */
    int64_t *time_major_index;     /* the same steps as indices into (steps, batch) */
    float *compact;                /* contiguous operands of the recurrent product: h of two steps, then r * h of GRU_V1; in the
                                      backward pass gradients of gates of GRU, zeros for other kinds */
    struct Generator *generator;   /* text generation only */
    atomic_int waiting, round;     /* barrier: number of waiting threads, and of times that all have passed */
} CallShared;

#endif
