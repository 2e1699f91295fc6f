// Placing threads, for benchmarks.
#ifndef CLVMD_LINUX_THREAD_SHIM_H
#define CLVMD_LINUX_THREAD_SHIM_H

// Lets the calling thread run on one processor only. Returns 0, or -1 with errno.
int clinux_bind_thread(int processor);

#endif
