// What libdevmapper.h offers only as macros, variadic functions or flexible array members.
#ifndef CLVMD_DEVICE_MAPPER_SHIM_H
#define CLVMD_DEVICE_MAPPER_SHIM_H

#include <libdevmapper.h>

#endif
