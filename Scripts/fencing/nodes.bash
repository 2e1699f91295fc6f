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

# What a node needs before its daemons: a watchdog, and the agent.
readonly prepare_node="modprobe softdog nowayout=0
$install_agent_on_node"

keeper_start() {
  keeper_job[$1]=$(node_spawn "$1" 'exec clvmd-keeper >/dev/ttyS0 2>&1')
}
declare -A keeper_job

# The view that a node is in, as a number.
view_of() { node_run "$1" 'clvm status --json' | jq .view; }

daemon_process() { node_run "$1" 'pidof -s clvmd'; }
