# A fourth node comes to the running cluster, mounts, writes, leaves and is removed, while the other
# three write on. The view changes by its coming and going, and by nothing else.

readonly newcomer=4

add_a_fourth_node() {
  local view node
  view=$(view_of 1)
  lab_add_node "$newcomer"
  node_power_on "$newcomer"
  node_run 1 "clvm cluster add-node n$newcomer=10.77.0.$newcomer" |
    grep -q 'is in the configuration of all nodes' ||
    fail "add-node does not say that the node is in the configuration"
  for node in 1 2 3; do wait_until 30 "n$node to have n$newcomer in clvmd.conf" names_newcomer "$node"; done
  [[ $(view_of 1) == "$view" ]] || fail "the view changed before the node came"
  node_await_boot "$newcomer"
  node_join "$newcomer" 1
  clvmd_start "$newcomer"
  for node in 1 2 3 "$newcomer"; do clvmd_await_members "$node" 4; done
  for node in 1 2 3; do node_keep_keys "$node"; done
  mount_on_newcomer
  expect_writers_on "1 2 3 $newcomer"
  [[ $(view_of 1) == $((view + 1)) ]] || fail "views $view to $(view_of 1): not one for one node"
  finding "view $view, then $(view_of 1) with n$newcomer; mounted, and all four write"
}

names_newcomer() { node_run "$1" "grep -q 'n$newcomer {' /etc/lvm/clvmd.conf"; }
lacks_newcomer() { ! names_newcomer "$1"; }

mount_on_newcomer() {
  wait_until 60 "n$newcomer to start the locks of vg1" starts_the_locks "$newcomer"
  node_run "$newcomer" 'lvchange -asy vg1/lv1' 120
  node_run "$newcomer" "$(mount_command)" 120
  kernel_lockspace_members_are 1 "1 2 3 $newcomer" || fail "the kernel lockspace lacks members"
  ledger_start "$newcomer" "n$newcomer-first"
}

# From the file of one node; the others' files are older until they are changed, too.
apply_other_times() {
  local node view change="sed -i 's/drain_ms = 0/drain_ms = 0 agent_timeout_ms = 50000/' /etc/lvm/clvmd.conf"
  view=$(view_of 1)
  node_run 1 "$change"
  node_run 1 'clvm cluster apply' | grep -q 'agent_timeout is 50000 ms' || fail "apply does not name the time"
  node_run 2 'clvm cluster apply' | grep -q 'agent_timeout is 60000 ms' ||
    fail "n2 does not take its file, which is older, for a change"
  node_run 1 'clvm cluster apply' | grep -q 'agent_timeout is 50000 ms' ||
    fail "apply does not go back to it"
  on_nodes "2 3 $newcomer" "$change"
  node_run 2 'clvm cluster apply' | grep -q 'has decided what this clvmd.conf says' ||
    fail "n2's file is not what was decided"
  for node in 1 2 3; do node_keep_keys "$node"; done
  [[ $(view_of 1) == "$view" ]] || fail "the view changed"
  expect_writers_on "1 2 3 $newcomer"
  finding "agent_timeout of 50 s, back, and again, taken over from the file of one node; view $view unchanged"
}

remove_the_fourth_node() {
  local node
  if node_run 1 "clvm cluster remove-node n$newcomer" 2>/dev/null; then
    fail "a living node was removed"
  fi
  ledger_stop "$newcomer"
  node_run "$newcomer" "umount $mount_point && lvchange -an vg1/lv1 && vgchange --lockstop vg1" 120
  clvmd_stop "$newcomer"
  wait_until 60 "n1 to see n$newcomer leave" sees_members 1 '1 2 3'
  node_run 1 "clvm cluster remove-node n$newcomer"
  for node in 1 2 3; do
    wait_until 30 "n$node to forget n$newcomer" lacks_newcomer "$node"
    node_keep_keys "$node"
  done
  node_run 1 'clvm cluster keys --json' | jq -e "all(.nodes[]; .node != $newcomer)" >/dev/null ||
    fail "the keys of n$newcomer are still believed"
  expect_writers_on '1 2 3'
  node_halt "$newcomer"
  finding "refused while it lived; left, removed and no longer believed; the others write on"
}
