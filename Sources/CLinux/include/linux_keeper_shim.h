// The watchdog, the machine's reset, real-time threads, and sockets of whole messages: what Glibc's
// Swift module leaves out.
#ifndef CLVMD_LINUX_KEEPER_SHIM_H
#define CLVMD_LINUX_KEEPER_SHIM_H

#include <stddef.h>
#include <sys/types.h>

// The name that the watchdog behind `descriptor` gives itself, at most 32 bytes and a zero. Returns 0,
// or -1 with errno set (ENOTTY: it is no watchdog).
int clinux_watchdog_identity(int descriptor, char name[33]);

// Sets the timeout in seconds and reads back what the device made of it. Returns 0, or -1 with errno.
int clinux_watchdog_set_timeout(int descriptor, int *seconds);

// Restarts the countdown. Returns 0, or -1 with errno set.
int clinux_watchdog_pet(int descriptor);

// Resets the machine without syncing or unmounting anything. Returns, with errno set, only if it
// could not.
void clinux_reset_machine(void);

// Gives the calling thread the lowest real-time priority. Returns 0, or -1 with errno set.
int clinux_become_real_time(void);

// A SOCK_SEQPACKET socket, close-on-exec, bound to `path` (which must not exist) and listening, only
// accessible for this user. Returns the descriptor, or -1 with errno set.
int clinux_message_listen(const char *path);

// A connection to such a socket. Returns the descriptor, or -1 with errno set.
int clinux_message_connect(const char *path);

// The next connection, close-on-exec. Returns the descriptor, or -1 with errno set.
int clinux_message_accept(int listener);

// Sends a whole message, without waiting if `dontwait`. Returns 0, or -1 with errno set.
int clinux_message_send(int descriptor, const void *bytes, size_t count, int dontwait);

// Receives a message. Returns its whole length, which exceeds `capacity` when it was cut, 0 at the
// end, or -1 with errno set.
ssize_t clinux_message_receive(int descriptor, void *buffer, size_t capacity);

#endif
