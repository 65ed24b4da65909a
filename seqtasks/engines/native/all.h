/* Everything that is compiled for one instruction set. */

#include "vector.h"
#include "product.h"
#include "forward.h"
#include "backward.h"
#include "writing.h"

#undef V
#undef NAME
#undef VF
#undef VI
#undef INLINE
#undef WIDTH
#undef PANELS
