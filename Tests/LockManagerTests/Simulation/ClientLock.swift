import ClusterTypes
import LockManager
import LockProtocol

/// A lock as the application that uses it knows it.
struct ClientLock: Sendable {
  enum Pending: Sendable, Equatable {
    case nothing
    case request
    case conversion
    /// An unlock was called: the lock counts as given up, however its operations end.
    case unlock
  }

  let handle: LockHandle
  let node: NodeID
  let resource: Int
  let isAnchor: Bool
  /// What it counts on: from the call on, no more than a conversion asks for.
  var held: LockMode = .iv
  /// The mode from which the operation under way started.
  var origin: LockMode = .iv
  var pending = Pending.request
  /// Somebody waits for this lock.
  var isWanted = false
  var flags: LockFlags
  var requested: LockMode
  /// The value block as far as the application knows it.
  var buffer: [UInt8]
  /// The step of the simulation at which it was granted first.
  var grantedAt: Int?

  /// Dead now, it leaves a value block behind that may be older than what it knew.
  var mayHaveWritten: Bool {
    held >= .pw && pending == .nothing && flags.contains(.valueBlock)
  }
}

/// What was written into a resource's value block.
struct ValueHistory: Sendable {
  var last: [UInt8]
  var all: Set<[UInt8]>
  /// Read since the last write, with the warning that it is not valid. The warning is not among what
  /// an owner tells a new master (dlm-wire 14.6): it may be lost with the next one.
  var doubtful: Set<[UInt8]> = []
  /// The last step at which somebody read something other than the zeros of a new resource.
  var observedAt: Int?

  init() {
    last = Array(repeating: 0, count: 32)
    all = [last]
  }

  /// From now on and until it is written again nobody may trust what there is to read.
  mutating func loseLast() { last = [] }

  mutating func write(_ value: [UInt8]) {
    last = value
    doubtful = []
    all.insert(value)
  }
}
