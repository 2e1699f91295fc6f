import ClusterTypes
import ConfigText

/// What one node finds out about itself for `clvm cluster check`. Facts, and no judgement: that is
/// made where the facts of all nodes are together.
public struct NodeFacts: Equatable, Sendable, ConfigRepresentable {
  public static let maximumItemCount = 4096

  /// A node as this node's configuration has it.
  public struct ConfiguredNode: Hashable, Sendable, ConfigRepresentable {
    public var node: NodeID
    public var name: String
    /// One or two.
    public var addresses: [String]

    public init(node: NodeID, name: String, addresses: [String]) {
      self.node = node
      self.name = name
      self.addresses = addresses
    }
  }

  /// Whether the control port of another node could be reached.
  public struct Link: Hashable, Sendable, ConfigRepresentable {
    public var node: NodeID
    public var from: String
    public var to: String
    /// Nil when it could be reached.
    public var failure: String?

    public init(node: NodeID, from: String, to: String, failure: String?) {
      self.node = node
      self.from = from
      self.to = to
      self.failure = failure
    }
  }

  /// A fence device and its `monitor`.
  public struct FenceDevice: Hashable, Sendable, ConfigRepresentable {
    public var name: String
    public var agent: String
    /// Nil when the monitor succeeded.
    public var failure: String?

    public init(name: String, agent: String, failure: String?) {
      self.name = name
      self.agent = agent
      self.failure = failure
    }
  }

  /// A physical volume of a shared volume group.
  public struct PhysicalVolume: Hashable, Sendable, ConfigRepresentable {
    public var id: String
    public var device: String
    public var volumeGroup: String

    public init(id: String, device: String, volumeGroup: String) {
      self.id = id
      self.device = device
      self.volumeGroup = volumeGroup
    }
  }

  /// A watchdog device as the kernel describes it.
  public struct Watchdog: Hashable, Sendable, ConfigRepresentable {
    public var device: String
    /// The driver's name for it, `Software Watchdog` for softdog.
    public var identity: String

    public init(device: String, identity: String) {
      self.device = device
      self.identity = identity
    }
  }

  public var node: NodeID
  /// The release of clvmd.
  public var release: String
  public var kernel: String
  public var hostName: String
  public var clusterName: String
  public var clusterID: String?
  /// Settings that all nodes must have alike, as `name = value`.
  public var commonSettings: [String]
  public var nodes: [ConfiguredNode]
  /// Of this machine's interfaces.
  public var ownAddresses: [String]
  public var links: [Link]
  /// Milliseconds since 1970.
  public var wallClock: Int64
  public var physicalVolumes: [PhysicalVolume]
  /// Why the disks could not be looked at; nil when they were.
  public var diskFailure: String?
  public var fenceDevices: [FenceDevice]
  public var watchdogs: [Watchdog]
  /// Of lvm.conf; nil when it cannot be read.
  public var usesLVMLockd: Bool?
  public var lockingType: Int64?
  /// Other cluster stacks that run here, each a sentence that says what to do.
  public var foreignStacks: [String]

  public init(
    node: NodeID, release: String, kernel: String = "", hostName: String = "",
    clusterName: String, clusterID: String? = nil, commonSettings: [String] = [],
    nodes: [ConfiguredNode], ownAddresses: [String] = [], links: [Link] = [],
    wallClock: Int64 = 0, physicalVolumes: [PhysicalVolume] = [], diskFailure: String? = nil,
    fenceDevices: [FenceDevice] = [], watchdogs: [Watchdog] = [], usesLVMLockd: Bool? = nil,
    lockingType: Int64? = nil, foreignStacks: [String] = []
  ) {
    self.node = node
    self.release = release
    self.kernel = kernel
    self.hostName = hostName
    self.clusterName = clusterName
    self.clusterID = clusterID
    self.commonSettings = commonSettings
    self.nodes = nodes
    self.ownAddresses = ownAddresses
    self.links = links
    self.wallClock = wallClock
    self.physicalVolumes = physicalVolumes
    self.diskFailure = diskFailure
    self.fenceDevices = fenceDevices
    self.watchdogs = watchdogs
    self.usesLVMLockd = usesLVMLockd
    self.lockingType = lockingType
    self.foreignStacks = foreignStacks
  }
}

/// The facts of all nodes that answered in time.
public struct ClusterFacts: Equatable, Sendable, ConfigRepresentable {
  public var local: NodeID
  public var facts: [NodeFacts]
  /// Configured nodes that did not answer.
  public var silentNodes: [NodeID]
  /// By how many millionths another node's clock runs faster than this one's, as far as is known.
  public var clockRates: [ClockRate]

  public struct ClockRate: Hashable, Sendable, ConfigRepresentable {
    public var node: NodeID
    public var partsPerMillion: Int64
    /// The true value may differ by so many.
    public var uncertainty: Int64

    public init(node: NodeID, partsPerMillion: Int64, uncertainty: Int64) {
      self.node = node
      self.partsPerMillion = partsPerMillion
      self.uncertainty = uncertainty
    }
  }

  public init(
    local: NodeID, facts: [NodeFacts], silentNodes: [NodeID] = [], clockRates: [ClockRate] = []
  ) {
    self.local = local
    self.facts = facts
    self.silentNodes = silentNodes
    self.clockRates = clockRates
  }
}
