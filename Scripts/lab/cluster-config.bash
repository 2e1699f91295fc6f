# What clvmd reads from /etc/lvm/clvmd.conf in the lab: the same on every node.

readonly lab_cluster_name=demo

cluster_config() {
  local node
  cat <<CONFIG
cluster {
  name = "$lab_cluster_name"
  control_port = 21063
  lock_port = 21065
  nodes {
CONFIG
  for node in "${lab_nodes[@]}"; do
    echo "    n$node { id = $node address = \"10.77.0.$node\" }"
  done
  printf '  }\n}\n'
  membership_config
  cat <<'CONFIG'
kernel_lockspaces { enabled = 1 }
lvmlockd { enabled = 1 }
devices { filter = [ "a|^/dev/ubdb$|", "r|.*|" ] }
log { level = "info" }
CONFIG
}

# Who is in the cluster; a scenario may say otherwise.
membership_config() {
  cat <<'CONFIG'
membership {
  provider = "external"
  allow_external = 1
  heartbeat_interval_ms = 500
  silence_timeout_ms = 5000
}
CONFIG
}
