# The steps of Scripts/kernel-posix-locks.

readonly locked_file=$mount_point/file
file_system_device=/dev/ubdb

posix_lock() { echo "exec /lab/guest/posix-lock $1 $locked_file ${*:2}"; }

mount_on_two() {
  node_run 1 "$(format_command)" 120 2>&1 | tail -n 1
  on_nodes '1 2' "$(mount_command)" 120
  node_run 1 "touch $locked_file"
}

# hold NODE read|write FIRST LAST: sets $holder to the job that asks for the lock.
hold() { holder=$(node_spawn "$1" "$(posix_lock hold "${@:2}")"); }

says() { grep -qs "^$3$" "$lab_folder/nodes/$1/mailbox/$2.out"; }
await_hold() { wait_until 60 "n$1 to get its lock" says "$1" "$2" held; }
pid_of() { cat "$lab_folder/nodes/$1/mailbox/$2.pid"; }

is_refused() {
  local status=0
  node_run "$1" "$(posix_lock try "${@:2}")" || status=$?
  ((status == 11)) || fail "n$1 should be refused with EAGAIN (11), and got $status"
}

# waits NODE: number of waiting locks that this node knows.
waits() { node_run "$1" 'clvm locks --posix --waiting --json' | jq '.posix_locks | length'; }
has_waits() { [[ $(waits "$1") == "$2" ]]; }

conflict_between_nodes() {
  local told
  hold 1 write 0 99
  first_holder=$holder
  await_hold 1 "$first_holder"
  is_refused 2 write 50 149
  is_refused 2 read 0 9
  node_run 2 "$(posix_lock try write 100 199)"
  told=$(node_run 2 "$(posix_lock ask write 50 149)")
  # The kernel negates the process of another node.
  [[ $told == "write 0-99 pid -$(pid_of 1 "$first_holder")" ]] || fail "n2 is told: $told"
  finding "n2 is told: $told"
}

wake_a_waiter() {
  local begin
  hold 2 write 50 149
  second_holder=$holder
  wait_until 60 "n1 to know that n2 waits" has_waits 1 1
  ! says 2 "$second_holder" held || fail "n2 has what n1 holds"
  begin=$(milliseconds_now)
  node_signal 1 "$first_holder" TERM
  await_hold 2 "$second_holder"
  finding "n2 goes on within $(($(milliseconds_now) - begin)) ms"
  node_await 1 "$first_holder" 60
}

kill_the_holder() {
  hold 1 read 0 60
  first_holder=$holder
  wait_until 60 "n2 to know that n1 waits" has_waits 2 1
  node_signal 2 "$second_holder" KILL
  await_hold 1 "$first_holder"
}

kill_a_waiter() {
  hold 2 write 0 9
  second_holder=$holder
  wait_until 60 "n1 to know that n2 waits" has_waits 1 1
  node_signal 2 "$second_holder" KILL
  wait_until 60 "nobody to wait" has_waits 1 0
  has_waits 2 0 || fail "n2 still knows of a waiting lock"
}

mount_later() {
  local here there
  node_run 3 "$(mount_command)" 120
  is_refused 3 write 0 9
  node_run 3 "$(posix_lock try read 0 9)"
  here=$(node_run 3 'clvm locks --posix --json' | jq -cS .posix_locks)
  there=$(node_run 1 'clvm locks --posix --json' | jq -cS .posix_locks)
  [[ $here == "$there" && $here == *'"state":"held"'* ]] || fail "n1 has $there, n3 has $here"
  finding "the same locks on n1 and n3: $(jq length <<<"$here")"
  node_signal 1 "$first_holder" TERM
  node_await 1 "$first_holder" 60
}

measure() {
  local node took=()
  for node in 1 2 3; do
    took+=("n$node $(node_run "$node" "exec /lab/guest/posix-lock rate $locked_file 200") us")
  done
  finding "lock and unlock: ${took[*]} (one of them orders for all)"
}

cut_the_power_of_a_holder() {
  hold 3 write 0 99
  await_hold 3 "$holder"
  hold 2 write 0 9
  second_holder=$holder
  wait_until 60 "n1 to know that n2 waits" has_waits 1 1
  node_kill 3
  live_nodes=(1 2)
  wait_until 60 "clvm status to name node 3" status_names_the_wait
  ! says 2 "$second_holder" held || fail "n2 has the lock of a node that may be alive"
  node_run 1 'clvm node fenced 3 --yes'
  await_hold 2 "$second_holder"
  finding "n2 waited for the proof of n3's death, and has the lock"
  node_signal 2 "$second_holder" TERM
  node_await 2 "$second_holder" 60
}

end_in_order() {
  local node
  has_waits 1 0 || fail "somebody waits"
  on_nodes '1 2' "umount $mount_point" 120
  for node in 1 2; do clvmd_stop "$node"; done
  if find "$lab_folder/nodes" -name console.log -exec grep -HE 'WARNING: CPU|BUG:|Oops' {} +; then
    fail "a kernel complains"
  fi
  for node in 1 2; do node_halt "$node"; done
}
