/// Deliberate faults, by which the simulator shows that it would find real ones. Only what cannot be
/// brought about from outside, by changing what the machine takes and gives, is here; every other
/// mutation of the simulator is made there.
///
/// They cost nothing where locks are handled: each is a value that is set once, or is looked at in
/// recovery and where the queues are walked anyway.
package struct MachineFaults: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A lock id that was given up is given out again at once, the same.
  package static let reusesLockIDs = Self(rawValue: 1)
  /// The locks of departed nodes stay.
  package static let keepsDeadLocks = Self(rawValue: 2)
  /// A departed node's PW or EX lock does not make the value block doubtful.
  package static let forgetsLostValue = Self(rawValue: 4)
  /// Nobody looks through the queues after the recovery.
  package static let skipsGrantPass = Self(rawValue: 8)
  /// What a new member said in an earlier stay counts.
  package static let hearsEarlierStays = Self(rawValue: 16)
}
