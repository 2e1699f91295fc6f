// Block device facts that Glibc's Swift module leaves out.
#ifndef CLVMD_LINUX_BLOCK_SHIM_H
#define CLVMD_LINUX_BLOCK_SHIM_H

#include <stdint.h>
#include <sys/types.h>

// Opens `path` with close-on-exec, past the page cache if `direct`. Returns a descriptor, or -1
// with errno set.
int clinux_open_block(const char *path, int writable, int direct);

// The size in bytes of the block device behind `descriptor`. Returns 0, or -1 with errno set.
int clinux_block_size(int descriptor, uint64_t *bytes);

// The unit in bytes in which the block device behind `descriptor` is addressed. Returns 0, or -1
// with errno set.
int clinux_block_sector_size(int descriptor, int *bytes);

// An empty file in memory, close-on-exec; `name` shows in /proc. Returns a descriptor, or -1 with errno
// set.
int clinux_memory_file(const char *name);

uint32_t clinux_device_major(dev_t device);
uint32_t clinux_device_minor(dev_t device);

#endif
