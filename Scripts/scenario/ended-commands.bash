# LVM's own lvextend, which suspends and resumes the devices of its node by itself, dies between the two.

# The volume is active on n1 alone: LVM 2.03 grows no shared one that has no cluster filesystem on it.
commands_that_die() {
  cc -O1 -shared -fPIC "$scripts/scenario/killed-at-ioctl.c" -o "$lab_folder/bin/killed-at-ioctl.so"
  node_run 1 "clvm lvchange -an --nodes all $volume"
  node_run 1 "lvchange -aey $volume"
  command_dies suspended "$bytes"
  # It has committed.
  command_dies resuming "$((bytes + extent_bytes))"
  node_run 1 "lvchange -an $volume"
  node_run 1 "clvm lvchange -asy --nodes all $volume"
  follow "${live_nodes[*]}" "$bytes" || fail "the nodes disagree afterwards"
  finding "lvextend killed before and after its commit: I/O goes on as the disk says, the lock is free"
}

# command_dies MOMENT BYTES: what must be on the disk afterwards.
command_dies() {
  local status=0
  node_run 1 "KILLED_AT=$1 LD_PRELOAD=/lab/bin/killed-at-ioctl.so lvextend -l +1 $volume" || status=$?
  ((status == 137)) || fail "lvextend was to be killed when $1, and ended with $status"
  bytes=$2
  wait_until 60 "n1 to run on $bytes bytes" runs_on "$bytes"
  [[ $(bytes_by_metadata) == "$bytes" ]] || fail "$volume has $(bytes_by_metadata) bytes, not $bytes"
  # The lock is free for whoever comes, on another node and on this one.
  node_run 3 "lvcreate -an -l 1 -n another vg1 && lvremove -y vg1/another"
  node_run 1 "lvextend -l +1 $volume"
  bytes=$((bytes + extent_bytes))
  runs_on "$bytes" || fail "the next lvextend leaves n1's device as it is not to be"
}

runs_on() {
  [[ $(node_run 1 "$describe_the_device") == "$(($1 / 512)) Live Active settled 3 members" ]]
}
