import ClusterTypes

/// Names a request of the node itself for the lock of an LV.
public struct VolumeLockID: Hashable, Sendable {
  public let rawValue: UInt64

  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What the node itself wants of the lock that protects an active LV, for an activation or deactivation
/// which it carries out together with other nodes.
public struct VolumeLockRequest: Equatable, Sendable {
  public var vg: String
  /// In the dashed form of 38 characters.
  public var lvUUID: String
  /// For whoever is refused because of it.
  public var lvName: String
  public var wish: LockWish
  /// For whom, such as `clvm of node 1`.
  public var owner: String
  /// An exclusive lock may become a shared one. Otherwise that is refused as `exists`: a volume that one
  /// node has to itself does not become everybody's by the way.
  public var mayWeaken: Bool

  public init(
    vg: String, lvUUID: String, lvName: String, wish: LockWish, owner: String,
    mayWeaken: Bool = false
  ) {
    self.vg = vg
    self.lvUUID = lvUUID
    self.lvName = lvName
    self.wish = wish
    self.owner = owner
    self.mayWeaken = mayWeaken
  }
}

/// How such a request ended.
public struct VolumeLockAnswer: Equatable, Sendable {
  /// As lvm would be told; `alreadyHeld` and `notFound` say that nothing had to be done.
  public var result: LockDaemonResult
  /// The mode in which the node held the lock before.
  public var previous: LockMode?
  /// Who is in the way, as in "held by node 2, lvchange[817] for active volume lv1, ex for 12 s"; nil
  /// where nobody is.
  public var obstacle: String?

  public init(_ result: LockDaemonResult, previous: LockMode?, obstacle: String? = nil) {
    self.result = result
    self.previous = previous
    self.obstacle = obstacle
  }

  /// The lock is as it was to be.
  public var isDone: Bool { [.success, .alreadyHeld, .notFound].contains(result) }
}

/// Locks of LVs that no lvm command asks for. They are the same locks: a later `lvchange -an` gives up what
/// was taken here, and the other way round.
extension LockDaemonMachine {
  mutating func changeVolumeLock(_ id: VolumeLockID, _ request: VolumeLockRequest) {
    guard let name = Lockspace.name(vg: request.vg), let lockspace = lockspaces[name],
      lockspace.state == .started
    else { return answer(id, .noLockspace, previous: nil) }
    guard request.wish == .unlock || !lockspace.isKilled else {
      return answer(id, .killed, previous: nil)
    }
    let resource = ResourceName.logicalVolume(uuid: request.lvUUID)
    let previous = lockspace.resources[resource]?.persistent
    guard request.wish != .lock(.shared) || previous != .exclusive || request.mayWeaken else {
      return answer(id, .exists, previous: previous)
    }
    let purpose: LockRequest.Purpose =
      switch request.wish {
      case .unlock: .unlock
      case .lock(let mode): .lock(mode)
      }
    var lockRequest = LockRequest(
      owner: .change(id, previous: previous), purpose: purpose, isPersistent: true,
      label: request.owner)
    lockRequest.volume = request.lvName
    deliver(lockRequest, to: ResourceAddress(lockspace: name, resource: resource))
  }

  /// A refusal waits for the names of those who are in the way.
  mutating func volumeLockEnded(
    _ id: VolumeLockID, _ result: LockDaemonResult, previous: LockMode?, at address: ResourceAddress
  ) {
    guard result == .heldElsewhere, isAvailable else {
      return answer(id, result, previous: previous)
    }
    let question = ClusterQuestionID(nextIdentifier())
    questions[question] = .volumeLockRefusal(id, previous: previous, address)
    effects.append(
      .findHolders(question, address.lockspace, resource: address.resource.bytes))
  }

  mutating func answer(
    _ id: VolumeLockID, _ result: LockDaemonResult, previous: LockMode?, obstacle: String? = nil
  ) {
    effects.append(
      .volumeLockEnded(id, VolumeLockAnswer(result, previous: previous, obstacle: obstacle)))
  }
}
