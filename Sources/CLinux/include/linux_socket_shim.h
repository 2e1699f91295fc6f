// Socket facts that Glibc's Swift module leaves out.
#ifndef CLVMD_LINUX_SOCKET_SHIM_H
#define CLVMD_LINUX_SOCKET_SHIM_H

#include <sys/types.h>

// The credentials of the process at the other end of the unix socket `descriptor`.
// Returns 0, or -1 with errno set.
int clinux_peer_credentials(int descriptor, pid_t *pid, uid_t *uid, gid_t *gid);

#endif
