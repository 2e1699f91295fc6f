import AdminProtocol
import ClusterMembership
import DurableFiles
import Fencing
import Logging
import NIOCore
import NIOPosix

/// The clvmd.conf of a running daemon: told where it differs from what the cluster has decided, and
/// changed when nodes come and go.
///
/// Confined to the cluster's event loop; the file is read and written on worker threads, one job at a
/// time.
final class ConfigurationWatch {
  private static let interval = TimeAmount.seconds(30)

  /// Nil for a daemon whose configuration comes from nowhere.
  private let path: String?
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger
  private var decided: () -> ClusterConfiguration? = { nil }
  private var fencing: () -> FenceTopology? = { nil }
  private var timer: Scheduled<Void>?
  private var isStopped = false
  private var jobs: [() -> Void] = []
  /// Sentences for the administrator.
  private(set) var differences: [String] = []
  /// Why the file could not be changed when nodes came or went; nil when it could.
  private var failure: String?

  init(path: String?, loop: any EventLoop, pool: NIOThreadPool, logger: Logger) {
    self.path = path
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  var warnings: [String] { differences + (failure.map { [$0] } ?? []) }

  /// - Parameters:
  ///   - decided: by the cluster.
  ///   - fencing: the fence devices that this node uses.
  func start(
    decided: @escaping () -> ClusterConfiguration, fencing: @escaping () -> FenceTopology
  ) {
    self.decided = { decided() }
    self.fencing = { fencing() }
    look()
  }

  func stop() {
    isStopped = true
    timer?.cancel()
  }

  /// Compares file and decision now, and from time to time from then on.
  func look() {
    guard path != nil, !isStopped else { return }
    timer?.cancel()
    timer = loop.assumeIsolated().scheduleTask(in: Self.interval) { [self] in look() }
    read { [self] result in
      guard let decided = decided() else { return }
      var found: [String] = []
      switch result {
      case .success(let file):
        found = decided.differences(from: file.clusterConfiguration).map {
          "clvmd.conf differs from what the cluster has decided, which counts: \($0)."
        }
        if !found.isEmpty {
          found.append(
            "Correct the file, or have the cluster take over times, fence levels, names, addresses and "
              + "the quorum disk from it: clvm cluster apply")
        }
        if let used = fencing(), file.fencing != used {
          found.append(
            "clvmd.conf has other fence devices than this node uses; have it take them: clvm cluster apply"
          )
        }
      case .failure(let failure): found = [failure.message]
      }
      guard found != differences else { return }
      differences = found
      for line in found { logger.warning("\(line)") }
    }
  }

  /// The file as it is now.
  func read(_ completion: @escaping (Result<DaemonConfiguration, AdminFailure>) -> Void) {
    guard let path else {
      return completion(.failure(AdminFailure(.refused, "This node has no clvmd.conf.")))
    }
    run {
      ConfigurationFile.check(path: path)
    } completion: { result in
      guard case .success(let check) = result, let configuration = check.configuration else {
        let errors = (try? result.get())?.errors.map(\.description) ?? ["it cannot be read"]
        return completion(
          .failure(
            AdminFailure(.refused, "\(path) cannot be used: \(errors.joined(separator: "; ")).")))
      }
      completion(.success(configuration))
    }
  }

  /// Has the file follow what was decided about nodes.
  func change(_ edit: ConfigurationNodesEdit) {
    guard let path else { return }
    run {
      let old = String(decoding: try readFile(path, limit: 1 << 20), as: UTF8.self)
      let new = try edit.applied(to: old)
      if new != old { try replaceContent(of: path, with: Array(new.utf8)) }
    } completion: { [self] result in
      switch result {
      case .success:
        failure = nil
        logger.notice("\(path) has the nodes that the cluster has now")
      case .failure(let error):
        failure = "\(path) could not be changed when nodes came or went: \(error)."
        logger.error("\(failure ?? "")")
      }
      look()
    }
  }

  private func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value,
    completion: @escaping (Result<Value, any Error>) -> Void
  ) {
    jobs.append { [self] in
      pool.runIfActive(eventLoop: loop, body).assumeIsolated().whenComplete { [self] result in
        completion(result)
        // Only now: what the completion adds waits for its turn.
        jobs.removeFirst()
        jobs.first?()
      }
    }
    if jobs.count == 1 { jobs[0]() }
  }
}
