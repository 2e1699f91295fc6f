/* Kills a program of LVM at a device-mapper ioctl of its choice: preloaded into lvm.

   KILLED_AT=suspended  right after it has suspended a device
   KILLED_AT=resuming   right before it resumes one

   Build: cc -O1 -shared -fPIC killed-at-ioctl.c -o killed-at-ioctl.so */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/dm-ioctl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int is_asked_for(const char *moment) {
  const char *asked = getenv("KILLED_AT");
  return asked && strcmp(asked, moment) == 0;
}

int ioctl(int descriptor, unsigned long request, ...) {
  static int (*real_ioctl)(int, unsigned long, void *);
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (!real_ioctl) real_ioctl = (int (*)(int, unsigned long, void *))dlsym(RTLD_NEXT, "ioctl");
  if (request != DM_DEV_SUSPEND) return real_ioctl(descriptor, request, argument);
  int suspends = (((struct dm_ioctl *)argument)->flags & DM_SUSPEND_FLAG) != 0;
  if (!suspends && is_asked_for("resuming")) raise(SIGKILL);
  int result = real_ioctl(descriptor, request, argument);
  if (suspends && result == 0 && is_asked_for("suspended")) raise(SIGKILL);
  return result;
}
