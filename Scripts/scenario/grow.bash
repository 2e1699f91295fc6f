# Growing the volume under the mounted file system.

declare -A size_watch_job

grow_with_debians_lvm() {
  grow_and_check 2 'lvextend -L +64M vg1/lv1' 320
  finding "$switch_report; writers waited at most $longest_pause ms"
}

grow_with_clvm() {
  grow_and_check 3 'clvm lvextend -L +64M --json vg1/lv1' 384
  finding "$switch_report; suspended: $(suspended_times <<<"$grow_output")"
}

grow_with_two_nodes() {
  grow_and_check 1 'lvextend -L +64M vg1/lv1' 448
  grow_the_file_system_to 448
  finding "448 MiB on n1 and n2"
}

grow_the_file_system_once() { grow_the_file_system_to 320; }
grow_the_file_system_again() { grow_the_file_system_to 384; }

# grow_and_check NODE COMMAND MEBIBYTES: the point of it all is that when COMMAND has returned, no
# node is left on the old size.
grow_and_check() {
  local node=$1 size started=$EPOCHREALTIME
  size=$(mebibytes "$3")
  size_watches_start
  grow_output=$(node_run "$node" "$2 && echo \$EPOCHREALTIME >/lab/sizes/returned" 120)
  expect_size_everywhere "$size"
  size_watches_end
  expect_switch_before "$(<"$lab_folder/sizes/returned")" $((size / 512))
  longest_pause=$(longest_pause_since "$started")
}

size_watches_start() {
  local node
  rm -f "$lab_folder"/sizes/*
  for node in "${live_nodes[@]}"; do
    size_watch_job[$node]=$(node_spawn "$node" \
      "exec /lab/guest/watch-size /dev/vg1/lv1 /lab/sizes/n$node")
  done
  for node in "${live_nodes[@]}"; do
    wait_until 20 "the size watch on n$node" test -s "$lab_folder/sizes/n$node"
  done
}

size_watches_end() {
  local node
  for node in "${live_nodes[@]}"; do node_await "$node" "${size_watch_job[$node]}" 20; done
}

# The watches look every 10 ms and share two processors with all else.
readonly watch_delay_microseconds=50000

# expect_switch_before TIME SECTORS: every node's kernel had the new size by then.
expect_switch_before() {
  local node time sectors latest=0 ahead
  for node in "${live_nodes[@]}"; do
    read -r time sectors < <(tail -n 1 "$lab_folder/sizes/n$node")
    [[ $sectors == "$2" ]] || fail "n$node switched to $sectors sectors, not $2"
    time=$(as_microseconds "$time")
    if ((time > latest)); then latest=$time; fi
  done
  ahead=$(($(as_microseconds "$1") - latest))
  ((ahead > -watch_delay_microseconds)) ||
    fail "the last node switched $((-ahead / 1000)) ms after the return"
  switch_report="last node switched $((ahead > 0 ? ahead / 1000 : 0)) ms before it returned"
}

# Bash prints a time as seconds with six decimals; the decimal point depends on the locale.
as_microseconds() { echo "${1/[.,]/}"; }

grow_the_file_system_to() {
  case $file_system in
    ocfs2) node_run "${live_nodes[0]}" 'tunefs.ocfs2 -S /dev/vg1/lv1' 120 ;;
    gfs2) node_run "${live_nodes[0]}" "gfs2_grow $mount_point" 120 ;;
  esac
  # GFS2 tells the other nodes' df at its leisure: every 30 s at best.
  wait_until 120 "df on all nodes to tell of $1 MiB" file_system_has_everywhere "$1"
  finding "$1 MiB on ${#live_nodes[@]} nodes"
}

file_system_has_everywhere() {
  local size sizes
  sizes=$(on_nodes "${live_nodes[*]}" "df --output=size --block-size=1M $mount_point | tail -n 1")
  for size in $sizes; do
    ((size <= $1 && size >= $1 - uncounted_mebibytes[$file_system])) || return 1
  done
}

# What df does not count: the headers of GFS2's resource groups, and what is too small for one.
readonly -A uncounted_mebibytes=([ocfs2]=0 [gfs2]=4)

# One node fills the file system, another reads it back, and some of it lies beyond the old end.
fill_what_was_gained() {
  local file=$mount_point/filler size written read_back last_block
  size=$(($(free_mebibytes 1) - filler_margin_mebibytes))
  written=$(node_run 1 "set -o pipefail
    head -c ${size}M /dev/urandom | tee $file | cksum && sync $file" 300)
  read_back=$(node_run 2 "cksum <$file" 120)
  [[ $read_back == "$written" ]] || fail "n1 wrote '$written', n2 reads '$read_back'"
  last_block=$(node_run 2 "filefrag -b4096 -v $file" | last_physical_block)
  ((last_block > first_size_blocks)) || fail "$size MiB ended at block $last_block"
  node_run 1 "rm $file"
  finding "n1 wrote $size MiB up to $((last_block / 256)) MiB into the volume; n2 read them"
}

# The volume had 256 MiB at first. The margin is for the ledgers, which go on.
readonly first_size_blocks=65536 filler_margin_mebibytes=16

# Of a line such as "  0:     0..  1023:   34816..   35839:   1024: last,eof" the fourth number.
last_physical_block() {
  awk -F '[ .:]+' '/^ *[0-9]+:/ && $6 > last { last = $6 } END { print last + 0 }'
}

suspended_times() { jq -r '[.nodes[] | "n\(.node) \(.suspended_ms) ms"] | join(", ")'; }
