# Two nodes and a quorum disk: of two halves one goes on.

two_nodes() {
  live_nodes=(1 2)
  lab_quorum_disk='quorum_disk = "/dev/ubdc"'
  truncate -s 8M "$output/quorum.img"
  lab_more_disks=("ubdcc=$output/quorum.img")
  make_lab two
  lab_export_keys
  step 'Two nodes: boot them' boot_the_nodes
  step 'Two nodes: make the quorum disk, form a cluster' form_the_cluster_of_two
  step 'Two nodes: both hold a lock in one lockspace' hold_locks_on_both
  step 'Two nodes: cut the network between them' split_two
  step 'Two nodes: both go on' rejoin_two
  lab_destroy
}

form_the_cluster_of_two() {
  node_run 1 'clvmd --make-quorum-disk'
  if node_run 2 'clvmd --make-quorum-disk' 2>/dev/null; then
    fail "a quorum disk was made over another"
  fi
  start_the_daemons
  finding "2 members, 3 votes; led by n$(leader_seen_by 1)"
}

hold_locks_on_both() {
  local node
  for node in 1 2; do
    holder[$node]=$(node_spawn "$node" "exec clvm lock work name-$node EX -- sleep 1000")
  done
  for node in 1 2; do
    wait_until 30 "n$node to hold its lock" holds_its_lock "$node"
  done
  finding "lockspace work runs on both"
}

declare -A holder
holds_its_lock() { node_run "$1" 'clvm locks --json' | grep -q "name-$1"; }

# The half that wins tells the other through the disk; that one resets itself.
split_two() {
  local started winner loser
  started=$(milliseconds_now)
  node_cut_off 2
  wait_until 90 "one of the halves to reset itself" one_has_reset
  if node_has_reset 1; then winner=2 loser=1; else winner=1 loser=2; fi
  node_has_reset "$winner" && fail "both halves have reset themselves"
  sees_members "$winner" "$winner" || fail "n$winner sees $(members_seen_by "$winner")"
  names_the_fence_of "$winner" "$loser" || fail "n$winner does not say what it waits for"
  has_quorum "$winner" || fail "n$winner has no quorum"
  split_loser=$loser
  finding "n$winner goes on with the disk's vote; n$loser reset itself, $(milliseconds_since "$started") ms"
}

one_has_reset() { node_has_reset 1 || node_has_reset 2; }

rejoin_two() {
  local node
  node_reconnect 2
  node_boot "$split_loser"
  clvmd_start "$split_loser"
  for node in 1 2; do clvmd_await_members "$node" 2; done
  wait_until 60 "the lockspace to run" lockspace_runs
  finding "the boot of n$split_loser was the proof; lockspace work runs"
}

lockspace_runs() {
  local winner=$((3 - split_loser))
  [[ $(status_of "$winner" '.lockspaces[] | select(.name == "work") | .state') == running ]]
}
