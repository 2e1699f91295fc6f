import ClusterTypes

// The replicated record S (membership design, section 3): the whole of what the cluster has decided.
// Every decision replaces it.

/// A boot of a machine: the 128 bits of `/proc/sys/kernel/random/boot_id`.
public struct BootID: Hashable, Sendable, CustomStringConvertible {
  public let high: UInt64
  public let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// From the kernel's text of 32 hexadecimal digits and four dashes; nil for anything else.
  public init?(_ text: some StringProtocol) {
    let digits = String(text.filter { $0 != "-" })
    guard digits.count == 32, text.count == 36,
      let high = UInt64(digits.prefix(16), radix: 16),
      let low = UInt64(digits.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  public var description: String {
    func hex(_ value: UInt64) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    let text = hex(high) + hex(low)
    var parts: [Substring] = []
    var rest = text[...]
    for length in [8, 4, 4, 4, 12] {
      parts.append(rest.prefix(length))
      rest = rest.dropFirst(length)
    }
    return parts.joined(separator: "-")
  }
}

/// What a node can do, told by its `Join`.
public struct Capabilities: Hashable, Sendable {
  public enum Watchdog: UInt8, Hashable, Sendable {
    case none = 0
    case softdog, hypervisor, hardware
  }

  public var watchdog: Watchdog
  /// The watchdog's timeout as read back from the device, in milliseconds.
  public var watchdogTimeout: UInt32
  /// Loss of the lease ends the petting.
  public var petsByLease: Bool
  public var inhibitsSleep: Bool
  public var isVirtualMachine: Bool
  /// Names the set of disks on which this incarnation has registered its SCSI-3 reservation key, all
  /// that it may write to; zero without.
  public var reservedDevices: UInt64
  /// The membership protocol spoken here: 2 since the record knows exclusions.
  public static let version: UInt16 = 2

  /// Versions of the membership protocol that it speaks.
  public var oldestVersion: UInt16
  public var newestVersion: UInt16

  public init(
    watchdog: Watchdog = .none, watchdogTimeout: UInt32 = 0, petsByLease: Bool = false,
    inhibitsSleep: Bool = false, isVirtualMachine: Bool = false, reservedDevices: UInt64 = 0,
    oldestVersion: UInt16 = Self.version, newestVersion: UInt16 = Self.version
  ) {
    self.watchdog = watchdog
    self.watchdogTimeout = watchdogTimeout
    self.petsByLease = petsByLease
    self.inhibitsSleep = inhibitsSleep
    self.isVirtualMachine = isVirtualMachine
    self.reservedDevices = reservedDevices
    self.oldestVersion = oldestVersion
    self.newestVersion = newestVersion
  }
}

/// A node as a member of the decided view.
public struct ViewMember: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation
  public var bootID: BootID
  public var capabilities: Capabilities
  /// It may write to shared disks: a lockspace was started with this incarnation. Set by the very
  /// decision that starts, cleared only by a decided `clean`.
  public var isDirty: Bool
  /// The longest lease that it may hold, in milliseconds: the largest of all configurations since it
  /// was admitted.
  public var longestLease: UInt32
  /// Starts of its daemon within this incarnation. A new one stops, in the same decision, every
  /// lockspace that died with the daemon: at the start that follows everybody knows that the member
  /// has forgotten it.
  public var life: UInt32

  package init(
    slot: NodeSlot, incarnation: Incarnation, bootID: BootID, capabilities: Capabilities,
    isDirty: Bool, longestLease: UInt32, life: UInt32 = 1
  ) {
    self.slot = slot
    self.incarnation = incarnation
    self.bootID = bootID
    self.capabilities = capabilities
    self.isDirty = isDirty
    self.longestLease = longestLease
    self.life = life
  }
}

/// An incarnation that was removed from the view. While one is here that may write, nothing starts.
public struct RemovedMember: Hashable, Sendable {
  public var member: ViewMember
  /// The view that removed it.
  public var sinceView: UInt64
  /// Later generations of lockspaces are without it.
  public var sinceGeneration: UInt64
  /// The fence attempt that took its keys off the disks; zero without. It may live, and is kept from
  /// writing for as long as that is read on the disks.
  public var exclusion: UInt64

  package init(
    member: ViewMember, sinceView: UInt64, sinceGeneration: UInt64 = 0, exclusion: UInt64 = 0
  ) {
    self.member = member
    self.sinceView = sinceView
    self.sinceGeneration = sinceGeneration
    self.exclusion = exclusion
  }

  /// It may write, as far as is decided.
  public var awaitsEvidence: Bool { member.isDirty && exclusion == 0 }
}

/// The newest incarnation of a node that was ever admitted.
public struct Admission: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation
  public var bootID: BootID
  /// How often the time of good links before its readmission is doubled.
  public var holdLevel: UInt8
}

/// A run of a fence device that may still act, or whose victim's last I/O may still land.
public struct FenceAttempt: Hashable, Sendable {
  public var id: UInt64
  public var victim: NodeSlot
  public var incarnation: Incarnation
  public var executor: NodeSlot
  public var executorIncarnation: Incarnation
  public var executorLife: UInt32
  /// Topology level, from 1.
  public var level: UInt8
  /// It takes the victim's keys off disks and does nothing else: it cannot hit a later incarnation,
  /// however late it acts.
  public var isByReservation = false
  /// The victim was switched off; what it had under way has the drain time to land.
  public var hasSucceeded = false
}

/// A lockspace as the cluster has decided it.
public struct Space: Hashable, Sendable {
  public enum Phase: UInt8, Hashable, Sendable {
    case stopping = 1
    case started
  }

  /// The kind of lockspaces that the daemon itself runs: they end with it, others outlive it.
  public static let kindOfDaemon: UInt8 = 2

  public var name: LockspaceName
  /// For the layer above: kernel or in-house.
  public var kind: UInt8
  /// Unique over all spaces and their whole history.
  public var generation: UInt64
  public var phase: Phase
  public var members: NodeSet
  public var leaving: NodeSet
  /// Restarts since it last ran, because somebody was stuck in recovery.
  public var stuckCount: UInt8

  package init(
    name: LockspaceName, kind: UInt8, generation: UInt64, phase: Phase, members: NodeSet,
    leaving: NodeSet, stuckCount: UInt8
  ) {
    self.name = name
    self.kind = kind
    self.generation = generation
    self.phase = phase
    self.members = members
    self.leaving = leaving
    self.stuckCount = stuckCount
  }
}

/// The last request of a node that was decided.
public struct LastRequest: Hashable, Sendable {
  public var slot: NodeSlot
  public var incarnation: Incarnation
  public var life: UInt32
  public var sequence: UInt64
}

/// Everything that the cluster has decided.
public struct Record: Hashable, Sendable {
  public var clusterID: UInt64
  public var configurationVersion: UInt64
  /// One, or two while a change is under way: then every quorum is needed in both.
  public var configurations: [ClusterConfiguration]
  public var viewID: UInt64
  /// Ascending by slot.
  public var members: [ViewMember]
  public var removed: [RemovedMember]
  public var admissions: [Admission]
  public var attempts: [FenceAttempt]
  public var lastAttempt: UInt64
  /// Ascending by name.
  public var spaces: [Space]
  public var lastGeneration: UInt64
  public var operations: [VolumeOperation]
  public var requests: [LastRequest]

  /// What a cluster starts from: nobody is in, nothing was decided.
  public init(clusterID: UInt64, configuration: ClusterConfiguration) {
    self.clusterID = clusterID
    configurationVersion = 1
    configurations = [configuration]
    viewID = 0
    members = []
    removed = []
    admissions = []
    attempts = []
    lastAttempt = 0
    spaces = []
    lastGeneration = 0
    operations = []
    requests = []
  }

  init(
    clusterID: UInt64, configurationVersion: UInt64, configurations: [ClusterConfiguration],
    viewID: UInt64
  ) {
    self.init(clusterID: clusterID, configuration: configurations[0])
    self.configurationVersion = configurationVersion
    self.configurations = configurations
    self.viewID = viewID
  }

  /// The configuration that is in force, or the old one while a change is under way.
  public var configuration: ClusterConfiguration { configurations[0] }
  /// The one that is or comes into force.
  public var newestConfiguration: ClusterConfiguration { configurations[configurations.count - 1] }
  public var timers: MembershipTimers { configurations[0].timers }
  /// All nodes of all configurations.
  public var configured: NodeSet {
    configurations.reduce(NodeSet()) { $0.union($1.all) }
  }
  public var memberSet: NodeSet { NodeSet(members.map(\.slot)) }

  public subscript(member slot: NodeSlot) -> ViewMember? { members.first { $0.slot == slot } }

  /// The node in a slot, by the newest configuration that knows it.
  public func node(_ slot: NodeSlot) -> ConfiguredNode? {
    for configuration in configurations.reversed() {
      if let node = configuration[slot] { return node }
    }
    return nil
  }

  func isMember(_ slot: NodeSlot, _ incarnation: Incarnation) -> Bool {
    members.contains { $0.slot == slot && $0.incarnation == incarnation }
  }

  func admission(_ slot: NodeSlot) -> Admission? { admissions.first { $0.slot == slot } }

  /// Whether `set` decides, in every configuration.
  package func isQuorum(_ set: NodeSet, disk: Bool) -> Bool {
    configurations.allSatisfy { $0.isQuorum(set, disk: disk) }
  }

  /// Two nodes without a third vote, of which one that has switched off the other goes on.
  var isFenceRace: Bool { configurations.count == 1 && configurations[0].fenceRace }

  var usesDisk: Bool { configurations.contains(where: \.hasDisk) }

  /// A removed incarnation may still write.
  public var awaitsEvidence: Bool { removed.contains(where: \.awaitsEvidence) }

  /// The removed incarnations that only reservations keep from writing.
  var exclusions: [Exclusion] {
    removed.filter { $0.member.isDirty && $0.exclusion != 0 }.map {
      Exclusion(
        slot: $0.member.slot, incarnation: $0.member.incarnation, attempt: $0.exclusion)
    }
  }

  func space(_ name: LockspaceName) -> Space? { spaces.first { $0.name == name } }

  /// Gives a lockspace a new generation, stopping.
  mutating func stop(_ index: Int) {
    lastGeneration += 1
    spaces[index].generation = lastGeneration
    spaces[index].phase = .stopping
  }
}
