import ClusterCredentials
import ClusterMembership
import ClusterTypes
import Fencing
import KernelLockspaces

/// What the administrator decided in `/etc/lvm/clvmd.conf`, checked: every value here is usable,
/// alone and together with the others. `DaemonConfiguration.check` makes it; clvmd.conf(5)
/// describes the file, whose syntax is that of lvm.conf(5).
public struct DaemonConfiguration: Equatable, Sendable {
  public internal(set) var cluster: Cluster
  public let membership: Membership
  /// How nodes are kept from writing; `FenceTopology.none` without a section `fencing`.
  public internal(set) var fencing: FenceTopology
  /// Nil for a node without a keeper: nothing survives its daemon.
  public let keeper: KeeperSettings?
  /// Nil when the daemon leaves the kernel's DLM alone.
  public let kernelLockManager: KernelLockManagerSettings?
  /// Nil when the daemon does not serve LVM 2.03's commands.
  public internal(set) var lvmlockd: LVMLockdSettings?
  /// Nil when the daemon does not serve LVM 2.02's commands.
  public internal(set) var clusterLocking: ClusterLockingSettings?
  /// Absolute path of the socket for `clvm`. Default `/run/clvmd/admin.socket`.
  public let adminSocket: String
  public let devices: Devices
  /// Default `info`.
  public let logLevel: LogLevel
  /// Absolute path of a directory that a reboot empties. Default `/run/clvmd`.
  public let stateDirectory: String
  /// Absolute path of a directory on a local disk, for what the embedded provider must not forget.
  /// Default `/var/lib/clvmd`.
  public let clusterDirectory: String
  /// Absolute path of the file in which a tester says where the daemon is to fail; nil outside of
  /// tests.
  public internal(set) var failPointFile: String?

  public struct Cluster: Equatable, Sendable {
    /// 1 to 16 letters, digits, `_`, `-` and `.`: what OCFS2's superblock holds and GFS2's lock
    /// table does not cut.
    public let name: String
    /// Made by `clvm cluster init`. With it, nodes speak TLS with each other and nothing else;
    /// without it, their messages are open to everybody on the network.
    public let id: ClusterIdentifier?
    /// Where this node's keys lie. Default `/etc/lvm/clvmd`.
    public let keyDirectory: String
    public let localNode: Node
    /// TCP port of the daemons' own messages. Default 21063.
    public let controlPort: UInt16
    /// TCP port of the daemons' lock manager. Default 21065.
    public let lockPort: UInt16
    /// 1 to 32 nodes, the local one included, in the order of their ids. Names, ids and addresses
    /// are unique.
    public internal(set) var nodes: [Node]

    public func node(_ id: NodeID) -> Node? { nodes.first { $0.id == id } }
  }

  public struct Node: Equatable, Sendable {
    public let name: String
    public let id: NodeID
    public let address: NodeAddress
    /// Another way to the node for the daemons' messages; the kernel uses only `address`.
    public let secondAddress: NodeAddress?
    /// It votes, and runs neither locks nor volumes.
    public let isWitness: Bool

    init(
      name: String, id: NodeID, address: NodeAddress, secondAddress: NodeAddress?,
      isWitness: Bool = false
    ) {
      self.name = name
      self.id = id
      self.address = address
      self.secondAddress = secondAddress
      self.isWitness = isWitness
    }
  }

  public struct Membership: Equatable, Sendable {
    public let provider: MembershipProvider
    /// Default 500 ms.
    public let heartbeatInterval: Duration
    /// How long a node may be silent before it is taken for failed, at least three heartbeats.
    /// Default 3000 ms.
    public let silenceTimeout: Duration
    /// The embedded provider's table of times, the same on all nodes.
    public let timers: MembershipTimers
    /// Absolute path of the block device that has a vote of its own; nil without one.
    public let quorumDisk: String?
    /// Of two nodes without a third vote, the one that has switched off the other goes on.
    public let fenceRace: Bool

    init(
      provider: MembershipProvider, heartbeatInterval: Duration, silenceTimeout: Duration,
      timers: MembershipTimers = .standard, quorumDisk: String? = nil, fenceRace: Bool = false
    ) {
      self.provider = provider
      self.heartbeatInterval = heartbeatInterval
      self.silenceTimeout = silenceTimeout
      self.timers = timers
      self.quorumDisk = quorumDisk
      self.fenceRace = fenceRace
    }
  }

  /// Who says which nodes are in the cluster, and that a node that fell silent can no longer write.
  public enum MembershipProvider: String, CaseIterable, Sendable {
    /// clvmd itself: elections, leases and fences, with a record on every node's disk.
    case embedded
    /// An administrator, or a program that acts for one. Must be allowed explicitly: clvmd cannot
    /// verify that word.
    case external
    /// corosync on the same nodes: its process groups and votequorum.
    case corosync
  }

  public struct KeeperSettings: Equatable, Sendable {
    /// Default `/run/clvmd-keeper/socket`.
    public let socket: String
    /// Absolute path of the watchdog device; nil without one.
    public let watchdog: String?
  }

  public struct KernelLockManagerSettings: Equatable, Sendable {
    /// TCP port of the kernel's DLM, the same on all nodes. Default 21064.
    public let tcpPort: UInt16
    public let posixLocks: PosixLockSettings

    init(tcpPort: UInt16, posixLocks: PosixLockSettings = PosixLockSettings()) {
      self.tcpPort = tcpPort
      self.posixLocks = posixLocks
    }
  }

  /// fcntl(2) on cluster filesystems.
  public struct PosixLockSettings: Equatable, Sendable {
    /// Off: programs on this node hear that there are no such locks. Default on.
    public var isEnabled = true
    /// Requests of this node a second; 0, the default, for no limit.
    public var rate: UInt32 = 0
  }

  public struct LVMLockdSettings: Equatable, Sendable {
    static let standard = Self(
      socket: "/run/lvm/lvmlockd.socket", pidFile: "/run/lvmlockd.pid")

    /// Default `/run/lvm/lvmlockd.socket`, where LVM's commands look.
    public let socket: String
    /// Default `/run/lvmlockd.pid`.
    public let pidFile: String
  }

  /// The same, serving LVM 2.03's commands at other places than the file says, or although it says
  /// that they are not served. The paths are absolute; nil leaves what is configured, or the default.
  public func serving(lvmlockdSocket: String?, pidFile: String?) -> Self {
    var changed = self
    let configured = lvmlockd ?? .standard
    changed.lvmlockd = LVMLockdSettings(
      socket: lvmlockdSocket ?? configured.socket, pidFile: pidFile ?? configured.pidFile)
    return changed
  }

  /// LVM 2.02's `global/locking_type = 3`.
  public struct ClusterLockingSettings: Equatable, Sendable {
    public static let standard = Self(
      socket: "/run/lvm/clvmd.sock", pidFile: "/run/clvmd.pid", commandTimeout: .seconds(10))

    /// Default `/run/lvm/clvmd.sock`, where LVM's commands look.
    public let socket: String
    /// Default `/run/clvmd.pid`.
    public let pidFile: String
    /// How long a node may take for its part of a command. Default 10 s.
    public internal(set) var commandTimeout: Duration
  }

  /// The same, with another time for a node's part of a command of LVM 2.02; at least a second.
  public func withCommandTimeout(seconds: Int64) -> Self {
    var changed = self
    changed.clusterLocking?.commandTimeout = .seconds(max(1, seconds))
    return changed
  }

  public struct Devices: Equatable, Sendable {
    /// Patterns as in lvm.conf's `devices/filter`; nil takes those of lvm.conf.
    public let filter: [String]?
    /// Directories in which block devices are looked for. Default `/dev`.
    public let scan: [String]
  }

  /// The levels of swift-log, by its names.
  public enum LogLevel: String, CaseIterable, Sendable {
    case trace
    case debug
    case info
    case notice
    case warning
    case error
    case critical
  }
}
