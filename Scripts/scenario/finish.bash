# What is left on the disk is right, and everything ends in order.

verify_what_was_written() {
  local node name report
  for node in "${live_nodes[@]}"; do ledger_stop "$node"; done
  for name in n1-first n2-first n3-first n3-second; do
    report=$(ledger_verify 2 "$name")
    note "$name: $report"
  done
  finding "$(total_safe_lines) synced lines, all there and undamaged"
}

check_the_disk() {
  on_nodes "${live_nodes[*]}" "umount $mount_point" 120
  node_run 1 "fsck.$file_system -fn /dev/vg1/lv1" 120 >"$lab_folder/fsck.log"
  node_run 1 'vgck vg1'
  node_run 1 'pvck --dump headers /dev/ubdb' >"$lab_folder/pvck.log"
  if grep CHECK "$lab_folder/pvck.log"; then fail "pvck --dump headers complains"; fi
  finding "fsck.$file_system, vgck and pvck find nothing wrong"
}

expect_quiet_kernels() {
  if find "$lab_folder/nodes" -name console.log -exec grep -HE "$alarming_kernel_message" {} +; then
    fail "a kernel complains"
  fi
  finding "no access beyond a device's end, no file system error, no kernel warning"
}
readonly alarming_kernel_message='beyond end of device|OCFS2: ERROR|GFS2.*(fatal|withdr)|WARNING: CPU|BUG:|Oops|I/O error'

stop_everything() {
  local node
  for node in "${live_nodes[@]}"; do
    node_run "$node" 'lvchange -an vg1/lv1 && vgchange --lockstop vg1'
  done
  for node in "${live_nodes[@]}"; do clvmd_stop "$node"; done
  for node in "${live_nodes[@]}"; do node_halt "$node"; done
  finding "every clvmd ended with status 0 after SIGTERM, nodes are off"
}

total_safe_lines() {
  cat "$lab_folder"/ledgers/n?-first "$lab_folder"/ledgers/n?-second |
    awk '{ sum += $1 } END { print sum }'
}
