// SCSI commands through the kernel (SG_IO), which Glibc's Swift module leaves out.
#ifndef CLVMD_LINUX_SCSI_SHIM_H
#define CLVMD_LINUX_SCSI_SHIM_H

#include <stddef.h>
#include <stdint.h>

struct clinux_scsi_result {
  // SCSI status byte.
  uint8_t status;
  // What the host adapter and the driver say; 0 when they have nothing to say.
  uint16_t host_status;
  uint16_t driver_status;
  // Bytes of sense data.
  uint8_t sense_count;
  // Bytes that were not transferred.
  size_t residual;
};

// Carries out `command` on the device behind `descriptor`, with `data` sent if `sends`, received
// otherwise. `sense` has 32 bytes. Returns 0 when the device or the way to it answered, or -1 with
// errno set when no command could be sent.
int clinux_scsi_command(int descriptor, const uint8_t *command, size_t command_count, int sends,
                        uint8_t *data, size_t data_count, uint8_t *sense,
                        unsigned timeout_milliseconds, struct clinux_scsi_result *result);

#endif
