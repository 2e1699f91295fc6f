import ClusterMembership
import ClusterTypes

/// What can be measured in simulated time.
package enum Figures {
  private static let second: UInt64 = 1_000_000_000

  package struct Distribution {
    package var samples: [Double]

    func percentile(_ part: Double) -> Double {
      let sorted = samples.sorted()
      guard !sorted.isEmpty else { return .nan }
      return sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }

    package var text: String {
      "median \(seconds(percentile(0.5))), 95 % \(seconds(percentile(0.95))), "
        + "longest \(seconds(samples.max() ?? .nan)) (\(samples.count) runs)"
    }

    private func seconds(_ value: Double) -> String {
      "\((value * 100).rounded() / 100) s"
    }
  }

  /// Seconds from the death of a machine of three to a decided view without it.
  package static func killToView(
    _ timers: MembershipTimers, runs: UInt64, killsLeader: Bool? = nil
  ) -> Distribution {
    var samples: [Double] = []
    for seed in 1...runs {
      let world = MembershipWorld(SimulationPlan(calm: seed, nodes: 3, timers: timers))
      world.run(until: 40 * second + seed * 37_000_000)
      let leader = world.machines.first { $0.daemon?.isLeader == true }
      let victims = world.machines.filter { machine in
        killsLeader.map { ($0 == (machine.slot == leader?.slot)) } ?? true
      }
      guard let victim = victims.randomElement(using: &world.chance)?.slot else { continue }
      let killed = world.now
      var decided: UInt64?
      world.onDecision = { decision, moment in
        if decided == nil, !decision.record.members.contains(where: { $0.slot == victim }) {
          decided = moment
        }
      }
      world.powerOff(victim, "killed", forMilliseconds: 3_600_000)
      world.run(until: killed + 60 * second)
      samples.append(
        decided.map { Double($0 - killed) / Double(second) } ?? .infinity)
    }
    return Distribution(samples: samples)
  }

  /// Seconds from the death of a machine of three until both others have recovered the lockspace that
  /// they had with it, with fence devices that answer at once.
  package static func killToWriters(
    _ timers: MembershipTimers, byReservation: Bool, runs: UInt64
  ) -> Distribution {
    var samples: [Double] = []
    for seed in 1...runs {
      var plan = SimulationPlan(calm: seed, nodes: 3, timers: timers)
      plan.fenceLevels = 1
      plan.reservationLevels = byReservation ? 1 : 0
      plan.hasOtherDisks = false
      plan.fencesAtOnce = true
      plan.trustsWatchdog = false
      let world = MembershipWorld(plan)
      for machine in world.machines { machine.wanted = Set(MembershipWorld.names.prefix(1)) }
      world.run(until: 40 * second + seed * 37_000_000)
      let victim = world.machines[Int(seed % 3)].slot
      let killed = world.now
      var recovered: [NodeSlot: UInt64] = [:]
      world.onRecovery = { slot, _, moment in recovered[slot] = moment }
      world.powerOff(victim, "killed", forMilliseconds: 3_600_000)
      world.run(until: killed + 60 * second)
      let last = recovered.count == 2 ? recovered.values.max() : nil
      samples.append(last.map { Double($0 - killed) / Double(second) } ?? .infinity)
    }
    return Distribution(samples: samples)
  }

  /// The most views that any lasting one-way fault between two of three nodes leads to.
  package static func viewsDuringOneWayFault(_ timers: MembershipTimers) -> Int {
    var most = 0
    for from in 0..<3 {
      for to in 0..<3 where to != from {
        let world = MembershipWorld(
          SimulationPlan(calm: UInt64(from * 3 + to + 1), nodes: 3, timers: timers))
        world.run(until: 40 * second)
        let before = world.views
        world.unreachable[from] |= 1 << UInt64(to)
        world.run(until: 340 * second)
        most = max(most, world.views - before)
      }
    }
    return most
  }

  /// Views in an hour of one percent loss, beyond those that formed the cluster.
  package static func viewsAtOnePercentLoss(_ timers: MembershipTimers, runs: UInt64) -> Int {
    var views = 0
    for seed in 1...runs {
      var plan = SimulationPlan(calm: seed, nodes: 3, timers: timers)
      plan.baseLoss = 1
      let world = MembershipWorld(plan)
      world.run(until: 60 * second)
      let before = world.views
      world.run(until: 3660 * second)
      views += world.views - before
    }
    return views
  }

  package struct IdleCost {
    package var messagesPerSecond: Double
    package var bytesPerSecond: Double
    /// Part of one core that a node's machine needs, the simulator's own work included.
    package var coreShare: Double
  }

  /// What a node of sixteen costs while nothing happens; `cpuSeconds` reads the process's clock.
  package static func idleCost(
    _ timers: MembershipTimers, cpuSeconds: () -> Double
  ) -> IdleCost {
    let nodes = 16
    let world = MembershipWorld(SimulationPlan(calm: 1, nodes: nodes, timers: timers))
    world.run(until: 60 * second)
    let (messages, started) = (world.messagesSent, cpuSeconds())
    let span = 60.0
    world.run(until: 120 * second)
    let used = cpuSeconds() - started
    world.countsBytes = true
    let counted = world.messagesSent
    world.run(until: 180 * second)
    return IdleCost(
      messagesPerSecond: Double(counted - messages) / span / Double(nodes),
      bytesPerSecond: Double(world.bytesSent) / span / Double(nodes),
      coreShare: used / span / Double(nodes))
  }
}
