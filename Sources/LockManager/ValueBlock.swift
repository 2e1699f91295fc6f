import LockProtocol

/// Who reads and who writes the lock value block, and when (dlm-wire 9).
extension LockspaceMachine {
  /// At the master, when `id` is about to be granted what it requested.
  mutating func transferValueBlockAtGrant(_ id: LockID) {
    let resource = locks[id].resource
    switch locks[id].granted.valueBlockTransfer(granting: locks[id].requested) {
    case .read:
      guard locks[id].flags.contains(.valueBlock), locks[id].valueBlock != nil,
        let valueBlock = resources[resource].valueBlock
      else { return }
      locks[id].valueBlock = valueBlock
      locks[id].lvbSequence = resources[resource].lvbSequence
      locks[id].hasUnreadValueBlock = false
    case .write:
      if locks[id].flags.contains(.invalidateValueBlock) {
        resources[resource].isValueNotValid = true
        return
      }
      guard writeValueBlock(of: id) else { return }
      locks[id].lvbSequence = resources[resource].lvbSequence
    case .nothing: break
    }
    if resources[resource].isValueNotValid { locks[id].statusFlags.insert(.valueNotValid) }
  }

  /// At the master, when `id` is given up.
  mutating func transferValueBlockAtUnlock(_ id: LockID) {
    guard locks[id].granted >= .pw else { return }
    if locks[id].flags.contains(.invalidateValueBlock) {
      resources[locks[id].resource].isValueNotValid = true
    } else {
      _ = writeValueBlock(of: id)
    }
  }

  /// False when the lock has none to write.
  private mutating func writeValueBlock(of id: LockID) -> Bool {
    guard locks[id].flags.contains(.valueBlock), let valueBlock = locks[id].valueBlock else {
      return false
    }
    let resource = locks[id].resource
    resources[resource].valueBlock = valueBlock
    resources[resource].lvbSequence &+= 1
    resources[resource].isValueNotValid = false
    return true
  }

  /// At the master, from a request, conversion or unlock: the bytes count only with `.valueBlock`,
  /// and kernels may send fewer or none (dlm-wire 7.2).
  mutating func takeValueBlock(from message: LockMessage, into id: LockID) {
    guard locks[id].flags.contains(.valueBlock) else { return }
    copyValueBlock(message.extra, into: id)
  }

  /// At the owner, from an answer that grants: only where the table says that the owner reads.
  mutating func takeGrantedValueBlock(from message: LockMessage, into id: LockID) {
    guard locks[id].flags.contains(.valueBlock), locks[id].valueBlock != nil,
      locks[id].granted.valueBlockTransfer(granting: locks[id].requested) == .read
    else { return }
    guard !locks[id].hasUnreadValueBlock || message.lockFlags.contains(.valueBlock) else {
      // A conversion between PR and CW that a new master rebuilt without its value block
      // (`isUnreadConversion`): it returns none.
      locks[id].statusFlags.insert(.valueNotValid)
      return
    }
    copyValueBlock(message.extra, into: id)
    locks[id].lvbSequence = message.lvbSequence
    locks[id].hasUnreadValueBlock = false
  }

  private mutating func copyValueBlock(_ bytes: [UInt8], into id: LockID) {
    if bytes.count == configuration.lvbLength {
      locks[id].valueBlock = bytes
      return
    }
    let count = min(bytes.count, configuration.lvbLength)
    let old = locks[id].valueBlock ?? emptyValueBlock
    locks[id].valueBlock = Array(bytes.prefix(count)) + old.dropFirst(count)
  }
}
