// Starting programs with nothing inherited, and waiting for them: Glibc's Swift module leaves out
// what that needs.
#ifndef CLVMD_LINUX_PROCESS_SHIM_H
#define CLVMD_LINUX_PROCESS_SHIM_H

#include <sys/types.h>

// Starts `path` as the leader of a session and process group of its own, in `/`, with default signal
// handling, `environment`, and no descriptors but the three given as its standard input, output and
// error. Returns 0 and the process, or the error number.
int clinux_spawn_apart(const char *path, char *const arguments[], char *const environment[],
                       int input, int output, int error, pid_t *process);

// A descriptor that becomes readable when `process`, a child, has ended; close-on-exec. Returns -1
// with errno set when there is none.
int clinux_process_descriptor(pid_t process);

// Kills what is left of the process group that the ended child `leader` led, then collects the
// child, in this order: its number cannot be another's before. Blocks until it has ended. Returns
// the status as of waitpid(2), or -1 with errno set.
int clinux_collect_group(pid_t leader);

#endif
