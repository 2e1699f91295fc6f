# The life of a node: power on, power cut, power off; a kernel that resets itself is off. A node is one User-Mode-Linux kernel, a
# process group of its own on the host. Its folder keeps console.log (kernel), clvmd.log (what is
# written to the node's serial line, which unlike a file loses nothing in a power cut) and mailbox.

readonly node_memory_mib=512

node_power_on() {
  local node=$1 folder
  folder=$lab_folder/nodes/$node
  keep_traces_of_earlier_boot "$folder"
  mkdir -p "$folder/mailbox"
  TMPDIR=$(folder_for_guest_memory) setsid ip netns exec "$lab_namespace" \
    env "LD_PRELOAD=$lab_folder/bin/wide-registers.so" linux.uml \
    "mem=${node_memory_mib}M" root=/dev/root rootfstype=hostfs rootflags=/ ro \
    "init=$lab_folder/guest/init" "node=$node" "lab=$lab_folder" \
    "ubdbc=$lab_folder/shared.img" "${lab_more_disks[@]}" noreboot \
    "vec0:transport=tap,ifname=tap$node,mac=02:00:00:00:00:0$node,gro=1" \
    con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 "uml_dir=$lab_folder/uml" "umid=n$node" \
    </dev/null >"$folder/console.log" 2>&1 3>"$folder/clvmd.log" &
  echo $! >"$folder/pid"
  disown
}

node_await_boot() {
  local folder=$lab_folder/nodes/$1
  wait_until 120 "node $1 to boot" node_is_ready_or_dead "$1"
  if [[ ! -e $folder/mailbox/ready ]]; then
    complain "the kernel of node $1 stopped while booting: $folder/console.log"
    return 1
  fi
}

node_boot() {
  node_power_on "$1"
  node_await_boot "$1"
}

# A power cut: everything that is this node's kernel disappears at once.
node_kill() {
  local process
  process=$(<"$lab_folder/nodes/$1/pid")
  kill -KILL -- "-$process" 2>/dev/null || true
  wait_until 20 "the power cut of node $1" process_is_gone "$process"
}

# An orderly power off; the node's programs must have been stopped before.
node_halt() {
  local process
  process=$(<"$lab_folder/nodes/$1/pid")
  node_spawn "$1" 'sync; echo o >/proc/sysrq-trigger' >/dev/null
  wait_until 30 "node $1 to power off" process_is_gone "$process"
}

node_is_on() {
  local pid_file=$lab_folder/nodes/$1/pid
  [[ -e $pid_file ]] && kill -0 "$(<"$pid_file")" 2>/dev/null
}

node_is_ready_or_dead() {
  [[ -e $lab_folder/nodes/$1/mailbox/ready ]] || ! node_is_on "$1"
}

keep_traces_of_earlier_boot() {
  local folder=$1 boot=1
  if [[ -d $folder/mailbox ]]; then
    while [[ -d $folder/boot-$boot ]]; do boot=$((boot + 1)); done
    mkdir "$folder/boot-$boot"
    mv "$folder/mailbox" "$folder/console.log" "$folder/clvmd.log" "$folder/boot-$boot"
  fi
}

# Guest memory is a file. In RAM it is fast, but containers may have too little of that.
folder_for_guest_memory() {
  local needed_kib available_kib
  needed_kib=$((node_memory_mib * 1024 * ${#lab_nodes[@]}))
  available_kib=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1 || echo 0)
  if ((available_kib > needed_kib)); then
    echo /dev/shm
  else
    echo "$lab_folder"
  fi
}
