import AdminProtocol
import ByteCoding
import ClusterTypes
import DistributedLockManager
import Fencing
import Logging
import NIOCore
import NIOPosix

/// Gathers the facts of all nodes for `clvm cluster check`, and tells this node's when others ask.
///
/// Clocks are asked for twice, a while apart: what they gained meanwhile is their rate.
///
/// Confined to the cluster's event loop.
final class ClusterFactsService {
  /// A disk that hangs makes a node silent, and the others are still judged.
  static let factsPatience = TimeAmount.seconds(15)
  static let clockPatience = TimeAmount.seconds(1)
  /// Two readings are at least so far apart, or a round trip would look like a wrong rate.
  static let clockDistance = TimeAmount.seconds(2)

  private struct ClockReading {
    /// Own clock, nanoseconds: middle and half length of the round trip.
    var own: UInt64
    var uncertainty: UInt64
    var theirs: UInt64
  }

  private let questions: NodeQuestions
  private let localNode: NodeID
  private var configuration: DaemonConfiguration
  private let loop: any EventLoop
  private let pool: NIOThreadPool
  private let logger: Logger

  init(
    configuration: DaemonConfiguration, questions: NodeQuestions, loop: any EventLoop,
    pool: NIOThreadPool, logger: Logger
  ) {
    self.configuration = configuration
    self.questions = questions
    localNode = configuration.cluster.localNode.id
    self.loop = loop
    self.pool = pool
    self.logger = logger
  }

  private var otherNodes: [NodeID] {
    configuration.cluster.nodes.map(\.id).filter { $0 != localNode }
  }

  /// Other nodes are in the cluster now.
  func nodesChanged(_ cluster: DaemonConfiguration.Cluster) { configuration.cluster = cluster }

  /// Other fence devices are in use now.
  func fencingChanged(_ fencing: FenceTopology) { configuration.fencing = fencing }

  /// Another node's reading of this node's clock.
  func answerClock(_ reply: ([UInt8]) -> Void) { reply(Self.encodedClock) }

  /// What another node wants to know about this one.
  func answerFacts(_ reply: @escaping ([UInt8]) -> Void) {
    collect { [logger] result in
      switch result {
      case .success(let facts): reply(facts.encode())
      case .failure(let error): logger.error("this node cannot be examined: \(error)")
      }
    }
  }

  /// - Parameter completion: gets what is known after some seconds, whoever is silent.
  func gather(completion: @escaping (Result<ClusterFacts, any Error>) -> Void) {
    readClocks { [self] first in
      let firstRead = Timestamp.now
      collect { [self] own in
        questions.ask(.facts, of: otherNodes, patience: Self.factsPatience) { [self] answers in
          let passed = TimeAmount.nanoseconds(
            Int64((Timestamp.now - firstRead).wholeNanoseconds))
          let pause = passed < Self.clockDistance ? Self.clockDistance - passed : .zero
          loop.assumeIsolated().scheduleTask(in: pause) { [self] in
            readClocks { [self] second in
              completion(own.map { report($0, answers, first, second) })
            }
          }
        }
      }
    }
  }

  private func collect(_ completion: @escaping (Result<NodeFacts, any Error>) -> Void) {
    let collector = NodeFactsCollector(configuration: configuration)
    pool.runIfActive(eventLoop: loop) { collector.collect() }
      .assumeIsolated().whenComplete(completion)
  }

  private func report(
    _ own: NodeFacts, _ answers: NodeQuestions.Answers, _ first: [NodeID: ClockReading],
    _ second: [NodeID: ClockReading]
  ) -> ClusterFacts {
    var report = ClusterFacts(local: localNode, facts: [own])
    for node in otherNodes {
      do throws(AdminDecodingError) {
        guard let answer = answers[node] else {
          report.silentNodes.append(node)
          continue
        }
        let facts = try NodeFacts(decoding: answer)
        guard facts.node == node else {
          throw AdminDecodingError(description: "It speaks of node \(facts.node).")
        }
        report.facts.append(facts)
      } catch {
        logger.error("node \(node) tells of itself what is not understood: \(error)")
        report.silentNodes.append(node)
      }
      if let before = first[node], let after = second[node] {
        report.clockRates.append(Self.rate(node, from: before, to: after))
      }
    }
    return report
  }

  // MARK: - Clocks

  private func readClocks(_ completion: @escaping ([NodeID: ClockReading]) -> Void) {
    let asked = Timestamp.now.nanoseconds
    var readings: [NodeID: ClockReading] = [:]
    var awaitedCount = otherNodes.count
    guard awaitedCount > 0 else { return completion([:]) }
    for node in otherNodes {
      // Each alone: one slow node must not make all look slow.
      questions.ask(.clock, of: [node], patience: Self.clockPatience) { answers in
        let now = Timestamp.now.nanoseconds
        if let answer = answers[node] {
          var reader = ByteReader(answer)
          if let theirs = try? reader.read(UInt64.self) {
            readings[node] = ClockReading(
              own: asked / 2 + now / 2, uncertainty: (now - asked) / 2 + 1, theirs: theirs)
          }
        }
        awaitedCount -= 1
        if awaitedCount == 0 { completion(readings) }
      }
    }
  }

  private static var encodedClock: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 8)
    writer.write(Timestamp.now.nanoseconds)
    return writer.bytes
  }

  private static func rate(
    _ node: NodeID, from before: ClockReading, to after: ClockReading
  ) -> ClusterFacts.ClockRate {
    let own = Double(after.own) - Double(before.own)
    let theirs = Double(after.theirs) - Double(before.theirs)
    let million = 1_000_000.0
    let limited: (Double) -> Int64 = { Int64(max(-million * million, min(million * million, $0))) }
    return .init(
      node: node, partsPerMillion: limited((theirs - own) / own * million),
      uncertainty: limited(Double(before.uncertainty + after.uncertainty) / own * million))
  }
}
