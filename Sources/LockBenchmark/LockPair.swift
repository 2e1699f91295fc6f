import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol
import NIOCore

/// Two lock nodes, and the resources that the measuring one, node 1, locks. The other one, the
/// partner, masters some of them, and gives way to whoever wants what it holds.
struct LockPair: Sendable {
  static let lockspaceName = "benchmark"
  static let measuringNode: Int32 = 1
  static let partnerNode: Int32 = 2
  /// As many as are ever in flight, so that no two wait for each other.
  static let resourceCount = 256
  static let contendedName = "contended"

  enum Place: String, CaseIterable {
    case local
    case remote
  }

  let node: LockNode
  let lockspace: Lockspace
  private let resources: [Place: [ResourceName]]
  /// NL locks that keep the local resources' master here.
  private let anchors: [ClusterLock]

  /// The partner must be there, and must have its anchors.
  init(_ node: LockNode, _ lockspace: Lockspace) async throws {
    self.node = node
    self.lockspace = lockspace
    resources = Dictionary(uniqueKeysWithValues: Place.allCases.map { ($0, Self.names($0)) })
    anchors = try await Self.anchor(.local, in: lockspace)
  }

  static func names(_ place: Place) -> [ResourceName] {
    (0..<resourceCount).compactMap { ResourceName("\(place) \($0)") }
  }

  /// The master is whoever used a resource first, so one lock is kept.
  static func anchor(_ place: Place, in lockspace: Lockspace) async throws -> [ClusterLock] {
    var anchors: [ClusterLock] = []
    for name in names(place) {
      anchors.append(try await lockspace.lock(name, mode: .nl, owner: "anchor"))
    }
    return anchors
  }

  /// Names that nobody has used yet and whose directory entry the partner keeps.
  static func newNames(_ count: Int, round: Int) -> [ResourceName] {
    let directory = DirectoryMap(
      members: [measuringNode, partnerNode].compactMap { NodeID($0) })
    let candidates = (0...).lazy.compactMap { ResourceName("new \(round) \($0)") }
    return Array(
      candidates.filter { directory.node(for: $0)?.rawValue == partnerNode }.prefix(count))
  }

  // MARK: - Measurements

  /// Locks in EX and unlocks. What is timed is the lock, or the unlock.
  func cycle(
    _ place: Place, _ count: Int, inFlight: Int, timesUnlock: Bool = false
  ) async throws -> Sample {
    let names = resources[place] ?? []
    return try await onLoop(count, inFlight) { holder, lane, _, probe in
      let lock = holder(names[lane])
      if !timesUnlock { probe.begin() }
      lock.request(.ex, wait: .forever) { error in
        check(error)
        if timesUnlock { probe.begin() } else { probe.end() }
        lock.release {
          if timesUnlock { probe.end() }
          probe.done()
        }
      }
    }
  }

  /// Locks in EX, each time another resource, and unlocks. What is timed is the lock.
  func lockNew(_ names: [ResourceName]) async throws -> Sample {
    try await onLoop(names.count, 1) { holder, _, index, probe in
      let lock = holder(names[index])
      probe.begin()
      lock.request(.ex, wait: .forever) { error in
        check(error)
        probe.end()
        lock.release { probe.done() }
      }
    }
  }

  /// Converts a lock that the partner masters to EX and back. What is timed is the way up, or down.
  func convert(_ count: Int, timesDown: Bool) async throws -> Sample {
    guard let name = resources[.remote]?.first else { return Sample(latencies: [], total: .zero) }
    let lock = try await lockspace.lock(name, mode: .nl, owner: "benchmark")
    let holder = lock.holder
    let sample = try await onLoop(count, 1) { _, _, _, probe in
      let lock = holder.value
      if !timesDown { probe.begin() }
      lock.convert(to: .ex, wait: .forever) { error in
        check(error)
        if timesDown { probe.begin() } else { probe.end() }
        lock.convert(to: .nl, wait: .forever) { error in
          check(error)
          if timesDown { probe.end() }
          probe.done()
        }
      }
    }
    await lock.release()
    return sample
  }

  /// This node and the partner want EX on one resource for ever, and give way when they are told
  /// to. What is timed is from one grant here to the next: two hand-overs.
  func contend(_ count: Int) async throws -> Sample {
    guard let name = ResourceName(Self.contendedName) else {
      return Sample(latencies: [], total: .zero)
    }
    return try await onLoop(count, 1) { holder, _, _, probe in
      probe.begin()
      Self.takeTurn(holder(name)) {
        probe.end()
        probe.done()
      }
    }
  }

  /// Locks in EX, and unlocks as soon as another wants it, or at once if one did so meanwhile.
  static func takeTurn(_ lock: LockHolder, _ completion: @escaping () -> Void) {
    lock.blocking = { _ in lock.release(completion: completion) }
    lock.request(.ex, wait: .forever, completion: check)
  }

  private typealias MakeHolder = (ResourceName) -> LockHolder

  private func onLoop(
    _ count: Int, _ inFlight: Int,
    _ operation:
      @escaping @Sendable (MakeHolder, _ lane: Int, _ index: Int, Repetition.Probe) -> Void
  ) async throws -> Sample {
    try await node.loop.flatSubmit { [node, lockspace] in
      let loop = node.loop
      let calls = node.service.value
      return Repetition.run(count, inFlight: inFlight, on: loop) { lane, index, probe in
        operation(
          { LockHolder($0, in: lockspace.name, locks: calls, loop: loop, owner: "benchmark") },
          lane, index, probe)
      }
    }.get()
  }

  func end() async throws {
    for anchor in anchors { await anchor.release() }
  }
}

/// A benchmark whose operations fail measures nothing.
func check(_ error: ClusterLockError?) {
  if let error { preconditionFailure("a lock of the benchmark failed: \(error)") }
}
