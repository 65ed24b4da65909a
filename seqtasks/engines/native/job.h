/* What a call works on. Arrays are contiguous; of a sequence they are (batch, steps, …), or, where nobody else reads them,
 * (steps, batch, …), so that what a step needs lies together; the last axis is gate by gate. */

enum { LSTM, GRU, SIMPLE_RNN, GRU_V1, PEEPHOLE_LSTM, COUPLED_LSTM, KINDS };
#define EACH_KIND(F) F(LSTM) F(GRU) F(SIMPLE_RNN) F(GRU_V1) F(PEEPHOLE_LSTM) F(COUPLED_LSTM)

static const struct {
    int gates; /* parts of the matrices */
    int kept;  /* of each unit and step, for the way back: LSTM i f g o; COUPLED_LSTM f g o; GRU z r h' and h U_h + b_h;
                  GRU_V1 z r h' and r * h. Before its step the projected inputs are there. */
    int found; /* gradients of each unit and step: of the projected inputs; GRU: and of h U_h + b_h */
    int cell;  /* there is a second state, c */
} OF[KINDS] = {{4, 4, 4, 1}, {3, 4, 4, 0}, {1, 1, 1, 0}, {3, 4, 3, 0}, {4, 4, 4, 1}, {3, 3, 3, 1}};

typedef struct {
    int64_t steps, batch, features, units, vocabulary;
    int32_t kind, reverse, threads;
    const float *x;         /* (batch, steps, features); with tokens (vocabulary, features) */
    const int32_t *tokens;  /* (batch, steps), or null: each step's row of x */
    const float *w;         /* (features, gates * units) */
    const float *bias;      /* (gates * units) */
    const float *u;         /* (units, gates * units) */
    const float *b;         /* (3 * units): GRU, the bias of the recurrent product; PEEPHOLE_LSTM, the peepholes i f o */
    const float *h0, *c0;   /* (batch, units) */
    const uint8_t *mask;    /* (batch, steps), or null: all are real */
    float *out;             /* (batch, steps, units), h after each step, zero where masked */
    float *before;          /* (steps, batch, units), h before each real step */
    float *c;               /* (steps, batch, units), c after each step */
    float *kept;            /* (steps, batch, kept * units) */
    float *h_last, *c_last; /* (batch, units) */
    const float *dout;      /* as out; null: zeros */
    const float *dh_last, *dc_last; /* (batch, units) */
    float *dx, *dw, *dbias, *du, *db, *dh0, *dc0; /* as those without d */
    float *found;           /* (steps, batch, found * units): from backward to inputs */
    int32_t *used;          /* with tokens: how many rows of x real steps have, and which; dx has these, from backward */
} Job;

#define ROWS 6    /* of a tile; with two vectors a row the sums fill the registers of AVX2 */
#define CHUNK 48  /* rows that go over the whole of a packed matrix together */
#define DEPTH 256 /* places that are summed over at once: a panel of them stays in the first cache */
#define SIDE 4    /* panels of those */
#define FACTORS 2 /* that meet the same gradients: inputs and states */
#define CACHE (1 << 17) /* floats: what two matrices may have that are to stay in the second cache */

/* What is summed over steps times gradients of gates, and where to: (rows, columns of gradients). */
typedef struct {
    const int64_t *places;
    const float *a;
    int64_t apart, rows;
    float *to;
} Factor;

/* The floats of a row of sums: not a power of two, or all rows would fall on the same places of the cache. */
#define SUMS(units) (4 * (units) + 16)

/* Shared by the threads of a job. */
typedef struct {
    const Job *job;
    int threads, by_units;  /* each thread has all rows of some units, with a barrier a step, or all units of some rows */
    int stepwise;           /* inputs are projected step by step, and are still in the cache when the gates read them */
    const int64_t *from;    /* of the inputs to project, where they are in x, … */
    const int64_t *to;      /* … and where they go; null: one after the other */
    int64_t inputs;         /* how many */
    float *projected;       /* where to: what is kept, or room of their own; on the way back their gradients */
    int64_t apart;          /* floats from one to the next */
    int64_t *slots;         /* with tokens: which of them each step has */
    int64_t *rows;          /* with tokens: what `from` is */
    int64_t *order, *ends;  /* rows, those that end last first; after which step each has no real one */
    int64_t *memory;        /* rows of each thread */
    const float **pointers; /* states of each thread's rows */
    float *packed, *sums;   /* U; the products of each row, gate by gate, or of one panel */
    float *weights, *work;  /* W; room of each thread for panels of gradients */
    int64_t real, *places;  /* how many steps are real, and where they are among batch * steps, … */
    int64_t *moments;       /* … and among steps * batch */
    float *compact;         /* close together, what products read: h of two steps; on the way back, of GRU, dp and dr; else zeros */
    struct Writer *writer;  /* of threads that write a text, which have no job */
    atomic_int waiting, round;
} Shared;
