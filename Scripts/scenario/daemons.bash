# Nodes and their daemons.

declare -A clvmd_job

boot_the_nodes() {
  lab_boot_all
  finding "${#lab_nodes[@]} nodes, Linux $(node_run 1 'uname -r'), LVM $(lvm_version_of 1)"
}

start_the_daemons() {
  local node
  for node in "${lab_nodes[@]}"; do clvmd_start "$node"; done
  for node in "${lab_nodes[@]}"; do clvmd_await_members "$node" "${#lab_nodes[@]}"; done
  on_nodes "${lab_nodes[*]}" 'clvm status'
  on_nodes "${lab_nodes[*]}" "$no_other_cluster_program"
  finding "one cluster of ${#lab_nodes[@]}; no corosync, dlm_controld or lvmlockd runs"
}

# shellcheck disable=SC2016  # expands in the node
readonly no_other_cluster_program='
  for name in /proc/[0-9]*/comm; do
    case $(<"$name") in
      corosync | dlm_controld | lvmlockd | sanlock | pacemakerd) echo "$name runs" >&2; exit 1 ;;
    esac
  done 2>/dev/null'

clvmd_start() {
  clvmd_job[$1]=$(node_spawn "$1" 'exec clvmd >/dev/ttyS0 2>&1')
}

clvmd_await_members() {
  wait_until 60 "n$1 to see $2 members" clvmd_sees_members_or_ended "$1" "$2"
  if clvmd_ended "$1"; then fail "clvmd on n$1 ended"; fi
}

clvmd_sees_members_or_ended() { clvmd_sees_members "$@" || clvmd_ended "$1"; }

clvmd_ended() { [[ -e $lab_folder/nodes/$1/mailbox/${clvmd_job[$1]}.rc ]]; }

clvmd_sees_members() {
  local members
  members=$(node_run "$1" 'clvm nodes --json' 2>/dev/null |
    jq '[.nodes[] | select(.state == "member")] | length') && ((members == $2))
}

# SIGTERM must end the daemon in order.
clvmd_stop() {
  node_signal "$1" "${clvmd_job[$1]}" TERM
  node_await "$1" "${clvmd_job[$1]}" 60
}

lvm_version_of() { node_run "$1" 'lvm version' | awk '/LVM version/ { print $3 }'; }
