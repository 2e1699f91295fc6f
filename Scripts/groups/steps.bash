# What is shown, step by step.

form_the_cluster() {
  local node
  for node in "${all_nodes[@]}"; do machine_start "$node"; done
  await_members 1 2 3
  finding "view $(view_of 1) on all nodes, from corosync $(corosync -v | sed -n 's/.*version .\([0-9.]*\).*/\1/p')"
}

# Reads, waits, writes: without an order that is one for all, increments would be lost.
readonly increments=20
count_under_a_lock() {
  local node jobs=()
  echo 0 >"$output/counter"
  for node in 1 2 3; do
    count_on "$node" &
    jobs+=($!)
  done
  for node in "${jobs[@]}"; do wait "$node"; done
  [[ $(<"$output/counter") == $((3 * increments)) ]] ||
    fail "the counter is $(<"$output/counter"), not $((3 * increments))"
  finding "$(<"$output/counter") increments"
}

count_on() {
  local round
  for ((round = 0; round < increments; round++)); do
    lock "$1" --timeout 20 counting counter EX -- \
      bash -c "read -r count <'$output/counter'; echo \$((count + 1)) >'$output/counter'"
  done
}

# hold_lock NODE NAME: for as long as its daemon lives; the command gets the connection's end.
hold_lock() {
  rm -f "$output/held"
  node_spawn "$1" "$output/n$1/lock.log" clvm lock --socket "$output/n$1/admin.socket" \
    --timeout 20 holding "$2" EX -- bash -c "touch '$output/held'; exec sleep 300"
  lock_job=$spawned
  wait_until 20 "n$1 to hold the lock $2" test -e "$output/held"
}

lock_can_be_taken() { lock "$1" --nonblock holding "$2" EX -- true >/dev/null 2>&1; }
lock_must_wait() {
  if lock "$1" --timeout 2 holding "$2" EX -- true 2>/dev/null; then
    fail "n$1 got the lock $2 of a node that may still be alive"
  fi
}

# await_wait NODE WORDS: clvm status says what everybody waits for.
await_wait() { wait_until 20 "clvm status on n$1 to say '$2'" status_says "$1" "$2"; }
status_says() { clvm "$1" status 2>/dev/null | grep -q "$2"; }

end_lock_holder() {
  kill "$lock_job" 2>/dev/null || true
  wait "$lock_job" 2>/dev/null || true
}

kill_a_daemon() {
  join_holding 1 2 3
  hold_lock 3 first
  clvmd_kill 3
  await_members 1 2
  await_wait 1 'Node 3 was removed'
  lock_must_wait 1 first
  end_lock_holder
  clvmd_start 3
  await_members 1 2 3
  wait_until 20 'the lock to be free' lock_can_be_taken 1 first
  finding "waited for until its new daemon spoke for it"
}

# A lockspace has those members that have used it.
join_holding() {
  local node
  for node in "$@"; do lock "$node" --timeout 20 holding "of-n$node" NL -- true; done
}

freeze_a_daemon() {
  local frozen=${clvmd_job[2]}
  join_holding 1 2 3
  kill -STOP "$frozen"
  wait_until 20 "n2 to be expelled" has_members 1 1 3
  await_wait 1 'Node 2 was removed'
  kill -CONT "$frozen"
  wait_until 20 "the expelled clvmd to end" process_is_gone "$frozen"
  wait "$frozen" 2>/dev/null && fail "the expelled clvmd ended with status 0"
  grep -q 'the cluster goes on without this node' "$output/n2/clvmd.log" ||
    fail "n2's log does not say that it was expelled"
  clvmd_start 2
  await_members 1 2 3
  wait_until 20 'locks to be granted again' lock_can_be_taken 1 second
  finding "expelled, ended when it went on, came back"
}

kill_a_machine() {
  join_holding 1 2 3
  hold_lock 3 third
  local started=$EPOCHREALTIME
  machine_kill 3
  end_lock_holder
  wait_until 20 "a view without n3" has_members 1 1 2
  local after
  after=$(since "$started")
  lock_must_wait 2 third
  # What pacemaker would say: only a fence that has succeeded counts.
  pacemaker_says 2 reboot 1
  lock_must_wait 2 third
  pacemaker_says 2 reboot 0
  wait_until 20 'the lock to be free' lock_can_be_taken 1 third
  machine_start 3
  await_members 1 2 3
  finding "view after $after s (corosync's token: 1 s), lock free after pacemaker's word"
}

# pacemaker_says NODE TASK RESULT: the alert about a fence of n3, as an alert agent on NODE gets it.
pacemaker_says() {
  mkdir -p "$output/pacemaker"
  printf '#!/bin/sh\nexec %q "$@" --socket %q\n' "$programs/clvm" "$output/n$1/admin.socket" \
    >"$output/pacemaker/clvm"
  chmod +x "$output/pacemaker/clvm"
  node_run "$1" env CLVM="$output/pacemaker/clvm" CRM_alert_kind=fencing CRM_alert_task="$2" \
    CRM_alert_rc="$3" CRM_alert_node=n3 "$repository/packaging/pacemaker/alert_clvmd.sh" >/dev/null
}

since() { echo "$EPOCHREALTIME $1" | awk '{ printf "%.1f", $1 - $2 }'; }

part_one_from_two() {
  local parted=${clvmd_job[3]}
  join_holding 1 2 3
  hold_lock 3 fourth
  ip -n "$bridge" link set port3 down
  wait_until 20 "n1 and n2 to go on" has_members 1 1 2
  wait_until 20 "n3 to say that it has no quorum" has_no_quorum 3
  lock_must_wait 1 fourth
  if lock 3 --timeout 2 holding fifth EX -- true 2>/dev/null; then
    fail "n3 was granted a lock without quorum"
  fi
  # The administrator takes the word back by ending it: it comes back alive.
  ip -n "$bridge" link set port3 up
  end_lock_holder
  wait_until 30 "the parted clvmd to end" process_is_gone "$parted"
  wait "$parted" 2>/dev/null && fail "the parted clvmd ended with status 0"
  clvmd_start 3
  await_members 1 2 3
  wait_until 20 'the lock to be free' lock_can_be_taken 1 fourth
  finding "one view with two, none with one; back in a new life"
}

has_no_quorum() { [[ $(clvm "$1" status --json | jq .quorate) == false ]]; }

lose_quorum() {
  local view
  join_holding 1 2 3
  view=$(view_of 1)
  machine_kill 2
  machine_kill 3
  wait_until 20 "n1 to lose its quorum" has_no_quorum 1
  [[ $(view_of 1) == "$view" ]] || fail "n1 has made a view without quorum"
  if clvm 1 node fenced 2 --yes 2>/dev/null; then fail "a death was accepted without quorum"; fi
  machine_start 2
  wait_until 20 "quorum with n2" has_members 1 1 2
  await_wait 1 'Node 3 was removed'
  clvm 1 node fenced 3 --yes >/dev/null
  machine_start 3
  await_members 1 2 3
  wait_until 20 'locks to be granted again' lock_can_be_taken 1 sixth
  finding "no view and no word on a death without it; $(view_of 1) is the view with all"
}

# The history ends with the daemons; corosync on n3 is gone, and its clvmd might be alive behind a cut.
start_without_one() {
  join_holding 1 2 3
  machine_kill 3
  for node in 1 2; do clvmd_kill "$node"; done
  for node in 1 2; do clvmd_start "$node"; done
  wait_until 20 "n1 and n2 to form a view" has_members 1 1 2
  await_wait 1 'Node 3 has not been seen'
  lock_must_wait 1 seventh
  clvm 1 node fenced 3 --yes >/dev/null
  wait_until 20 'locks to be granted' lock_can_be_taken 1 seventh
  machine_start 3
  await_members 1 2 3
  finding "nothing was granted before the word on node 3"
}

refuse_another_list() {
  local config=$output/other.conf
  sed 's/n3 { id = 3 /n3 { id = 4 /' "$output/n2/clvmd.conf" >"$config"
  kill -TERM "${clvmd_job[2]}"
  wait "${clvmd_job[2]}" || fail "clvmd on n2 ended with status $?"
  await_members 1 3
  clvmd_start 2 "$config"
  wait "${clvmd_job[2]}" && fail "clvmd started with another list of nodes"
  grep -q 'only corosync.conf has node 3, only clvmd.conf has node 4\|only corosync.conf has node 3 only clvmd.conf has node 4' \
    "$output/n2/clvmd.log" || fail "n2's log does not name the difference"
  clvmd_start 2
  await_members 1 2 3
  finding "named, not started"
}

stop_in_order() {
  local node
  for node in 3 2 1; do
    kill -TERM "${clvmd_job[$node]}"
    wait "${clvmd_job[$node]}" || fail "clvmd on n$node ended with status $?"
    unset "clvmd_job[$node]"
  done
  finding "every clvmd ended with status 0"
}
