#define _GNU_SOURCE
#include "linux_system_shim.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_make_character_device(const char *path, mode_t mode, uint32_t major, uint32_t minor) {
  if (mknod(path, S_IFCHR | 0600, makedev(major, minor)) != 0) return -1;
  return chmod(path, mode);
}

int clinux_character_device_numbers(const char *path, uint32_t *major_number,
                                    uint32_t *minor_number) {
  struct stat status;
  if (stat(path, &status) != 0) return -1;
  if (!S_ISCHR(status.st_mode)) return 0;
  *major_number = major(status.st_rdev);
  *minor_number = minor(status.st_rdev);
  return 1;
}

int clinux_run(const char *path, const char *argument) {
  char *const arguments[] = {(char *)path, (char *)argument, NULL};
  char *const environment[] = {NULL};
  pid_t process;
  int reason = posix_spawn(&process, path, NULL, NULL, arguments, environment);
  if (reason != 0) {
    errno = reason;
    return -1;
  }
  int status;
  while (waitpid(process, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *clinux_program_path(void) {
  const char *path = (const char *)getauxval(AT_EXECFN);
  return path == NULL ? "/proc/self/exe" : path;
}

void clinux_name_process(const char *name) { prctl(PR_SET_NAME, name); }

pid_t clinux_start_again_in_session(char *const arguments[]) {
  posix_spawnattr_t attributes;
  int reason = posix_spawnattr_init(&attributes);
  if (reason == 0) {
    pid_t process = -1;
    reason = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (reason == 0)
      reason = posix_spawn(&process, clinux_program_path(), NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    if (reason == 0) return process;
  }
  errno = reason;
  return -1;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
