import ArgumentParser
import ClusterTypes
import DistributedLockManager
import LockManager
import LockProtocol
import NIOCore
import NIOPosix

/// How long locking is stopped when one of three nodes dies, with many locks held.
struct RecoveryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recovery", abstract: "Three nodes in this process, of which one dies.")

  @Option(help: "Locks that the two other nodes hold together.")
  var locks = 100_000
  @Flag(help: "The dead node was the master of all of them; otherwise of none.")
  var mastered = false
  @Flag(help: "Both have locks on the same names, half as many; otherwise each on its own.")
  var shared = false
  @Flag(help: "Print the result as JSON.")
  var json = false

  func run() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
    let cluster = try await LoopbackNodes((0..<3).map { _ in group.next() })
    let names = (0..<(shared ? locks / 2 : locks)).compactMap {
      ResourceName("recovered \($0)")
    }
    let halves =
      shared
      ? [names, names] : [Array(names.prefix(locks / 2)), Array(names.dropFirst(locks / 2))]
    var holders: [NIOLoopBound<Held>] = []
    if mastered {
      // The master is whoever used a resource first.
      holders.append(try await hold(names, .nl, on: 2, cluster))
    }
    for (index, half) in halves.enumerated() {
      holders.append(try await hold(half, shared ? .pr : .ex, on: index, cluster))
    }

    let duration = try await loseThird(of: cluster)
    // Dead nodes' locks are gone with them; the others' end with the process.
    try await group.shutdownGracefully()
    withExtendedLifetime(holders) { report(duration) }
  }

  private func loseThird(of cluster: LoopbackNodes) async throws -> Duration {
    try await cluster.nodes[2].stop()
    for lockspace in cluster.lockspaces[..<2] { try await lockspace.stop() }
    for node in cluster.nodes[..<2] { try await node.forget(3) }
    let start = ContinuousClock.now
    try await cluster.start(members: [1, 2], departed: [3])
    return .now - start
  }

  private func report(_ duration: Duration) {
    let seconds = Results.text(duration / .seconds(1))
    guard !json else {
      return print(
        "{ \"locks\": \(locks), \"mastered\": \(mastered), \"shared\": \(shared), "
          + "\"seconds\": \(seconds) }")
    }
    let master = mastered ? "all mastered by the dead node" : "none mastered by the dead node"
    let what = shared ? "two nodes' on the same names, \(master)" : master
    print("recovery of \(locks) locks, \(what): \(seconds) s")
  }

  /// Locks that are kept.
  private final class Held {
    var locks: [LockHolder] = []
  }

  private func hold(
    _ names: [ResourceName], _ mode: LockMode, on index: Int, _ cluster: LoopbackNodes
  ) async throws -> NIOLoopBound<Held> {
    let node = cluster.nodes[index]
    let lockspace = cluster.lockspaces[index].name
    let held = try await node.loop.submit { NIOLoopBound(Held(), eventLoop: node.loop) }.get()
    _ = try await node.loop.flatSubmit {
      Repetition.run(names.count, inFlight: 64, on: node.loop) { _, index, probe in
        let lock = LockHolder(
          names[index], in: lockspace, locks: node.service.value, loop: node.loop, owner: "held")
        held.value.locks.append(lock)
        lock.request(mode, wait: .forever) { error in
          check(error)
          probe.done()
        }
      }
    }.get()
    return held
  }
}
