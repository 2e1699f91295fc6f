import ByteCoding
import ClusterTypes

// The record's bytes, and its limits. Decoding is total: whatever is malformed, too long or refers to
// a slot that cannot exist is an error value.

/// How large the parts of a record may become (membership design, section 3). The leader checks
/// before it proposes: what would not fit is refused to whoever asked for it.
public enum RecordLimits {
  public static let spaces = 96
  public static let operations = 8
  public static let attempts = 32
  /// Two incarnations of each node: a third is not admitted before the first has evidence.
  public static let removed = 2 * NodeSlot.limit
  /// All of it, encoded.
  public static let bytes = 32 * 1024
  /// Numbers are far from the largest, so that counting on from a peer's cannot overflow.
  static let number = UInt64.max / 4
}

extension Record {
  public var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 2048)
    writer.write(self)
    return writer.bytes
  }
}

extension ByteWriter {
  mutating func write(_ record: Record) {
    write(record.clusterID)
    write(record.configurationVersion)
    writeList(record.configurations) { $0.write($1) }
    write(record.viewID)
    writeList(record.members) { $0.write($1) }
    writeList(record.removed) { writer, removed in
      writer.write(removed.member)
      writer.write(removed.sinceView)
      writer.write(removed.sinceGeneration)
      writer.write(removed.exclusion)
    }
    writeList(record.admissions) { writer, admission in
      writer.write(admission.slot.index)
      writer.write(admission.incarnation.rawValue)
      writer.write(admission.bootID)
      writer.write(admission.holdLevel)
    }
    writeList(record.attempts) { $0.write($1) }
    write(record.lastAttempt)
    writeList(record.spaces) { $0.write($1) }
    write(record.lastGeneration)
    writeList(record.operations) { $0.write($1) }
    writeList(record.requests) { writer, request in
      writer.write(request.slot.index)
      writer.write(request.incarnation.rawValue)
      writer.write(request.life)
      writer.write(request.sequence)
    }
  }

  mutating func write(_ configuration: ClusterConfiguration) {
    writeList(configuration.nodes) { $0.write($1) }
    write(configuration.preferred?.index ?? 0xFF)
    let flags = [
      configuration.hasDisk, configuration.leaseResets, configuration.trustsWatchdog,
      configuration.trustsSoftdog, configuration.fenceRace,
    ]
    write(flags: flags)
    for value in configuration.timers.values { write(value) }
  }

  mutating func write(_ node: ConfiguredNode) {
    write(node.slot.index)
    write(node.id.rawValue)
    writeString(node.name)
    writeList(node.addresses) { $0.writeString($1) }
    write(node.votes)
    write(flags: [node.isWitness])
    write(node.amnesia)
    write(node.fenceLevels)
    write(node.reservationLevels)
  }

  mutating func write(_ capabilities: Capabilities) {
    write(capabilities.watchdog.rawValue)
    write(capabilities.watchdogTimeout)
    write(
      flags: [
        capabilities.petsByLease, capabilities.inhibitsSleep, capabilities.isVirtualMachine,
      ])
    write(capabilities.reservedDevices)
    write(capabilities.oldestVersion)
    write(capabilities.newestVersion)
  }

  mutating func write(_ bootID: BootID) {
    write(bootID.high)
    write(bootID.low)
  }

  mutating func write(_ member: ViewMember) {
    write(member.slot.index)
    write(member.incarnation.rawValue)
    write(member.bootID)
    write(member.capabilities)
    write(flags: [member.isDirty])
    write(member.longestLease)
    write(member.life)
  }

  mutating func write(_ attempt: FenceAttempt) {
    write(attempt.id)
    write(attempt.victim.index)
    write(attempt.incarnation.rawValue)
    write(attempt.executor.index)
    write(attempt.executorIncarnation.rawValue)
    write(attempt.executorLife)
    write(attempt.level)
    write(flags: [attempt.isByReservation, attempt.hasSucceeded])
  }

  mutating func write(_ space: Space) {
    writeString(space.name.text)
    write(space.kind)
    write(space.generation)
    write(space.phase.rawValue)
    write(space.members.bits)
    write(space.leaving.bits)
    write(space.stuckCount)
  }

  mutating func write(_ operation: VolumeOperation) {
    write(operation.id.slot.index)
    write(operation.id.incarnation.rawValue)
    write(operation.id.life)
    write(operation.id.sequence)
    write(operation.number)
    writeString(operation.volumeGroup)
    writeString(operation.groupName)
    writeString(operation.title)
    write(operation.oldSequence)
    write(operation.newSequence)
    write(operation.step.rawValue)
    write(operation.participants.bits)
  }

  mutating func write(flags: [Bool]) {
    write(flags.enumerated().reduce(UInt8(0)) { $0 | ($1.element ? 1 << $1.offset : 0) })
  }
}

extension ByteReader {
  /// A number that is counted on from.
  mutating func readNumber() throws(ByteDecodingError) -> UInt64 {
    let number: UInt64 = try read()
    guard number <= RecordLimits.number else { throw .invalid("number \(number)") }
    return number
  }

  mutating func readSlot() throws(ByteDecodingError) -> NodeSlot {
    guard let slot = NodeSlot(Int(try read(UInt8.self))) else { throw .invalid("node slot") }
    return slot
  }

  mutating func readSet() throws(ByteDecodingError) -> NodeSet { NodeSet(bits: try read()) }

  /// `count` flags; others must not be set.
  mutating func readFlags(_ count: Int) throws(ByteDecodingError) -> [Bool] {
    let bits: UInt8 = try read()
    guard count == 8 || bits < 1 << count else { throw .invalid("unknown flags") }
    return (0..<count).map { bits & (1 << $0) != 0 }
  }

  /// One of the cases of an enumeration with small raw values.
  mutating func readCase<Value: RawRepresentable>(
    _ type: Value.Type = Value.self
  ) throws(ByteDecodingError) -> Value where Value.RawValue == UInt8 {
    guard let value = Value(rawValue: try read()) else { throw .invalid("\(Value.self)") }
    return value
  }

  public mutating func readRecord() throws(ByteDecodingError) -> Record {
    let start = offset
    let clusterID: UInt64 = try read()
    let version = try readNumber()
    let configurations = try readList(limit: 2) { r throws(ByteDecodingError) in
      try r.readConfiguration()
    }
    guard !configurations.isEmpty else { throw .invalid("a record without configuration") }
    var record = Record(
      clusterID: clusterID, configurationVersion: version, configurations: configurations,
      viewID: try readNumber())
    record.members = try readList(limit: NodeSlot.limit) { r throws(ByteDecodingError) in
      try r.readMember()
    }
    record.removed = try readList(limit: RecordLimits.removed) { r throws(ByteDecodingError) in
      RemovedMember(
        member: try r.readMember(), sinceView: try r.readNumber(),
        sinceGeneration: try r.readNumber(), exclusion: try r.readNumber())
    }
    record.admissions = try readList(limit: NodeSlot.limit) { r throws(ByteDecodingError) in
      Admission(
        slot: try r.readSlot(), incarnation: Incarnation(try r.read()),
        bootID: try r.readBootID(), holdLevel: try r.read())
    }
    record.attempts = try readList(limit: RecordLimits.attempts) { r throws(ByteDecodingError) in
      var attempt = FenceAttempt(
        id: try r.readNumber(), victim: try r.readSlot(), incarnation: Incarnation(try r.read()),
        executor: try r.readSlot(), executorIncarnation: Incarnation(try r.read()),
        executorLife: try r.read(), level: try r.read())
      let flags = try r.readFlags(2)
      attempt.isByReservation = flags[0]
      attempt.hasSucceeded = flags[1]
      return attempt
    }
    record.lastAttempt = try readNumber()
    record.spaces = try readList(limit: RecordLimits.spaces) { r throws(ByteDecodingError) in
      try r.readSpace()
    }
    record.lastGeneration = try readNumber()
    record.operations = try readList(limit: RecordLimits.operations) {
      r throws(ByteDecodingError) in try r.readOperation()
    }
    record.requests = try readList(limit: NodeSlot.limit) { r throws(ByteDecodingError) in
      LastRequest(
        slot: try r.readSlot(), incarnation: Incarnation(try r.read()), life: try r.read(),
        sequence: try r.readNumber())
    }
    guard offset - start <= RecordLimits.bytes else { throw .invalid("record above 32 KiB") }
    return record
  }

  mutating func readConfiguration() throws(ByteDecodingError) -> ClusterConfiguration {
    let nodes = try readList(limit: ClusterConfiguration.maximumNodes) {
      r throws(ByteDecodingError) in try r.readConfiguredNode()
    }
    let preferred: UInt8 = try read()
    let flags = try readFlags(5)
    var timers = MembershipTimers.standard
    var values: [UInt32] = []
    for _ in MembershipTimers.names { values.append(try read()) }
    timers.setValues(values)
    guard timers.problems.isEmpty else { throw .invalid("times that are unsafe") }
    let configuration = ClusterConfiguration(
      nodes: nodes, hasDisk: flags[0], preferred: NodeSlot(Int(preferred)), leaseResets: flags[1],
      trustsWatchdog: flags[2], trustsSoftdog: flags[3], fenceRace: flags[4], timers: timers)
    guard configuration.all.count == nodes.count else { throw .invalid("two nodes in one slot") }
    return configuration
  }

  mutating func readConfiguredNode() throws(ByteDecodingError) -> ConfiguredNode {
    let slot = try readSlot()
    guard let id = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return ConfiguredNode(
      slot: slot, id: id, name: try readString(limit: ConfiguredNode.maximumName),
      addresses: try readList(limit: 2) { r throws(ByteDecodingError) in
        try r.readString(limit: ConfiguredNode.maximumAddress)
      },
      votes: try read(), isWitness: try readFlags(1)[0], amnesia: try read(),
      fenceLevels: try read(), reservationLevels: try read())
  }

  mutating func readCapabilities() throws(ByteDecodingError) -> Capabilities {
    let watchdog = try readCase(Capabilities.Watchdog.self)
    let timeout: UInt32 = try read()
    guard timeout <= 86_400_000 else { throw .invalid("watchdog timeout") }
    let flags = try readFlags(3)
    return Capabilities(
      watchdog: watchdog, watchdogTimeout: timeout, petsByLease: flags[0],
      inhibitsSleep: flags[1], isVirtualMachine: flags[2], reservedDevices: try read(),
      oldestVersion: try read(), newestVersion: try read())
  }

  mutating func readBootID() throws(ByteDecodingError) -> BootID {
    BootID(high: try read(), low: try read())
  }

  mutating func readMember() throws(ByteDecodingError) -> ViewMember {
    ViewMember(
      slot: try readSlot(), incarnation: Incarnation(try read()), bootID: try readBootID(),
      capabilities: try readCapabilities(), isDirty: try readFlags(1)[0],
      longestLease: min(try read(), 86_400_000), life: try read())
  }

  mutating func readSpace() throws(ByteDecodingError) -> Space {
    let text = try readString(limit: LockspaceName.maximumLength)
    guard let name = LockspaceName(text) else { throw .invalid("lockspace name") }
    return Space(
      name: name, kind: try read(), generation: try readNumber(), phase: try readCase(),
      members: try readSet(), leaving: try readSet(), stuckCount: try read())
  }

  mutating func readOperation() throws(ByteDecodingError) -> VolumeOperation {
    let id = VolumeOperation.ID(
      slot: try readSlot(), incarnation: Incarnation(try read()), life: try read(),
      sequence: try readNumber())
    return VolumeOperation(
      id: id, number: try read(), volumeGroup: try readString(limit: VolumeOperation.uuidLength),
      groupName: try readString(limit: VolumeOperation.maximumName),
      title: try readString(limit: VolumeOperation.maximumTitle), oldSequence: try read(),
      newSequence: try read(), step: try readCase(), participants: try readSet())
  }
}

extension MembershipTimers {
  /// Sets all times, in the order of `names`; missing ones stay.
  mutating func setValues(_ values: [UInt32]) {
    let paths: [WritableKeyPath<Self, UInt32> & Sendable] = [
      \.heartbeat, \.silence, \.jitter, \.lease, \.watchdog, \.pet, \.drain, \.restartHold,
      \.stopLimit, \.agentTimeout, \.rejoinHold, \.diskTimeout, \.clockError, \.granularity,
    ]
    for (path, value) in zip(paths, values) { self[keyPath: path] = value }
  }
}
