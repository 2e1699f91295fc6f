# The steps of Scripts/kernel-clvmd-cluster. n1 runs the commands, n2's daemon is the one that fails.

readonly disk=/dev/ubdb extents_added=4 extent_mebibytes=4
# lvextend.py's and clvmd's own limit of 10 s, and what a slow guest needs besides.
readonly freeze_limit_milliseconds=25000

boot_and_start() {
  local node
  lab_boot_all
  for node in 1 2 3; do start_daemon "$node"; done
  for node in 1 2 3; do clvmd_await_members "$node" 3; done
  finding "three daemons, one lockspace clvmd"
}

start_daemon() { clvmd_job[$1]=$(node_spawn "$1" 'exec clvmd --config /etc/lvm/clvmd.conf >/dev/ttyS0 2>&1'); }

# old NODE PROGRAM ARGUMENT...: a command of LVM 2.02 on a node.
old() {
  local node=$1
  shift
  node_run "$node" "cd /lab/clvmd && python3 $*" 120
}

make_the_clustered_group() {
  node_run 1 "pvcreate -y $disk && vgcreate vg1 $disk && lvcreate -an -Zn -Wn -y -l4 -n lv1 vg1"
  old 1 volume.py cluster "$disk"
  old 1 volume.py activate "$disk" vg1/lv1
  extents=4
  expect_everywhere
  finding "$(old 1 volume.py query "$disk" vg1/lv1)"
}

# The size of the volume's device on a node in extents, and whether it is suspended.
# shellcheck disable=SC2016  # expands in the node
device_on() {
  node_run "$1" 'set -- $(dmsetup table vg1-lv1 2>/dev/null); size=$2
    set -- $(dmsetup info -c --noheadings -o suspended vg1-lv1 2>/dev/null); echo "$((${size:-0} / 8192)) ${1:-none}"'
}

# expect_on NODE EXTENTS
expect_on() {
  local found
  found=$(device_on "$1")
  [[ $found == "$2 Active" ]] || fail "vg1/lv1 on n$1: '$found', not $2 extents and Active"
}

expect_everywhere() {
  local node
  for node in 1 2 3; do expect_on "$node" "$extents"; done
}

# extend [ARGUMENT...]: on n1; sets suspended_milliseconds. Returns what lvextend would.
extend() {
  local status=0
  suspended_milliseconds=$(old 1 lvextend.py vg1/lv1 "$extents_added" "$disk" "$@") || status=$?
  return "$status"
}

extend_in_peace() {
  extend
  extents=$((extents + extents_added))
  expect_everywhere
  finding "$extents extents on all nodes, suspended for $suspended_milliseconds ms"
}

# begin_extend STEP: an lvextend that waits before a step.
begin_extend() {
  rm -f "$lab_folder"/{paused,go}
  extend_job=$(node_spawn 1 "cd /lab/clvmd && exec python3 lvextend.py vg1/lv1 $extents_added $disk --pause $1 --folder /lab")
  wait_until 60 "lvextend to come to its $1" test -e "$lab_folder/paused"
}

# end_extend EXPECTED-STATUS...
end_extend() {
  touch "$lab_folder/go"
  await_extend "$@"
}

# await_extend EXPECTED-STATUS...
await_extend() {
  extend_status=0
  suspended_milliseconds=$(node_await 1 "$extend_job" 200) || extend_status=$?
  [[ " $* " == *" $extend_status "* ]] || fail "lvextend ends with $extend_status, not $*"
  if ((extend_status == 0)); then extents=$((extents + extents_added)); fi
}

kill_daemon() { node_signal "$1" "${clvmd_job[$1]}" KILL; }

restart_daemon() {
  start_daemon "$1"
  await_daemon "$1"
}

await_daemon() {
  clvmd_await_members "$1" 3
  wait_until 60 'all nodes to answer again' all_nodes_answer
}

all_nodes_answer() {
  [[ $(old 1 volume.py query "$disk" vg1/lv1 2>/dev/null | wc -w) == 3 ]] &&
    [[ $(old 1 volume.py query "$disk" vg1/lv1) == *n2=CR* ]]
}

# Nobody knows whether a daemon that fell silent can still write: the group's lock is not granted before
# its node is fenced or its daemon is back, so nothing changes behind its back.
other_dies_before() {
  kill_daemon 2
  clvmd_await_members 1 2
  extend_job=$(node_spawn 1 "cd /lab/clvmd && exec python3 lvextend.py vg1/lv1 $extents_added $disk")
  sleep 15
  if [[ -e $lab_folder/nodes/1/mailbox/$extend_job.rc ]]; then
    fail 'lvextend did not wait for the dead daemon'
  fi
  expect_everywhere
  start_daemon 2
  await_extend 0
  await_daemon 2
  expect_everywhere
  finding "lvextend waited while n2 was down; then $extents extents everywhere"
}

# Either it was given up in time, or n2 was back and took part.
other_dies_while_the_suspend_waits() {
  begin_extend suspend
  node_signal 2 "${clvmd_job[2]}" STOP
  touch "$lab_folder/go"
  sleep 1
  kill_daemon 2
  start_daemon 2
  await_extend 0 5
  await_daemon 2
  wait_until 60 'all nodes to run on the committed mapping' all_follow
  finding "ended with $extend_status; $extents extents everywhere"
}

other_is_killed_before_the_resume() {
  begin_extend resume
  kill_daemon 2
  touch "$lab_folder/go"
  start_daemon 2
  await_extend 0 5
  # Committed it is in any case.
  if ((extend_status == 5)); then extents=$((extents + extents_added)); fi
  await_daemon 2
  wait_until 60 'all nodes to run on the committed mapping' all_follow
  finding "lvextend ended with $extend_status; n2 resumed on $extents extents when its daemon was back"
}

other_stalls_before_the_suspend() {
  begin_extend suspend
  node_signal 2 "${clvmd_job[2]}" STOP
  end_extend 5
  ((suspended_milliseconds < freeze_limit_milliseconds)) ||
    fail "n1's volume was suspended for $suspended_milliseconds ms"
  expect_on 1 "$extents"
  expect_on 3 "$extents"
  # The cluster has gone on without n2: whatever it finds in its connections now may suspend its volume,
  # and must not do more. Its next life puts that right.
  node_signal 2 "${clvmd_job[2]}" CONT
  kill_daemon 2
  restart_daemon 2
  expect_everywhere
  finding "aborted; n1 was held for $suspended_milliseconds ms at the most"
}

command_dies_after_commit() {
  begin_extend resume
  node_signal 1 "$extend_job" KILL
  extents=$((extents + extents_added))
  wait_until 60 'all nodes to run on the committed mapping' all_follow
  wait_until 30 'the lock of the group to be free' lock_is_free
  finding "$extents extents on all nodes, nothing suspended, the group's lock is free"
}

all_follow() {
  local node
  for node in 1 2 3; do [[ $(device_on "$node") == "$extents Active" ]] || return 1; done
}

lock_is_free() { old 1 volume.py lock-free "$disk" vg1; }

exclusive_stays_exclusive() {
  local status=0
  old 1 volume.py deactivate "$disk" vg1/lv1
  old 2 volume.py exclusive "$disk" vg1/lv1 --local
  kill_daemon 2
  start_daemon 2
  clvmd_await_members 2 3
  wait_until 60 'n2 to have its volume again' n2_is_exclusive
  old 1 volume.py activate "$disk" vg1/lv1 --local || status=$?
  ((status == 5)) || fail "n1 activates what n2 has exclusively"
  old 2 volume.py deactivate "$disk" vg1/lv1 --local
  old 1 volume.py activate "$disk" vg1/lv1
  expect_everywhere
  finding 'n2=EX after a kill and a restart, and n1 was refused'
}

n2_is_exclusive() { [[ $(old 1 volume.py query "$disk" vg1/lv1) == *n2=EX* ]]; }

rename_everywhere() {
  local node
  old 1 volume.py rename "$disk" vg9
  for node in 1 2 3; do
    node_run "$node" 'dmsetup info vg9-lv1 >/dev/null && ! dmsetup info vg1-lv1 >/dev/null 2>&1'
  done
  old 1 volume.py rename "$disk" vg1
  expect_everywhere
  finding 'vg9-lv1 on all nodes, and back'
}

failed_activation_is_undone() {
  local status=0 node
  old 1 volume.py deactivate "$disk" vg1/lv1
  # A stranger has the name on n3, so that no device can be made there.
  node_run 3 "dmsetup create vg1-lv1 --uuid stranger --table '0 8192 zero'"
  old 1 volume.py activate "$disk" vg1/lv1 || status=$?
  ((status == 5)) || fail "the activation ends with $status"
  for node in 1 2; do
    node_run "$node" '! dmsetup info vg1-lv1 >/dev/null 2>&1'
  done
  node_run 3 'dmsetup remove vg1-lv1'
  old 1 volume.py activate "$disk" vg1/lv1
  expect_everywhere
  finding 'active nowhere after it had failed on n3'
}

both_generations() {
  local status=0
  node_run 1 'vgcreate --shared vg2 /dev/ubdd && lvcreate -an -Zn -Wn -y -l4 -n lv2 vg2' 120
  on_nodes '2 3' 'vgchange --lockstart vg2'
  on_nodes '1 2 3' 'lvchange -asy vg2/lv2'
  # LVM 2.02 may not touch it, whoever asks.
  old 1 volume.py activate /dev/ubdd vg2/lv2 || status=$?
  ((status == 5)) || fail "clvmd's socket activates a volume of a shared group"
  # LVM 2.03 leaves the clustered one alone.
  if node_run 1 'lvextend -l+1 vg1/lv1'; then fail 'LVM 2.03 changed a clustered group'; fi
  # Without a cluster filesystem on it LVM 2.03 extends a volume only where nobody shares it.
  on_nodes '1 2 3' 'lvchange -an vg2/lv2'
  node_run 2 'lvextend -l+4 vg2/lv2' 120
  on_nodes '1 2 3' 'lvchange -asy vg2/lv2'
  extend_in_peace
  on_nodes '1 2 3' 'blockdev --getsize64 /dev/vg2/lv2'
  finding 'each generation changed its own group and was kept from the other'
}
