#define _GNU_SOURCE
#include "linux_scsi_shim.h"

#include <scsi/sg.h>
#include <string.h>
#include <sys/ioctl.h>

int clinux_scsi_command(int descriptor, const uint8_t *command, size_t command_count, int sends,
                        uint8_t *data, size_t data_count, uint8_t *sense,
                        unsigned timeout_milliseconds, struct clinux_scsi_result *result) {
  struct sg_io_hdr header;
  memset(&header, 0, sizeof(header));
  memset(sense, 0, 32);
  header.interface_id = 'S';
  header.dxfer_direction =
      data_count == 0 ? SG_DXFER_NONE : (sends ? SG_DXFER_TO_DEV : SG_DXFER_FROM_DEV);
  header.cmd_len = (unsigned char)command_count;
  header.cmdp = (unsigned char *)command;
  header.dxfer_len = (unsigned)data_count;
  header.dxferp = data;
  header.mx_sb_len = 32;
  header.sbp = sense;
  header.timeout = timeout_milliseconds;
  if (ioctl(descriptor, SG_IO, &header) != 0) return -1;
  result->status = header.status;
  result->host_status = header.host_status;
  result->driver_status = header.driver_status & 0x0F;
  result->sense_count = header.sb_len_wr;
  result->residual = header.resid > 0 ? (size_t)header.resid : 0;
  return 0;
}
