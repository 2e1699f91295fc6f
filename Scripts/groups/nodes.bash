# Nodes that are network and mount namespaces: each has its own address on one bridge, /run and
# /dev/shm, which corosync's clients need, and nothing else of its own.

readonly all_nodes=(1 2 3)
readonly namespace_prefix=cc$$
readonly bridge=${namespace_prefix}br
declare -A holder corosync_job clvmd_job

nodes_create() {
  local node
  ip netns add "$bridge"
  ip -n "$bridge" link add bridge0 type bridge
  ip -n "$bridge" link set bridge0 up
  for node in "${all_nodes[@]}"; do node_create "$node"; done
}

node_create() {
  local node=$1 namespace=$namespace_prefix$1
  mkdir -p "$output/n$node/state"
  ip netns add "$namespace"
  ip -n "$namespace" link set lo up
  ip -n "$bridge" link add "port$node" type veth peer name eth0 netns "$namespace"
  ip -n "$bridge" link set "port$node" master bridge0 up
  ip -n "$namespace" addr add "10.79.0.$node/24" dev eth0
  ip -n "$namespace" link set eth0 up
  corosync_config "$node" >"$output/n$node/corosync.conf"
  daemon_config "$node" >"$output/n$node/clvmd.conf"
  ip netns exec "$namespace" unshare --mount --propagation private bash -c "
    mount -t tmpfs run /run && mount -t tmpfs shm /dev/shm && exec sleep infinity" &
  holder[$node]=$!
  wait_until 5 "the namespaces of n$node" node_is_ready "$node"
}

node_is_ready() { nsenter --mount --target "${holder[$1]}" mountpoint -q /dev/shm; }

nodes_destroy() {
  local node job
  for job in "${clvmd_job[@]}" "${corosync_job[@]}" "${holder[@]}"; do
    kill -KILL "$job" 2>/dev/null
    wait "$job" 2>/dev/null
  done
  for node in "${all_nodes[@]}"; do ip netns delete "$namespace_prefix$node"; done
  ip netns delete "$bridge"
}

# node_run NODE COMMAND...
node_run() {
  local node=$1
  shift
  PATH=$programs:$PATH nsenter --mount --net --target "${holder[$node]}" "$@"
}

corosync_config() {
  local node
  cat <<CONFIG
totem {
  version: 2
  cluster_name: groups
  transport: knet
  crypto_cipher: none
  crypto_hash: none
  token: 1000
}
logging {
  to_stderr: yes
  to_syslog: no
  timestamp: on
}
system {
  sched_rr: no
  state_dir: $output/n$1/state
}
quorum {
  provider: corosync_votequorum
}
nodelist {
CONFIG
  for node in "${all_nodes[@]}"; do
    printf '  node {\n    ring0_addr: 10.79.0.%d\n    nodeid: %d\n    name: n%d\n  }\n' \
      "$node" "$node" "$node"
  done
  echo '}'
}

daemon_config() {
  local node
  echo "cluster { name = \"groups\" allow_plaintext = 1 node_id = $1 nodes {"
  for node in "${all_nodes[@]}"; do echo "n$node { id = $node address = \"10.79.0.$node\" }"; done
  cat <<CONFIG
} }
membership { provider = "corosync" heartbeat_interval_ms = 200 silence_timeout_ms = 1000 }
kernel_lockspaces { enabled = 0 }
lvmlockd { enabled = 0 }
admin { socket = "$output/n$1/admin.socket" }
state_directory = "$output/n$1/run"
log { level = "debug" }
CONFIG
}

# node_spawn NODE LOG COMMAND...: in the background; its process id is in $spawned.
node_spawn() {
  local node=$1 log=$2
  shift 2
  (PATH=$programs:$PATH exec nsenter --mount --net --target "${holder[$node]}" "$@" >>"$log" 2>&1) &
  spawned=$!
}

corosync_start() {
  node_spawn "$1" "$output/n$1/corosync.log" corosync -f -c "$output/n$1/corosync.conf"
  corosync_job[$1]=$spawned
}

# clvmd_start NODE [CONFIG]
clvmd_start() {
  node_spawn "$1" "$output/n$1/clvmd.log" \
    clvmd --foreground --config "${2:-$output/n$1/clvmd.conf}"
  clvmd_job[$1]=$spawned
}

clvmd_kill() {
  kill -KILL "${clvmd_job[$1]}"
  wait "${clvmd_job[$1]}" 2>/dev/null || true
  unset "clvmd_job[$1]"
}

# What a power cut leaves of a node.
machine_kill() {
  kill -KILL "${clvmd_job[$1]}" "${corosync_job[$1]}"
  wait "${clvmd_job[$1]}" "${corosync_job[$1]}" 2>/dev/null || true
  unset "clvmd_job[$1]" "corosync_job[$1]"
}

machine_start() {
  rm -rf "$output/n$1/run"
  corosync_start "$1"
  wait_until 20 "corosync on n$1" corosync_answers "$1"
  clvmd_start "$1"
}

corosync_answers() { node_run "$1" corosync-cmapctl -g totem.version >/dev/null 2>&1; }

clvm() {
  local node=$1
  shift
  node_run "$node" clvm "$@" --socket "$output/n$node/admin.socket"
}

# lock NODE OPTIONS-AND-ARGUMENTS...: of clvm lock.
lock() {
  local node=$1
  shift
  node_run "$node" clvm lock --socket "$output/n$node/admin.socket" "$@"
}

# has_members NODE MEMBER...: the view of NODE is exactly that, with quorum.
has_members() {
  local node=$1
  shift
  [[ $(clvm "$node" status --json 2>/dev/null |
    jq -r 'select(.quorate) | [.nodes[] | select(.state == "member") | .node] | join(" ")') == "$*" ]]
}

# await_members MEMBER...: on each of them.
await_members() {
  local node
  for node in "$@"; do
    wait_until 20 "n$node to have the members $*" has_members "$node" "$@"
  done
}

view_of() { clvm "$1" status --json | jq .view; }
