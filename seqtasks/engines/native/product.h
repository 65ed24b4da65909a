/* Rows times a packed matrix: the part of a step that costs. */

#define WIDTH (2 * V)

/* sums[r] = start + the sum of a[r][k] * b[k] over k; start may be null; sums of rows are `stride` floats apart. */
INLINE void NAME(tile)(
    int rows, int64_t depth, const float *const *a, const float *b, const float *start, float *sums, int64_t stride)
{
    VF s[ROWS][2] = {{{0}}};
    const float *at[ROWS];
    for (int r = 0; r < rows; r++) {
        at[r] = a[r];
        for (int w = 0; w < 2 && start; w++)
            s[r][w] = NAME(load)(start + w * V);
    }
    for (int64_t k = 0; k < depth; k++) {
        VF b0 = NAME(load)(b + k * WIDTH), b1 = NAME(load)(b + k * WIDTH + V);
        for (int r = 0; r < rows; r++) {
            VF left = at[r][k] - (VF){0}; /* a broadcast from memory; adding zero would cost an addition, for -0 */
            s[r][0] += left * b0;
            s[r][1] += left * b1;
        }
    }
    for (int r = 0; r < rows; r++) {
        NAME(store)(sums + r * stride, s[r][0]);
        NAME(store)(sums + r * stride + V, s[r][1]);
    }
}

/* The same for any number of rows, in tiles of about one size. */
static void NAME(multiply)(
    int64_t rows, int64_t depth, const float *const *a, const float *b, const float *start, float *sums, int64_t stride)
{
    for (int64_t tiles = (rows + ROWS - 1) / ROWS; tiles; tiles--) {
        int64_t take = (rows + tiles - 1) / tiles;
        switch (take) {
        case 1: NAME(tile)(1, depth, a, b, start, sums, stride); break;
        case 2: NAME(tile)(2, depth, a, b, start, sums, stride); break;
        case 3: NAME(tile)(3, depth, a, b, start, sums, stride); break;
        case 4: NAME(tile)(4, depth, a, b, start, sums, stride); break;
        case 5: NAME(tile)(5, depth, a, b, start, sums, stride); break;
        default: NAME(tile)(6, depth, a, b, start, sums, stride);
        }
        rows -= take;
        a += take;
        sums += take * stride;
    }
}

/* A matrix (depth, columns), whose rows are `apart` floats apart, by panels: [panel][k][WIDTH]. */
static void NAME(pack)(const float *from, int64_t depth, int64_t columns, int64_t apart, int64_t panel, float *to)
{
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = panel * WIDTH, w = 0; w < 2; w++, j += V, to += V)
            NAME(store)(to, NAME(load_n)(from + k * apart + j, columns - j));
}

/* The same of the transpose of a matrix (columns, depth). */
static void NAME(pack_transposed)(const float *from, int64_t depth, int64_t columns, int64_t panel, float *to)
{
    for (int64_t v = 0; v < WIDTH; v++) {
        const int64_t j = panel * WIDTH + v;
        for (int64_t k = 0; k < depth; k++)
            to[k * WIDTH + v] = j < columns ? from[j * depth + k] : 0.0f;
    }
}

/* The place of a row: null stands for one after the other. */
INLINE int64_t NAME(place)(const int64_t *places, int64_t i) { return places ? places[i] : i; }

/* to[to_places[i]] = from[places[i]] times the packed panels + bias, i from `first` to `last`. Rows are so many floats
 * apart. */
static void NAME(rows_product)(
    const int64_t *places, const int64_t *to_places, int64_t first, int64_t last, const float *from, int64_t from_apart,
    int64_t depth, const float *packed, int64_t columns, const float *bias, float *to, int64_t to_apart)
{
    float sums[CHUNK * WIDTH];
    const float *rows[CHUNK];
    for (int64_t begin = first; begin < last; begin += CHUNK) {
        const int64_t count = last - begin < CHUNK ? last - begin : CHUNK;
        for (int64_t i = 0; i < count; i++)
            rows[i] = from + NAME(place)(places, begin + i) * from_apart;
        const int64_t apart = to_places && count > 1 ? to_places[begin + 1] - to_places[begin] : 1;
        int even = 1;
        for (int64_t i = 1; i < count && to_places; i++)
            even &= to_places[begin + i] - to_places[begin + i - 1] == apart;
        for (int64_t panel = 0; panel * WIDTH < columns; panel++) {
            const float *b = packed + panel * depth * WIDTH;
            if (even && (panel + 1) * WIDTH <= columns) { /* straight to where it belongs */
                float *first = to + NAME(place)(to_places, begin) * to_apart + panel * WIDTH;
                NAME(multiply)(count, depth, rows, b, bias ? bias + panel * WIDTH : NULL, first, apart * to_apart);
                continue;
            }
            NAME(multiply)(count, depth, rows, b, NULL, sums, WIDTH);
            for (int64_t i = 0; i < count; i++)
                for (int64_t j = panel * WIDTH, w = 0; w < 2 && j < columns; w++, j += V) {
                    VF sum = NAME(load)(sums + i * WIDTH + w * V);
                    if (bias)
                        sum += NAME(load_n)(bias + j, columns - j);
                    NAME(store_n)(to + NAME(place)(to_places, begin + i) * to_apart + j, sum, columns - j);
                }
        }
    }
}

/* to[r] = the sum of a[k][r] * b[k] over k, added to what is there or not; `left` columns, rows are `apart` floats apart. */
INLINE void NAME(tile_columns)(
    int rows, int64_t depth, const float *const *a, int64_t r, const float *b, int add, float *to, int64_t apart, int64_t left)
{
    VF s[ROWS][2] = {{{0}}};
    for (int64_t k = 0; k < depth; k++) {
        const float *at = a[k] + r;
        VF b0 = NAME(load)(b + k * WIDTH), b1 = NAME(load)(b + k * WIDTH + V);
        for (int i = 0; i < rows; i++) {
            VF x = at[i] - (VF){0};
            s[i][0] += x * b0;
            s[i][1] += x * b1;
        }
    }
    for (int i = 0; i < rows; i++)
        for (int64_t w = 0; w < 2 && w * V < left; w++) {
            float *sum = to + i * apart + w * V;
            if (add)
                s[i][w] += NAME(load_n)(sum, left - w * V);
            NAME(store_n)(sum, s[i][w], left - w * V);
        }
}

/* The same for any number of rows, in tiles of about one size. */
static void NAME(multiply_columns)(
    int64_t rows, int64_t depth, const float *const *a, const float *b, int add, float *to, int64_t apart, int64_t left)
{
    int64_t r = 0;
    for (int64_t tiles = (rows + ROWS - 1) / ROWS; tiles; tiles--) {
        const int64_t take = (rows - r + tiles - 1) / tiles;
        switch (take) {
        case 1: NAME(tile_columns)(1, depth, a, r, b, add, to, apart, left); break;
        case 2: NAME(tile_columns)(2, depth, a, r, b, add, to, apart, left); break;
        case 3: NAME(tile_columns)(3, depth, a, r, b, add, to, apart, left); break;
        case 4: NAME(tile_columns)(4, depth, a, r, b, add, to, apart, left); break;
        case 5: NAME(tile_columns)(5, depth, a, r, b, add, to, apart, left); break;
        default: NAME(tile_columns)(6, depth, a, r, b, add, to, apart, left);
        }
        r += take;
        to += take * apart;
    }
}

/* Of each factor, to (rows, columns) = the sum over i of a[its places[i]][row] * b[b_places[i]][column], for the panels `first`
 * to `last` of columns; totals (columns) = that of b alone, where it is not null. SIDE panels of b are packed together
 * into `panels`, as their places lie far apart; a is read where it is. */
static void NAME(columns_product)(
    const int64_t *b_places, int64_t count, const Factor *factors, int many_factors, const float *b,
    int64_t b_apart, int64_t columns, int64_t first, int64_t last, int64_t to_apart, float *totals, float *panels)
{
    const float *rows[FACTORS][DEPTH];
    const int64_t end = last * WIDTH < columns ? last * WIDTH : columns;
    for (int64_t j = first * WIDTH; j < end && totals; j++)
        totals[j] = 0.0f;
    for (int f = 0; f < many_factors && !count; f++)
        for (int64_t r = 0; r < factors[f].rows; r++)
            for (int64_t j = first * WIDTH; j < end; j++)
                factors[f].to[r * to_apart + j] = 0.0f;
    for (int64_t begin = 0; begin < count; begin += DEPTH) {
        const int64_t depth = count - begin < DEPTH ? count - begin : DEPTH;
        for (int f = 0; f < many_factors; f++)
            for (int64_t k = 0; k < depth; k++)
                rows[f][k] = factors[f].a + NAME(place)(factors[f].places, begin + k) * factors[f].apart;
        for (int64_t side = first; side < last; side += SIDE) {
            const int64_t many = last - side < SIDE ? last - side : SIDE;
            const int whole = (side + many) * WIDTH <= columns;
            VF total[2 * SIDE] = {{0}};
            for (int64_t k = 0; k < depth; k++) {
                const float *row = b + NAME(place)(b_places, begin + k) * b_apart + side * WIDTH;
                for (int64_t v = 0; v < 2 * many; v++) {
                    VF x = whole ? NAME(load)(row + v * V) : NAME(load_n)(row + v * V, columns - side * WIDTH - v * V);
                    NAME(store)(panels + (v / 2 * depth + k) * WIDTH + v % 2 * V, x);
                    total[v] += x;
                }
            }
            for (int64_t j = side * WIDTH, v = 0; totals && v < 2 * many && j < columns; v++, j += V)
                NAME(store_n)(totals + j, NAME(load_n)(totals + j, columns - j) + total[v], columns - j);
            for (int64_t panel = side; panel < side + many; panel++)
                for (int f = 0; f < many_factors; f++)
                    NAME(multiply_columns)(factors[f].rows, depth, rows[f], panels + (panel - side) * depth * WIDTH,
                                           begin > 0, factors[f].to + panel * WIDTH, to_apart, columns - panel * WIDTH);
        }
    }
}
