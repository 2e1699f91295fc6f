# The kernel's own SCSI target in a node, with one disk behind two ways: persistent reservations as they
# are, without hardware.

# shellcheck disable=SC2016  # expands in the node
readonly make_target='
  set -e
  modprobe -a sd_mod target_core_mod target_core_file tcm_loop
  mkdir -p /var/target/pr /var/target/alua
  core=/sys/kernel/config/target/core/fileio_0/disk
  mkdir -p "$core"
  truncate -s 64M /tmp/lun
  echo fd_dev_name=/tmp/lun,fd_dev_size=67108864 >"$core/control"
  echo clvmd-lab >"$core/wwn/vpd_unit_serial"
  echo 1 >"$core/enable"
  for way in 1 2; do
    port=/sys/kernel/config/target/loopback/naa.500140500000000$way/tpgt_1
    mkdir -p "$port"
    echo naa.600140500000000$way >"$port/nexus"
    mkdir -p "$port/lun/lun_0"
    ln -s "$core" "$port/lun/lun_0/disk"
  done
  for try in $(seq 100); do [[ -b /dev/sda && -b /dev/sdb ]] && break; sleep 0.1; done
  ls /dev/sda /dev/sdb'

try_reservations_on_a_real_target() {
  local tests=$repository/.build/debug/clvmdPackageTests.xctest log=$lab_folder/reservations.log
  if [[ ! -x $tests ]]; then
    finding "SKIPPED: the tests are not built (swift build --build-tests)"
    return
  fi
  node_run 1 "$make_target" 60
  node_run 1 "CLVMD_TEST_RESERVATION_PATHS=/dev/sda,/dev/sdb $tests --testing-library swift-testing \
    --filter RealReservationTests" 300 >"$log" 2>&1 || { tail -n 20 "$log" && fail "see $log"; }
  grep -q 'Test run with 3 tests .* passed' "$log" || fail "the tests did not run: $log"
  finding "$(node_run 1 'cat /sys/block/sda/device/vendor') target: register, preempt, read back"
}
