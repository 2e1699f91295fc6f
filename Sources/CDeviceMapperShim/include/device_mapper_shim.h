// What libdevmapper.h offers only as macros, variadic functions or flexible array members.
#ifndef CLVMD_DEVICE_MAPPER_SHIM_H
#define CLVMD_DEVICE_MAPPER_SHIM_H

#include <libdevmapper.h>
#include <stdint.h>

// Receives one line of the library's log. `level` is that of syslog(3).
typedef void (*device_mapper_log_sink)(int level, const char *message);

// Sends the library's log to `sink` instead of stderr. Call it once, before the first task.
void device_mapper_set_log_sink(device_mapper_log_sink sink);

uint32_t device_mapper_major(uint64_t device);
uint32_t device_mapper_minor(uint64_t device);

static inline const char *device_mapper_name(const struct dm_names *names) { return names->name; }

// The entry after `names`; NULL after the last one.
static inline const struct dm_names *device_mapper_next_name(const struct dm_names *names) {
  return names->next ? (const struct dm_names *)((const char *)names + names->next) : NULL;
}

static inline uint64_t device_mapper_dependency(const struct dm_deps *deps, uint32_t index) {
  return deps->device[index];
}

#endif
