#include "allocator_shim.h"

#include <limits.h>
#include <malloc.h>

void callocator_expect_short_life(void) {
  // The largest that glibc takes.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
}
