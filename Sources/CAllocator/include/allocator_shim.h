#ifndef ALLOCATOR_SHIM_H
#define ALLOCATOR_SHIM_H

// Has the C allocator suit a command that ends soon: what is freed is kept for what comes next
// instead of going back to the kernel, and the heap begins with large pages. The first touch of each
// page is else a good part of what a report about thousands of volumes costs.
void callocator_expect_short_life(void);

#endif
