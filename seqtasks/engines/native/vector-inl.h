/* Vectors of V floats, and the activation functions on them. */

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

/* Loads the first n floats, at most V, and zeros for the others; n may be negative. */
INLINE VF NAME(load_n)(const float *p, int64_t n)
{
    VF x = {0};
    if (n >= V)
        return NAME(load)(p);
    if (n > 0)
        memcpy(&x, p, (size_t)n * sizeof(float));
    return x;
}

/* Stores the first n floats, at most V. n is positive. */
INLINE void NAME(store_n)(float *p, VF x, int64_t n)
{
    if (n >= V)
        NAME(store)(p, x);
    else
        memcpy(p, &x, (size_t)n * sizeof(float));
}

/* Elements of `yes` where the condition holds, else of `no`. */
INLINE VF NAME(either)(VI condition, VF yes, VF no) { return (VF)((condition & (VI)yes) | (~condition & (VI)no)); }

/* e^x = scale * (1 + y), by Cody-Waite reduction and the polynomial of Cephes (https://www.netlib.org/cephes).
 * Returns y, which is accurate near 0. x is clipped to [-87, 88]; NaN stays NaN. */
INLINE VF NAME(exp_parts)(VF x, VF *scale)
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
    *scale = (VF)((n + 127) << 23);
    return y * x * x + x;
}

/* 1 / x for x up to 2e^88. With AVX-512 by an estimate and one step of Newton's method, which is faster than a
 * division. */
INLINE VF NAME(reciprocal)(VF x)
{
#if V == 16
    const VF y = (VF)_mm512_rcp14_ps((__m512)x);
    return y + y * (1.0f - x * y);
#else
    return 1.0f / x;
#endif
}

INLINE VF NAME(sigmoid)(VF x)
{
    VF scale, y = NAME(exp_parts)(-x, &scale);
    return NAME(reciprocal)(1.0f + (y * scale + scale));
}

/* tanh |x| = y / (y + 2) with y = e^2|x| - 1, which is accurate near 0; from 0.55 on 1 - 2 / (y + 2), which is
 * accurate near 1. */
INLINE VF NAME(tanh)(VF x)
{
    const VI sign = (VI)x & ((VI){0} + INT32_MIN);
    VF size = (VF)((VI)x ^ sign), scale, y = NAME(exp_parts)(size + size, &scale);
    y = y * scale + (scale - 1.0f);
    VF q = NAME(reciprocal)(y + 2.0f);
    VF result = NAME(either)(size < (VF){0} + 0.55f, y * q, 1.0f - (q + q));
    return (VF)((VI)result ^ sign);
}
