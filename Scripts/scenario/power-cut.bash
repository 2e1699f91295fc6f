# A node dies. The others wait for the word that it cannot write any more, then go on.

cut_the_power_of_node_3() {
  node_kill 3
  live_nodes=(1 2)
  wait_until 60 "clvm status to name node 3" status_names_the_wait
  finding "$(what_status_asks_for)"
}

# What clvm status tells an admin to do about node 3.
what_status_asks_for() {
  node_run 1 'clvm status' 2>/dev/null | grep -m 1 'clvm node fenced 3' | sed 's/^ *//'
}

status_names_the_wait() { [[ -n $(what_status_asks_for) ]]; }

confirm_the_fence() {
  local node started=$EPOCHREALTIME
  node_run 1 'clvm node fenced 3 --yes'
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 2; done
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  wait_until 60 "the kernel lockspaces to lose node 3" kernel_lockspace_members_are 1 '1 2'
  node_run 1 "ls $mount_point >/tmp/ls && cat $mount_point/${ledger_name[3]} >/tmp/ledger-of-n3" 120
  finding "n1 and n2 write on; writers waited at most $(longest_pause_since "$started") ms"
}

bring_node_3_back() {
  node_boot 3
  clvmd_start 3
  live_nodes=(1 2 3)
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 3; done
  node_run 3 'vgchange --lockstart vg1'
  node_run 3 'lvchange -asy vg1/lv1'
  expect_size_everywhere "$(mebibytes 448)"
  node_run 3 "$(mount_command)" 120
  ledger_start 3 n3-second
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  kernel_lockspace_members_are 1 '1 2 3' || fail "kernel lockspaces lack a member"
  finding "member, volume active, mounted, writing"
}
