import AdminProtocol
import ClusterMembership
import ClusterTypes
import Fencing
import Logging
import NIOCore
import NIOPosix

/// Changes what the cluster has decided about its nodes, and follows what was decided: connections,
/// addresses for the kernel and clvmd.conf, on every node.
///
/// Confined to the cluster's event loop.
final class ConfigurationService: RecordObserver {
  private static let patience = TimeAmount.seconds(30)
  private static let promotionInterval = TimeAmount.seconds(1)

  private struct Waiter {
    let isDone: (Record) -> Bool
    let completion: (AdminFailure?) -> Void
    let timeout: Scheduled<Void>
  }

  private unowned let node: ClusterNode
  private let access: any RecordAccess
  private let file: ConfigurationWatch
  private let hasDisk: Bool
  private let loop: any EventLoop
  private let logger: Logger
  private var configuration: DaemonConfiguration
  private var waiters: [UInt64: Waiter] = [:]
  private var lastWaiter: UInt64 = 0
  private var isPromoting = false
  private var promotionTimer: Scheduled<Void>?
  private var isStopped = false
  /// As decided when this node last looked at its fence devices.
  private var fenceLevels: [NodeID: UInt8] = [:]

  /// Other nodes are in the cluster than before.
  var nodesChanged: (DaemonConfiguration.Cluster) -> Void = { _ in }
  /// Other fence devices are to be used than before.
  var fencingChanged: (FenceTopology) -> Void = { _ in }
  /// Whether a control channel with a node is open.
  var isHeard: (NodeID) -> Bool = { _ in false }

  /// - Parameter hasDisk: this life of the daemon has opened the quorum disk.
  init(
    configuration: DaemonConfiguration, node: ClusterNode, access: any RecordAccess,
    file: ConfigurationWatch, hasDisk: Bool, loop: any EventLoop, logger: Logger
  ) {
    self.configuration = configuration
    self.node = node
    self.access = access
    self.file = file
    self.hasDisk = hasDisk
    self.loop = loop
    self.logger = logger
    access.addObserver(self)
  }

  func start() {
    fenceLevels = Self.fenceLevels(decided)
    file.start(decided: { [self] in decided }, fencing: { [self] in configuration.fencing })
  }

  func stop() {
    isStopped = true
    promotionTimer?.cancel()
    file.stop()
    for waiter in waiters.values { waiter.timeout.cancel() }
  }

  /// Where the file is not what was decided.
  var warnings: [String] { file.warnings }

  private var decided: ClusterConfiguration { access.record.newestConfiguration }

  // MARK: - Requests

  func carryOut(
    _ request: ConfigurationRequest, completion: @escaping (Result<[String], AdminFailure>) -> Void
  ) {
    guard node.isOperational else {
      return completion(
        .failure(AdminFailure(.noQuorum, "This node has no quorum: ask on a node that has.")))
    }
    guard access.record.configurations.count == 1 else {
      return completion(
        .failure(AdminFailure(.refused, "Another change of the configuration is under way.")))
    }
    switch request {
    case .add(let new): add(new, completion)
    case .remove(let id): remove(id, completion)
    case .apply: apply(completion)
    }
  }

  private func add(
    _ new: NewNode, _ completion: @escaping (Result<[String], AdminFailure>) -> Void
  ) {
    do throws(AdminFailure) {
      let (changed, added) = try ConfigurationChange.adding(
        new, fenceLevels: configuration.fenceLevels(of: new.name),
        reservationLevels: configuration.reservationLevels(of: new.name), to: decided)
      guard configuration.cluster.id != nil || configuration.cluster.nodes.count > 1 else {
        throw AdminFailure(.refused, "The cluster has no keys: run 'clvm cluster init' first.")
      }
      logger.notice("node \(added.name) (\(added.id)) is to be added")
      decide(changed) {
        $0.configuration[added.id] != nil
      } completion: { failure in
        if let failure { return completion(.failure(failure)) }
        completion(
          .success([
            "Node \(added.name) (\(added.id)) is in the configuration of all nodes, and gets its vote "
              + "when it is there.",
            "On the node that holds the authority's key: clvm cluster token --node \(added.id)",
          ]))
      }
    } catch {
      completion(.failure(error))
    }
  }

  private func remove(
    _ id: NodeID, _ completion: @escaping (Result<[String], AdminFailure>) -> Void
  ) {
    do throws(AdminFailure) {
      let changed = try ConfigurationChange.removing(id, from: decided)
      guard id != node.local.node else {
        throw AdminFailure(.refused, "This is node \(id): ask another node.")
      }
      guard node.view.instance(of: id) == nil, !isHeard(id) else {
        throw AdminFailure(
          .refused,
          "Node \(id) is alive. Stop clvmd there first: then it leaves the cluster in order.")
      }
      guard !node.groups.unprovenNodes.contains(where: { $0.instance.node == id }) else {
        throw AdminFailure(
          .refused,
          "Node \(id) has failed, and nobody has proved that it is off: 'clvm status' says what is "
            + "waited for.")
      }
      let name = decided[id]?.name ?? ""
      logger.notice("node \(name) (\(id)) is to be removed")
      decide(changed) {
        $0.configuration[id] == nil
      } completion: { failure in
        if let failure { return completion(.failure(failure)) }
        completion(.success(["Node \(name) (\(id)) is none of the cluster's any more."]))
      }
    } catch {
      completion(.failure(error))
    }
  }

  private func apply(_ completion: @escaping (Result<[String], AdminFailure>) -> Void) {
    file.read { [self] result in
      do throws(AdminFailure) {
        let wanted = try result.get()
        let changed = try ConfigurationChange.applying(
          wanted.clusterConfiguration, to: decided, hasDisk: hasDisk)
        try ConfigurationChange.checkFencing(wanted.fencing, after: configuration.fencing)
        let newDevices = wanted.fencing == configuration.fencing ? [] : [Self.newDevices]
        let differences = decided.differences(from: changed)
        guard changed != decided else {
          take(wanted.fencing)
          return completion(
            .success(["The cluster has decided what this clvmd.conf says."] + newDevices))
        }
        decide(changed) {
          $0.configuration == changed.keepingVoters(of: $0.configuration)
        } completion: { [self] failure in
          if let failure { return completion(.failure(failure)) }
          take(wanted.fencing)
          completion(
            .success(["In force now:"] + differences.map { "  " + $0 } + newDevices))
        }
      } catch {
        completion(.failure(error))
      }
    }
  }

  // MARK: - Fence devices

  private static let newDevices =
    "This node uses the fence devices of this clvmd.conf from now on. Where 'clvm status' of another "
    + "node warns of other devices, run this there, too."

  private static func fenceLevels(_ configuration: ClusterConfiguration) -> [NodeID: UInt8] {
    Dictionary(
      configuration.nodes.map { ($0.id, $0.fenceLevels) }, uniquingKeysWith: { one, _ in one })
  }

  private func take(_ fencing: FenceTopology) {
    if fencing != configuration.fencing {
      logger.notice("clvmd.conf has other fence devices, which are used from now on")
      use(fencing)
    }
    file.look()
  }

  private func use(_ fencing: FenceTopology) {
    configuration.fencing = fencing
    fencingChanged(fencing)
  }

  /// Levels that were decided for a changed file are carried out with the devices of the file here.
  private func followFencing(_ decided: ClusterConfiguration) {
    let levels = Self.fenceLevels(decided)
    guard levels != fenceLevels else { return }
    fenceLevels = levels
    file.read { [self] result in
      // Where the file says something else, the watch tells so.
      guard case .success(let wanted) = result, !isStopped,
        Self.fenceLevels(wanted.clusterConfiguration) == levels
      else { return }
      do throws(AdminFailure) {
        try ConfigurationChange.checkFencing(wanted.fencing, after: configuration.fencing)
        take(wanted.fencing)
      } catch {
        logger.error("\(error.message)")
      }
    }
  }

  /// - Parameter isDone: what the record must be like when the change is in force.
  private func decide(
    _ configuration: ClusterConfiguration, until isDone: @escaping (Record) -> Bool,
    completion: @escaping (AdminFailure?) -> Void
  ) {
    access.submit(.changeConfiguration(configuration)) { [self] outcome in
      switch outcome {
      case .refused(let reason):
        completion(AdminFailure(.refused, "The cluster refuses it: \(reason)."))
      case .decided, .unknown: wait(until: isDone, completion)
      }
    }
  }

  private func wait(
    until isDone: @escaping (Record) -> Bool, _ completion: @escaping (AdminFailure?) -> Void
  ) {
    guard !isInForce(isDone) else { return completion(nil) }
    lastWaiter += 1
    let number = lastWaiter
    let timeout = loop.assumeIsolated().scheduleTask(in: Self.patience) { [self] in
      waiters[number] = nil
      completion(
        AdminFailure(
          .timedOut,
          "It is not in force yet: that needs a majority of the votes before the change and one of "
            + "those after it. 'clvm nodes' shows whether it comes."))
    }
    waiters[number] = Waiter(isDone: isDone, completion: completion, timeout: timeout)
  }

  private func isInForce(_ isDone: (Record) -> Bool) -> Bool {
    access.record.configurations.count == 1 && isDone(access.record)
  }

  // MARK: - What was decided

  func recordApplied(_ record: Record) {
    guard !isStopped, record.configurations.count == 1 else { return }
    followNodes(record.configuration)
    followFencing(record.configuration)
    for (number, waiter) in waiters where waiter.isDone(record) {
      waiters[number] = nil
      waiter.timeout.cancel()
      waiter.completion(nil)
    }
    promoteLater()
  }

  private func followNodes(_ decided: ClusterConfiguration) {
    let before = configuration.cluster.nodes
    configuration = configuration.following(decided)
    let after = configuration.cluster.nodes
    let added = after.filter { node in !before.contains { $0.id == node.id } }
    let removed = before.filter { node in !after.contains { $0.id == node.id } }
    guard !added.isEmpty || !removed.isEmpty else { return }
    for node in added { logger.notice("node \(node.name) (\(node.id)) is in the cluster now") }
    for node in removed {
      logger.notice("node \(node.name) (\(node.id)) is none of the cluster's any more")
    }
    nodesChanged(configuration.cluster)
    var fencing = configuration.fencing
    for node in added { fencing.nodeIDs[node.name] = node.id }
    for node in removed {
      fencing.nodeIDs[node.name] = nil
      fencing.levels[node.name] = nil
    }
    use(fencing)
    file.change(ConfigurationNodesEdit(added: added, removed: removed.map(\.name)))
  }

  // MARK: - Newcomers

  /// The leader gives a newcomer its vote as soon as it is there.
  private func promoteLater() {
    guard promotionTimer == nil, decided.nodes.contains(where: { $0.votes == 0 }) else { return }
    promotionTimer = loop.assumeIsolated().scheduleTask(in: Self.promotionInterval) { [self] in
      promotionTimer = nil
      promote()
      if !isStopped { promoteLater() }
    }
  }

  private func promote() {
    guard node.leader == node.local.node, node.isOperational, !isPromoting,
      access.record.configurations.count == 1,
      let changed = ConfigurationChange.promoting(
        decided,
        isThere: { $0.isWitness ? isHeard($0.id) : node.view.instance(of: $0.id) != nil })
    else { return }
    isPromoting = true
    access.submit(.changeConfiguration(changed)) { [self] outcome in
      isPromoting = false
      if case .refused(let reason) = outcome {
        logger.warning("a node that was added does not get its vote yet: \(reason)")
      }
    }
  }
}

extension ClusterConfiguration {
  /// The same, with what no file knows as it is in `other`.
  fileprivate func keepingVoters(of other: Self) -> Self {
    var nodes = nodes
    for index in nodes.indices {
      guard let there = other[nodes[index].id] else { continue }
      nodes[index].votes = there.votes
      nodes[index].amnesia = there.amnesia
    }
    return with(nodes: nodes)
  }
}
