import ByteCoding

// How persistent reservations keep nodes from a device (membership design, section 11). Every node
// registers its key on each path, and one of them reserves the device for registered writers. To fence
// a node is to take its keys away: the device itself then refuses its writes, also after the node has
// come back from a pause. A preempt-and-abort ends those under way, too, so that nothing has to be
// drained; after a plain preempt, for devices that cannot do the other, they have the drain time to land.

/// Reservations of one cluster, as one node in one of its lives handles them.
public struct ReservationFencing: Sendable {
  public let key: ReservationKey
  /// What a victim has under way is aborted, too.
  public let aborts: Bool
  private static let type = ReservationType.writeExclusiveRegistrantsOnly

  public init(key: ReservationKey, aborts: Bool = true) {
    self.key = key
    self.aborts = aborts
  }

  /// What is found on a device.
  public struct State: Hashable, Sendable {
    public var keys: [ReservationKey]
    public var holder: CurrentReservation.Holder?
  }

  /// Registers this node on a path of a device and sees that the device is reserved. Only while the
  /// node may not write anything yet, or a node that was evicted would let itself in again.
  ///
  /// Older keys of this very node are taken away: what an earlier life left running must not write
  /// under them.
  public func register(on target: inout some ReservationTarget & ~Copyable) throws(ReservationError)
  {
    let before = try capabilities(of: &target)
    guard before.hasWriteExclusiveRegistrantsOnly != false else {
      throw ReservationError(
        .unsupported,
        "\(target.name) has no reservation of the type 'write exclusive, registrants only'"
      )
    }
    guard before.canPersist else {
      throw ReservationError(
        .unsupported, "\(target.name) forgets its reservations with a loss of power (no APTPL)")
    }
    try refuseForeign(try state(of: &target), on: target.name)
    _ = try target.carryOut(.registerAndIgnore(key: key, persists: true))
    guard try capabilities(of: &target).persists else {
      throw ReservationError(
        .unsupported, "\(target.name) does not keep its reservations over a loss of power (APTPL)")
    }
    try reserve(&target)
    for old in try state(of: &target).keys where old.isSameNode(as: key) && old != key {
      _ = try target.carryOut(.preempt(key: key, victim: old, Self.type, aborts: aborts))
    }
    try verify(&target, excludes: { $0.isSameNode(as: key) && $0 != key })
  }

  /// Takes away every key of the victim's node up to that of the life given, and reads back that they
  /// are gone and that the reservation stands.
  public func fence(
    _ victim: ReservationKey, on target: inout some ReservationTarget & ~Copyable
  ) throws(ReservationError) {
    guard !victim.isSameNode(as: key) else {
      throw ReservationError(.failed, "a node does not fence itself")
    }
    let found = try state(of: &target)
    try refuseForeign(found, on: target.name)
    guard found.keys.contains(key) else {
      throw unknownNode(target.name)
    }
    try reserve(&target)
    for found in Set(found.keys).sorted() where isFenced(found, by: victim) {
      _ = try target.carryOut(.preempt(key: key, victim: found, Self.type, aborts: aborts))
    }
    try verify(&target, excludes: { isFenced($0, by: victim) })
    guard try capabilities(of: &target).persists else {
      throw ReservationError(
        .failed, "\(target.name) would forget its reservations with a loss of power (APTPL)")
    }
  }

  /// Whether this node may write and the device is reserved; throws if not.
  public func check(
    on target: inout some ReservationTarget & ~Copyable
  ) throws(ReservationError) {
    try verify(&target, excludes: { _ in false })
  }

  /// Whether a fenced node is still kept from the device: its keys gone, the device reserved by the
  /// cluster, and that for longer than its power lasts. Throws where it cannot be told, as on a device
  /// that does not know this node any more.
  public func keepsAway(
    _ victim: ReservationKey, on target: inout some ReservationTarget & ~Copyable
  ) throws(ReservationError) -> Bool {
    let found = try state(of: &target)
    guard let holder = found.holder, holder.type == Self.type, holder.scope == 0,
      holder.key.isSameCluster(as: key), !found.keys.contains(where: { isFenced($0, by: victim) }),
      try capabilities(of: &target).persists
    else { return false }
    guard found.keys.contains(key) else { throw unknownNode(target.name) }
    return true
  }

  /// Registers a path that appeared while this node runs, where the node's key stands on another one.
  /// A path that has a key keeps it. Reads again whether the node was evicted in the meantime; then the
  /// path's key is taken off at once.
  ///
  /// - Returns: whether the path had no key before.
  public func registerLate(
    on target: inout some ReservationTarget & ~Copyable
  ) throws(ReservationError) -> Bool {
    let count = try state(of: &target).keys.count { $0 == key }
    guard count > 0 else { throw unknownNode(target.name) }
    do {
      _ = try target.carryOut(.register(key: key, persists: true))
    } catch {
      if error.kind == .evicted { return false }
      throw error
    }
    guard try state(of: &target).keys.count(where: { $0 == key }) > count else {
      _ = try target.carryOut(.registerAndIgnore(key: nil, persists: true))
      throw unknownNode(target.name)
    }
    return true
  }

  /// Takes this node's registration off a path, when it leaves and writes no more. The key that holds the
  /// reservation stays as long as others are registered: the reservation would go with it, and with it
  /// what keeps fenced nodes away. The node's next life replaces it.
  public func unregister(from target: inout some ReservationTarget & ~Copyable)
    throws(ReservationError)
  {
    let found = try state(of: &target)
    guard found.keys.contains(key),
      found.holder?.key != key || found.keys.allSatisfy({ $0 == key })
    else { return }
    _ = try target.carryOut(.registerAndIgnore(key: nil, persists: true))
  }

  public func state(of target: inout some ReservationTarget & ~Copyable) throws(ReservationError)
    -> State
  {
    let keys = try target.carryOut(.readKeys)
    let reservation = try target.carryOut(.readReservation)
    return try target.decoding { () throws(ByteDecodingError) in
      State(
        keys: try RegisteredKeys(decoding: keys).keys,
        holder: try CurrentReservation(decoding: reservation).holder)
    }
  }

  // MARK: - Steps

  private func capabilities(
    of target: inout some ReservationTarget & ~Copyable
  ) throws(ReservationError) -> ReservationCapabilities {
    let data = try target.carryOut(.reportCapabilities)
    return try target.decoding { () throws(ByteDecodingError) in
      try ReservationCapabilities(decoding: data)
    }
  }

  /// Reserves the device if nobody has. Another node of the cluster may do so at the same moment.
  private func reserve(_ target: inout some ReservationTarget & ~Copyable) throws(ReservationError)
  {
    guard try state(of: &target).holder == nil else { return }
    do {
      _ = try target.carryOut(.reserve(key: key, Self.type))
    } catch {
      guard error.kind == .evicted, try state(of: &target).holder != nil else { throw error }
    }
  }

  /// Another cluster's, or another program's, reservation is not taken away.
  private func refuseForeign(_ state: State, on name: String) throws(ReservationError) {
    if let holder = state.holder, holder.scope != 0 || holder.type != Self.type {
      throw ReservationError(
        .foreign,
        "\(name) is reserved in another way (type \(holder.type.rawValue), key \(holder.key)); "
          + "look with: sg_persist --in --read-reservation \(name)")
    }
    if let foreign = state.keys.first(where: { !$0.isSameCluster(as: key) }) {
      throw ReservationError(
        .foreign,
        "\(name) has the key \(foreign) of another cluster or program; look with: "
          + "sg_persist --in --read-keys \(name)")
    }
  }

  /// This life of the victim and all before it. The counter wraps after sixteen million lives.
  private func isFenced(_ found: ReservationKey, by victim: ReservationKey) -> Bool {
    found.isSameNode(as: victim) && found.rawValue & 0xFF_FFFF <= victim.rawValue & 0xFF_FFFF
  }

  private func verify(
    _ target: inout some ReservationTarget & ~Copyable,
    excludes isExcluded: (ReservationKey) -> Bool
  ) throws(ReservationError) {
    let found = try state(of: &target)
    if let still = found.keys.first(where: isExcluded) {
      throw ReservationError(.failed, "\(target.name) still has the key \(still)")
    }
    guard found.keys.contains(key) else {
      throw unknownNode(target.name)
    }
    guard let holder = found.holder, holder.type == Self.type, holder.scope == 0 else {
      throw ReservationError(.failed, "\(target.name) is not reserved: everybody could write to it")
    }
  }

  private func unknownNode(_ name: String) -> ReservationError {
    ReservationError(.evicted, "\(name) does not know this node: somebody has taken its key away")
  }
}
