import ClusterTypes

/// A way to keep nodes from writing, as configured: a power switch, a management board, a
/// hypervisor, another cluster manager.
public struct FenceDevice: Hashable, Sendable {
  /// What is started.
  public enum Program: Hashable, Sendable {
    /// A program of fence-agents or one that follows its rules: a name, looked up in
    /// `FenceAgentPath.directories`, or an absolute path. It reads `key=value` lines.
    case agent(String)
    /// Another authority: an absolute path and arguments, in which `%n` stands for the node's name
    /// and `%i` for its id. It reads nothing, and can only be asked to switch off.
    case command([String])
    /// No program: SCSI-3 persistent reservations on these disks. A node is kept from writing to them
    /// and is not switched off, so they must be all disks that it could write to.
    case reservations([String])
  }

  var isReservation: Bool { if case .reservations = program { true } else { false } }

  /// What the device is asked for to see whether it would work.
  public enum Monitoring: String, CaseIterable, Hashable, Sendable {
    case monitor
    /// The power state of one of its nodes, in turn.
    case status
    case none
  }

  public var name: String
  public var program: Program
  /// Keys and values for the agent, in the order of the file.
  public var parameters: [FenceParameter]
  /// A file of further `key=value` lines that only root can read; nil without.
  public var secretsFile: String?
  /// What the device calls a node: plug, outlet, domain. A node without an entry goes by its name.
  public var ports: [String: String]
  /// The action that keeps a node off. `reboot` is for agents that can do nothing else and verify
  /// that the node was off in between.
  public var offAction: FenceAction
  /// Longest run of one action.
  public var timeoutMilliseconds: UInt32
  /// How often an action is tried again after a failure within one attempt.
  public var retries: Int
  /// How long to wait before an attempt's first action.
  public var delayMilliseconds: UInt32
  public var monitoring: Monitoring
  public var monitorIntervalMilliseconds: UInt32

  public init(
    name: String, program: Program, parameters: [FenceParameter] = [], secretsFile: String? = nil,
    ports: [String: String] = [:], offAction: FenceAction = .off,
    timeoutMilliseconds: UInt32 = 60_000, retries: Int = 1, delayMilliseconds: UInt32 = 0,
    monitoring: Monitoring = .monitor, monitorIntervalMilliseconds: UInt32 = 600_000
  ) {
    self.name = name
    self.program = program
    self.parameters = parameters
    self.secretsFile = secretsFile
    self.ports = ports
    self.offAction = offAction
    self.timeoutMilliseconds = timeoutMilliseconds
    self.retries = retries
    self.delayMilliseconds = delayMilliseconds
    self.monitoring = monitoring
    self.monitorIntervalMilliseconds = monitorIntervalMilliseconds
  }
}

/// A line of an agent's input.
public struct FenceParameter: Hashable, Sendable {
  public var key: String
  public var value: String

  public init(_ key: String, _ value: String) {
    self.key = key
    self.value = value
  }
}

/// The actions of fence-agents that are used here.
public enum FenceAction: String, CaseIterable, Hashable, Sendable {
  case off, on, reboot, status, monitor
}

/// A node that may be fenced.
public struct FenceVictim: Hashable, Sendable {
  public var id: NodeID
  public var name: String
  /// The life that is to be kept from writing, and with it all before it; nil where that is no
  /// question, as for a power state.
  public var incarnation: Incarnation?

  public init(id: NodeID, name: String, incarnation: Incarnation? = nil) {
    self.id = id
    self.name = name
    self.incarnation = incarnation
  }
}

/// Which devices fence which node: levels in the order in which they are tried, all devices of a
/// level together, for example both power supplies of a machine.
public struct FenceTopology: Hashable, Sendable {
  public var devices: [String: FenceDevice]
  /// By node name: device names by level.
  public var levels: [String: [[String]]]
  /// The ids of the nodes in `levels`.
  public var nodeIDs: [String: NodeID]
  /// Switch a node on again once all devices of a level have switched it off.
  public var switchesOnAgain: Bool
  /// Disks with persistent reservations end what a fenced node has under way.
  public var abortsReservations: Bool

  /// Refers only to devices that exist: the configuration has been checked.
  public init(
    devices: [FenceDevice], levels: [String: [[String]]], nodeIDs: [String: NodeID],
    switchesOnAgain: Bool = false, abortsReservations: Bool = true
  ) {
    self.devices = Dictionary(
      devices.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.levels = levels
    self.nodeIDs = nodeIDs
    self.switchesOnAgain = switchesOnAgain
    self.abortsReservations = abortsReservations
  }

  public static let none = FenceTopology(devices: [], levels: [:], nodeIDs: [:])

  /// All disks with persistent reservations, each once.
  public var reservedDisks: [String] { Self.disks(of: devices.values) }

  /// The levels of a node, from 1, that take its keys off disks and do nothing else.
  public func reservationLevels(of node: String) -> [Int] {
    (levels[node] ?? []).indices.map { $0 + 1 }.filter { number in
      level(number, of: node)?.allSatisfy(\.isReservation) == true
    }
  }

  /// Disks that such a level leaves out: a node would write to them in spite of it.
  public func disksLeftOut(ofLevel number: Int, of node: String) -> [String] {
    guard let level = level(number, of: node) else { return [] }
    let disks = Set(Self.disks(of: level))
    return reservedDisks.filter { !disks.contains($0) }
  }

  /// Whether all that concerns persistent reservations is the same.
  public func hasSameReservations(as other: Self) -> Bool {
    reservedDisks == other.reservedDisks && abortsReservations == other.abortsReservations
      && Set(levels.keys).union(other.levels.keys).allSatisfy {
        reservationLevels(of: $0) == other.reservationLevels(of: $0)
      }
  }

  private static func disks(of devices: some Sequence<FenceDevice>) -> [String] {
    let all = devices.flatMap { device in
      if case .reservations(let disks) = device.program { disks } else { [String]() }
    }
    return Set(all).sorted()
  }

  /// `number` counts from 1; nil when the node has no such level, or a device of it is missing.
  func level(_ number: Int, of node: String) -> [FenceDevice]? {
    guard let levels = levels[node], levels.indices.contains(number - 1) else { return nil }
    let found = levels[number - 1].compactMap { devices[$0] }
    return found.isEmpty || found.count != levels[number - 1].count ? nil : found
  }

  /// Names of the nodes that a device fences, sorted.
  func nodes(of device: String) -> [String] {
    levels.filter { $0.value.contains { $0.contains(device) } }.keys.sorted()
  }
}
