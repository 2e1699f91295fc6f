import ClusterMembership
import ClusterTypes
import Fencing
import Logging
import NIOCore
import Synchronization

/// What this node does about its disks' reservations while it runs: reads whether fenced nodes are still
/// kept away, registers paths that appear, and sees whether a shared volume group has other disks. Each
/// one at a time, on a thread of its own: a disk may not answer.
///
/// Confined to the cluster's event loop.
final class DiskReservations {
  /// Between two looks for new paths.
  private static let interval = TimeAmount.seconds(10)
  /// Between two looks for physical volumes, which read every disk.
  private static let coverageInterval = TimeAmount.seconds(60)
  /// A path is registered only while the node's lease lasts for longer than this: nobody is evicted
  /// before it is over (membership design, section 11).
  private static let leaseNeeded = Duration.seconds(2)

  private let runner: ReservationRunner
  private let disks: [String]
  private let loop: any EventLoop
  private let logger: Logger
  private let lease = Lease()
  private var isReading = false
  private var isRegistering = false
  private var isLooking = false
  private var tasks: [RepeatedTask] = []
  /// Devices of volume groups that nodes share.
  private let sharedDevices: @Sendable () throws -> [String]
  /// Why a node that is fenced by reservation could go on writing; nil when it could not.
  private(set) var gap: String? =
    "the physical volumes of shared groups have not been looked at yet"
  private var lastFailure: String?

  init(
    _ runner: ReservationRunner, disks: [String],
    sharedDevices: @escaping @Sendable () throws -> [String], loop: any EventLoop, logger: Logger
  ) {
    self.runner = runner
    self.disks = disks
    self.sharedDevices = sharedDevices
    self.loop = loop
    self.logger = logger
  }

  func start() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    tasks = [
      loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
        bound.value.registerLatePaths()
      },
      loop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.coverageInterval) { _ in
        bound.value.lookForOtherDisks()
      },
    ]
  }

  func stop() { for task in tasks { task.cancel() } }

  private func lookForOtherDisks() {
    guard !isLooking else { return }
    isLooking = true
    let bound = NIOLoopBound(self, eventLoop: loop)
    let isStarted = FencingRunner.onThread { [disks, loop, sharedDevices] in
      let result = Result { try ReservationRunner.devices(try sharedDevices(), notOn: disks) }
      loop.execute { bound.value.looked(result) }
    }
    if !isStarted { isLooking = false }
  }

  private func looked(_ result: Result<[String], any Error>) {
    isLooking = false
    let before = gap
    switch result {
    case .success(let others) where others.isEmpty: gap = nil
    case .success(let others):
      gap =
        "shared volume groups have physical volumes on other disks than fencing/devices/*/reservations: "
        + others.joined(separator: ", ")
    case .failure(let error): gap = "\(error)"
    }
    guard let gap, gap != before else { return }
    logger.error("no node can be fenced by reservation: \(gap)")
  }

  func leaseExtended(until end: Timestamp) { lease.end.withLock { $0 = end } }

  /// Looked at from the thread that registers.
  private final class Lease: Sendable {
    let end = Mutex(Timestamp(nanoseconds: 0))

    /// Whether it lasts for longer than that from now on.
    func isLonger(than time: Duration) -> Bool { end.withLock { $0 } > .now + time }
  }

  /// Whether each is still kept from all disks; nil where that cannot be told.
  func keepAway(_ nodes: [NodeInstance], completion: @escaping ([Bool?]) -> Void) {
    let unknown = [Bool?](repeating: nil, count: nodes.count)
    guard !isReading else { return completion(unknown) }
    isReading = true
    let bound = NIOLoopBound((self, completion), eventLoop: loop)
    let isStarted = FencingRunner.onThread { [runner, disks, loop] in
      let answers = nodes.map { node -> Result<Bool, ReservationError> in
        Result { () throws(ReservationError) in try runner.keepsAway(node, from: disks) }
      }
      loop.execute {
        let (reservations, completion) = bound.value
        reservations.isReading = false
        for case .failure(let error) in answers { reservations.tell("\(error)") }
        completion(answers.map { try? $0.get() })
      }
    }
    guard !isStarted else { return }
    isReading = false
    tell("no thread can be made to read reservations")
    completion(unknown)
  }

  private func registerLatePaths() {
    guard !isRegistering else { return }
    isRegistering = true
    let bound = NIOLoopBound(self, eventLoop: loop)
    let isStarted = FencingRunner.onThread { [runner, disks, loop, lease] in
      let result = Result { () throws(ReservationError) in
        try runner.registerLatePaths(of: disks) { lease.isLonger(than: Self.leaseNeeded) }
      }
      loop.execute { bound.value.registered(result) }
    }
    if !isStarted { isRegistering = false }
  }

  private func registered(_ result: Result<[String], ReservationError>) {
    isRegistering = false
    switch result {
    case .success(let paths):
      lastFailure = nil
      for path in paths { logger.notice("\(path) has appeared: this node has registered on it") }
    case .failure(let error): tell("a path that has appeared is not registered: \(error)")
    }
  }

  /// Once, until something else is wrong.
  private func tell(_ failure: String) {
    guard lastFailure != failure else { return }
    lastFailure = failure
    logger.error("persistent reservations: \(failure)")
  }
}
