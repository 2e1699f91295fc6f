// The kernel's uevent socket: netlink is absent from Glibc's Swift module.
#ifndef CLVMD_LINUX_UEVENT_SHIM_H
#define CLVMD_LINUX_UEVENT_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A non-blocking, close-on-exec socket bound to the kernel's own uevent group, with a receive
// buffer of `buffer_bytes` (less when the process may not force it). Overruns are reported by
// ENOBUFS on receive. Returns the descriptor, or -1 with errno set.
int clinux_uevent_open(int buffer_bytes);

// One datagram. `from_kernel` is 1 when the kernel sent it and 0 when another process did. Returns
// the datagram's full length, which exceeds `capacity` when it was cut, or -1 with errno set.
ssize_t clinux_uevent_receive(int descriptor, void *buffer, size_t capacity, int *from_kernel);

#endif
