import ClusterDaemon
import ClusterTypes
import LockProtocol

/// Locks of the first node: some on resources that it masters itself, some on resources that the
/// second node masters. The master is whoever used a resource first, so one lock is kept there.
struct LockWorkload {
  enum Place: String {
    case local
    case remote
  }

  struct SetupError: Error, CustomStringConvertible {
    let description: String
  }

  /// As many as are ever in flight, so that no two wait for each other.
  private static let resourceCount = 256

  private let locks: ClusterLocks
  private let allLocks: [ClusterLocks]
  private let lockspace: LockspaceName
  private let resources: [Place: [ResourceName]]
  /// NL locks that keep the resources' masters where they are.
  private let anchors: [ClusterLock]

  init(nodes: [LoopbackNode]) async throws {
    guard nodes.count == 2, let lockspace = LockspaceName("benchmark") else {
      throw SetupError(description: "the benchmark needs two nodes")
    }
    self.lockspace = lockspace
    locks = nodes[0].locks
    allLocks = nodes.map(\.locks)
    for node in nodes { try await Self.join(lockspace, on: node) }
    var resources: [Place: [ResourceName]] = [:]
    var anchors: [ClusterLock] = []
    for (place, node) in [(Place.local, nodes[0]), (.remote, nodes[1])] {
      resources[place] = (0..<Self.resourceCount).compactMap { ResourceName("\(place) \($0)") }
      for resource in resources[place] ?? [] {
        anchors.append(
          try await node.locks.lock(resource, in: lockspace, mode: .nl, owner: "anchor"))
      }
    }
    self.resources = resources
    self.anchors = anchors
  }

  /// The daemons need a moment until they are a cluster.
  private static func join(_ lockspace: LockspaceName, on node: LoopbackNode) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while true {
      do {
        return try await node.locks.join(lockspace)
      } catch ClusterLockError.noQuorum where ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      }
    }
  }

  /// Locks in EX and unlocks `count` times, and returns the time it took.
  func cycle(_ place: Place, _ count: Int, inFlight: Int) async throws -> Duration {
    let names = resources[place] ?? []
    guard inFlight <= names.count else {
      throw SetupError(description: "at most \(names.count) operations can be in flight")
    }
    return try await locks.repeatCycles(Array(names.prefix(inFlight)), in: lockspace, count: count)
  }

  func end() async {
    for anchor in anchors { await anchor.release() }
    for locks in allLocks { await locks.leave(lockspace) }
  }
}
