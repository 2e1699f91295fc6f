import ClusterTypes
import LockManager
import LockProtocol
import NIOCore

/// A named set of resources that the members lock together.
///
/// Membership is the program's affair, and must be changed on all members alike:
///
/// 1. `stop` on every member, and wait until all have stopped;
/// 2. `LockNode.forget` for whoever is dead;
/// 3. `start` with the new members on every one of them.
///
/// While it is stopped nothing is granted; requests wait. What dead members held is gone after the
/// next `start`, what living ones hold stays.
public final class Lockspace: Sendable {
  public let name: LockspaceName
  private let node: LockNode
  private let configuration: LockspaceMachine.Configuration

  init(_ name: LockspaceName, _ node: LockNode, _ configuration: LockspaceMachine.Configuration) {
    self.name = name
    self.node = node
    self.configuration = configuration
  }

  // MARK: - Members

  /// Makes these nodes the members, this one among them, and waits until locking is enabled: all
  /// members must be started.
  ///
  /// - Parameter departed: nodes that were removed since the last start, even if they are members
  ///   again.
  /// - Returns: the generation, which grows with every start.
  /// - Throws: `LockNodeError`.
  @discardableResult
  public func start(members: [Int32], departed: Set<Int32> = []) async throws -> UInt32 {
    let members = try members.map { Member(try Self.nodeID($0)) }
    let departed = Set(try departed.map(Self.nodeID))
    return try await node.loop.flatSubmit { [node, configuration] in
      let promise = node.loop.makePromise(of: UInt32.self)
      let service = node.service.value
      do throws(LockNodeError) {
        if !service.isOpen(configuration.name) { try service.open(configuration) }
      } catch {
        promise.fail(error)
        return promise.futureResult
      }
      service.start(configuration.name, members: members, departed: departed) {
        promise.completeWith($0.mapError { $0 as any Error })
      }
      return promise.futureResult
    }.get()
  }

  /// Nothing is granted any more, until the next `start`. No effect before the first.
  public func stop() async throws {
    try await node.loop.submit { [node, name] in
      let service = node.service.value
      if service.isOpen(name) { try service.stop(name) }
    }.get()
  }

  /// Leaves the lockspace. Locks that are still held are lost: the other members, which must be
  /// stopped and started without this node, drop them. With its last lockspace this node parts from
  /// its peers, and the call returns when they have agreed.
  public func close() async throws {
    try await node.loop.flatSubmit { [node, name] in node.service.value.close(name) }.get()
  }

  private static func nodeID(_ number: Int32) throws(LockNodeError) -> NodeID {
    guard let node = NodeID(number) else { throw .nodeID(number) }
    return node
  }

  // MARK: - Locks

  /// Takes a lock. Cancelling the task takes the request back.
  ///
  /// - Parameters:
  ///   - mode: NL to EX.
  ///   - wait: how long to wait for others.
  ///   - owner: for whom, in a few words: see `locks`.
  public func lock(
    _ resource: ResourceName, mode: LockMode, wait: LockWait = .forever, owner: String
  ) async throws(ClusterLockError) -> ClusterLock {
    let lock = await withCheckedContinuation { continuation in
      node.loop.execute { [node, name] in
        let holder = LockHolder(
          resource, in: name, locks: node.service.value, loop: node.loop, owner: owner)
        continuation.resume(returning: ClusterLock(holder, node.loop))
      }
    }
    try await lock.operate { $0.request(mode, wait: wait, completion: $1) }
    return lock
  }

  /// Takes a lock on the resource whose name is the UTF-8 of `resource`.
  ///
  /// - Throws: `LockNodeError.resourceName`, or `ClusterLockError`.
  public func lock(
    _ resource: String, mode: LockMode, wait: LockWait = .forever, owner: String
  ) async throws -> ClusterLock {
    guard let resource = ResourceName(resource) else { throw LockNodeError.resourceName }
    return try await lock(resource, mode: mode, wait: wait, owner: owner)
  }

  /// Runs `body` under a lock and releases it, however `body` ends.
  public func withLock<Result>(
    _ resource: String, mode: LockMode, wait: LockWait = .forever, owner: String,
    isolation: isolated (any Actor)? = #isolation, _ body: (ClusterLock) async throws -> Result
  ) async throws -> Result {
    let lock = try await lock(resource, mode: mode, wait: wait, owner: owner)
    do {
      let result = try await body(lock)
      await lock.release()
      return result
    } catch {
      await lock.release()
      throw error
    }
  }

  /// One lock as this node knows it.
  public struct LockInformation: Sendable {
    public var lock: LockDescription
    /// For whom; nil for locks of other nodes.
    public var owner: String?
  }

  /// The locks that this node knows: its own, and those of the resources that it masters.
  public var locks: [LockInformation] {
    get async {
      await withCheckedContinuation { continuation in
        node.loop.execute { [node, name] in
          continuation.resume(
            returning: node.service.value.locks(in: name).map {
              LockInformation(lock: $0.lock, owner: $0.owner)
            })
        }
      }
    }
  }
}
