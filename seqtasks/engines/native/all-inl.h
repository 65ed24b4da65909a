/* All templates, compiled for one instruction set. Needs V, the floats per vector register, and NAME(x), which appends the name
 * of the instruction set to x; undefines both, so that it can be included again. No include guards, here and in the
 * templates. */

#include "vector-inl.h"
#include "product-inl.h"
#include "forward-inl.h"
#include "backward-inl.h"
#include "generation-inl.h"

#undef V
#undef NAME
#undef VF
#undef VI
#undef INLINE
#undef WIDTH
#undef PANELS
