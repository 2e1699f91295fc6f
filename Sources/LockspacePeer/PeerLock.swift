import DistributedLockManager
import LockManager
import LockProtocol

/// A lock of this node, as far as its caller is to be told about it.
final class PeerLock: LockListener {
  struct Call {
    let id: RequestID?
  }

  /// The number by which the caller knows it.
  let number: UInt64
  /// That of the lock manager; nil until the request is made.
  var handle: LockHandle?
  private unowned let session: PeerSession
  /// The lock or convert call that is under way; nil while there is none.
  var call: Call?
  var unlock: Call?

  init(_ number: UInt64, in session: PeerSession, call: Call) {
    self.number = number
    self.session = session
    self.call = call
  }

  func lockCompleted(_ outcome: LockOutcome) { session.completed(self, outcome) }
  func lockReleased() { session.released(self) }
  func lockBlocks(_ mode: LockMode) { session.blocks(self, mode) }
  func lockRefused(_ refusal: CallRefusal) { session.refused(self, refusal) }
}
