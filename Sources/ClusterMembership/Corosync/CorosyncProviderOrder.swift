import ClusterTypes

// corosync orders the messages of a view; every member acknowledges, and what all have is delivered.

extension CorosyncProvider {
  mutating func submit(_ payload: [UInt8], _ effects: inout [MembershipEffect]) {
    guard payload.count <= ProviderLimits.payload else {
      effects.append(
        .report(
          "a message of \(payload.count) bytes is not sent: \(ProviderLimits.payload) is the limit")
      )
      return
    }
    submissions.append(.init(sequence: nextSequence, payload: payload))
    nextSequence += 1
    sendSubmissions(&effects)
  }

  /// After a new view everything that was not delivered goes out again.
  mutating func sendSubmissions(_ effects: inout [MembershipEffect]) {
    guard isMember, exchange == nil, !isEvicted else { return }
    let limit = ProviderLimits.submissionsInFlight(members: view.members.count)
    while submissionsSent < min(submissions.count, limit) {
      let submission = submissions[submissionsSent]
      submissionsSent += 1
      let message = CorosyncMessage.submit(
        viewID: view.id, sequence: submission.sequence, payload: submission.payload)
      effects.append(.multicast(message.encoded))
    }
  }

  private var received: UInt64 { pending.last?.index ?? delivered }

  mutating func order(
    _ payload: [UInt8], sequence: UInt64, viewID: UInt64, from process: GroupProcess,
    _ effects: inout [MembershipEffect]
  ) {
    guard viewID == view.id, exchange == nil, let sender = instances[process] else { return }
    pending.append(
      Entry(index: received + 1, sender: sender, sequence: sequence, payload: payload))
    acknowledge(&effects)
  }

  /// One acknowledgement is on its way at a time; the next one tells of all that came meanwhile.
  mutating func acknowledge(_ effects: inout [MembershipEffect]) {
    guard exchange == nil, isMember, !isEvicted, isRingQuorate, !isAcknowledging,
      received > acknowledged[local.node] ?? 0, !pending.isEmpty
    else { return }
    isAcknowledging = true
    let message = CorosyncMessage.acknowledge(viewID: view.id, index: received)
    effects.append(.multicast(message.encoded))
  }

  mutating func acknowledged(
    _ index: UInt64, viewID: UInt64, by process: GroupProcess,
    _ effects: inout [MembershipEffect]
  ) {
    guard viewID == view.id, exchange == nil, let member = instances[process], index <= received
    else { return }
    acknowledged[member.node] = max(acknowledged[member.node] ?? 0, index)
    if member == local.instance { isAcknowledging = false }
    let stable = view.nodes.map { acknowledged[$0] ?? 0 }.min() ?? 0
    if stable > delivered {
      deliver(through: stable, &effects)
      sendSubmissions(&effects)
    }
    acknowledge(&effects)
  }

  mutating func deliver(through index: UInt64, _ effects: inout [MembershipEffect]) {
    let count = pending.prefix { $0.index <= index }.count
    for entry in pending.prefix(count) {
      delivered = entry.index
      if entry.sender == local.instance, submissions.first?.sequence == entry.sequence {
        submissions.removeFirst()
        submissionsSent = max(0, submissionsSent - 1)
      }
      effects.append(
        .deliver(
          OrderedMessage(index: entry.index, sender: entry.sender, payload: entry.payload)))
    }
    pending.removeFirst(count)
  }
}
