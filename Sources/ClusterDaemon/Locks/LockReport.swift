import ByteCoding
import ClusterTypes
import LockManager
import LockProtocol

/// What a node tells another about the locks that it knows: its own, and those of the resources
/// that it masters.
struct LockReport: Equatable, Sendable {
  struct Lock: Equatable, Sendable {
    var lockspace: LockspaceName
    var generation: UInt32
    var resource: ResourceName
    /// Nil while it is unknown.
    var master: NodeID?
    var identity: LockIdentity
    var queue: LockDescription.Queue
    var granted: LockMode
    /// IV for a granted lock.
    var requested: LockMode
    var processID: UInt32
    var since: Timestamp
    var age: Duration
    // Of the node's own locks only:
    var owner: String?
    /// What the process is called.
    var command: String?
    var transaction: UInt64?
    var mayBeVictim: Bool

    var key: LockKey { LockKey(lockspace: LockspaceID(name: lockspace), identity: identity) }
  }

  /// Indices of `locks`, which are those of the resource's master.
  struct Wait: Equatable, Sendable {
    var waiter: Int
    var blockers: [Int]
    var predecessor: Int?
  }

  var locks: [Lock] = []
  var waits: [Wait] = []
  /// How many locks more the node knows.
  var omittedCount = 0

  /// So many fit into a message on a control channel.
  static let maximumLockCount = 3000
  static let maximumWaitCount = 3000
  /// Of all waits together.
  static let maximumBlockerCount = 20_000
}

/// What nodes say to each other about locks on their control channels.
enum LockSurveyMessage: Equatable, Sendable {
  case question(id: UInt64, onlyWaiting: Bool)
  /// Only about one resource.
  case questionAbout(id: UInt64, LockspaceName, ResourceName)
  case report(id: UInt64, LockReport)
}

// MARK: - Bytes

extension LockSurveyMessage {
  private enum Kind: UInt8 {
    case question = 1
    case report = 2
    case questionAbout = 3
  }

  var encoded: [UInt8] {
    var writer = ByteWriter(reservingCapacity: 64)
    switch self {
    case .question(let id, let onlyWaiting):
      writer.write(Kind.question.rawValue)
      writer.write(id)
      writer.write(UInt8(onlyWaiting ? 1 : 0))
    case .questionAbout(let id, let lockspace, let resource):
      writer.write(Kind.questionAbout.rawValue)
      writer.write(id)
      writer.writeString(lockspace.text)
      writer.writeCounted(resource.bytes)
    case .report(let id, let report):
      writer.write(Kind.report.rawValue)
      writer.write(id)
      report.encode(into: &writer)
    }
    return writer.bytes
  }

  init(decoding bytes: ArraySlice<UInt8>) throws(ByteDecodingError) {
    var reader = ByteReader(bytes)
    let number = try reader.read(UInt8.self)
    guard let kind = Kind(rawValue: number) else { throw .invalid("lock message \(number)") }
    let id = try reader.read(UInt64.self)
    switch kind {
    case .question: self = .question(id: id, onlyWaiting: try reader.read(UInt8.self) != 0)
    case .questionAbout:
      self = .questionAbout(
        id: id, try LockReport.lockspaceName(from: &reader),
        try LockReport.resourceName(from: &reader))
    case .report: self = .report(id: id, try LockReport(from: &reader))
    }
    try reader.expectEnd()
  }
}

extension LockReport {
  fileprivate static func lockspaceName(
    from reader: inout ByteReader
  ) throws(ByteDecodingError) -> LockspaceName {
    guard let name = LockspaceName(try reader.readString(limit: 64)) else {
      throw .invalid("the name of a lockspace")
    }
    return name
  }

  fileprivate static func resourceName(
    from reader: inout ByteReader
  ) throws(ByteDecodingError) -> ResourceName {
    guard let name = ResourceName(try reader.readCounted(limit: ResourceName.maximumLength)) else {
      throw .invalid("the name of a resource")
    }
    return name
  }

  fileprivate func encode(into writer: inout ByteWriter) {
    writer.write(UInt32(clamping: omittedCount))
    writer.writeList(locks) { writer, lock in lock.encode(into: &writer) }
    writer.writeList(waits) { writer, wait in
      writer.write(UInt32(wait.waiter))
      writer.write(wait.predecessor.map { UInt32($0) } ?? .max)
      writer.writeList(wait.blockers) { $0.write(UInt32($1)) }
    }
  }

  fileprivate init(from reader: inout ByteReader) throws(ByteDecodingError) {
    omittedCount = Int(try reader.read(UInt32.self))
    locks = try reader.readList(limit: Self.maximumLockCount) {
      (reader) throws(ByteDecodingError) in try Lock(from: &reader)
    }
    let count = locks.count
    func index(_ number: UInt32) throws(ByteDecodingError) -> Int {
      guard Int(number) < count else { throw .invalid("lock \(number) of \(count)") }
      return Int(number)
    }
    waits = try reader.readList(limit: Self.maximumWaitCount) {
      (reader) throws(ByteDecodingError) in
      let waiter = try index(try reader.read())
      let predecessor = try reader.read(UInt32.self)
      let blockers = try reader.readList(limit: WaitDescription.maximumBlockerCount) {
        (reader) throws(ByteDecodingError) in try index(try reader.read())
      }
      return Wait(
        waiter: waiter, blockers: blockers,
        predecessor: predecessor == .max ? nil : try index(predecessor))
    }
  }
}

extension LockReport.Lock {
  private static let textLimit = 256

  fileprivate func encode(into writer: inout ByteWriter) {
    writer.writeString(lockspace.text)
    writer.write(generation)
    writer.writeCounted(resource.bytes)
    writer.write(master?.rawValue ?? 0)
    writer.write(identity.node.rawValue)
    writer.write(identity.lock.rawValue)
    writer.write(queue.number)
    writer.write(granted.rawValue)
    writer.write(requested.rawValue)
    writer.write(processID)
    writer.write(since.nanoseconds)
    writer.write(age.wholeNanoseconds)
    writer.write(UInt8(mayBeVictim ? 1 : 0))
    writer.writeList([owner, command]) { writer, text in
      writer.write(UInt8(text == nil ? 0 : 1))
      if let text { writer.writeString(String(text.prefix(Self.textLimit / 4))) }
    }
    writer.write(UInt8(transaction == nil ? 0 : 1))
    writer.write(transaction ?? 0)
  }

  fileprivate init(from reader: inout ByteReader) throws(ByteDecodingError) {
    lockspace = try LockReport.lockspaceName(from: &reader)
    generation = try reader.read()
    resource = try LockReport.resourceName(from: &reader)
    master = NodeID(try reader.read(Int32.self))
    guard let node = NodeID(try reader.read(Int32.self)) else { throw .invalid("a node id") }
    identity = LockIdentity(node: node, lock: LockID(try reader.read()))
    queue = try LockDescription.Queue(number: try reader.read())
    granted = try Self.mode(try reader.read())
    requested = try Self.mode(try reader.read())
    processID = try reader.read()
    since = Timestamp(nanoseconds: try reader.read())
    age = .nanoseconds(Int64(clamping: try reader.read(UInt64.self)))
    mayBeVictim = try reader.read(UInt8.self) != 0
    let texts: [String?] = try reader.readList(limit: 2) {
      (reader) throws(ByteDecodingError) in
      try reader.read(UInt8.self) == 0 ? nil : try reader.readString(limit: Self.textLimit)
    }
    guard texts.count == 2 else { throw .invalid("\(texts.count) texts") }
    owner = texts[0]
    command = texts[1]
    let hasTransaction = try reader.read(UInt8.self) != 0
    let number = try reader.read(UInt64.self)
    transaction = hasTransaction ? number : nil
  }

  private static func mode(_ number: Int8) throws(ByteDecodingError) -> LockMode {
    guard let mode = LockMode(rawValue: number) else { throw .invalid("lock mode \(number)") }
    return mode
  }
}

extension LockDescription.Queue {
  fileprivate var number: UInt8 {
    switch self {
    case .granted: 0
    case .converting: 1
    case .waiting: 2
    }
  }

  fileprivate init(number: UInt8) throws(ByteDecodingError) {
    switch number {
    case 0: self = .granted
    case 1: self = .converting
    case 2: self = .waiting
    default: throw .invalid("queue \(number)")
    }
  }
}
