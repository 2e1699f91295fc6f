import ClusterTypes

// corosync orders the messages of a view; every member acknowledges, and what all have is delivered.

extension CorosyncProvider {
  mutating func submit(_ payload: [UInt8], _ effects: inout [MembershipEffect]) {
    if messages.submit(payload, &effects) { sendSubmissions(&effects) }
  }

  /// After a new view everything that was not delivered goes out again.
  mutating func sendSubmissions(_ effects: inout [MembershipEffect]) {
    guard isMember, exchange == nil, !isEvicted else { return }
    while let request = messages.nextSubmission(members: view.members.count) {
      let message = CorosyncMessage.submit(viewID: view.id, request)
      effects.append(.multicast(message.encoded))
    }
  }

  mutating func order(
    _ request: OrderRequest, viewID: UInt64, from process: GroupProcess,
    _ effects: inout [MembershipEffect]
  ) {
    guard viewID == view.id, exchange == nil, let sender = instances[process] else { return }
    messages.append(
      Entry(index: messages.received + 1, sender: sender, request: request))
    acknowledge(&effects)
  }

  /// One acknowledgement is on its way at a time; the next one tells of all that came meanwhile.
  mutating func acknowledge(_ effects: inout [MembershipEffect]) {
    guard exchange == nil, isMember, !isEvicted, isRingQuorate, !isAcknowledging,
      messages.received > acknowledged[local.node] ?? 0, !messages.pending.isEmpty
    else { return }
    isAcknowledging = true
    let place = OrderedPlace(viewID: view.id, index: messages.received)
    effects.append(.multicast(CorosyncMessage.acknowledge(place).encoded))
  }

  mutating func acknowledged(
    _ place: OrderedPlace, by process: GroupProcess, _ effects: inout [MembershipEffect]
  ) {
    guard place.viewID == view.id, exchange == nil, let member = instances[process],
      place.index <= messages.received
    else { return }
    acknowledged[member.node] = max(acknowledged[member.node] ?? 0, place.index)
    if member == local.instance { isAcknowledging = false }
    let stable = view.nodes.map { acknowledged[$0] ?? 0 }.min() ?? 0
    if stable > messages.delivered {
      messages.deliver(through: stable, &effects)
      sendSubmissions(&effects)
    }
    acknowledge(&effects)
  }
}
