/* Vectors of V floats, and the functions of gates on them. Included once for each instruction set. */

typedef float NAME(vf) __attribute__((vector_size(4 * V), may_alias));
typedef int32_t NAME(vi) __attribute__((vector_size(4 * V), may_alias));
#define VF NAME(vf)
#define VI NAME(vi)
#define INLINE static inline __attribute__((always_inline))

INLINE VF NAME(load)(const float *p)
{
    VF x;
    memcpy(&x, p, sizeof x);
    return x;
}

INLINE void NAME(store)(float *p, VF x) { memcpy(p, &x, sizeof x); }

/* The first n floats, the rest zeros; all are where n is not positive. */
INLINE VF NAME(load_n)(const float *p, int64_t n)
{
    VF x = {0};
    if (n >= V)
        return NAME(load)(p);
    if (n > 0)
        memcpy(&x, p, (size_t)n * sizeof(float));
    return x;
}

INLINE void NAME(store_n)(float *p, VF x, int64_t n)
{
    if (n >= V)
        NAME(store)(p, x);
    else
        memcpy(p, &x, (size_t)n * sizeof(float));
}

INLINE VF NAME(either)(VI condition, VF yes, VF no) { return (VF)((condition & (VI)yes) | (~condition & (VI)no)); }

/* Cody-Waite reduction and the polynomial of Cephes (https://www.netlib.org/cephes); NaN stays NaN. */
INLINE VF NAME(exp)(VF x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    const VF high = (VF){0} + 88.0f, low = (VF){0} - 87.0f, zero = {0};
    x = NAME(either)(x > high, high, x);
    x = NAME(either)(x < low, low, x);
    VF k = x * 1.44269504088896341f + magic;
    VI n = (VI)k - (VI)(zero + magic);
    k -= magic;
    x -= k * 0.693359375f;
    x += k * 2.12194440e-4f;
    VF y = x * 1.9875691500e-4f + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * x * x + x + 1.0f;
    return y * (VF)((n + 127) << 23);
}

INLINE VF NAME(sigmoid)(VF x) { return 1.0f / (1.0f + NAME(exp)(-x)); }

INLINE VF NAME(tanh)(VF x)
{
    const VF zero = {0};
    VF size = NAME(either)(x < zero, -x, x), square = x * x;
    VF y = square * -5.70498872745e-3f + 2.06390887954e-2f;
    y = y * square - 5.37397155531e-2f;
    y = y * square + 1.33314422036e-1f;
    y = y * square - 3.33332819422e-1f;
    VF near = y * square * x + x;
    VF far = 1.0f - 2.0f / (NAME(exp)(size + size) + 1.0f);
    far = NAME(either)(x < zero, -far, far);
    return NAME(either)(size < zero + 0.625f, near, far);
}
