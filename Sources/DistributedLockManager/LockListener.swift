import LockManager
import LockProtocol

/// Hears what becomes of one lock; called on the event loop of its lockspaces.
package protocol LockListener: AnyObject {
  /// A request or conversion ended.
  func lockCompleted(_ outcome: LockOutcome)
  /// The lock is gone.
  func lockReleased()
  /// Another wants `mode`, which this lock excludes.
  func lockBlocks(_ mode: LockMode)
  /// The call had no effect.
  func lockRefused(_ refusal: CallRefusal)
  /// The request, which allowed that, is to be given up to end a deadlock.
  func lockIsVictim()
}

extension LockListener {
  package func lockIsVictim() {}
}

/// A listener made of closures.
package final class LockEvents: LockListener {
  private let completed: (LockOutcome) -> Void
  private let released: () -> Void
  private let blocking: (LockMode) -> Void
  private let refused: (CallRefusal) -> Void

  package init(
    completed: @escaping (LockOutcome) -> Void, released: @escaping () -> Void = {},
    blocking: @escaping (LockMode) -> Void = { _ in }, refused: @escaping (CallRefusal) -> Void
  ) {
    self.completed = completed
    self.released = released
    self.blocking = blocking
    self.refused = refused
  }

  package func lockCompleted(_ outcome: LockOutcome) { completed(outcome) }
  package func lockReleased() { released() }
  package func lockBlocks(_ mode: LockMode) { blocking(mode) }
  package func lockRefused(_ refusal: CallRefusal) { self.refused(refusal) }
}
