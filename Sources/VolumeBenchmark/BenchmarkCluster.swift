import AdminProtocol
import ClusterDaemon
import ClusterTypes
import ConfigText
import Glibc
import LVMFrontends
import LVMMetadata
import Logging

/// Daemons over one disk image, driven through their sockets as commands drive them.
struct BenchmarkCluster {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  let group: VolumeGroup
  private let folder: String
  private let cluster: LoopbackCluster
  private let nodes: [LoopbackNode]
  private var image: String { folder + "/pv.img" }

  init(
    _ group: VolumeGroup, nodeCount: Int, provider: DaemonConfiguration.MembershipProvider
  ) async throws {
    var template = Array("/tmp/volume-benchmark-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "no folder in /tmp") }
    folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    var group = group
    group.lockArguments = "1.0.0:\(LoopbackCluster.name)"
    self.group = group
    let image = folder + "/pv.img"
    try LoopbackDisk.make(at: image, of: group)
    let logger = Logger(label: "clvmd") { _ in SwiftLogNoOpLogHandler() }
    cluster = try LoopbackCluster(
      nodeCount: nodeCount, folder: folder, provider: provider, images: [image], logger: logger)
    var nodes: [LoopbackNode] = []
    for node in cluster.nodes { nodes.append(try await cluster.start(node)) }
    self.nodes = nodes
    try await awaitQuorum()
  }

  func end() async throws {
    for node in nodes { try await node.vanish() }
    unlink(image)
    cluster.removeFolder()
  }

  private func awaitQuorum() async throws {
    for node in nodes {
      for attempt in 0... {
        if case .status(let status) = try ask(.status, node), status.isQuorate,
          status.nodes.allSatisfy({ $0.state == .member })
        {
          break
        }
        guard attempt < 600 else { throw Failure(description: "the nodes form no cluster") }
        try await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  private func ask(_ request: AdminRequest, _ node: LoopbackNode) throws -> AdminReply {
    var client = try AdminClient(socketPath: node.adminSocket)
    return try client.perform(request)
  }

  /// As vgchange --lockstart does on the node.
  func start(on index: Int) throws {
    var connection = try LockControlConnection.open(socketPath: nodes[index].lockDaemonSocket)
    let fields: [(String, ConfigValue)] = [
      ("vg_name", .string(group.name)), ("vg_lock_type", .string("dlm")),
      ("vg_lock_args", .string(group.lockArguments ?? "")), ("vg_uuid", .string(group.id.dashed)),
    ]
    for attempt in 0... {
      if try connection.ask("start_vg", fields).integer("op_result") == 0 { break }
      guard attempt < 600 else { throw Failure(description: "\(group.name) does not start") }
      usleep(50_000)
    }
    _ = try connection.ask("start_wait", [])
  }

  func activate(_ action: VolumeActivationRequest.Action, _ volumes: [String]) throws {
    let reply = try ask(
      .activation(
        VolumeActivationRequest(
          command: "vgchange", action: action, volumeGroup: group.name, logicalVolumes: volumes,
          nodes: .all)), nodes[0])
    guard case .activated = reply else { throw Failure(description: "\(reply)") }
  }

  /// By one extent.
  func extend(_ volume: String) throws -> (Duration, ResizeOutcome) {
    let request = AdminRequest.resize(
      ResizeRequest(
        command: .extend, volumeGroup: group.name, logicalVolume: volume,
        size: SizeArgument(sign: .increase, amount: .extents(1))))
    let started = ContinuousClock.now
    let reply = try ask(request, nodes[0])
    let time = ContinuousClock.now - started
    guard case .resized(let outcome) = reply else { throw Failure(description: "\(reply)") }
    return (time, outcome)
  }

  /// How long it takes the daemon to ask all other nodes something and hear from each: the survey of
  /// locks, less what an answer without a question to others takes.
  func exchange(rounds: Int) throws -> Duration {
    var surveys: [Duration] = []
    var others: [Duration] = []
    let clock = ContinuousClock()
    for _ in 0..<rounds {
      surveys.append(
        try clock.measure { _ = try ask(.locks(lockspace: nil, onlyWaiting: true), nodes[0]) })
      others.append(try clock.measure { _ = try ask(.lockspaces, nodes[0]) })
    }
    return surveys.median - others.median
  }
}
