import ByteCoding
import ClusterTypes
import Fuzzing
import PosixLocks

extension FuzzTarget {
  /// The first byte says what the rest is: a record of the kernel's device, frames of another node for a
  /// lockspace that runs, or a journal.
  public static let posixLocks = FuzzTarget(
    name: "posix-locks",
    summary: "records, messages and journals of POSIX locks are taken or refused",
    corpusFolder: "Fixtures/posix-locks"
  ) { input throws(FuzzFailure) in
    switch input.first {
    case 0: try PosixLockInputs.record(input.dropFirst())
    case 1: try PosixLockInputs.frames(input.dropFirst())
    case 2: PosixLockInputs.journal(Array(input.dropFirst()))
    default: 0
    }
  }
}

private enum PosixLockInputs {
  static func node(_ number: Int32) -> NodeInstance? {
    NodeID(number).map { NodeInstance($0, Incarnation(1)) }
  }

  /// What is read is written with the same meaning, if it has one.
  static func record(_ bytes: ArraySlice<UInt8>) throws(FuzzFailure) -> UInt64 {
    guard let record = try? PosixLockRecord(bytes) else { return 1 }
    guard record.request.operation != .unsupported else { return 2 }
    guard let again = try? PosixLockRecord(record.encoded), again == record else {
      throw FuzzFailure("\(record) is not what it was after it was written")
    }
    return 2 + UInt64(record.request.operation.rawValue) << 8
  }

  /// Messages, each behind a byte with its length. What decodes must survive its bytes, and the lockspace
  /// whatever it is told.
  static func frames(_ bytes: ArraySlice<UInt8>) throws(FuzzFailure) -> UInt64 {
    guard let local = node(1), let other = node(2) else { return 0 }
    var digest = ResultDigest()
    var effects: [PosixLockspace.Effect] = []
    var machine = PosixLockspace(identifier: 0, local: local, isEnabled: true)
    machine.start(generation: 1, members: [local, other], effects: &effects)
    machine.request(PosixLockRequest(.lock, inode: 1, owner: 1), effects: &effects)
    var reader = ByteReader(bytes)
    while let length = try? reader.read(UInt8.self),
      let frame = try? reader.readBytes(min(Int(length), reader.remaining))
    {
      guard let message = try? PosixLockMessage(decoding: frame) else {
        digest.add(1)
        continue
      }
      guard let again = try? PosixLockMessage(decoding: message.encoded), again == message else {
        throw FuzzFailure("\(message) is not what it was after it was written")
      }
      effects = []
      machine.received(message, from: other, effects: &effects)
      digest.add(2 + effects.count)
    }
    machine.tick(effects: &effects)
    digest.add(machine.locks.count)
    return digest.value
  }

  static func journal(_ bytes: [UInt8]) -> UInt64 {
    guard let local = node(1) else { return 0 }
    let entries = PosixLockJournalEntry.entries(in: bytes)
    var effects: [PosixLockspace.Effect] = []
    let machine = try? PosixLockspace(
      identifier: 0, local: local, journal: entries, effects: &effects)
    var digest = ResultDigest()
    for part in [entries.count, effects.count, machine == nil ? 0 : 1] { digest.add(part) }
    return digest.value
  }
}
