import LockProtocol

/// The tables that decide who may hold what together, and who carries the lock value block
/// (dlm-wire 8.1, 8.2, 9).
extension LockMode {
  /// Whether two locks on one resource may be granted in these modes together. Symmetrical;
  /// IV is compatible with everything.
  public func isCompatible(with other: LockMode) -> Bool {
    switch self {
    case .iv, .nl: true
    case .cr: other <= .pw
    case .cw: other <= .cw
    case .pr: other <= .cr || other == .pr
    case .pw: other <= .cr
    case .ex: other <= .nl
    }
  }

  /// A conversion to a weaker mode: always granted, and without an answer on the wire. PR and CW
  /// are neither weaker nor stronger than each other (dlm-wire 7.5).
  func isDownConversion(to requested: LockMode) -> Bool {
    requested < self && !isMiddleConversion(to: requested)
  }

  /// PR to CW or CW to PR: neither up nor down.
  func isMiddleConversion(to requested: LockMode) -> Bool {
    (self == .pr && requested == .cw) || (self == .cw && requested == .pr)
  }

  /// Conversions with which `.queueConversion` is allowed (dlm-wire 8.2).
  func allowsQueueConversion(to requested: LockMode) -> Bool {
    switch self {
    case .iv, .ex: false
    case .nl: requested > .nl
    case .cr: requested > .cr
    case .cw: requested > .cw
    case .pr: requested == .cw || requested > .pr
    case .pw: requested == .ex
    }
  }

  /// What a grant does with the lock value block.
  enum ValueBlockTransfer: Sendable {
    case read, write, nothing
  }

  /// The transfer when a lock held in this mode is granted `requested`.
  func valueBlockTransfer(granting requested: LockMode) -> ValueBlockTransfer {
    switch self {
    case .iv, .nl: .read
    case .cr: requested > .nl ? .read : .nothing
    case .cw: requested > .cr ? .read : .nothing
    case .pr: requested > .cw ? .read : .nothing
    case .pw: requested == .ex ? .read : .write
    case .ex: .write
    }
  }
}
