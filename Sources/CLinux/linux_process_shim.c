#define _GNU_SOURCE
#include "linux_process_shim.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_spawn_apart(const char *path, char *const arguments[], char *const environment[],
                       int input, int output, int error, pid_t *process) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int reason = posix_spawn_file_actions_init(&actions);
  if (reason != 0) return reason;
  reason = posix_spawnattr_init(&attributes);
  if (reason != 0) {
    posix_spawn_file_actions_destroy(&actions);
    return reason;
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  // SIGKILL and SIGSTOP cannot be set and need not be.
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  if ((reason = posix_spawn_file_actions_adddup2(&actions, input, 0)) == 0 &&
      (reason = posix_spawn_file_actions_adddup2(&actions, output, 1)) == 0 &&
      (reason = posix_spawn_file_actions_adddup2(&actions, error, 2)) == 0 &&
      (reason = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
      (reason = posix_spawn_file_actions_addchdir_np(&actions, "/")) == 0 &&
      (reason = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
      (reason = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
      (reason = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF)) == 0)
    reason = posix_spawn(process, path, &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return reason;
}

int clinux_process_descriptor(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int clinux_collect_group(pid_t leader) {
  siginfo_t information;
  while (waitid(P_PID, (id_t)leader, &information, WEXITED | WNOWAIT) != 0)
    if (errno != EINTR) return -1;
  (void)kill(-leader, SIGKILL);
  int status;
  while (waitpid(leader, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}
