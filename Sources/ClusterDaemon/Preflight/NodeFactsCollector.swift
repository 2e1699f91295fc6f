import AdminProtocol
import BlockDevices
import ClusterTypes
import DistributedLockManager
import Fencing
import Glibc
import KernelLockspaces
import LVMMetadata
import LVMSystemDirectory

/// Finds out about this node what `clvm cluster check` wants to know. Blocks for some seconds at
/// most, but for a disk that hangs: to be called on a worker thread.
public struct NodeFactsCollector: Sendable {
  private let configuration: DaemonConfiguration
  private let paths: HostPaths

  /// Where the host's own description of itself is.
  public struct HostPaths: Sendable {
    var watchdogs = "/sys/class/watchdog"
    var kernelRelease = "/proc/sys/kernel/osrelease"
    var o2cbClusters = "/sys/kernel/config/cluster"

    public init() {}
  }

  public init(configuration: DaemonConfiguration, paths: HostPaths = HostPaths()) {
    self.configuration = configuration
    self.paths = paths
  }

  public func collect() -> NodeFacts {
    let cluster = configuration.cluster
    var facts = NodeFacts(
      node: cluster.localNode.id, release: DaemonRelease.text, kernel: kernelRelease,
      hostName: ConfigurationFile.hostName(), clusterName: cluster.name,
      clusterID: cluster.id?.description, commonSettings: commonSettings,
      nodes: cluster.nodes.map { node in
        .init(node: node.id, name: node.name, addresses: Self.addresses(of: node))
      },
      ownAddresses: HostInterfaces.addresses(), links: links(),
      wallClock: Self.wallClockMilliseconds(), fenceDevices: fenceDevices(), watchdogs: watchdogs,
      foreignStacks: foreignStacks)
    addDisks(to: &facts)
    if let lvm = try? LVMConfiguration() {
      facts.usesLVMLockd = lvm.integer("global/use_lvmlockd") == 1
      facts.lockingType = lvm.integer("global/locking_type")
    }
    return facts
  }

  private static func addresses(of node: DaemonConfiguration.Node) -> [String] {
    [node.address, node.secondAddress].compactMap { $0.map { "\($0)" } }
  }

  /// What nodes must have alike, or they do not understand each other.
  private var commonSettings: [String] {
    [
      "cluster/control_port = \(configuration.cluster.controlPort)",
      "cluster/lock_port = \(configuration.cluster.lockPort)",
      "membership/provider = \(configuration.membership.provider.rawValue)",
      "kernel_lockspaces/tcp_port = "
        + (configuration.kernelLockManager.map { "\($0.tcpPort)" } ?? "none"),
    ]
  }

  private var kernelRelease: String {
    firstLine(of: paths.kernelRelease) ?? "unknown"
  }

  private func firstLine(of path: String) -> String? {
    guard let bytes = try? readFile(path, limit: 4096) else { return nil }
    return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  private static func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    guard clock_gettime(CLOCK_REALTIME, &time) == 0 else { return 0 }
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  /// Both links to every other node at once: a dead one costs its time-out only once.
  private func links() -> [NodeFacts.Link] {
    let cluster = configuration.cluster
    let own = Self.addresses(of: cluster.localNode)
    var probes: [LinkProbe] = []
    for node in cluster.nodes where node.id != cluster.localNode.id {
      for (index, address) in Self.addresses(of: node).enumerated() {
        probes.append(
          LinkProbe(
            node: node.id, from: own[min(index, own.count - 1)], to: address,
            port: cluster.controlPort))
      }
    }
    return LinkProbe.run(probes)
  }

  /// Every device's monitor, one after the other and no longer than `fenceBudgetMilliseconds`: a
  /// device that hangs must not make this node look silent.
  private func fenceDevices() -> [NodeFacts.FenceDevice] {
    let devices = configuration.fencing.devices.values.sorted { $0.name < $1.name }
    let deadline = Timestamp.now + .milliseconds(Self.fenceBudgetMilliseconds)
    return devices.map { device in
      let left = (deadline - Timestamp.now).wholeMilliseconds
      let failure: String?
      if left == 0 {
        failure = "it was not tried: those before it took too long"
      } else {
        let limit = UInt32(clamping: min(left, UInt64(device.timeoutMilliseconds)))
        let outcome = FencingRunner.monitor(device, timeoutMilliseconds: limit)
        failure = outcome.exitStatus == 0 ? nil : outcome.explanation
      }
      let agent =
        switch device.program {
        case .agent(let name): name
        case .command(let words): words.first ?? ""
        case .reservations: "persistent reservations"
        }
      return .init(name: device.name, agent: agent, failure: failure)
    }
  }

  static let fenceBudgetMilliseconds: Int64 = 10_000

  private var watchdogs: [NodeFacts.Watchdog] {
    let names = (try? HostKernelFiles().entriesIfPresent(of: paths.watchdogs)) ?? []
    return names.sorted().map { name in
      .init(
        device: "/dev/\(name)",
        identity: firstLine(of: "\(paths.watchdogs)/\(name)/identity") ?? "unknown")
    }
  }

  private var foreignStacks: [String] {
    let foreign = ForeignDaemons()
    var found: [String] = []
    do {
      if let controller = try foreign.dlmControld() { found.append("\(controller)") }
      if let settings = configuration.lvmlockd,
        let other = try foreign.lvmlockd(pidFile: settings.pidFile, socket: settings.socket),
        case .lvmlockd(let process?) = other, process != getpid()
      {
        found.append("\(other)")
      }
      let clusters = try HostKernelFiles().entriesIfPresent(of: paths.o2cbClusters)
      if !clusters.isEmpty {
        found.append(
          "O2CB is configured in the kernel (cluster \(clusters.joined(separator: ", "))) and resets "
            + "nodes by itself; run: systemctl disable --now o2cb.service")
      }
    } catch {
      found.append("it cannot be seen whether other cluster stacks run: \(error)")
    }
    return found
  }

  private func addDisks(to facts: inout NodeFacts) {
    do {
      let selection = try configuration.deviceSelection()
      let devices = BlockDeviceScanner(selection: selection).candidates().compactMap {
        try? $0.open(.readOnly)
      }
      let scan = MetadataScanner.scan(devices)
      for group in scan.groups where group.volumeGroup.isShared {
        for member in group.members {
          guard let scanned = member.scanned else { continue }
          facts.physicalVolumes.append(
            .init(
              id: member.id.dashed, device: scanned.device.name,
              volumeGroup: group.volumeGroup.name))
        }
      }
    } catch {
      facts.diskFailure = "\(error)"
    }
  }
}
