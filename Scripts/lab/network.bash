# One private network per lab: a namespace with a bridge and a tap for each node. Nothing in it
# reaches the host's own network.

network_create() {
  ensure_tap_device
  ip netns add "$lab_namespace"
  ip -n "$lab_namespace" link set lo up
  ip -n "$lab_namespace" link add bridge0 type bridge
  ip -n "$lab_namespace" link set bridge0 up
}

# network_connect N: the cable of a node.
network_connect() {
  ip netns exec "$lab_namespace" ip tuntap add mode tap name "tap$1"
  ip -n "$lab_namespace" link set "tap$1" master bridge0 up
}

network_delete() {
  if [[ -e /run/netns/$lab_namespace ]]; then
    ip netns delete "$lab_namespace"
  fi
}

# Containers often come without the device file although their kernel has the driver.
ensure_tap_device() {
  if [[ ! -e /dev/net/tun ]]; then
    mkdir -p /dev/net
    mknod /dev/net/tun c 10 200
  fi
}
