import ClusterTypes

// One order for all messages of a view: numbered by the sequencer, acknowledged by every member,
// delivered when stable.

extension ExternalProvider {
  mutating func submit(_ payload: [UInt8], _ effects: inout [MembershipEffect]) {
    if messages.submit(payload, &effects) { sendSubmissions(&effects) }
  }

  /// Sends what may be under way to the sequencer. After a new view everything that was not
  /// delivered goes out again: what the old sequencer had numbered was delivered with the view.
  mutating func sendSubmissions(_ effects: inout [MembershipEffect]) {
    guard isMember, !isFrozen, let sequencer else { return }
    while let request = messages.nextSubmission(members: view.members.count) {
      if sequencer == local.node {
        number(request, from: local.instance, &effects)
      } else {
        let message = ProviderMessage.submit(viewID: view.id, request)
        effects.append(.send(message.encoded, to: sequencer))
      }
    }
  }

  mutating func order(
    _ request: OrderRequest, viewID: UInt64, from node: NodeID,
    _ effects: inout [MembershipEffect]
  ) {
    guard viewID == view.id, !isFrozen, sequencer == local.node,
      let sender = view.instance(of: node), sender == peers[node]?.member.instance
    else { return }
    number(request, from: sender, &effects)
  }

  private mutating func number(
    _ request: OrderRequest, from sender: NodeInstance, _ effects: inout [MembershipEffect]
  ) {
    let entry = Entry(index: messages.received + 1, sender: sender, request: request)
    messages.append(entry)
    let message = ProviderMessage.order(viewID: view.id, entry).encoded
    for node in view.nodes where node != local.node { effects.append(.send(message, to: node)) }
    declareStable(&effects)
  }

  mutating func ordered(
    _ entry: Entry, viewID: UInt64, from node: NodeID, _ effects: inout [MembershipEffect]
  ) {
    guard viewID == view.id, !isFrozen, node == sequencer else { return }
    guard entry.index == messages.received + 1 else {
      effects.append(
        .report("node \(node) sent message \(entry.index) out of order; it is not acknowledged"))
      return
    }
    messages.append(entry)
    let place = OrderedPlace(viewID: view.id, index: entry.index)
    effects.append(.send(ProviderMessage.acknowledge(place).encoded, to: node))
  }

  mutating func acknowledged(
    _ place: OrderedPlace, by node: NodeID, _ effects: inout [MembershipEffect]
  ) {
    guard place.viewID == view.id, !isFrozen, sequencer == local.node,
      place.index <= messages.received
    else { return }
    acknowledged[node] = max(acknowledged[node] ?? 0, place.index)
    declareStable(&effects)
  }

  private mutating func declareStable(_ effects: inout [MembershipEffect]) {
    let others = view.nodes.filter { $0 != local.node }
    let index = others.map { acknowledged[$0] ?? 0 }.min() ?? messages.received
    guard index > messages.delivered else { return }
    let message = ProviderMessage.stable(OrderedPlace(viewID: view.id, index: index)).encoded
    for node in others { effects.append(.send(message, to: node)) }
    messages.deliver(through: index, &effects)
    sendSubmissions(&effects)
  }

  mutating func stable(
    _ place: OrderedPlace, from node: NodeID, _ effects: inout [MembershipEffect]
  ) {
    guard place.viewID == view.id, !isFrozen, node == sequencer else { return }
    messages.deliver(through: place.index, &effects)
    sendSubmissions(&effects)
  }
}
