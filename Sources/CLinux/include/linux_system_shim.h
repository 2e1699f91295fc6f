// System calls and device numbers that Glibc's Swift module leaves out.
#ifndef CLVMD_LINUX_SYSTEM_SHIM_H
#define CLVMD_LINUX_SYSTEM_SHIM_H

#include <stdint.h>
#include <sys/types.h>

// Makes the character device `path` with exactly `mode`, whatever the umask.
// Returns 0, or -1 with errno set.
int clinux_make_character_device(const char *path, mode_t mode, uint32_t major, uint32_t minor);

// The numbers of the character device `path`. Returns 1 when it is one, 0 when it is something
// else, or -1 with errno set.
int clinux_character_device_numbers(const char *path, uint32_t *major, uint32_t *minor);

// Starts the program `path` with one argument and an empty environment, and waits for its end.
// Returns its exit status, 128 plus the signal's number when a signal ended it, or -1 with errno
// set when it could not be started.
int clinux_run(const char *path, const char *argument);

// The path by which this program was started. It is relative to the directory of that moment if that
// is how it was named.
const char *clinux_program_path(void);

// Names this process in /proc, where pgrep and killall look; cut at 15 bytes. To be called on the
// first thread.
void clinux_name_process(const char *name);

// Starts the program of this process again, under the path by which it was started and with this
// process' environment, in a session of its own. `arguments` ends with NULL. Returns the new
// process' id, or -1 with errno set.
pid_t clinux_start_again_in_session(char *const arguments[]);

// A pipe whose ends no other program inherits: ends[0] is for reading, ends[1] for writing. Returns
// 0, or -1 with errno set.
int clinux_pipe(int ends[2]);

#endif
