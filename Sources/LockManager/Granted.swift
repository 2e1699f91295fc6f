import LockProtocol

/// GRANT, master to owner: a request or conversion that was queued is granted (dlm-wire 7.6, 8.6).
extension LockspaceMachine {
  mutating func receiveGrant(_ message: LockMessage, for id: LockID) {
    // A surplus one would make a kernel lose the granted mode; here it means nothing.
    guard locks[id].queue == .waiting || locks[id].queue == .converting else { return drop() }
    takeReplyFlags(from: message, into: id)
    takeAlternateMode(id)
    takeGrantedValueBlock(from: message, into: id)
    setGranted(id)
    complete(id, .granted)
  }
}
