# corosync and clvmd on nodes with kernels of their own, and the steps of Scripts/kernel-corosync.

# Times are generous: several kernels share few processors.
lab_corosync_config() {
  local node
  cat <<CONFIG
totem {
  version: 2
  cluster_name: $lab_cluster_name
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: 4000
}
logging {
  to_stderr: yes
  to_syslog: no
  timestamp: on
}
system {
  sched_rr: no
}
quorum {
  provider: corosync_votequorum
}
nodelist {
CONFIG
  for node in "${lab_nodes[@]}"; do
    printf '  node {\n    ring0_addr: 10.77.0.%d\n    nodeid: %d\n    name: n%d\n  }\n' \
      "$node" "$node" "$node"
  done
  echo '}'
}

membership_config() { echo 'membership { provider = "corosync" }'; }

# corosync's clients reach it through shared memory, which a node has not by itself.
corosync_start() {
  node_run "$1" 'mkdir -p /dev/shm /var/lib/corosync && mount -t tmpfs shm /dev/shm'
  node_spawn "$1" 'exec corosync -f -c /lab/corosync.conf' >/dev/null
}

corosync_has_quorum() { node_run "$1" 'corosync-quorumtool -s' 2>/dev/null | grep -q 'Quorate: *Yes'; }

start_both_on_all() {
  local node
  for node in 1 2 3; do corosync_start "$node"; done
  for node in 1 2 3; do wait_until 60 "corosync's quorum on n$node" corosync_has_quorum "$node"; done
  for node in 1 2 3; do clvmd_start "$node"; done
  for node in 1 2 3; do clvmd_await_members "$node" 3; done
  finding "view $(view_of 1) on all nodes"
}

# The machine of a node is gone: corosync leaves it out, and nothing that it had goes on before somebody
# has said that it is dead.
kill_a_node_under_corosync() {
  local started
  started=$(milliseconds_now)
  node_kill 3
  wait_until 60 "n1 to remove n3" sees_members 1 '1 2'
  figures[view]=$(milliseconds_since "$started")
  wait_for_the_word_on 3
  pacemaker_fenced 3
  expect_writers_on '1 2'
  figures[writers]=$(milliseconds_since "$started")
  bring_back_with_corosync 3
  finding "kill to view ${figures[view]} ms (corosync's token: 4 s), to writers ${figures[writers]} ms"
}

# The kernel's lockspace stands still, and status says what for.
wait_for_the_word_on() {
  wait_until 30 "clvm status to name n$1" status_names_removed "$1"
  [[ $(kernel_lockspace_state) != running ]] || fail "the kernel's lockspace runs without a word on n$1"
  sleep 3
  [[ $(kernel_lockspace_state) != running ]] || fail "the kernel's lockspace runs without a word on n$1"
}

status_names_removed() { waits_of 1 | grep -qi "node n\?$1 "; }
kernel_lockspace_state() { status_of 1 '.lockspaces[] | select(.kind == "kernel") | .state'; }

# What pacemaker says to the alert agent on n1 after it has fenced a node.
pacemaker_fenced() {
  install -m 0755 "$repository/packaging/pacemaker/alert_clvmd.sh" "$lab_folder/bin/alert_clvmd"
  node_run 1 "CLVM=/lab/bin/clvm CRM_alert_kind=fencing CRM_alert_task=reboot CRM_alert_rc=0 \
    CRM_alert_node=n$1 alert_clvmd"
}

bring_back_with_corosync() {
  local node=$1
  node_boot "$node"
  corosync_start "$node"
  wait_until 60 "corosync's quorum on n$node" corosync_has_quorum "$node"
  take_part_again "$node"
}

# Nobody has kept what the daemon had told its kernel: the node must be rebooted, and until then nothing
# that it had open goes on elsewhere. Its boot is the proof.
kill_clvmd_under_corosync() {
  node_signal 2 "${clvmd_job[2]}" KILL
  wait_until 60 "n1 to remove n2" sees_members 1 '1 3'
  wait_for_the_word_on 2
  clvmd_start 2
  wait_until 60 "the new clvmd on n2 to refuse to start" clvmd_ended 2
  node_await 2 "${clvmd_job[2]}" 10 && fail "the new clvmd on n2 ended with status 0"
  grep -q 'reboot' "$lab_folder/nodes/2/clvmd.log" || fail "n2's log does not say that it must be rebooted"
  node_kill 2
  bring_back_with_corosync 2
  finding "its kernel's lockspaces are not taken over: refused, rebooted, and that is the proof"
}
