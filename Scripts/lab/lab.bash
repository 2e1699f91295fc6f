# A cluster of real Linux kernels on this machine: User-Mode-Linux nodes on one shared disk image
# and one private network. Source this file, then:
#
#   lab_create FOLDER 1 2 3     prepare the disk, the network and what the nodes read
#   node_boot N, node_kill N    see node.bash
#   node_run N COMMAND          see agent.bash
#   lab_destroy                 end what was started here; logs and disk stay in FOLDER

lab_scripts=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
for part in ../lib/wait network node agent cluster-config keys; do source "$lab_scripts/$part.bash"; done

readonly shared_disk_size=1G
# More disks that all nodes share, as words of the kernel's command line: ubddc=FILE.
lab_more_disks=()

lab_create() {
  local node
  lab_folder=$(realpath "$1")
  shift
  lab_nodes=("$@")
  lab_namespace=clvmd-$$
  mkdir -p "$lab_folder"/{bin,uml,ledgers,sizes}
  cp -r "$lab_scripts/guest" "$lab_folder/"
  cc -O1 -shared -fPIC "$lab_scripts/wide-registers.c" -o "$lab_folder/bin/wide-registers.so"
  truncate -s "$shared_disk_size" "$lab_folder/shared.img"
  cluster_config >"$lab_folder/clvmd.conf"
  network_create
  for node in "${lab_nodes[@]}"; do lab_place_node "$node"; done
}

# lab_add_node N: one more node, of which the clvmd.conf of the others knows nothing.
lab_add_node() {
  lab_nodes+=("$1")
  lab_place_node "$1"
}

lab_place_node() {
  mkdir -p "$lab_folder/nodes/$1/memory"
  network_connect "$1"
  printf 'lab_nodes=(%s) lab_namespace=%s\n' "${lab_nodes[*]}" "$lab_namespace" >"$lab_folder/lab.env"
}

# lab_open FOLDER: take over a lab that another script left running.
lab_open() {
  lab_folder=$(realpath "$1")
  source "$lab_folder/lab.env"
}

lab_destroy() {
  local node
  for node in "${lab_nodes[@]}"; do
    if node_is_on "$node"; then node_kill "$node"; fi
  done
  network_delete
}

lab_boot_all() {
  local node
  for node in "${lab_nodes[@]}"; do node_power_on "$node"; done
  for node in "${lab_nodes[@]}"; do node_await_boot "$node"; done
}
