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
  local size sizes
  node_run "${live_nodes[0]}" 'tunefs.ocfs2 -S /dev/vg1/lv1' 120
  sizes=$(on_nodes "${live_nodes[*]}" "df --output=size --block-size=1M $mount_point | tail -n 1")
  for size in $sizes; do
    ((size == $1)) || fail "the file system has the sizes ${sizes//$'\n'/, } MiB, not $1"
  done
  finding "$1 MiB on ${#live_nodes[@]} nodes"
}

# One node writes more than was free at first, another reads it back: both use blocks that exist only
# since the growth.
fill_what_was_gained() {
  local file=$mount_point/filler size written read_back
  size=$(($(free_mebibytes 1) - filler_margin_mebibytes))
  ((size > free_at_first)) || fail "only $size MiB can be filled, $free_at_first were free at first"
  written=$(node_run 1 "set -o pipefail
    head -c ${size}M /dev/urandom | tee $file | cksum && sync $file" 120)
  read_back=$(node_run 2 "cksum <$file" 120)
  [[ $read_back == "$written" ]] || fail "n1 wrote '$written', n2 reads '$read_back'"
  node_run 1 "rm $file"
  finding "n1 wrote $size MiB where $free_at_first were free at first; n2 read them"
}

# Room for the ledgers, and for the space that OCFS2 sets aside for each node.
readonly filler_margin_mebibytes=32

suspended_times() { jq -r '[.nodes[] | "n\(.node) \(.suspended_ms) ms"] | join(", ")'; }
