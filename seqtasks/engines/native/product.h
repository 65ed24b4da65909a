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

/* sums[r] += a[k][r] * b[k] over k, for a packed ROWS wide. */
INLINE void NAME(tile_columns)(int rows, int64_t depth, const float *a, const float *b, float sums[ROWS * WIDTH])
{
    VF s[ROWS][2] = {{{0}}};
    for (int64_t k = 0; k < depth; k++) {
        VF b0 = NAME(load)(b + k * WIDTH), b1 = NAME(load)(b + k * WIDTH + V);
        for (int r = 0; r < rows; r++) {
            VF left = a[k * ROWS + r] - (VF){0};
            s[r][0] += left * b0;
            s[r][1] += left * b1;
        }
    }
    for (int r = 0; r < rows; r++) {
        NAME(store)(sums + r * WIDTH, s[r][0]);
        NAME(store)(sums + r * WIDTH + V, s[r][1]);
    }
}

/* to (rows, columns) = the sum over i of a[places[i]][row] * b[b_places[i]][column], for the panels `first` to `last` of
 * columns; totals (columns) = that of b alone, where it is not null. work: (DEPTH, rows + ROWS) floats, and then
 * SIDE panels of b, which are packed together: their places lie far apart. */
static void NAME(columns_product)(
    const int64_t *places, const int64_t *b_places, int64_t count, const float *a, int64_t a_apart, int64_t rows,
    const float *b, int64_t b_apart, int64_t columns, int64_t first, int64_t last, float *to, int64_t to_apart, float *totals,
    float *work, float *panels)
{
    float sums[ROWS * WIDTH];
    const int64_t end = last * WIDTH < columns ? last * WIDTH : columns;
    for (int64_t j = first * WIDTH; j < end && totals; j++)
        totals[j] = 0.0f;
    for (int64_t r = 0; r < rows && !count; r++)
        for (int64_t j = first * WIDTH; j < end; j++)
            to[r * to_apart + j] = 0.0f;
    for (int64_t begin = 0; begin < count; begin += DEPTH) {
        const int64_t depth = count - begin < DEPTH ? count - begin : DEPTH;
        for (int64_t k = 0; k < depth; k++) {
            const float *row = a + places[begin + k] * a_apart;
            int64_t r = 0;
            for (float *at = work + k * ROWS; r + ROWS <= rows; r += ROWS, at += depth * ROWS)
                memcpy(at, row + r, ROWS * sizeof *at);
            for (; r < rows; r++)
                work[(r / ROWS * depth + k) * ROWS + r % ROWS] = row[r];
        }
        for (int64_t side = first; side < last; side += SIDE) {
            const int64_t many = last - side < SIDE ? last - side : SIDE;
            VF total[2 * SIDE] = {{0}};
            for (int64_t k = 0; k < depth; k++) {
                const float *row = b + NAME(place)(b_places, begin + k) * b_apart;
                for (int64_t j = side * WIDTH, v = 0; v < 2 * many; v++, j += V) {
                    VF x = NAME(load_n)(row + j, columns - j);
                    NAME(store)(panels + (v / 2 * depth + k) * WIDTH + v % 2 * V, x);
                    total[v] += x;
                }
            }
            for (int64_t j = side * WIDTH, v = 0; totals && v < 2 * many && j < columns; v++, j += V)
                NAME(store_n)(totals + j, NAME(load_n)(totals + j, columns - j) + total[v], columns - j);
            for (int64_t panel = side; panel < side + many; panel++)
                for (int64_t r = 0; r < rows; r += ROWS) {
                    const int64_t tall = rows - r < ROWS ? rows - r : ROWS, left = columns - panel * WIDTH;
                    NAME(tile_columns)(ROWS, depth, work + r * depth, panels + (panel - side) * depth * WIDTH, sums);
                    for (int64_t i = 0; i < tall; i++)
                        for (int w = 0; w < 2 && w * V < left; w++) {
                            float *at = to + (r + i) * to_apart + panel * WIDTH + w * V;
                            VF sum = NAME(load)(sums + i * WIDTH + w * V);
                            if (begin)
                                sum += NAME(load_n)(at, left - w * V);
                            NAME(store_n)(at, sum, left - w * V);
                        }
                }
        }
    }
}
