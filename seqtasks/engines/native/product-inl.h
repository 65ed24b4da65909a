/* Matrix products of rows and packed panels, which take most of the time of a step. */

#define WIDTH (2 * V) /* columns of a panel */

/* sums[r] = start + the sum of a[r][k] * b[k] over k; start may be null; `stride`: floats from one row of sums
 * to the next. */
INLINE void NAME(tile)(int rows, int64_t depth, const float *const *a, const float *b, const float *start, float *sums,
                       int64_t stride)
{
    VF s[ROWS][2] = {{{0}}};
    const float *row[ROWS];
    for (int r = 0; r < rows; r++) {
        row[r] = a[r];
        for (int w = 0; w < 2 && start; w++)
            s[r][w] = NAME(load)(start + w * V);
    }
    for (int64_t k = 0; k < depth; k++) {
        VF b0 = NAME(load)(b + k * WIDTH), b1 = NAME(load)(b + k * WIDTH + V);
        for (int r = 0; r < rows; r++) {
            VF left = row[r][k] - (VF){0}; /* compiles to a broadcast load; + 0 would not, because it changes -0 */
            s[r][0] += left * b0;
            s[r][1] += left * b1;
        }
    }
    for (int r = 0; r < rows; r++) {
        NAME(store)(sums + r * stride, s[r][0]);
        NAME(store)(sums + r * stride + V, s[r][1]);
    }
}

/* `tile` for any number of rows, in tiles of about equal size. */
static void NAME(multiply)(int64_t rows, int64_t depth, const float *const *a, const float *b, const float *start, float *sums,
                           int64_t stride)
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

/* Packs one panel of a matrix (depth, columns) as [k][WIDTH]; `stride`: floats from one row of the matrix to the
 * next. */
static void NAME(pack)(const float *from, int64_t depth, int64_t columns, int64_t stride, int64_t panel, float *to)
{
    for (int64_t k = 0; k < depth; k++)
        for (int64_t j = panel * WIDTH, w = 0; w < 2; w++, j += V, to += V)
            NAME(store)(to, NAME(load_n)(from + k * stride + j, columns - j));
}

/* Packs one panel of the transpose of a matrix (columns, depth). */
static void NAME(pack_transposed)(const float *from, int64_t depth, int64_t columns, int64_t panel, float *to)
{
    for (int64_t v = 0; v < WIDTH; v++) {
        const int64_t j = panel * WIDTH + v;
        for (int64_t k = 0; k < depth; k++)
            to[k * WIDTH + v] = j < columns ? from[j * depth + k] : 0.0f;
    }
}

/* The i-th row of an index; null: i itself. */
INLINE int64_t NAME(row_index)(const int64_t *index, int64_t i) { return index ? index[i] : i; }

/* to[to_index[i]] = from[index[i]] times the packed panels + bias, for i from `first` to `last`. Strides are floats
 * from one row to the next. */
static void NAME(rows_product)(const int64_t *index, const int64_t *to_index, int64_t first, int64_t last, const float *from,
                               int64_t from_stride, int64_t depth, const float *packed, int64_t columns, const float *bias,
                               float *to, int64_t to_stride)
{
    float sums[CHUNK * WIDTH];
    const float *rows[CHUNK];
    for (int64_t begin = first; begin < last; begin += CHUNK) {
        const int64_t count = last - begin < CHUNK ? last - begin : CHUNK;
        for (int64_t i = 0; i < count; i++)
            rows[i] = from + NAME(row_index)(index, begin + i) * from_stride;
        const int64_t index_step = to_index && count > 1 ? to_index[begin + 1] - to_index[begin] : 1;
        int even = 1;
        for (int64_t i = 1; i < count && to_index; i++)
            even &= to_index[begin + i] - to_index[begin + i - 1] == index_step;
        for (int64_t panel = 0; panel * WIDTH < columns; panel++) {
            const float *b = packed + panel * depth * WIDTH;
            if (even && (panel + 1) * WIDTH <= columns) { /* output rows are evenly spaced: no buffer needed */
                float *first = to + NAME(row_index)(to_index, begin) * to_stride + panel * WIDTH;
                NAME(multiply)(count, depth, rows, b, bias ? bias + panel * WIDTH : NULL, first, index_step * to_stride);
                continue;
            }
            NAME(multiply)(count, depth, rows, b, NULL, sums, WIDTH);
            for (int64_t i = 0; i < count; i++)
                for (int64_t j = panel * WIDTH, w = 0; w < 2 && j < columns; w++, j += V) {
                    VF sum = NAME(load)(sums + i * WIDTH + w * V);
                    if (bias)
                        sum += NAME(load_n)(bias + j, columns - j);
                    NAME(store_n)(to + NAME(row_index)(to_index, begin + i) * to_stride + j, sum, columns - j);
                }
        }
    }
}

/* to[r] = the sum of a[k][r] * b[k] over k, added to to[r] if `add`; `left`: columns of to; `stride`: floats from
 * one row of to to the next. */
INLINE void NAME(tile_columns)(int rows, int64_t depth, const float *const *a, int64_t r, const float *b, int add, float *to,
                               int64_t stride, int64_t left)
{
    VF s[ROWS][2] = {{{0}}};
    for (int64_t k = 0; k < depth; k++) {
        const float *row = a[k] + r;
        VF b0 = NAME(load)(b + k * WIDTH), b1 = NAME(load)(b + k * WIDTH + V);
        for (int i = 0; i < rows; i++) {
            VF x = row[i] - (VF){0};
            s[i][0] += x * b0;
            s[i][1] += x * b1;
        }
    }
    for (int i = 0; i < rows; i++)
        for (int64_t w = 0; w < 2 && w * V < left; w++) {
            float *sum = to + i * stride + w * V;
            if (add)
                s[i][w] += NAME(load_n)(sum, left - w * V);
            NAME(store_n)(sum, s[i][w], left - w * V);
        }
}

/* `tile_columns` for any number of rows, in tiles of about equal size. */
static void NAME(multiply_columns)(int64_t rows, int64_t depth, const float *const *a, const float *b, int add, float *to,
                                   int64_t stride, int64_t left)
{
    int64_t r = 0;
    for (int64_t tiles = (rows + ROWS - 1) / ROWS; tiles; tiles--) {
        const int64_t take = (rows - r + tiles - 1) / tiles;
        switch (take) {
        case 1: NAME(tile_columns)(1, depth, a, r, b, add, to, stride, left); break;
        case 2: NAME(tile_columns)(2, depth, a, r, b, add, to, stride, left); break;
        case 3: NAME(tile_columns)(3, depth, a, r, b, add, to, stride, left); break;
        case 4: NAME(tile_columns)(4, depth, a, r, b, add, to, stride, left); break;
        case 5: NAME(tile_columns)(5, depth, a, r, b, add, to, stride, left); break;
        default: NAME(tile_columns)(6, depth, a, r, b, add, to, stride, left);
        }
        r += take;
        to += take * stride;
    }
}

/* For each factor, to (rows, columns) = the sum over i of a[factor.index[i]][row] * b[b_index[i]][column], for the
 * panels `first` to `last` of columns; totals (columns), if not null, = the sum of b alone. SIDE panels of b at a
 * time are packed into `panels`, because their rows are far apart in memory; a is read in place. */
static void NAME(columns_product)(const int64_t *b_index, int64_t count, const Factor *factors, int num_factors, const float *b,
                                  int64_t b_stride, int64_t columns, int64_t first, int64_t last, int64_t to_stride,
                                  float *totals, float *panels)
{
    const float *rows[FACTORS][DEPTH];
    const int64_t end = last * WIDTH < columns ? last * WIDTH : columns;
    for (int64_t j = first * WIDTH; j < end && totals; j++)
        totals[j] = 0.0f;
    for (int f = 0; f < num_factors && !count; f++)
        for (int64_t r = 0; r < factors[f].rows; r++)
            for (int64_t j = first * WIDTH; j < end; j++)
                factors[f].to[r * to_stride + j] = 0.0f;
    for (int64_t begin = 0; begin < count; begin += DEPTH) {
        const int64_t depth = count - begin < DEPTH ? count - begin : DEPTH;
        for (int f = 0; f < num_factors; f++)
            for (int64_t k = 0; k < depth; k++)
                rows[f][k] = factors[f].a + NAME(row_index)(factors[f].index, begin + k) * factors[f].stride;
        for (int64_t side = first; side < last; side += SIDE) {
            const int64_t num_panels = last - side < SIDE ? last - side : SIDE;
            const int whole = (side + num_panels) * WIDTH <= columns;
            VF total[2 * SIDE] = {{0}};
            for (int64_t k = 0; k < depth; k++) {
                const float *row = b + NAME(row_index)(b_index, begin + k) * b_stride + side * WIDTH;
                for (int64_t v = 0; v < 2 * num_panels; v++) {
                    VF x = whole ? NAME(load)(row + v * V) : NAME(load_n)(row + v * V, columns - side * WIDTH - v * V);
                    NAME(store)(panels + (v / 2 * depth + k) * WIDTH + v % 2 * V, x);
                    total[v] += x;
                }
            }
            for (int64_t j = side * WIDTH, v = 0; totals && v < 2 * num_panels && j < columns; v++, j += V)
                NAME(store_n)(totals + j, NAME(load_n)(totals + j, columns - j) + total[v], columns - j);
            for (int64_t panel = side; panel < side + num_panels; panel++)
                for (int f = 0; f < num_factors; f++)
                    NAME(multiply_columns)(factors[f].rows, depth, rows[f], panels + (panel - side) * depth * WIDTH, begin > 0,
                                           factors[f].to + panel * WIDTH, to_stride, columns - panel * WIDTH);
        }
    }
}
