# How long it takes from a kill to a view, and to writers that go on, with a fence agent that answers at
# once: with both profiles, and without the time for I/O that is still on its way.

take_figures() {
  take_figures_with default 'profile = "default"'
  take_figures_with default-drain-0 'profile = "default" timers { drain_ms = 0 }'
  take_figures_with lan 'profile = "lan"'
}

readonly agent_config='
fencing {
  devices {
    power { agent = "/etc/lvm/fence_lab"  parameters = [ "kind=power" ]
            secrets = "/etc/lvm/fence-secrets"  ports = [ "n1=1", "n2=2", "n3=3" ] }
  }
  nodes { n1 { levels = [ "power" ] } n2 { levels = [ "power" ] } n3 { levels = [ "power" ] } }
}'

# take_figures_with NAME TIMES
take_figures_with() {
  live_nodes=(1 2 3)
  lab_times=$2 lab_fencing=$agent_config
  make_lab "figures-$1"
  lab_export_keys
  install_fence_agents
  step "$1: boot, form a cluster" boot_with_agents
  step "$1: OCFS2 on all nodes, written to" begin_writing
  step "$1: kill a node" time_a_kill
  kill "$power_switch" && unset power_switch
  lab_destroy
}

boot_with_agents() {
  lab_boot_all
  on_nodes '1 2 3' "$install_agent_on_node"
  start_the_daemons
  wait_until 60 "the fence device to be tried out" fence_device_works
  finding "view $(view_of 1), load of the machine $(cut -d ' ' -f 1 /proc/loadavg)"
}

fence_device_works() { [[ $(status_of 1 '.fence_devices[].state') == working ]]; }

begin_writing() {
  node_run 1 'vgcreate --shared vg1 /dev/ubdb'
  on_nodes '2 3' 'vgchange --lockstart vg1' 120
  node_run 1 'lvcreate -an -L 256M -n lv1 vg1'
  on_nodes '1 2 3' 'lvchange -asy vg1/lv1' 120
  make_and_mount_the_file_system
  start_the_writers
}

# Times are those at which the daemon's log, a line that the host reads, tells of the view and of the
# kernel's lockspace; the writers' longest wait is what they measured. A writer whose locks are cached
# does not wait at all.
time_a_kill() {
  local victim survivors first views starts since started node
  victim=$(first_follower)
  survivors=$(survivors_of "$victim")
  first=${survivors%% *}
  views=$(lines_of "$first" ' view [0-9]*: node')
  starts=$(lines_of "$first" ': running, generation')
  since=$EPOCHREALTIME
  started=$(milliseconds_now)
  node_kill "$victim"
  wait_until 60 "a view without n$victim" has_more_lines "$first" ' view [0-9]*: node' "$views"
  figures[view]=$(milliseconds_since "$started")
  wait_until 60 "the kernel lockspace to run without n$victim" \
    has_more_lines "$first" ': running, generation' "$starts"
  figures[start]=$(milliseconds_since "$started")
  for node in $survivors; do ledger_must_grow "$node"; done
  sees_members "$first" "$survivors" || fail "n$first sees members $(members_seen_by "$first")"
  finding "kill to view ${figures[view]} ms, to the lockspace running ${figures[start]} ms; a writer waited \
at most $(longest_pause_since "$since") ms; load $(cut -d ' ' -f 1 /proc/loadavg)"
}

lines_of() { grep -c "$2" "$lab_folder/nodes/$1/clvmd.log" || true; }
has_more_lines() { (($(lines_of "$1" "$2") > $3)); }
