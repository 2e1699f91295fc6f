#include "device_mapper_shim.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/sysmacros.h>

// The library adds flags above the syslog level.
#define LEVEL_MASK 7

static device_mapper_log_sink log_sink;

__attribute__((format(printf, 5, 6)))
static void log_line(int level, const char *file, int line, int error, const char *format, ...) {
  char message[512];
  va_list arguments;

  (void)file;
  (void)line;
  (void)error;
  va_start(arguments, format);
  vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  log_sink(level & LEVEL_MASK, message);
}

void device_mapper_set_log_sink(device_mapper_log_sink sink) {
  log_sink = sink;
  dm_log_with_errno_init(log_line);
}

uint32_t device_mapper_major(uint64_t device) { return major(device); }
uint32_t device_mapper_minor(uint64_t device) { return minor(device); }
