# A node that is no member: it serves the lab's shared disk over iSCSI, with the persistent reservations
# of Linux's SCSI target. The others see the disk as /dev/sda.

readonly array=4
readonly array_target=iqn.2026-01.lab.clvmd:disk

# shellcheck disable=SC2016  # expands in the node
readonly serve_the_disk='
  set -e
  modprobe -a target_core_mod target_core_iblock iscsi_target_mod
  mkdir -p /var/target/pr /var/target/alua
  core=/sys/kernel/config/target/core/iblock_0/disk
  mkdir -p "$core"
  echo udev_path=/dev/ubdb >"$core/control"
  echo 00c1f3d0 >"$core/wwn/vpd_unit_serial"
  echo 1 >"$core/enable"
  group=/sys/kernel/config/target/iscsi/$target/tpgt_1
  mkdir -p "$group/np/$address:3260" "$group/lun/lun_0"
  ln -s "$core" "$group/lun/lun_0/disk"
  echo 0 >"$group/attrib/authentication"
  echo 1 >"$group/attrib/generate_node_acls"
  echo 0 >"$group/attrib/demo_mode_write_protect"
  echo 1 >"$group/enable"'

# shellcheck disable=SC2016  # expands in the node
readonly log_in='
  set -e
  modprobe -a sd_mod scsi_transport_iscsi iscsi_tcp
  timeout 60 iscsistart -i "$target.$(hostname)" -t "$target" -g 1 -a "$address" >/dev/null 2>&1
  for try in $(seq 100); do [[ -b /dev/sda ]] && break; sleep 0.1; done
  cat /sys/class/block/sda/device/wwid'

array_start() {
  node_run "$array" "target=$array_target address=10.77.0.$array; $serve_the_disk" 60
}

# Prints what the disk is called.
array_log_in() {
  node_run "$1" "target=$array_target address=10.77.0.$array; $log_in" 120
}

# What a node reads on the disk.
keys_on_the_disk() { node_run "$1" 'sg_persist --in --read-keys /dev/sda' | grep -c '^ *0x5' || true; }
holder_of_the_disk() {
  node_run "$1" 'sg_persist --in --read-reservation /dev/sda' | sed -n 's/^ *Key=//p'
}
