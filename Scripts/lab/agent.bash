# Running commands inside a node, through the mailbox that the node's agent watches
# (guest/agent). Every command, its output and its exit status stay there as a record.

# node_spawn N COMMAND: starts COMMAND in the background of node N and prints its job number.
node_spawn() {
  local node=$1 command=$2 mailbox job=1
  mailbox=$lab_folder/nodes/$node/mailbox
  while ! create_only_if_new "$mailbox/$job.run" "$command"; do job=$((job + 1)); done
  : >"$mailbox/$job.go"
  echo "$job"
}

# node_await N JOB SECONDS: waits for a spawned command, prints its output, returns its status.
node_await() {
  local node=$1 job=$2 seconds=$3 traces
  traces=$lab_folder/nodes/$node/mailbox/$job
  wait_until "$seconds" "n$node: $(<"$traces.run")" job_ended_or_node_died "$node" "$job" ||
    return 124
  cat "$traces.out"
  cat "$traces.err" >&2
  if [[ ! -e $traces.rc ]]; then
    complain "n$node died during: $(<"$traces.run")"
    return 125
  fi
  return "$(<"$traces.rc")"
}

# node_run N COMMAND [SECONDS]: runs COMMAND and waits for it, at most SECONDS (60).
node_run() {
  local job
  job=$(node_spawn "$1" "$2")
  node_await "$1" "$job" "${3:-60}"
}

# node_signal N JOB SIGNAL: signals a spawned command.
node_signal() {
  node_run "$1" "kill -$3 $(<"$lab_folder/nodes/$1/mailbox/$2.pid")"
}

# on_nodes 'N…' COMMAND [SECONDS]: the same command on several nodes at the same time.
on_nodes() {
  local node jobs=() index=0
  for node in $1; do jobs+=("$(node_spawn "$node" "$2")"); done
  for node in $1; do
    node_await "$node" "${jobs[index]}" "${3:-60}"
    index=$((index + 1))
  done
}

create_only_if_new() (
  set -o noclobber
  { printf '%s\n' "$2" >"$1"; } 2>/dev/null
)

job_ended_or_node_died() {
  [[ -e $lab_folder/nodes/$1/mailbox/$2.rc ]] || ! node_is_on "$1"
}
