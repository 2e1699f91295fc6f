# A cluster file system on the volume, and one writer on each node.

readonly mount_point=/mnt/shared
# Or gfs2.
file_system=ocfs2
file_system_device=/dev/vg1/lv1
declare -A ledger_job ledger_name

make_and_mount_the_file_system() {
  node_run 1 "$(format_command)" 120 2>&1 | tail -n 1
  on_nodes '1 2 3' "$(mount_command)" 120
  kernel_lockspace_members_are 1 '1 2 3' || fail "the kernel lockspace lacks members"
  finding "mounted on all; one kernel lockspace with members 1 2 3"
}

free_mebibytes() {
  node_run "$1" "df --output=avail --block-size=1M $mount_point | tail -n 1" | tr -d ' '
}

# For four nodes; GFS2's journals are as small as it takes them.
format_command() {
  case $file_system in
    ocfs2) echo "mkfs.ocfs2 -b 4K -C 4K -N 4 --cluster-stack=pcmk --cluster-name=$lab_cluster_name $file_system_device" ;;
    gfs2) echo "mkfs.gfs2 -O -p lock_dlm -t $lab_cluster_name:shared -j 4 -J 8 $file_system_device" ;;
  esac
}

mount_command() {
  echo "mkdir -p $mount_point && mount -t $file_system $file_system_device $mount_point"
}

# check_file_system_name: ends the script if it is none of the two.
check_file_system_name() {
  if [[ $file_system != ocfs2 && $file_system != gfs2 ]]; then
    complain "'$file_system' is neither ocfs2 nor gfs2"
    exit 2
  fi
}

# kernel_lockspace_members_are NODE 'N…': there is one kernel lockspace and these nodes are in it.
kernel_lockspace_members_are() {
  local members
  members=$(node_run "$1" 'clvm lockspaces --json' |
    jq -r '.lockspaces[] | select(.kind == "kernel") | .members | sort | join(" ")') &&
    [[ $members == "$2" ]]
}

start_the_writers() {
  local node
  for node in "${live_nodes[@]}"; do ledger_start "$node" "n$node-first"; done
  for node in "${live_nodes[@]}"; do ledger_must_grow "$node"; done
  finding "one ledger on each node"
}

ledger_start() {
  local node=$1 name=$2
  ledger_name[$node]=$name
  ledger_job[$node]=$(node_spawn "$node" \
    "exec /lab/guest/ledger write $mount_point/$name $name /lab/ledgers/$name")
}

ledger_stop() {
  node_signal "$1" "${ledger_job[$1]}" TERM
  node_await "$1" "${ledger_job[$1]}" 60
}

# Lines that are safe on the shared disk.
ledger_safe_lines() {
  local digits=0
  read -r digits 2>/dev/null <"$lab_folder/ledgers/${ledger_name[$1]}" || true
  echo $((10#$digits))
}

ledger_must_grow() {
  wait_until 60 "the writer on n$1 to go on" ledger_has_more_than "$1" "$(ledger_safe_lines "$1")"
}

ledger_has_more_than() { (($(ledger_safe_lines "$1") > $2)); }

ledger_verify() { node_run "$1" "/lab/guest/ledger verify $mount_point/$2 $2 /lab/ledgers/$2"; }

# The longest time in milliseconds that any write or fsync took since the time given.
longest_pause_since() {
  # No such file: no writer has waited yet.
  { cat "$lab_folder"/ledgers/*.pauses 2>/dev/null || true; } |
    awk -v since="$1" '$1 >= since && $2 > most { most = $2 } END { print most + 0 }'
}
