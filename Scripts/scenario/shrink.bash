# A smaller volume under a running file system is data loss: refused. An idle one may shrink.

refuse_to_shrink_in_use() {
  must_refuse 1 'lvreduce --yes -L -32M vg1/lv1'
  must_refuse 1 'clvm lvreduce --yes -L -32M vg1/lv1'
  expect_size_everywhere "$(mebibytes 384)"
  finding "lvreduce and clvm lvreduce refuse, size unchanged"
}

shrink_when_idle() {
  node_run 1 'lvcreate -an -L 64M -n lv2 vg1'
  node_run 1 'lvreduce --yes -L 48M vg1/lv2'
  node_run 2 'clvm lvreduce --yes -L 32M vg1/lv2'
  local size
  size=$(node_run 3 'lvs --noheadings --nosuffix --units m -o lv_size vg1/lv2' | tr -d ' ')
  [[ $size == 32.00 ]] || fail "vg1/lv2 has $size MiB, not 32"
  node_run 3 'lvremove --yes vg1/lv2'
  finding "64 to 48 MiB by lvreduce, to 32 by clvm lvreduce"
}

# must_refuse NODE COMMAND: COMMAND fails by itself (not killed, not timed out) and says why.
must_refuse() {
  local status=0 words
  words=$(node_run "$1" "$2" 2>&1) || status=$?
  ((status > 0 && status < 124)) || fail "'$2' ended with $status"
  [[ -n $words ]] || fail "'$2' failed without a word"
  note "$2: exit $status, $(tail -n 1 <<<"$words")"
}
