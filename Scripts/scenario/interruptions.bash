# A volume that grows while a node or its daemon dies at a given step.

readonly volume=vg1/lv1 extent_bytes=131072 fail_point_file=/run/failpoint

# As in the other scenarios, with fail points and without the kernel's lock manager: a daemon that is
# killed while the kernel has lockspaces cannot come back before the node is rebooted.
interruptible_config() {
  cluster_config | sed 's/^kernel_lockspaces.*/kernel_lockspaces { enabled = 0 }/'
  printf 'debugging { enabled = 1 failpoint_file = "%s" }\n' "$fail_point_file"
}

# Patient with a busy machine, on which a daemon takes its time to come back. A killed User-Mode-Linux has
# nothing in flight.
embedded_membership() {
  cat <<'CONFIG'
cluster/allow_plaintext = 1
membership {
  provider = "embedded"
  timers { silence_ms = 8000 lease_ms = 12000 restart_hold_ms = 60000 drain_ms = 0 }
}
CONFIG
}

create_the_volume() {
  node_run 1 "vgcreate --shared -s ${extent_bytes}b vg1 /dev/ubdb"
  for node in 2 3; do wait_until 60 "n$node to start the locks of vg1" starts_the_locks "$node"; done
  node_run 1 'lvcreate -an -l 8 -n lv1 vg1'
  node_run 1 "clvm lvchange -asy --nodes all $volume"
  for node in 1 2 3; do has_the_device "$node" || fail "$volume is not active on n$node"; done
  finding "$volume, $(bytes_by_metadata) bytes, active on all"
}

has_the_device() { node_run "$1" "test -b /dev/$volume"; }

# One command makes it inactive on all nodes and active again; to LVM's own commands, which hold to the
# same locks, it is as if they had done it on each.
activate_on_all_nodes() {
  local node started
  node_run 2 "clvm vgchange -an --nodes all vg1"
  for node in 1 2 3; do ! has_the_device "$node" || fail "$volume is still active on n$node"; done
  node_run 3 "lvchange -aey $volume"
  if node_run 1 "clvm lvchange -ay --nodes all $volume" &>/dev/null; then
    fail "$volume is active on n3 exclusively, and becomes active on all"
  fi
  for node in 1 2; do ! has_the_device "$node" || fail "$volume is left active on n$node"; done
  node_run 1 "clvm lvchange -an --nodes n3 $volume"
  started=$(milliseconds_now)
  node_run 1 "clvm vgchange -ay --nodes all vg1"
  started=$(($(milliseconds_now) - started))
  if node_run 2 "lvchange -aey $volume" &>/dev/null; then
    fail "$volume is active on all, and LVM makes it exclusive on n2"
  fi
  node_run 2 "lvchange -an $volume"
  node_run 2 "lvchange -asy $volume"
  everybody_agrees || fail "the nodes disagree after the activation"
  finding "active on all nodes in $started ms, refused where a node has it exclusively"
}

# How long it takes and how long each node stands still, when nothing goes wrong.
grow_undisturbed() {
  local repetition started reply times=() suspended=()
  for ((repetition = 0; repetition < 3; repetition++)); do
    started=$(milliseconds_now)
    reply=$(node_run 1 "clvm lvextend -l +1 --json $volume")
    times+=($(($(milliseconds_now) - started)))
    suspended+=("$(jq -r '[.nodes[].suspended_ms] | max' <<<"$reply")")
  done
  everybody_agrees || fail "the nodes disagree after an undisturbed lvextend"
  finding "lvextend took ${times[*]} ms, the longest suspend on any node ${suspended[*]} ms"
}

# A daemon does not change over until it is let go: every node tells of the change that waits for it.
tell_of_a_change() {
  local job
  node_run 2 "echo 'resume before hold' >$fail_point_file"
  job=$(node_spawn 1 "clvm lvextend -l +1 $volume")
  wait_until 60 'n2 to come to the fail point' node_run 2 "test -e $fail_point_file.held"
  wait_until 60 'n3 to tell of the change' changes_told_by_are 3 "1 committed grow $volume"
  node_run 2 "rm $fail_point_file.held"
  node_await 1 "$job" 60
  wait_until 60 'the change to be over' changes_told_by_are 3 ''
  everybody_agrees || fail "the nodes disagree after the change"
  finding "told by n3: coordinator n1, committed, until n2 went on"
}

changes_told_by_are() {
  local told
  told=$(node_run "$1" 'clvm status --json' | jq -r '.operations[] | "\(.node) \(.step) \(.change)"')
  [[ $told == "$2" ]]
}

# A member that has no lease yet grants nothing.
starts_the_locks() { node_run "$1" 'vgchange --lockstart vg1' &>/dev/null; }

# interrupt: as $action, $victim, $step_name, $moment and $outcome say.
interrupt() {
  local before job expected
  before=$(bytes_by_metadata)
  node_run "$victim" "echo '$step_name $moment $action' >$fail_point_file"
  job=$(node_spawn 1 "clvm lvextend -l +1 $volume")
  wait_until 60 "n$victim to fail at $step_name" has_failed
  case $action in
    kill) clvmd_start "$victim" ;;
    crash) replace_the_node ;;
  esac
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 3; done
  # The command itself has ended with its node, or with its daemon, or says how it went.
  if [[ $action != crash || $victim != 1 ]]; then
    node_await 1 "$job" 60 >/dev/null 2>&1 || true
  fi
  wait_until 60 "all nodes to agree" everybody_agrees
  expected=$before
  if [[ $outcome == new ]]; then expected=$((before + extent_bytes)); fi
  [[ $(bytes_by_metadata) == "$expected" ]] ||
    fail "$volume has $(bytes_by_metadata) bytes, not $expected"
  node_run 3 "clvm lvextend -l +1 $volume" 60 >/dev/null
  everybody_agrees || fail "the nodes disagree after the next lvextend"
  finding "the $outcome metadata counts, all nodes follow, nothing is suspended"
}

has_failed() {
  case $action in
    kill) clvmd_ended "$victim" ;;
    crash) ! node_is_on "$victim" ;;
  esac
}

# The node is switched off for certain, called dead, and comes back.
replace_the_node() {
  local witness=3
  node_kill "$victim"
  wait_until 60 "n$witness to miss n$victim" misses_the_victim "$witness"
  node_run "$witness" "clvm node fenced $victim --yes"
  node_boot "$victim"
  clvmd_start "$victim"
  clvmd_await_members "$victim" 3
  wait_until 60 "n$victim to start the locks of vg1" starts_the_locks "$victim"
  node_run "$victim" "lvchange -asy $volume"
}

misses_the_victim() {
  node_run "$1" 'clvm status' 2>/dev/null | grep -q "clvm node fenced $victim"
}

bytes_by_metadata() {
  node_run 3 "lvs --noheadings --nosuffix --units b -o lv_size $volume" | tr -d ' '
}

# On every node the device has the size that the metadata says, it is not suspended, no table waits
# in its inactive slot, and the daemon waits for nobody.
everybody_agrees() {
  local bytes line
  bytes=$(bytes_by_metadata)
  while read -r line; do
    [[ $line == "$((bytes / 512)) ACTIVE no-inactive settled" ]] || return 1
  done < <(on_nodes "${live_nodes[*]}" "$describe_the_device")
}

# shellcheck disable=SC2016  # expands in the node
readonly describe_the_device='
  size=$(blockdev --getsz /dev/vg1/lv1)
  state=$(dmsetup info vg1-lv1 | sed -n "s/^State: *//p")
  slot=no-inactive
  if dmsetup info vg1-lv1 | grep -q "Tables present:.*INACTIVE"; then slot=inactive; fi
  open=settled
  if clvm status | grep -qE "is open|waits for|fail I/O"; then open=unsettled; fi
  echo "$size $state $slot $open"'

readonly alarming_kernel_message='beyond end of device|WARNING: CPU|BUG:|I/O error'

expect_quiet_kernels() {
  if find "$lab_folder/nodes" -name console.log -exec grep -HE "$alarming_kernel_message" {} +; then
    fail "a kernel complains"
  fi
  finding "no access beyond a device's end, no I/O error"
}
