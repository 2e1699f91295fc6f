# A power switch for the lab: the host cuts the power that a fence agent in a node asks it to cut.

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

readonly install_agent_on_node='
  install -m 0755 /lab/guest/fence_lab /etc/lvm/fence_lab
  (umask 077; echo password=lab >/etc/lvm/fence-secrets)'
