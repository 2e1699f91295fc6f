# The steps of Scripts/kernel-membership on three nodes. Each begins and ends with three nodes that
# write; each figure is measured from outside the nodes.

declare -A figures

# A node is gone: the others remove it, say what they wait for, and go on after the proof.
expect_removal_of() {
  local victim=$1 since=$2 survivors first
  survivors=$(survivors_of "$victim")
  first=${survivors%% *}
  wait_until 60 "n$first to remove n$victim" sees_members "$first" "$survivors"
  figures[view]=$(milliseconds_since "$since")
  wait_until 30 "clvm status to name the fence of n$victim" names_the_fence_of "$first" "$victim"
}

expect_writers_on() {
  local node
  for node in $1; do ledger_must_grow "$node"; done
}

# The node boots, which proves that its earlier life is over, and takes part again.
bring_back() {
  local node=$1
  if node_is_on "$node"; then node_kill "$node"; fi
  node_boot "$node"
  take_part_again "$node"
}

# take_part_again NODE: with a daemon, mounted, and writing.
take_part_again() {
  local node=$1
  clvmd_start "$node"
  clvmd_await_members "$node" 3
  # A member that has no lease yet grants nothing.
  wait_until 60 "n$node to start the locks of vg1" starts_the_locks "$node"
  node_run "$node" 'lvchange -asy vg1/lv1' 120
  node_run "$node" "$(mount_command)" 120
  boots=$((boots + 1))
  ledger_start "$node" "n$node-boot$boots"
  expect_writers_on '1 2 3'
}

# What the check of the lab's nodes must say, and what it must not find.
check_the_cluster() {
  local report=$output/check.json subjects errors
  node_run 1 'clvm cluster check --json' 120 >"$report" || true
  [[ $(jq -c '.nodes_checked | sort' "$report") == '[1,2,3]' ]] || fail "not all nodes were looked at"
  subjects=$(jq -r '[.findings[].subject] | unique | length' "$report")
  ((subjects == 14)) || fail "only $subjects subjects were looked at"
  errors=$(jq -r '.findings[] | select(.severity == "error") | "\(.subject): \(.message)"' "$report")
  [[ -z $errors ]] || fail "the check finds: $errors"
  jq -e 'all(.findings[]; .severity == "ok" or .advice != "" or .subject == "foreign_stacks")' \
    "$report" >/dev/null || fail "a finding says not what to do"
  finding "$(jq '.findings | length' "$report") findings, $(jq '[.findings[] | select(.severity == "warning")] | length' "$report") warnings, no errors"
}

rotate_the_keys() {
  local view node old
  view=$(view_of 1)
  old=$(keys_of 1)
  node_run 1 'clvm cluster rotate-keys' 120
  [[ $(keys_of 2) != "$old" ]] || fail "the keys are the old ones"
  for node in 1 2 3; do
    node_keep_keys "$node"
    sees_members "$node" '1 2 3' || fail "n$node sees members $(members_seen_by "$node")"
  done
  expect_writers_on '1 2 3'
  [[ $(view_of 1) == "$view" ]] || fail "the view changed"
  finding "three new keys and a new authority; view $view unchanged, writers go on"
}

keys_of() { node_run "$1" 'clvm cluster keys --json' | jq -c '[.nodes[].key]'; }

make_the_keys() {
  if node_run 1 'clvmd --check-config' &>/dev/null; then fail "clvmd starts without keys"; fi
  nodes_make_keys "${live_nodes[@]}"
  finding "n1 has the authority's key, the others have joined with tokens"
}

# What the nodes say to each other can be read by nobody, and nobody without a key is talked to.
form_the_cluster() {
  start_the_daemons
  node_run 1 'clvm status --json' | jq -e '.warnings == []' >/dev/null ||
    fail "clvm status warns: $(node_run 1 'clvm status')"
  finding "led by n$(leader_seen_by 1), view $(view_of 1)"
}

kill_a_node() {
  local started
  started=$(milliseconds_now)
  node_kill 3
  expect_removal_of 3 "$started"
  node_run 1 'clvm node fenced 3 --yes'
  expect_writers_on '1 2'
  figures[writers]=$(milliseconds_since "$started")
  finding "kill to view ${figures[view]} ms, kill to writers running ${figures[writers]} ms"
  bring_back 3
}

kill_the_leader() {
  local leader started
  leader=$(leader_seen_by 1)
  started=$(milliseconds_now)
  node_kill "$leader"
  expect_removal_of "$leader" "$started"
  bring_back "$leader"
  finding "n$leader led; view without it after ${figures[view]} ms; its boot was the proof"
}

# The freeze is longer than the silence that the others bear, so the node is removed; when it goes on
# it must reset itself before it writes.
freeze_for() {
  local seconds=$1 victim started
  victim=$(first_follower)
  started=$(milliseconds_now)
  node_freeze "$victim"
  sleep "$seconds"
  node_thaw "$victim"
  wait_until 60 "n$victim to reset itself" node_has_reset "$victim"
  expect_removal_of "$victim" "$started"
  bring_back "$victim"
  finding "n$victim reset itself when it went on, and came back"
}

freeze_for_5_seconds() { freeze_for 5; }
freeze_for_60_seconds() { freeze_for 60; }

first_follower() {
  local leader node
  leader=$(leader_seen_by 1)
  for node in 3 2 1; do
    if [[ $node != "$leader" ]]; then echo "$node" && return; fi
  done
}

lose_one_way() {
  local leader victim view
  leader=$(leader_seen_by 1)
  victim=$(first_follower)
  view=$(view_of "$leader")
  one_way_loss "$victim" "$leader"
  wait_until 60 "n$victim to reset itself" node_has_reset "$victim"
  sees_members "$leader" "$(survivors_of "$victim")" || fail "n$victim is still a member"
  [[ $(view_of "$leader") == $((view + 1)) ]] || fail "more than one view: $view, $(view_of "$leader")"
  bring_back "$victim"
  finding "n$victim to n$leader was lost: one view, n$victim reset itself"
}

# The minority has the leader: it must notice by itself that it leads nobody.
part_the_leader_from_two() {
  local leader others first started
  leader=$(leader_seen_by 1)
  others=$(survivors_of "$leader")
  first=${others%% *}
  started=$(milliseconds_now)
  node_cut_off "$leader"
  expect_removal_of "$leader" "$started"
  # Its lease may outlast the view: nothing starts before its end is proven.
  wait_until 30 "n$leader to know that it has no quorum" lacks_quorum "$leader"
  sees_members "$leader" '1 2 3' || fail "n$leader has made a view alone: $(members_seen_by "$leader")"
  node_kill "$leader"
  node_reconnect "$leader"
  node_run "$first" "clvm node fenced $leader --yes"
  expect_writers_on "$others"
  bring_back "$leader"
  finding "n$leader led, had no quorum alone and said so; the others went on after its fence"
}

# Storage that stands still is no reason to remove anybody.
stall_the_storage() {
  local view node
  view=$(view_of 1)
  on_nodes '1 2 3' 'dmsetup suspend --noflush --nolockfs vg1-lv1'
  sleep 20
  for node in 1 2 3; do
    sees_members "$node" '1 2 3' || fail "n$node sees members $(members_seen_by "$node")"
  done
  on_nodes '1 2 3' 'dmsetup resume vg1-lv1'
  expect_writers_on '1 2 3'
  [[ $(view_of 1) == "$view" ]] || fail "the view changed"
  finding "three members throughout, view $view unchanged, writers go on"
}

verify_all_ledgers() {
  local node file name
  for node in 1 2 3; do ledger_stop "$node"; done
  for file in "$lab_folder"/ledgers/*; do
    name=${file##*/}
    if [[ $name == *.pauses ]]; then continue; fi
    note "$name: $(ledger_verify 1 "$name")"
  done
  finding "every synced line of every writer is there and undamaged"
}

# With Clean decided for each, the last one can go, too.
stop_all() {
  local node
  on_nodes '1 2 3' "umount $mount_point && lvchange -an vg1/lv1 && vgchange --lockstop vg1" 120
  for node in 1 2 3; do clvmd_stop "$node"; done
  for node in 1 2 3; do node_halt "$node"; done
  finding "every clvmd ended with status 0"
}
