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
  note_the_size
  follow "${live_nodes[*]}" "$bytes" || fail "the nodes disagree after an undisturbed lvextend"
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
  note_the_size
  follow "${live_nodes[*]}" "$bytes" || fail "the nodes disagree after the change"
  finding "told by n3: coordinator n1, committed, until n2 went on"
}

changes_told_by_are() {
  local told
  told=$(node_run "$1" 'clvm status --json' | jq -r '.operations[] | "\(.node) \(.step) \(.change)"')
  [[ $told == "$2" ]]
}

# A member that has no lease yet grants nothing.
starts_the_locks() { node_run "$1" 'vgchange --lockstart vg1' &>/dev/null; }

# interrupt: as $action, $victim, $step_name, $moment and $outcome say. Nothing sleeps: each wait is for a
# fact, and the volume's size in bytes is known from the interruption before.
interrupt() {
  local job failed milliseconds expected=$bytes fail_point="$step_name $moment $action"
  if [[ $outcome == new ]]; then expected=$((bytes + extent_bytes)); fi
  if ((victim != 1)); then node_run "$victim" "echo '$fail_point' >$fail_point_file"; fi
  job=$(node_spawn 1 "
    if (($victim == 1)); then echo '$fail_point' >$fail_point_file; fi
    exec clvm lvextend -l +1 $volume")
  wait_until 60 "n$victim to fail at $step_name" has_failed
  failed=$(milliseconds_now)
  case $action in
    kill) restart_the_daemon ;;
    crash) replace_the_node "$expected" ;;
  esac
  wait_until 60 "all nodes to run on $expected bytes" follow "${live_nodes[*]}" "$expected"
  milliseconds=$(($(milliseconds_now) - failed))
  if [[ $action != crash || $victim != 1 ]]; then expect_true_answer "$job"; fi
  [[ $(bytes_by_metadata) == "$expected" ]] ||
    fail "$volume has $(bytes_by_metadata) bytes, not $expected"
  node_run 3 "clvm lvextend -l +1 $volume" 60 >/dev/null
  bytes=$((expected + extent_bytes))
  [[ $(on_nodes "${live_nodes[*]}" "$describe_briefly" | uniq -c | tr -s ' ') == \
    " ${#live_nodes[@]} $((bytes / 512)) 0" ]] || fail "the nodes disagree after the next lvextend"
  finding "the $outcome metadata counts, all nodes follow it after $milliseconds ms"
}

has_failed() {
  case $action in
    kill) clvmd_ended "$victim" ;;
    crash) ! node_is_on "$victim" ;;
  esac
}

# Its next life says when it has settled what the one before has left: until then there is nothing to see.
restart_the_daemon() {
  recoveries=$(recoveries_of "$victim")
  clvmd_start "$victim"
  wait_until 60 "clvmd on n$victim to follow the disk" has_recovered_or_ended
  ! clvmd_ended "$victim" || fail "clvmd on n$victim ended"
}

has_recovered_or_ended() { (($(recoveries_of "$victim") > recoveries)) || clvmd_ended "$victim"; }

recoveries_of() { grep -c 'recovery of vg1 .*followed the disk' "$lab_folder/nodes/$1/clvmd.log" || true; }

# The command ends, with its daemon or by itself, and claims success only for what is committed.
expect_true_answer() {
  local status=0
  node_await 1 "$1" 60 >/dev/null 2>&1 || status=$?
  ((status != 124)) || fail "clvm lvextend does not end"
  ((status != 0)) || [[ $outcome == new ]] || fail "clvm lvextend claims to have grown $volume"
}

# replace_the_node BYTES: it is switched off for certain. Called dead, it must be missed by nobody: the others go
# on without it while it boots, and then it comes back. It boots only when the others miss it: to the embedded
# provider a machine that answers without a daemon is one whose daemon is being restarted.
replace_the_node() {
  local witness=3
  node_kill "$victim"
  wait_until 60 "n$witness to miss n$victim" misses_the_victim "$witness"
  node_power_on "$victim"
  node_run "$witness" "clvm node fenced $victim --yes"
  wait_until 60 "the others to run on $1 bytes" follow "${live_nodes[*]/#$victim/}" "$1"
  node_await_boot "$victim"
  clvmd_start "$victim"
  node_run "$victim" "
    until vgchange --lockstart vg1 && lvchange -asy $volume; do sleep 0.1; done" 60 &>/dev/null
}

misses_the_victim() {
  node_run "$1" 'clvm status' 2>/dev/null | grep -q "clvm node fenced $victim"
}

# By what is committed on the disk, read outside of the nodes, where a program starts in no time.
bytes_by_metadata() {
  "$lab_folder/bin/clvm" lvs --noheadings --nosuffix --units b -o lv_size \
    --devices "$lab_folder/shared.img" "$volume" | tr -d ' '
}

# The size from which interruptions count on.
note_the_size() { bytes=$(bytes_by_metadata); }

# On every node the device has the size that the metadata says.
everybody_agrees() { follow "${live_nodes[*]}" "$(bytes_by_metadata)"; }

# So does LVM, after everything.
expect_lvm_to_agree() {
  local bytes_by_lvm
  everybody_agrees || fail "the nodes disagree in the end"
  bytes_by_lvm=$(node_run 2 "lvs --noheadings --nosuffix --units b -o lv_size $volume" | tr -d ' ')
  [[ $bytes_by_lvm == "$(bytes_by_metadata)" ]] || fail "LVM finds $bytes_by_lvm bytes"
  finding "$bytes_by_lvm bytes"
}

# follow 'N…' BYTES: on these nodes the device has that size, it is not suspended, no table waits in its
# inactive slot, the daemon waits for nobody, and the nodes are the members of one cluster.
follow() {
  local lines nodes line
  read -ra nodes <<<"$1"
  mapfile -t lines < <(on_nodes "$1" "$describe_the_device")
  ((${#lines[@]} == ${#nodes[@]})) || return 1
  for line in "${lines[@]}"; do
    [[ $line == "$(($2 / 512)) Live Active settled ${#nodes[@]} members" ]] || return 1
  done
}

# Sectors, and whether it is suspended; without starting a program.
# shellcheck disable=SC2016  # expands in the node
readonly describe_briefly='
  for device in /sys/block/dm-*; do
    read -r name <"$device/dm/name"
    [[ $name == vg1-lv1 ]] || continue
    read -r size <"$device/size"
    read -r suspended <"$device/dm/suspended"
    echo "$size $suspended"
  done'

# Two programs only: starting one takes longest in a node.
# shellcheck disable=SC2016  # expands in the node
readonly describe_the_device='
  read -r device slots state < <(
    dmsetup info -c --noheadings --separator " " -o blkdevname,tables_loaded,suspended vg1-lv1)
  read -r size <"/sys/class/block/$device/size"
  status=$(clvm status)
  settled=settled members=0
  case $status in *"is open"* | *"waits for"* | *"fail I/O"*) settled=unsettled ;; esac
  while read -r _ _ word _; do [[ $word != member ]] || members=$((members + 1)); done <<<"$status"
  echo "$size $slots $state $settled $members members"'

readonly alarming_kernel_message='beyond end of device|WARNING: CPU|BUG:|I/O error'

expect_quiet_kernels() {
  if find "$lab_folder/nodes" -name console.log -exec grep -HE "$alarming_kernel_message" {} +; then
    fail "a kernel complains"
  fi
  finding "no access beyond a device's end, no I/O error"
}
