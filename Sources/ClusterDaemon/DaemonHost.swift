import BlockDevices
import ClusterTypes
import LVMFrontends
import VolumeActivation

/// What the daemon's parts want from the process around them.
struct DaemonHost: Sendable {
  /// Asks the process to end with an exit code.
  var requestEnd: @Sendable (Int32) -> Void = { _ in }
  /// Asks the process to become the daemon anew, without giving up what it holds.
  var requestRestart: @Sendable () -> Void = {}
  /// 0 for what the configuration says; more of it is told with a higher level.
  var setLogLevel: @Sendable (UInt8) -> Void = { _ in }
  /// The device filter of lvm.conf as it is now; nil when clvmd.conf has one.
  var readSelection: (@Sendable () throws -> DeviceSelection)?
  /// The mapped devices of LVM on this machine; nil where nobody can tell.
  var mappedDevices: (@Sendable () throws -> [MappedDeviceUUID])?
  /// The file from which the configuration was read; nil when it comes from nowhere.
  var configurationPath: String?
  /// Volumes that an old command line says were active exclusively (`-E`).
  var exclusiveVolumes: [String] = []
}

extension ClusterLockingWorker {
  convenience init(_ disks: SharedDisks, _ host: DaemonHost) {
    self.init(disks: disks, readSelection: host.readSelection, setLogLevel: host.setLogLevel)
  }
}

extension ClusterLockingMachine.Configuration {
  init(
    _ cluster: DaemonConfiguration.Cluster, _ settings: DaemonConfiguration.ClusterLockingSettings,
    life: UInt64
  ) {
    self.init(
      node: cluster.localNode.id,
      nodeNames: Dictionary(
        cluster.nodes.map { ($0.id, $0.name) }, uniquingKeysWith: { first, _ in first }),
      clusterName: cluster.name, life: life, nodeTimeout: settings.commandTimeout)
  }
}
