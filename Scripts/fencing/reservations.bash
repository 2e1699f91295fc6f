# What is shown with reservations, step by step. Nothing but the disk keeps a node from writing: there is
# no watchdog, no agent, and nobody who switches anything off.

declare -A figures

cluster_config() {
  local node
  echo "cluster { name = \"$lab_cluster_name\" allow_plaintext = 1 nodes {"
  for node in 1 2 3; do echo "n$node { id = $node address = \"10.77.0.$node\" }"; done
  cat <<'CONFIG'
} }
fencing {
  devices { disk { reservations = [ "/dev/sda" ] } }
  nodes { n1 { levels = [ "disk" ] } n2 { levels = [ "disk" ] } n3 { levels = [ "disk" ] } }
}
devices { filter = [ "a|^/dev/sda$|", "r|.*|" ] }
log { level = "info" }
CONFIG
}

boot_the_array_and_the_nodes() {
  local node name
  lab_boot_all
  array_start
  for node in "${live_nodes[@]}"; do name=$(array_log_in "$node"); done
  finding "${#live_nodes[@]} nodes, one disk $name"
}

start_with_reservations() {
  local node
  for node in "${live_nodes[@]}"; do clvmd_start "$node"; done
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 3; done
  wait_until 60 "the disk to be tried out" the_disk_works
  (($(keys_on_the_disk 1) == 3)) || fail "there are $(keys_on_the_disk 1) keys on the disk"
  finding "three keys on the disk, reserved by $(holder_of_the_disk 1)"
}

the_disk_works() { [[ $(status_of 1 '.fence_devices[].state') == working ]]; }

mount_and_write() {
  node_run 1 'vgcreate --shared vg1 /dev/sda'
  on_nodes '2 3' 'vgchange --lockstart vg1' 120
  node_run 1 'lvcreate -an -L 256M -n lv1 vg1'
  on_nodes '1 2 3' 'lvchange -asy vg1/lv1' 120
  make_and_mount_the_file_system
  start_the_writers
  finding "mounted on all, a writer on each"
}

# time_removal VICTIM COMMAND...: from the command to a view and to the kernel's lockspace without the
# victim, as the log of a survivor, which the host reads, tells; and the proof must be the disk's.
time_removal() {
  local victim=$1 survivors first views starts proofs since=$EPOCHREALTIME started node
  shift
  survivors=$(survivors_of "$victim")
  first=${survivors%% *}
  views=$(lines_of "$first" ' view [0-9]*: node')
  starts=$(lines_of "$first" ': running, generation')
  proofs=$(lines_of "$first" "node n$victim/.* can no longer write: reservation")
  started=$(milliseconds_now)
  "$@"
  wait_until 60 "a view without n$victim" has_more_lines "$first" ' view [0-9]*: node' "$views"
  figures[view]=$(milliseconds_since "$started")
  wait_until 60 "the kernel lockspace to run without n$victim" \
    has_more_lines "$first" ': running, generation' "$starts"
  figures[start]=$(milliseconds_since "$started")
  has_more_lines "$first" "node n$victim/.* can no longer write: reservation" "$proofs" ||
    fail "the proof is not that of the disk"
  for node in $survivors; do ledger_must_grow "$node"; done
  finding "view after ${figures[view]} ms, lockspace running after ${figures[start]} ms, no drain time; a writer \
waited at most $(longest_pause_of "$survivors" "$since") ms; load $(cut -d ' ' -f 1 /proc/loadavg)"
}

lines_of() { grep -c "$2" "$lab_folder/nodes/$1/clvmd.log" || true; }
has_more_lines() { (($(lines_of "$1" "$2") > $3)); }

# longest_pause_of 'N…' SINCE
longest_pause_of() {
  local node
  for node in $1; do cat "$lab_folder/ledgers/${ledger_name[$node]}.pauses" 2>/dev/null || true; done |
    awk -v since="$2" '$1 >= since && $2 > most { most = $2 } END { print most + 0 }'
}

# The node reaches the disk, and nobody else; it is not told that it was removed.
cut_off_a_living_node() {
  local lines
  cut=$(some_follower)
  time_removal "$cut" lose_all_of "$cut"
  read -ra live_nodes <<<"$(survivors_of "$cut")"
  node_is_on "$cut" || fail "n$cut has ended: this shows nothing"
  lines=$(ledger_safe_lines "$cut")
  (($(keys_on_the_disk "${live_nodes[0]}") == 2)) || fail "its key is still on the disk"
  if node_run "$cut" 'dd if=/dev/zero of=/dev/sda bs=4096 count=1 seek=10 oflag=direct' &>/dev/null; then
    fail "n$cut can still write to the disk"
  fi
  (($(ledger_safe_lines "$cut") == lines)) || fail "n$cut still writes"
  finding "$step_finding; n$cut lives, and the disk refuses it"
}

some_follower() {
  local node leader
  leader=$(leader_seen_by 1)
  for node in 3 2 1; do
    if [[ $node != "$leader" ]]; then echo "$node" && return; fi
  done
}

# Frames to and from the others are lost, all from the same moment on.
lose_all_of() {
  local node other jobs=() place
  for node in 1 2 3; do
    place=''
    for other in 1 2 3; do
      if [[ $node == "$1" && $other != "$1" || $node != "$1" && $other == "$1" ]]; then
        place+="ip neighbour replace 10.77.0.$other lladdr 02:00:00:00:00:99 dev vec0 nud permanent;"
      fi
    done
    jobs+=("$node $(node_spawn "$node" "$place")")
  done
  for node in "${jobs[@]}"; do node_await "${node% *}" "${node#* }" 60; done
}

bring_it_back() {
  local node
  node_kill "$cut"
  for node in "${live_nodes[@]}"; do node_run "$node" "ip neighbour del 10.77.0.$cut dev vec0"; done
  node_boot "$cut"
  array_log_in "$cut" >/dev/null
  clvmd_start "$cut"
  live_nodes=(1 2 3)
  for node in "${live_nodes[@]}"; do clvmd_await_members "$node" 3; done
  wait_until 60 "n$cut to start the locks of vg1" starts_the_locks "$cut"
  node_run "$cut" 'lvchange -asy vg1/lv1' 120
  node_run "$cut" "$(mount_command)" 120
  ledger_start "$cut" "n$cut-second"
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  (($(keys_on_the_disk "$cut") == 3)) || fail "there are $(keys_on_the_disk "$cut") keys on the disk"
  finding "member again with a new key, mounted, writes"
}

kill_a_node() {
  local victim
  victim=$(some_follower)
  time_removal "$victim" node_kill "$victim"
  read -ra live_nodes <<<"$(survivors_of "$victim")"
}

# As an administrator might by mistake: whoever holds the reservation releases it.
lose_the_reservation() {
  local node key starts first=${live_nodes[0]}
  starts=$(lines_of "$first" ': running, generation')
  key=$(holder_of_the_disk "$first")
  for node in "${live_nodes[@]}"; do
    node_run "$node" "sg_persist --out --release --param-rk=$key --prout-type=5 /dev/sda" \
      &>/dev/null || true
  done
  wait_until 60 "the loss to be noticed" some_log_has 'is not kept from the disks any more'
  wait_until 60 "the dead node to be fenced anew" has_more_lines "$first" ': running, generation' "$starts"
  [[ -n $(holder_of_the_disk "$first") ]] || fail "the disk is not reserved again"
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  finding "released by hand, withdrawn, reserved again by $(holder_of_the_disk "$first")"
}

some_log_has() { grep -q "$1" "$lab_folder/nodes/"[123]/clvmd.log; }

verify_the_ledgers() {
  local name node
  for node in "${live_nodes[@]}"; do ledger_stop "$node"; done
  for name in n{1,2,3}-first "n$cut-second"; do
    note "$name: $(ledger_verify "${live_nodes[0]}" "$name")"
  done
  finding "nothing that was synced is missing"
}
