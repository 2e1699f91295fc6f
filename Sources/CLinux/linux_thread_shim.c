#define _GNU_SOURCE
#include "linux_thread_shim.h"

#include <errno.h>
#include <sched.h>

int clinux_bind_thread(int processor) {
  if (processor < 0 || processor >= CPU_SETSIZE) {
    errno = EINVAL;
    return -1;
  }
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(processor, &processors);
  return sched_setaffinity(0, sizeof processors, &processors);
}
