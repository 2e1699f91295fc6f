# The shared volume group, made by Debian's own LVM commands.

create_the_volume_group() {
  node_run 1 'vgcreate --shared vg1 /dev/ubdb'
  on_nodes '2 3' 'vgchange --lockstart vg1'
  on_nodes '1 2 3' 'vgs --noheadings -o vg_name,vg_lock_type vg1'
  finding "lock type $(node_run 2 'vgs --noheadings -o vg_lock_type vg1' | tr -d ' ')"
}

activate_one_volume_everywhere() {
  node_run 1 'lvcreate -an -L 256M -n lv1 vg1'
  on_nodes '1 2 3' 'lvchange -asy vg1/lv1'
  expect_size_everywhere "$(mebibytes 256)"
  finding "vg1/lv1, 256 MiB, shared-active on all"
}

mebibytes() { echo $(($1 * 1024 * 1024)); }

# expect_size_everywhere BYTES
expect_size_everywhere() {
  local size sizes
  sizes=$(on_nodes "${live_nodes[*]}" 'blockdev --getsize64 /dev/vg1/lv1')
  for size in $sizes; do
    [[ $size == "$1" ]] || fail "vg1/lv1 has the sizes ${sizes//$'\n'/, } bytes, not $1"
  done
}

# False as long as a node that is a member again has no lease yet.
starts_the_locks() { node_run "$1" 'vgchange --lockstart vg1' &>/dev/null; }
