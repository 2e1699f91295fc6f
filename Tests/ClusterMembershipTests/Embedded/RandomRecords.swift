import ClusterSimulation
import ClusterTypes

@testable import ClusterMembership

/// Random values of everything that is encoded, for round trips.
struct RandomRecords {
  var chance: SeededGenerator

  init(seed: UInt64) { chance = SeededGenerator(seed: seed) }

  mutating func number(_ range: ClosedRange<UInt64> = 0...RecordLimits.number) -> UInt64 {
    UInt64.random(in: range, using: &chance)
  }
  mutating func small() -> UInt32 { UInt32(number(0...100_000)) }
  mutating func bits() -> NodeSet { NodeSet(bits: number(0...UInt64.max)) }
  mutating func slot() -> NodeSlot { NodeSlot(bit: Int(number(0...63))) }
  mutating func incarnation() -> Incarnation { Incarnation(number(0...UInt64.max)) }
  mutating func flag() -> Bool { chance.chance(50) }
  mutating func text(_ limit: Int) -> String {
    String(repeating: "x", count: Int(number(1...UInt64(limit))))
  }
  mutating func list<Element>(_ limit: Int, _ make: (inout Self) -> Element) -> [Element] {
    (0..<Int(number(0...UInt64(limit)))).map { _ in make(&self) }
  }
  mutating func name() -> LockspaceName {
    LockspaceName(text(LockspaceName.maximumLength)) ?? LockspaceName("x")!
  }
  mutating func bootID() -> BootID { BootID(high: number(0...UInt64.max), low: number()) }

  mutating func capabilities() -> Capabilities {
    Capabilities(
      watchdog: Capabilities.Watchdog(rawValue: UInt8(number(0...3))) ?? .none,
      watchdogTimeout: small(), petsByLease: flag(), inhibitsSleep: flag(),
      isVirtualMachine: flag(), reservedDevices: number(0...UInt64.max),
      oldestVersion: UInt16(number(0...9)), newestVersion: UInt16(number(0...9)))
  }

  mutating func member() -> ViewMember {
    ViewMember(
      slot: slot(), incarnation: incarnation(), bootID: bootID(), capabilities: capabilities(),
      isDirty: flag(), longestLease: small(), life: small())
  }

  mutating func configuration() -> ClusterConfiguration {
    let nodes = (0..<Int(number(1...5))).compactMap { index -> ConfiguredNode? in
      guard let slot = NodeSlot(index), let id = NodeID(Int32(index + 1)) else { return nil }
      return ConfiguredNode(
        slot: slot, id: id, name: text(ConfiguredNode.maximumName),
        addresses: list(2) { $0.text(ConfiguredNode.maximumAddress) },
        votes: UInt8(number(0...3)), isWitness: flag(), amnesia: number(),
        fenceLevels: UInt8(number(0...3)), reservationLevels: UInt8(number(0...7)))
    }
    return ClusterConfiguration(
      nodes: nodes, hasDisk: flag(), preferred: flag() ? slot() : nil, leaseResets: flag(),
      trustsWatchdog: flag(), trustsSoftdog: flag(), fenceRace: flag(),
      timers: flag() ? .standard : .lan)
  }

  mutating func operation() -> VolumeOperation {
    VolumeOperation(
      id: VolumeOperation.ID(
        slot: slot(), incarnation: incarnation(), life: small(), sequence: number()),
      number: number(), volumeGroup: text(32), groupName: text(40), title: text(128),
      oldSequence: small(), newSequence: small(), step: .committing, participants: bits())
  }

  mutating func record() -> Record {
    var record = Record(clusterID: number(0...UInt64.max), configuration: configuration())
    if flag() { record.configurations.append(configuration()) }
    record.configurationVersion = number()
    record.viewID = number()
    record.members = list(5) { $0.member() }
    record.removed = list(4) {
      RemovedMember(
        member: $0.member(), sinceView: $0.number(), sinceGeneration: $0.number(),
        exclusion: $0.number())
    }
    record.admissions = list(5) {
      Admission(
        slot: $0.slot(), incarnation: $0.incarnation(), bootID: $0.bootID(),
        holdLevel: UInt8($0.number(0...5)))
    }
    record.attempts = list(3) {
      FenceAttempt(
        id: $0.number(), victim: $0.slot(), incarnation: $0.incarnation(), executor: $0.slot(),
        executorIncarnation: $0.incarnation(), executorLife: $0.small(), level: 1,
        isByReservation: $0.flag(), hasSucceeded: $0.flag())
    }
    record.lastAttempt = number()
    record.spaces = list(6) {
      Space(
        name: $0.name(), kind: 1, generation: $0.number(), phase: $0.flag() ? .started : .stopping,
        members: $0.bits(), leaving: $0.bits(), stuckCount: 1)
    }
    record.lastGeneration = number()
    record.operations = list(3) { $0.operation() }
    record.requests = list(5) {
      LastRequest(
        slot: $0.slot(), incarnation: $0.incarnation(), life: $0.small(), sequence: $0.number())
    }
    return record
  }

  mutating func batch() -> [ControlMessage] {
    list(5) { random in
      let payload: ControlMessage.Payload =
        switch random.number(0...2) {
        case 0: .message(random.list(100) { UInt8($0.number(0...255)) })
        case 1: .refused(sequence: random.number(), reason: random.text(50))
        default: .proven(random.slot(), random.incarnation(), .watchdog, by: random.text(50))
        }
      return ControlMessage(
        origin: random.slot(), incarnation: random.incarnation(), payload: payload)
    }
  }

  mutating func decision() -> Decision {
    Decision(term: number(), index: number(), record: record(), batch: batch())
  }

  mutating func request() -> Request {
    switch number(0...14) {
    case 0: .joinSpace(name(), kind: 2)
    case 1: .leaveSpace(name())
    case 2: .restartSpace(name(), waitsFor: flag() ? slot() : nil)
    case 3: .clean
    case 4: .leave
    case 5: .message(list(200) { UInt8($0.number(0...255)) })
    case 6: .fenceResult(attempt: number(), .lost)
    case 7: .prove(slot(), incarnation(), .administrator, by: text(40))
    case 8: .changeConfiguration(configuration())
    case 9: .beginOperation(operation())
    case 10: .advanceOperation(operation().id, .committed)
    case 11: .endOperation(operation().id)
    case 12: .excluded(attempt: number(), devices: number(0...UInt64.max))
    case 13: .withdrawExclusion(attempt: number())
    default: .capabilities(capabilities())
    }
  }

  mutating func body() -> MembershipMessage.Body {
    let candidacy = MembershipMessage.Candidacy(
      term: number(), lastTerm: number(), lastIndex: number(), isTransfer: flag(),
      isBlank: flag())
    switch number(0...13) {
    case 0:
      return .ping(
        MembershipMessage.Ping(
          sentAt: number(0...UInt64.max), life: small(), isLeader: flag(), hears: bits(),
          viewID: number(), acceptedTerm: number(), acceptedIndex: number(),
          appliedIndex: number(), stopped: list(9) { $0.number() },
          running: list(9) { $0.number() }, uptime: number(), amnesia: number(0...UInt64.max)))
    case 1:
      return .pong(
        MembershipMessage.Pong(
          sentAt: number(0...UInt64.max), leader: flag() ? slot() : nil,
          committedIndex: number(), lease: number(), standing: .evicted,
          viewID: number(),
          fences: list(4) {
            MembershipMessage.FenceProgress(
              victim: $0.slot(), failures: $0.small(), pause: $0.small())
          }))
    case 2: return .handOver
    case 3: return .preVote(candidacy)
    case 4: return .preVoteReply(term: number(), isGranted: flag(), isBlank: flag())
    case 5: return .vote(candidacy)
    case 6: return .voteReply(term: number(), isGranted: flag(), isBlank: flag())
    case 7:
      return .accept(
        MembershipMessage.Acceptance(
          decision: decision(),
          history: list(4) { HistoryEntry(index: $0.number(), batch: $0.batch()) },
          committedIndex: number(), isReset: flag(), restoredAmnesia: number(0...UInt64.max)))
    case 8: return .accepted(term: number(), index: number(), isBlank: flag())
    case 9: return .submit(life: small(), sequence: number(), request())
    case 10:
      return .join(
        MembershipMessage.Join(
          life: small(), bootID: bootID(), uptime: number(), capabilities: capabilities(),
          neverStarted: list(16) { $0.incarnation() }, viewID: number(), timers: .lan))
    case 11: return .joinReply(.wait(reason: text(40)))
    case 12: return .joinReply(flag() ? .refused(reason: text(40)) : .outdated(incarnation()))
    default: return .evict(viewID: number(), incarnation())
    }
  }

  mutating func message() -> MembershipMessage {
    MembershipMessage(
      clusterID: number(0...UInt64.max), sender: slot(), incarnation: incarnation(),
      term: number(), body: body())
  }
}
