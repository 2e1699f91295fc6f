# Keys for the nodes of a lab, so that their daemons speak TLS with each other. A node's disk forgets
# /etc/lvm at a power cut; what it was given is kept in its folder, and is there again at each boot.

# All nodes' keys at once, made outside of them. To be called before the nodes boot, with clvm in the
# lab's folder for programs.
lab_export_keys() {
  local node first=${lab_nodes[0]} made=$lab_folder/keys
  mkdir -p "$made/n$first"
  sed "s/^cluster {/cluster { node_id = $first/" "$lab_folder/clvmd.conf" >"$made/n$first/clvmd.conf"
  "$lab_folder/bin/clvm" cluster init --config "$made/n$first/clvmd.conf" \
    --keys "$made/n$first/clvmd" --export "$made/others" >"$made/init.log"
  for node in "${lab_nodes[@]}"; do
    if ((node == first)); then
      mv "$made/n$first" "$lab_folder/nodes/$node/given"
    else
      mkdir -p "$lab_folder/nodes/$node/given/clvmd"
      mv "$made/others/n$node/clvmd.conf" "$lab_folder/nodes/$node/given/"
      mv "$made/others/n$node/"* "$lab_folder/nodes/$node/given/clvmd/"
    fi
  done
}

# The keys of running nodes as an administrator makes them: the first node becomes the authority's,
# the others join with one-time tokens.
nodes_make_keys() {
  local first=$1 node
  node_run "$first" 'clvm cluster init'
  node_keep_keys "$first"
  for node in "${@:2}"; do node_join "$node" "$first"; done
}

# node_join N AUTHORITY: with a token of the node that has the authority's key.
node_join() {
  local node=$1 authority=$2 invitation token
  invitation=$(node_spawn "$authority" "exec clvm cluster token --json --node $node")
  wait_until 30 "n$authority to make a token" token_is_there "$authority" "$invitation"
  token=$(jq -r '.token // empty' <"$lab_folder/nodes/$authority/mailbox/$invitation.out")
  node_run "$node" "clvm cluster join --replace $token"
  node_await "$authority" "$invitation" 60 >/dev/null
  node_keep_keys "$node"
}

token_is_there() {
  grep -qs '"token"' "$lab_folder/nodes/$1/mailbox/$2.out"
}

# What is in the node's /etc/lvm now will be there again after its next boot.
node_keep_keys() {
  node_run "$1" "mkdir -p /lab/nodes/$1/given && cp -r /etc/lvm/clvmd.conf /etc/lvm/clvmd /lab/nodes/$1/given/"
}
