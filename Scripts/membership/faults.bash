# Faults of nodes and of the network between them, and what a node is seen to do about them.

# The whole node stands still, as a machine that is paused: kernel, disks and network.
node_freeze() { kill -STOP -- "-$(<"$lab_folder/nodes/$1/pid")"; }
node_thaw() { kill -CONT -- "-$(<"$lab_folder/nodes/$1/pid")"; }

# No frame from or to the node; its own link stays up.
node_cut_off() { ip -n "$lab_namespace" link set "tap$1" nomaster; }
node_reconnect() { ip -n "$lab_namespace" link set "tap$1" master bridge0; }

# one_way_loss FROM TO: what FROM sends to TO is lost, and nothing else.
one_way_loss() {
  node_run "$1" "ip neighbour replace 10.77.0.$2 lladdr 02:00:00:00:00:99 dev vec0 nud permanent"
}

# status_of N FILTER: a fact of clvm status --json on a node, by a jq filter; it is answered without
# quorum, too.
status_of() { node_run "$1" 'clvm status --json' 30 2>/dev/null | jq -r "$2"; }

view_of() { status_of "$1" .view; }
leader_seen_by() { status_of "$1" .leader; }
has_quorum() { [[ $(status_of "$1" .quorate) == true ]]; }
lacks_quorum() { [[ $(status_of "$1" .quorate) == false ]]; }

members_seen_by() {
  status_of "$1" '[.nodes[] | select(.state == "member") | .node] | sort | join(" ")'
}

sees_members() { [[ $(members_seen_by "$1") == "$2" ]]; }

# What clvm status says that everybody waits for.
waits_of() { status_of "$1" '.waiting_for[], (.lockspaces[].waiting_for[])'; }
names_the_fence_of() { waits_of "$1" | grep -q "waits for the fence of node n$2 ($2)"; }

# survivors_of NODE: the live nodes without it.
survivors_of() {
  local node others=()
  for node in "${live_nodes[@]}"; do
    if [[ $node != "$1" ]]; then others+=("$node"); fi
  done
  echo "${others[*]}"
}

# The machine of the node resets itself; the lab's kernel then ends instead of booting again.
node_has_reset() { ! node_is_on "$1"; }

milliseconds_since() { echo $(($(milliseconds_now) - $1)); }
