# Nodes with a watchdog, a keeper, and fence devices that this script answers for.

cluster_config() {
  local node
  echo "cluster { name = \"$lab_cluster_name\" nodes {"
  for node in "${lab_nodes[@]}"; do echo "n$node { id = $node address = \"10.77.0.$node\" }"; done
  cat <<'CONFIG'
} }
# The first device is the own one of User-Mode-Linux, which asks the host.
keeper { enabled = 1  watchdog = "/dev/watchdog1" }
fencing {
  devices {
    broken { agent = "/etc/lvm/fence_lab"  parameters = [ "kind=broken" ]
             secrets = "/etc/lvm/fence-secrets"  ports = [ "n1=1", "n2=2", "n3=3" ]  retries = 0 }
    hanging { agent = "/etc/lvm/fence_lab"  parameters = [ "kind=hanging" ]
              secrets = "/etc/lvm/fence-secrets"  ports = [ "n1=1", "n2=2", "n3=3" ]
              timeout_ms = 5000  retries = 0  monitor = "none" }
    power { agent = "/etc/lvm/fence_lab"  parameters = [ "kind=power" ]
            secrets = "/etc/lvm/fence-secrets"  ports = [ "n1=1", "n2=2", "n3=3" ] }
  }
  nodes {
    n1 { levels = [ "power" ] }
    n2 { levels = [ "broken" ] }
    n3 { levels = [ "broken", "hanging", "power" ] }
  }
}
membership { timers {
  lease_ms = 30000  watchdog_ms = 30000  restart_hold_ms = 50000
} }
devices { filter = [ "a|^/dev/ubdb$|", "r|.*|" ] }
log { level = "info" }
CONFIG
}

# The agent's file must belong to root and be nobody else's to change; a hostfs shows other owners.
install_fence_agents() {
  mkdir -p "$lab_folder/power"
  cp "$scripts/fencing/agent" "$lab_folder/guest/fence_lab"
  serve_power_switch &
  power_switch=$!
}

serve_power_switch() {
  local node
  while true; do
    for node in "${lab_nodes[@]}"; do
      if [[ -e $lab_folder/power/$node.off && ! -e $lab_folder/power/$node.done ]]; then
        node_kill "$node"
        : >"$lab_folder/power/$node.done"
      fi
    done
    sleep 0.1
  done
}

# What a node needs before its daemons: a watchdog, and the agent.
readonly prepare_node='
  modprobe softdog nowayout=0
  install -m 0755 /lab/guest/fence_lab /etc/lvm/fence_lab
  (umask 077; echo password=lab >/etc/lvm/fence-secrets)'

keeper_start() {
  keeper_job[$1]=$(node_spawn "$1" 'exec clvmd-keeper >/dev/ttyS0 2>&1')
}
declare -A keeper_job

# The view that a node is in, as a number.
view_of() { node_run "$1" 'clvm status --json' | jq .view; }

daemon_process() { node_run "$1" 'pidof -s clvmd'; }
