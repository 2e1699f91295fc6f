#include "allocator_shim.h"

#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

// What a report about ten thousand volumes needs, twice; below the largest threshold for maps, so that
// it is taken from the heap.
enum { heap_size = 24 << 20, large_page_size = 2 << 20 };

void callocator_expect_short_life(void) {
  // The largest that glibc takes.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, INT_MAX);
  char *heap = malloc(heap_size);
  if (!heap) return;
  uintptr_t mask = large_page_size - 1;
  uintptr_t begin = ((uintptr_t)heap + mask) & ~mask;
  uintptr_t end = ((uintptr_t)heap + heap_size) & ~mask;
  // No more than a wish: a kernel without large pages gives small ones.
  (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
  free(heap);
}
