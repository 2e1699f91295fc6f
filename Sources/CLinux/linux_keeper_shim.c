#define _GNU_SOURCE
#include "linux_keeper_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int clinux_watchdog_identity(int descriptor, char name[33]) {
  struct watchdog_info information;
  memset(&information, 0, sizeof(information));
  if (ioctl(descriptor, WDIOC_GETSUPPORT, &information) != 0) return -1;
  memcpy(name, information.identity, 32);
  name[32] = 0;
  return 0;
}

int clinux_watchdog_set_timeout(int descriptor, int *seconds) {
  if (ioctl(descriptor, WDIOC_SETTIMEOUT, seconds) != 0) return -1;
  return ioctl(descriptor, WDIOC_GETTIMEOUT, seconds) == 0 ? 0 : -1;
}

int clinux_watchdog_pet(int descriptor) {
  int unused = 0;
  return ioctl(descriptor, WDIOC_KEEPALIVE, &unused) == 0 ? 0 : -1;
}

void clinux_reset_machine(void) {
  int trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  // Root may do so whatever kernel.sysrq says.
  if (trigger >= 0) (void)!write(trigger, "b", 1);
  // Without /proc. This neither syncs nor asks anybody.
  (void)reboot(RB_AUTOBOOT);
}

int clinux_become_real_time(void) {
  struct sched_param parameters;
  memset(&parameters, 0, sizeof(parameters));
  parameters.sched_priority = sched_get_priority_min(SCHED_FIFO);
  return sched_setscheduler(0, SCHED_FIFO, &parameters);
}

static int message_address(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof(*address));
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof(address->sun_path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address->sun_path, path);
  return 0;
}

static int message_socket(void) {
  int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  // A storm of announcements must find room while the daemon is busy.
  int bytes = 4 << 20;
  if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  return descriptor;
}

static int close_failed(int descriptor) {
  int reason = errno;
  close(descriptor);
  errno = reason;
  return -1;
}

int clinux_message_listen(const char *path) {
  struct sockaddr_un address;
  if (message_address(path, &address) != 0) return -1;
  int descriptor = message_socket();
  if (descriptor < 0) return -1;
  if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
      chmod(path, 0600) != 0 || listen(descriptor, 8) != 0)
    return close_failed(descriptor);
  return descriptor;
}

int clinux_message_connect(const char *path) {
  struct sockaddr_un address;
  if (message_address(path, &address) != 0) return -1;
  int descriptor = message_socket();
  if (descriptor < 0) return -1;
  if (connect(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0)
    return close_failed(descriptor);
  return descriptor;
}

int clinux_message_accept(int listener) {
  int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (descriptor < 0) return -1;
  int bytes = 4 << 20;
  if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  return descriptor;
}

int clinux_message_send(int descriptor, const void *bytes, size_t count, int dontwait) {
  ssize_t sent;
  do {
    sent = send(descriptor, bytes, count, MSG_NOSIGNAL | (dontwait ? MSG_DONTWAIT : 0));
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0 && (size_t)sent != count) errno = EMSGSIZE;
  return sent >= 0 && (size_t)sent == count ? 0 : -1;
}

ssize_t clinux_message_receive(int descriptor, void *buffer, size_t capacity) {
  ssize_t count;
  do {
    count = recv(descriptor, buffer, capacity, MSG_TRUNC);
  } while (count < 0 && errno == EINTR);
  return count;
}
