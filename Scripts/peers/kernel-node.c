/* kernel-node: hands and ears of a test inside a Linux node. Serves one TCP connection: writes the
   files through which the kernel's lock manager is controlled, takes locks through libdlm, and tells
   what happens to them.

   Every line "SEQ COMMAND ARGUMENT…" is answered "SEQ RESULT [MORE]", RESULT being 0 or a negative
   errno. Lines that begin with '!' come by themselves. A lock is named by a number of the caller's.

     mkdir PATH | rmdir PATH | read PATH | write PATH HEX
     create NAME | release NAME              block until the control plane has done its part
     lock NUMBER MODE FLAGS NAME-HEX [LVB]   answered with the lock id
     convert NUMBER MODE FLAGS [LVB] | unlock NUMBER FLAGS [LVB]
     many FIRST COUNT MODE PREFIX            locks PREFIX-FIRST … in order, a few at a time
     drop FIRST COUNT                        unlocks what was granted of them

     ! uevent ACTION LOCKSPACE
     ! ast NUMBER STATUS FLAGS LVB | ! bast NUMBER MODE
     ! many COUNT FAILED | ! dropped COUNT FAILED

   Build: cc -O1 -Wall -Wextra -pthread kernel-node.c -ldlm_lt */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/types.h>
#define BUILDING_LIBDLM /* or it declares a struct of the same name as the kernel's */
#include <linux/dlm.h>
#include <linux/dlm_device.h>
#include <libdlm.h>

enum { LVB_LENGTH = 32, LOCKS_MAX = 1 << 16, OUTSTANDING_MAX = 32, LINE_MAX_BYTES = 4096 };

struct lock {
  struct dlm_lksb status;
  char lvb[LVB_LENGTH];
  int is_of_many;
};

/* The lock, convert and unlock calls of `many` and `drop` that are under way. */
static struct {
  int first, next, end, mode, outstanding, failed, is_drop, is_active;
  char prefix[40];
} many;

static struct lock *locks[LOCKS_MAX];
static dlm_lshandle_t lockspace;
static int connection = -1;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* Whole lines, from several threads. */
static void say(const char *format, ...) {
  char line[LINE_MAX_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  pthread_mutex_lock(&output);
  for (int sent = 0; sent < length;) {
    ssize_t count = send(connection, line + sent, length - sent, MSG_NOSIGNAL);
    if (count < 0 && errno != EINTR) exit(0);
    if (count > 0) sent += count;
  }
  pthread_mutex_unlock(&output);
}

static int hex_to_bytes(const char *hex, char *bytes, int limit) {
  int count = 0;
  unsigned byte;
  for (; count < limit && sscanf(hex, "%2x", &byte) == 1; hex += 2) bytes[count++] = (char)byte;
  return count;
}

static void bytes_to_hex(const char *bytes, int count, char *hex) {
  for (int i = 0; i < count; i++) sprintf(hex + 2 * i, "%02x", (unsigned char)bytes[i]);
}

static int write_file(const char *path, const char *hex) {
  char bytes[LINE_MAX_BYTES];
  int length = hex_to_bytes(hex, bytes, sizeof bytes);
  int file = open(path, O_WRONLY);
  if (file < 0) return -errno;
  int result = write(file, bytes, length) == length ? 0 : -errno;
  close(file);
  return result;
}

static void read_file(unsigned sequence, const char *path) {
  char text[1024];
  int file = open(path, O_RDONLY);
  ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (length < 0) return say("%u %d", sequence, -errno);
  close(file);
  text[length] = 0;
  text[strcspn(text, "\n")] = 0;
  say("%u 0 %s", sequence, text);
}

/* ---- Commands that may block, each in a thread of its own ---- */

struct blocking_command {
  unsigned sequence;
  char name[16], path[256], argument[600];
};

static void *run_blocking(void *argument) {
  struct blocking_command *command = argument;
  int result = 0;
  if (!strcmp(command->name, "create")) {
    dlm_lshandle_t handle = dlm_create_lockspace(command->path, 0600);
    if (!handle) result = -errno;
    if (handle) fcntl(dlm_ls_get_fd(handle), F_SETFL, O_NONBLOCK);
    lockspace = handle;
  } else if (!strcmp(command->name, "release")) {
    dlm_lshandle_t handle = lockspace;
    lockspace = NULL;
    if (dlm_release_lockspace(command->path, handle, 1)) result = -errno;
  } else {
    result = write_file(command->path, command->argument);
  }
  say("%u %d", command->sequence, result);
  free(command);
  return NULL;
}

static void start_blocking(unsigned sequence, const char *name, const char *path, const char *argument) {
  struct blocking_command *command = calloc(1, sizeof *command);
  command->sequence = sequence;
  snprintf(command->name, sizeof command->name, "%s", name);
  snprintf(command->path, sizeof command->path, "%s", path);
  snprintf(command->argument, sizeof command->argument, "%s", argument);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_blocking, command)) say("%u %d", sequence, -EAGAIN);
  else pthread_detach(thread);
}

/* ---- Locks ---- */

/* libdlm wants functions; results are read from the device here, because it does not tell the mode
   of a blocking notice. */
static void unused_ast(void *argument) { (void)argument; }

static struct lock *lock_of(int number) {
  if (number < 0 || number >= LOCKS_MAX) return NULL;
  if (!locks[number]) {
    locks[number] = calloc(1, sizeof **locks);
    locks[number]->status.sb_lvbptr = locks[number]->lvb;
  }
  return locks[number];
}

static int request(int number, int mode, unsigned flags, const char *name, int length) {
  return dlm_ls_lock(lockspace, mode, &locks[number]->status, flags, name, length, 0, unused_ast,
                     (void *)(long)(number + 1), unused_ast, NULL)
             ? -errno
             : 0;
}

/* Not by libdlm, which hands over no value block with an unlock. */
static int give_up(int number, unsigned flags) {
  struct dlm_write_request request = {.version = {6, 0, 1}, .cmd = DLM_USER_UNLOCK, .is64bit = 1};
  request.i.lock.lkid = locks[number]->status.sb_lkid;
  request.i.lock.flags = flags;
  request.i.lock.lksb = &locks[number]->status;
  request.i.lock.castparam = (void *)(long)(number + 1);
  request.i.lock.castaddr = unused_ast;
  memcpy(request.i.lock.lvb, locks[number]->lvb, LVB_LENGTH);
  return write(dlm_ls_get_fd(lockspace), &request, sizeof request) < 0 ? -errno : 0;
}

static void go_on_with_many(void) {
  while (many.is_active && many.outstanding < OUTSTANDING_MAX && many.next < many.end) {
    int number = many.next++, result = -EINVAL;
    if (many.is_drop) {
      result = give_up(number, 0);
    } else if (lock_of(number)) {
      char name[64];
      locks[number]->is_of_many = 1;
      int length = snprintf(name, sizeof name, "%s-%d", many.prefix, number);
      result = request(number, many.mode, 0, name, length);
    }
    if (result) many.failed++;
    else many.outstanding++;
  }
  if (!many.is_active || many.next < many.end || many.outstanding) return;
  many.is_active = 0;
  say("! %s %d %d", many.is_drop ? "dropped" : "many", many.end - many.first, many.failed);
}

static void take_result(const char *bytes) {
  const struct dlm_lock_result *result = (const void *)bytes;
  int number = (int)(long)result->user_astparam - 1;
  if (number < 0 || number >= LOCKS_MAX || !locks[number]) return;
  struct lock *lock = locks[number];
  if (result->bast_mode) {
    if (!lock->is_of_many) say("! bast %d %d", number, result->bast_mode);
    return;
  }
  if (result->lvb_offset) memcpy(lock->lvb, bytes + result->lvb_offset, LVB_LENGTH);
  if (lock->is_of_many) {
    int is_wanted = many.is_drop ? -0x10002 : 0;
    if (result->lksb.sb_status != is_wanted) many.failed++;
    many.outstanding--;
    return go_on_with_many();
  }
  char lvb[2 * LVB_LENGTH + 1];
  bytes_to_hex(lock->lvb, LVB_LENGTH, lvb);
  say("! ast %d %d %d %s", number, result->lksb.sb_status, (unsigned char)result->lksb.sb_flags, lvb);
}

static void read_results(void) {
  char bytes[sizeof(struct dlm_lock_result) + LVB_LENGTH] __attribute__((aligned(8)));
  while (lockspace && read(dlm_ls_get_fd(lockspace), bytes, sizeof bytes) > 0) take_result(bytes);
}

static void lock_command(unsigned sequence, const char *name, int number, const char *rest) {
  struct lock *lock = lock_of(number);
  int mode = 0;
  unsigned flags = 0;
  char resource[140] = "", lvb[80] = "", bytes[64];
  if (!strcmp(name, "lock")) sscanf(rest, "%d %u %139s %79s", &mode, &flags, resource, lvb);
  else if (!strcmp(name, "convert")) sscanf(rest, "%d %u %79s", &mode, &flags, lvb);
  else sscanf(rest, "%u %79s", &flags, lvb);
  if (!lock || !lockspace) return say("%u %d", sequence, -ENOENT);
  if (*lvb) {
    memset(lock->lvb, 0, LVB_LENGTH);
    hex_to_bytes(lvb, lock->lvb, LVB_LENGTH);
  }
  int result;
  if (!strcmp(name, "lock")) {
    result = request(number, mode, flags, bytes, hex_to_bytes(resource, bytes, sizeof bytes));
  } else if (!strcmp(name, "convert")) {
    result = request(number, mode, flags | LKF_CONVERT, NULL, 0);
  } else {
    result = give_up(number, flags);
  }
  say("%u %d %u", sequence, result, lock->status.sb_lkid);
}

static void many_command(unsigned sequence, const char *name, const char *rest) {
  int count = 0;
  memset(&many, 0, sizeof many);
  many.is_drop = !strcmp(name, "drop");
  sscanf(rest, "%d %d %d %39s", &many.first, &count, &many.mode, many.prefix);
  many.next = many.first;
  many.end = many.first + count;
  many.is_active = lockspace && many.first >= 0 && count > 0 && many.end <= LOCKS_MAX;
  say("%u %d", sequence, many.is_active ? 0 : -EINVAL);
  go_on_with_many();
}

/* ---- The connection ---- */

static void take_command(char *line) {
  unsigned sequence = 0;
  char name[16] = "", path[256] = "", argument[600] = "";
  int number = 0, rest = 0, after_number = 0;
  if (sscanf(line, "%u %15s %n", &sequence, name, &rest) < 2) return;
  sscanf(line + rest, "%255s %599s", path, argument);
  if (!strcmp(name, "mkdir")) {
    say("%u %d", sequence, mkdir(path, 0755) ? -errno : 0);
  } else if (!strcmp(name, "rmdir")) {
    say("%u %d", sequence, rmdir(path) ? -errno : 0);
  } else if (!strcmp(name, "read")) {
    read_file(sequence, path);
  } else if (!strcmp(name, "create") || !strcmp(name, "release") || !strcmp(name, "write")) {
    start_blocking(sequence, name, path, argument);
  } else if (!strcmp(name, "many") || !strcmp(name, "drop")) {
    many_command(sequence, name, line + rest);
  } else if (sscanf(line + rest, "%d %n", &number, &after_number) == 1) {
    lock_command(sequence, name, number, line + rest + after_number);
  } else {
    say("%u %d", sequence, -EINVAL);
  }
}

/* "ACTION@/kernel/dlm/NAME", then KEY=VALUE, each with a zero byte. */
static void tell_uevent(int netlink) {
  char event[2048];
  ssize_t length = recv(netlink, event, sizeof event - 1, 0);
  if (length <= 0) return;
  event[length] = 0;
  char *path = strchr(event, '@');
  if (!path || strncmp(path, "@/kernel/dlm/", 13)) return;
  *path = 0;
  say("! uevent %s %s", event, path + 13);
}

static int listen_for_uevents(void) {
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (netlink < 0 || bind(netlink, (void *)&address, sizeof address)) perror("netlink"), exit(1);
  return netlink;
}

static int accept_driver(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1)) perror("listen"), exit(1);
  int accepted = accept(listener, NULL, NULL);
  close(listener);
  return accepted;
}

int main(int count, char **arguments) {
  static char buffer[1 << 16];
  size_t used = 0;
  int netlink = listen_for_uevents();
  connection = accept_driver(count > 1 ? atoi(arguments[1]) : 7000);
  for (;;) {
    struct pollfd watched[] = {{connection, POLLIN, 0},
                               {netlink, POLLIN, 0},
                               {lockspace ? dlm_ls_get_fd(lockspace) : -1, POLLIN, 0}};
    /* A lockspace that a thread has just opened is looked at with the next round. */
    if (poll(watched, 3, 20) < 0 && errno != EINTR) return 1;
    if (watched[1].revents) tell_uevent(netlink);
    if (watched[2].revents) read_results();
    if (!watched[0].revents) continue;
    ssize_t got = read(connection, buffer + used, sizeof buffer - 1 - used);
    if (got <= 0) return 0;
    used += got;
    buffer[used] = 0;
    char *line = buffer, *end;
    for (; (end = strchr(line, '\n')); line = end + 1) {
      *end = 0;
      take_command(line);
    }
    used -= line - buffer;
    memmove(buffer, line, used + 1);
  }
}
