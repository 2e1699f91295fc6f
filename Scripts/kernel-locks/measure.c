/* measure: times what the kernel's lock manager does, through libdlm, and a TCP echo beside it.

   Runs inside a Linux node whose lockspace exists already (the program kernel-node made it). Prints one
   line a measurement: NAME, operations, median and mean in nanoseconds.

     measure LOCKSPACE hold MODE NAMES                  takes the locks named in a file, then waits
     measure LOCKSPACE lock|unlock NAMES COUNT DEPTH    EX on names in turn; what is timed is the lock, or unlock
     measure LOCKSPACE down|up NAMES COUNT              one lock between NL and EX
     measure LOCKSPACE contend NAME COUNT               EX for ever, given up when another wants it (COUNT 0: no end)
     measure - echo ADDRESS PORT COUNT DEPTH            messages of 144 bytes
     measure - serve PORT                               the other side of that

   `hold` writes "held N" and lives on until it is killed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/types.h>
#define BUILDING_LIBDLM /* or it declares a struct of the same name as the kernel's */
#include <linux/dlm.h>
#include <linux/dlm_device.h>
#include <libdlm.h>

enum { MESSAGE_LENGTH = 144, DEPTH_MAX = 256, NAME_LENGTH = 64, OUTSTANDING_MAX = 64, UNLOCKED = -0x10002 };

struct lock {
  struct dlm_lksb status;
  char lvb[32];
  long started;
};

static dlm_lshandle_t lockspace;
static char (*names)[NAME_LENGTH];
static int name_count;
static long *samples;
static int sample_count;

static void fail(const char *what) {
  fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int by_size(const void *left, const void *right) {
  long a = *(const long *)left, b = *(const long *)right;
  return (a > b) - (a < b);
}

static void report(const char *name, int operations, long total) {
  qsort(samples, sample_count, sizeof *samples, by_size);
  printf("%s %d %ld %ld\n", name, operations, sample_count ? samples[sample_count / 2] : 0, total / operations);
}

static void read_names(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) fail(path);
  int room = 0;
  char line[NAME_LENGTH + 1];
  while (fscanf(file, "%64s", line) == 1) {
    if (name_count == room) names = realloc(names, (room = room ? 2 * room : 256) * sizeof *names);
    memcpy(names[name_count++], line, NAME_LENGTH);
  }
  fclose(file);
}

/* ---- Locks. Results are read from the device here, without libdlm's thread. ---- */

static void unused_ast(void *argument) { (void)argument; }

static void lock(struct lock *lock, int mode, unsigned flags, const char *name) {
  lock->status.sb_lvbptr = lock->lvb;
  lock->started = now();
  if (dlm_ls_lock(lockspace, mode, &lock->status, flags | LKF_VALBLK, name, name ? strlen(name) : 0, 0, unused_ast,
                  lock, unused_ast, NULL))
    fail("lock");
}

static void unlock(struct lock *lock) {
  lock->started = now();
  if (dlm_ls_unlock(lockspace, lock->status.sb_lkid, 0, &lock->status, lock)) fail("unlock");
}

/* The next result; NULL when there is none and `waits` is 0. Sets the status of its lock. */
static struct lock *next_result(int waits, int *blocked_mode) {
  static char bytes[sizeof(struct dlm_lock_result) + 64] __attribute__((aligned(8)));
  struct pollfd device = {dlm_ls_get_fd(lockspace), POLLIN, 0};
  while (read(device.fd, bytes, sizeof bytes) <= 0) {
    if (errno != EAGAIN && errno != EINTR) fail("read");
    if (!waits) return NULL;
    poll(&device, 1, -1);
  }
  const struct dlm_lock_result *result = (const void *)bytes;
  struct lock *lock = result->user_astparam;
  *blocked_mode = result->bast_mode;
  if (!result->bast_mode) lock->status.sb_status = result->lksb.sb_status;
  return lock;
}

/* The next completion; blocking notices do not matter. */
static struct lock *next_completion(int expected) {
  int blocked_mode;
  struct lock *lock;
  do lock = next_result(1, &blocked_mode);
  while (blocked_mode);
  if (lock->status.sb_status != expected) {
    fprintf(stderr, "measure: status %d\n", lock->status.sb_status);
    exit(1);
  }
  return lock;
}

static void hold(int mode) {
  int begun = 0, ended = 0;
  struct lock *all = calloc(name_count, sizeof *all);
  while (ended < name_count) {
    if (begun < name_count && begun - ended < OUTSTANDING_MAX) {
      lock(&all[begun], mode, 0, names[begun]);
      begun++;
      continue;
    }
    next_completion(0);
    ended++;
  }
  printf("held %d\n", name_count);
  fflush(stdout);
  for (;;) pause();
}

/* Each lane locks and unlocks names of its own. */
static void cycle(const char *what, int count, int depth) {
  struct lock lanes[DEPTH_MAX];
  int is_locked[DEPTH_MAX] = {0}, begun = 0, ended = 0;
  int times_unlock = !strcmp(what, "unlock");
  memset(lanes, 0, sizeof lanes);
  if (depth > DEPTH_MAX || depth > name_count) depth = 1;
  long start = now();
  for (; begun < depth; begun++) lock(&lanes[begun], LKM_EXMODE, 0, names[begun % name_count]);
  while (ended < count) {
    int blocked_mode;
    struct lock *lane = next_result(1, &blocked_mode);
    if (blocked_mode) continue;
    int number = lane - lanes;
    if (lane->status.sb_status != (is_locked[number] ? UNLOCKED : 0)) fail("unexpected status");
    if (is_locked[number] == times_unlock) samples[sample_count++] = now() - lane->started;
    if (!is_locked[number]) {
      is_locked[number] = 1;
      unlock(lane);
      continue;
    }
    is_locked[number] = 0;
    ended++;
    if (begun < count) lock(lane, LKM_EXMODE, 0, names[begun++ % name_count]);
  }
  report(what, 2 * count, now() - start);
}

static void convert(const char *what, int count) {
  struct lock one = {0};
  int times_down = !strcmp(what, "down");
  lock(&one, LKM_NLMODE, 0, names[0]);
  next_completion(0);
  long start = now();
  for (int i = 0; i < 2 * count; i++) {
    int is_down = i & 1;
    lock(&one, is_down ? LKM_NLMODE : LKM_EXMODE, LKF_CONVERT, NULL);
    next_completion(0);
    if (is_down == times_down) samples[sample_count++] = now() - one.started;
  }
  report(what, 2 * count, now() - start);
  unlock(&one);
  next_completion(UNLOCKED);
}

static void contend(const char *name, int count) {
  struct lock one = {0};
  long start = now();
  int turn = 0;
  for (; !count || turn < count; turn++) {
    int blocked_mode, is_granted = 0;
    lock(&one, LKM_EXMODE, 0, name);
    long begun = one.started;
    do {
      next_result(1, &blocked_mode);
      if (!blocked_mode) is_granted = 1;
    } while (!is_granted || !blocked_mode);
    unlock(&one);
    do next_result(1, &blocked_mode);
    while (blocked_mode);
    if (count) samples[sample_count++] = now() - begun;
  }
  report("contend", turn, now() - start);
}

/* ---- The echo ---- */

static void no_delay(int connection) {
  int yes = 1;
  setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void write_all(int connection, const char *bytes, int length) {
  while (length > 0) {
    ssize_t count = write(connection, bytes, length);
    if (count <= 0) fail("write");
    bytes += count;
    length -= count;
  }
}

static void serve(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int yes = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  static char bytes[1 << 16];
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 5)) fail("listen");
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    ssize_t count;
    no_delay(connection);
    while ((count = read(connection, bytes, sizeof bytes)) > 0) write_all(connection, bytes, count);
    close(connection);
  }
}

/* What one read brings is answered in one write, as the lock manager's own messages are. */
static void echo(const char *host, int port, int count, int depth) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  static char bytes[DEPTH_MAX * MESSAGE_LENGTH];
  static long started[DEPTH_MAX];
  int connection, begun = 0, ended = 0, part = 0;
  inet_pton(AF_INET, host, &address.sin_addr);
  /* The other side may have just been started. */
  for (int tries = 0;; tries++) {
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (!connect(connection, (void *)&address, sizeof address)) break;
    if (errno != ECONNREFUSED || tries == 200) fail("connect");
    close(connection);
    usleep(50000);
  }
  no_delay(connection);
  long start = now();
  while (ended < count) {
    int more = 0;
    while (begun < count && begun - ended < depth) started[begun++ % depth] = now(), more++;
    write_all(connection, bytes, more * MESSAGE_LENGTH);
    ssize_t got = read(connection, bytes, sizeof bytes);
    if (got <= 0) fail("read");
    for (part += got; part >= MESSAGE_LENGTH; part -= MESSAGE_LENGTH)
      samples[sample_count++] = now() - started[ended++ % depth];
  }
  report("echo", count, now() - start);
}

static void open_lockspace(const char *name) {
  lockspace = dlm_open_lockspace(name);
  if (!lockspace) fail("open lockspace");
  fcntl(dlm_ls_get_fd(lockspace), F_SETFL, O_NONBLOCK);
}

int main(int count, char **arguments) {
  if (count < 4) return fprintf(stderr, "see the head of measure.c\n"), 2;
  const char *what = arguments[2];
  int number = count > 4 ? atoi(arguments[4]) : 0, depth = count > 5 ? atoi(arguments[5]) : 1;
  if (!strcmp(what, "serve")) serve(atoi(arguments[3]));
  if (!strcmp(what, "echo")) {
    int operations = atoi(arguments[5]);
    samples = calloc(operations, sizeof *samples);
    echo(arguments[3], number, operations, count > 6 ? atoi(arguments[6]) : 1);
    return 0;
  }
  open_lockspace(arguments[1]);
  samples = calloc(2 * number + 1, sizeof *samples);
  if (!strcmp(what, "contend")) return contend(arguments[3], number), 0;
  if (!strcmp(what, "hold")) {
    read_names(arguments[4]);
    return hold(atoi(arguments[3])), 0;
  }
  read_names(arguments[3]);
  if (!strcmp(what, "up") || !strcmp(what, "down")) convert(what, number);
  else if (!strcmp(what, "lock") || !strcmp(what, "unlock")) cycle(what, number, depth);
  else return fprintf(stderr, "no such measurement: %s\n", what), 2;
  return 0;
}
