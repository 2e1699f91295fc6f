#define _GNU_SOURCE
#include "linux_block_shim.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

int clinux_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int clinux_open_block(const char *path, int writable, int direct) {
  return open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | (direct ? O_DIRECT : 0));
}

int clinux_block_size(int descriptor, uint64_t *bytes) {
  return ioctl(descriptor, BLKGETSIZE64, bytes) == 0 ? 0 : -1;
}

int clinux_block_sector_size(int descriptor, int *bytes) {
  return ioctl(descriptor, BLKSSZGET, bytes) == 0 ? 0 : -1;
}

uint32_t clinux_device_major(dev_t device) { return major(device); }
uint32_t clinux_device_minor(dev_t device) { return minor(device); }
