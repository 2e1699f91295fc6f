import ClusterTypes
import LockManager
import LockProtocol

/// A lock as the application that uses it knows it.
struct ApplicationLock: Sendable {
  enum Pending: Sendable, Equatable {
    case nothing
    case request
    case conversion
    /// An orphan's new owner waits for it.
    case adoption(of: LockHandle)
    /// An unlock was called: the lock counts as given up, however its operations end.
    case unlock
  }

  let handle: LockHandle
  let node: NodeID
  let resource: Int
  let isAnchor: Bool
  let processID: UInt32
  /// What it counts on: from the call on, no more than a conversion asks for.
  var held: LockMode = .iv
  /// The mode from which the operation under way started.
  var origin: LockMode = .iv
  var pending = Pending.request
  /// Somebody waits for this lock: the strongest mode it was told of since its last completion.
  var blocks: LockMode?
  var flags: LockFlags
  /// The flags of its request.
  let requestFlags: LockFlags
  var requested: LockMode
  /// The value block as far as the application knows it.
  var buffer: [UInt8]
  /// The step of the simulation at which it was granted first.
  var grantedAt: Int?
  /// Its process is gone; nobody uses it until it is adopted.
  var isOrphan = false
  /// An adoption or purge of the orphan is under way.
  var isOrphanTaken = false

  /// Dead now, it leaves a value block behind that may be older than what it knew.
  var mayHaveWritten: Bool {
    held >= .pw && pending == .nothing && flags.contains(.valueBlock)
  }
}

/// What was written into a resource's value block.
struct ValueHistory: Sendable {
  static let length = 32

  /// Empty when nobody may trust what there is to read.
  var last: [UInt8]
  var all: Set<[UInt8]>
  /// Read since the last write, with the warning that it is not valid. The warning is not among what
  /// an owner tells a new master (dlm-wire 14.6): it may be lost with the next one.
  var doubtful: Set<[UInt8]> = []
  /// The last step at which somebody read something other than the zeros of a new resource.
  var observedAt: Int?

  init() {
    last = Array(repeating: 0, count: Self.length)
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

extension LockMode {
  /// The rules of dlm-wire 8 and 9 once more, as the checks need them, so that a mistake in the lock
  /// manager's tables is not made twice.
  static let requestable: [LockMode] = [.nl, .cr, .cw, .pr, .pw, .ex]

  /// Whether whoever holds this mode and is granted `requested` reads the value block.
  func readsValueBlock(granting requested: LockMode) -> Bool {
    switch self {
    case .iv, .nl: true
    case .cr: [.cr, .cw, .pr, .pw, .ex].contains(requested)
    case .cw: [.cw, .pr, .pw, .ex].contains(requested)
    case .pr: [.pr, .pw, .ex].contains(requested)
    case .pw: requested == .ex
    case .ex: false
    }
  }

  /// The strongest mode that holders of either may count on.
  func common(with other: LockMode) -> LockMode {
    [self, other] == [.pr, .cw] || [self, other] == [.cw, .pr] ? .cr : min(self, other)
  }

  /// Who can be granted beside it.
  var companions: Set<LockMode> {
    switch self {
    case .iv, .nl: [.iv, .nl, .cr, .cw, .pr, .pw, .ex]
    case .cr: [.iv, .nl, .cr, .cw, .pr, .pw]
    case .cw: [.iv, .nl, .cr, .cw]
    case .pr: [.iv, .nl, .cr, .pr]
    case .pw: [.iv, .nl, .cr]
    case .ex: [.iv, .nl]
    }
  }

  func excludes(_ other: LockMode) -> Bool {
    switch (self, other) {
    case (.iv, _), (.nl, _), (_, .iv), (_, .nl): false
    case (.ex, _), (_, .ex): true
    case (.cr, _), (_, .cr): false
    case (.cw, .cw), (.pr, .pr): false
    case (.cw, _), (.pr, _), (.pw, _): true
    }
  }

  /// Whoever is kept out by `other` is kept out by this mode.
  func covers(_ other: LockMode) -> Bool { companions.isSubset(of: other.companions) }
}
