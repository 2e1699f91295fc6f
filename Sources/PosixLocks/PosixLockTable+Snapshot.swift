import ByteCoding
import ClusterTypes

// A table as bytes, for members that have none, or an older one, and for the next life of the daemon.

extension PosixLockTable {
  private static let nodeLimit = 64
  /// Of a node: each of its processes can have one request under way.
  private static let decisionLimit = 1 << 20

  func write(to writer: inout ByteWriter) {
    writer.write(UInt8(isLost ? 1 : 0))
    writer.writeList(sessions.sorted { $0.key < $1.key }) { writer, entry in
      writer.write(entry.key)
      writer.write(entry.value.last)
      writer.writeList(entry.value.decided) { $0.write($1) }
    }
    writer.writeList(files.sorted { $0.key < $1.key }) { writer, entry in
      writer.write(entry.key)
      writer.writeList(entry.value.held) { $0.write($1) }
      writer.writeList(entry.value.waiters) { writer, waiter in
        writer.write(waiter.node)
        writer.write(waiter.sequence)
        waiter.request.write(to: &writer)
      }
    }
  }

  init(from reader: inout ByteReader) throws(ByteDecodingError) {
    // With twice the limit comes what releases have split.
    let lockLimit = 3 * Self.standardLimit
    let isLost = try reader.readFlag()
    var sessions: [NodeInstance: Session] = [:]
    for (node, session) in try reader.readList(
      limit: Self.nodeLimit,
      { r throws(ByteDecodingError) in
        let node = try r.readInstance()
        let last = try r.readNumber()
        let decided = try r.readList(limit: Self.decisionLimit) { r throws(ByteDecodingError) in
          try r.readDecision()
        }
        return (node, Session(last: last, decided: decided))
      })
    {
      guard sessions.updateValue(session, forKey: node) == nil else {
        throw .invalid("node \(node) twice")
      }
    }
    var files: [UInt64: FileLocks] = [:]
    for (inode, file) in try reader.readList(
      limit: lockLimit,
      { r throws(ByteDecodingError) in
        let inode: UInt64 = try r.read()
        return (inode, try r.readFileLocks(limit: lockLimit))
      })
    {
      guard !file.isEmpty, files.updateValue(file, forKey: inode) == nil else {
        throw .invalid("file \(inode)")
      }
    }
    self.init(isLost: isLost, files: files, sessions: sessions)
    guard count <= lockLimit else { throw .invalid("\(count) POSIX locks") }
  }
}

extension ByteWriter {
  mutating func write(_ instance: NodeInstance) {
    write(instance.node.rawValue)
    write(instance.incarnation.rawValue)
  }

  fileprivate mutating func write(_ lock: HeldPosixLock) {
    write(lock.start)
    write(lock.end)
    write(UInt8(lock.isExclusive ? 1 : 0))
    write(lock.holder.node)
    write(lock.holder.owner)
    write(lock.processID)
  }

  fileprivate mutating func write(_ decision: PosixLockTable.Decision) {
    write(decision.index)
    write(decision.sequence)
    decision.request.write(to: &self)
    switch decision.result {
    case .success: write(Int32(0))
    case .failure(let failure): write(failure.rawValue)
    case .conflict(let lock):
      write(Int32(-1))
      write(lock)
    }
  }
}

extension ByteReader {
  mutating func readInstance() throws(ByteDecodingError) -> NodeInstance {
    guard let node = NodeID(try read(Int32.self)) else { throw .invalid("node id") }
    return NodeInstance(node, Incarnation(try read()))
  }

  /// A number that may be counted on from: far from the largest, so that this cannot overflow.
  mutating func readNumber() throws(ByteDecodingError) -> UInt64 {
    let number: UInt64 = try read()
    guard number <= UInt64.max / 4 else { throw .invalid("number \(number)") }
    return number
  }

  mutating func readFlag() throws(ByteDecodingError) -> Bool {
    let byte: UInt8 = try read()
    guard byte <= 1 else { throw .invalid("flag \(byte)") }
    return byte == 1
  }

  fileprivate mutating func readHeldLock() throws(ByteDecodingError) -> HeldPosixLock {
    let start: UInt64 = try read()
    let end: UInt64 = try read()
    guard start <= end else { throw .invalid("range of a POSIX lock") }
    let isExclusive = try readFlag()
    let node = try readInstance()
    let owner: UInt64 = try read()
    return HeldPosixLock(
      start: start, end: end, isExclusive: isExclusive,
      holder: PosixLockHolder(node: node, owner: owner), processID: try read())
  }

  fileprivate mutating func readDecision() throws(ByteDecodingError) -> PosixLockTable.Decision {
    let index = try readNumber()
    let sequence = try readNumber()
    let request = try PosixLockRequest(from: &self)
    let code: Int32 = try read()
    let result: PosixLockResult
    switch code {
    case 0: result = .success
    case -1: result = .conflict(try readHeldLock())
    default:
      guard let failure = PosixLockFailure(rawValue: code) else {
        throw .invalid("result \(code) of a POSIX lock")
      }
      result = .failure(failure)
    }
    return PosixLockTable.Decision(
      index: index, sequence: sequence, request: request, result: result)
  }

  fileprivate mutating func readFileLocks(limit: Int) throws(ByteDecodingError) -> FileLocks {
    let held = try readList(limit: limit) { r throws(ByteDecodingError) in
      try r.readHeldLock()
    }
    let waiters = try readList(limit: limit) { r throws(ByteDecodingError) in
      FileLocks.Waiter(
        node: try r.readInstance(), sequence: try r.readNumber(),
        request: try PosixLockRequest(from: &r))
    }
    guard let file = FileLocks(held: held, waiters: waiters) else {
      throw .invalid("ranges of one file contradict each other")
    }
    return file
  }
}
