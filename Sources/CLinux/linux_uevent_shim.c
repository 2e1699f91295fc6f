#define _GNU_SOURCE
#include "linux_uevent_shim.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Group 1 carries the kernel's messages, group 2 udev's.
static const unsigned kernel_group = 1;

int clinux_uevent_open(int buffer_bytes) {
  int descriptor =
      socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
  if (descriptor < 0) return -1;
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) != 0)
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
  struct sockaddr_nl address;
  memset(&address, 0, sizeof(address));
  address.nl_family = AF_NETLINK;
  address.nl_groups = kernel_group;
  if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
  }
  return descriptor;
}

ssize_t clinux_uevent_receive(int descriptor, void *buffer, size_t capacity, int *from_kernel) {
  struct sockaddr_nl sender;
  memset(&sender, 0, sizeof(sender));
  socklen_t sender_length = sizeof(sender);
  ssize_t length = recvfrom(descriptor, buffer, capacity, MSG_TRUNC, (struct sockaddr *)&sender,
                            &sender_length);
  *from_kernel = length >= 0 && sender_length == sizeof(sender) && sender.nl_pid == 0 &&
                 (sender.nl_groups & kernel_group) != 0;
  return length;
}
