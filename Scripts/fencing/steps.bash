# What is shown, step by step.

start_keepers_and_daemons() {
  local node
  on_nodes "${lab_nodes[*]}" "$prepare_node"
  for node in "${lab_nodes[@]}"; do
    keeper_start "$node"
    clvmd_start "$node"
  done
  for node in "${lab_nodes[@]}"; do clvmd_await_members "$node" 3; done
  wait_until 60 "the fence devices to be tried out" fence_devices_work 1
  finding "a software watchdog on each node, both monitored fence devices work"
}

fence_devices_work() {
  local working
  working=$(node_run "$1" 'clvm status --json' |
    jq '[.fence_devices[] | select(.state == "working")] | length') && ((working == 2))
}

mount_and_write() {
  node_run 1 'vgcreate --shared vg1 /dev/ubdb'
  on_nodes '2 3' 'vgchange --lockstart vg1'
  node_run 1 'lvcreate -an -L 256M -n lv1 vg1'
  on_nodes '1 2 3' 'lvchange -asy vg1/lv1'
  make_and_mount_the_file_system
  start_the_writers
  finding "mounted on all, a writer on each"
}

kill_and_restart_the_daemon() {
  local view started=$EPOCHREALTIME
  view=$(view_of 1)
  node_run 2 "kill -KILL $(daemon_process 2)"
  clvmd_start 2
  await_adoption 2 "$view" "$started"
}

# The process becomes the daemon anew.
begin_anew() {
  local view started=$EPOCHREALTIME before
  view=$(view_of 2)
  before=$(times_taken_up 1)
  node_run 1 "kill -USR2 $(daemon_process 1)"
  wait_until 60 "clvmd on n1 to begin anew" has_taken_up_more_than 1 "$before"
  await_adoption 1 "$view" "$started"
}

times_taken_up() { grep -c ': taken up, generation' "$lab_folder/nodes/$1/clvmd.log" || true; }
has_taken_up_more_than() { (($(times_taken_up "$1") > $2)); }

# await_adoption NODE VIEW SINCE: the new daemon on NODE takes its lockspaces up; nobody is removed, and
# nothing is unmounted.
await_adoption() {
  local node=$1 view=$2 started=$3 each
  for each in "${live_nodes[@]}"; do clvmd_await_members "$each" "${#live_nodes[@]}"; done
  wait_until 60 "the kernel lockspace of n$node to run again" kernel_lockspace_runs "$node"
  for each in "${live_nodes[@]}"; do ledger_must_grow "$each"; done
  [[ $(view_of "$node") == "$view" ]] || fail "the view is $(view_of "$node"), not $view"
  node_run "$node" "mountpoint -q $mount_point" || fail "$mount_point is not mounted any more"
  finding "same view $view; writers waited at most $(longest_pause_since "$started") ms"
}

kernel_lockspace_runs() {
  local state
  state=$(node_run "$1" 'clvm lockspaces --json' |
    jq -r '.lockspaces[] | select(.kind == "kernel") | .state') && [[ $state == running ]]
}

# Nothing tells n3 to die but its own clock: the others cannot reach it.
cut_off_node_3() {
  local started=$EPOCHREALTIME
  ip -n "$lab_namespace" link set tap3 down
  live_nodes=(1 2)
  wait_until 150 "n3 to be reset by its watchdog" node_is_off 3
  finding "reset $(since "$started") s after it was cut off"
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 2; done
  wait_until 120 "the kernel lockspace of n1 to run without n3" kernel_lockspace_runs 1
  ledger_must_grow 1
  grep -hq "the board does not answer" "$lab_folder/nodes/"[12]/clvmd.log ||
    fail "the failing agent's words are in no log"
  grep -hq "fence device hanging.*did not end in time" "$lab_folder/nodes/"[12]/clvmd.log ||
    fail "the hanging agent is in no log"
  if grep -h "password=lab\|password 'lab'" "$lab_folder/nodes/"*/clvmd.log; then
    fail "a secret is in a log"
  fi
  finding "$step_finding; levels 1 and 2 failed, level 3 fenced it; writers waited at most \
$(longest_pause_since "$started") ms"
}

node_is_off() { ! node_is_on "$1"; }
since() { echo "$EPOCHREALTIME $1" | awk '{ printf "%.1f", $1 - $2 }'; }

# n2 has one device, and that fails: only somebody else's word lets the others go on.
report_a_death() {
  local started=$EPOCHREALTIME node
  node_kill 2
  live_nodes=(1 3)
  wait_until 60 "clvm status to tell of the failing device" status_tells_of_the_fence
  finding "$(what_status_says_of_node_2)"
  node_run 1 'clvm node fenced n2 --by lab'
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 2; done
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  note "writers waited at most $(longest_pause_since "$started") ms"
}

what_status_says_of_node_2() {
  node_run 1 'clvm status' 2>/dev/null | grep -m 1 'the fence of node n2' | sed 's/^ *//'
}

status_tells_of_the_fence() { [[ $(what_status_says_of_node_2) == *broken* ]]; }

bring_node_2_back() {
  local node
  node_boot 2
  node_run 2 "$prepare_node"
  keeper_start 2
  clvmd_start 2
  live_nodes=(1 2 3)
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 3; done
  # A member that has no lease yet grants nothing.
  wait_until 60 "n2 to start the locks of vg1" starts_the_locks 2
  node_run 2 'lvchange -asy vg1/lv1' 120
  node_run 2 "$(mount_command)" 120
  ledger_start 2 n2-second
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  finding "member again, mounted, writes"
}

verify_the_ledgers() {
  local name
  ledger_stop 1
  ledger_stop 2
  for name in n1-first n2-first n2-second n3-first; do note "$name: $(ledger_verify 1 "$name")"; done
  finding "nothing that was synced is missing"
}
