#include "device_mapper_shim.h"
