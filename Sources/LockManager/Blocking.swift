import ClusterTypes
import LockProtocol

/// BAST, master to owner: "you are in the way of another" (dlm-wire 10). A hint without answer,
/// repeated only for stronger modes.
extension LockspaceMachine {
  /// After the answer to a request or conversion that was not granted: tells the holders on
  /// `queue` that are in its way.
  mutating func sendBlocking(for blocked: LockID, to queue: KeyPath<Resource, LockQueue>) {
    let wanted = locks[blocked].requested
    for id in resources[locks[blocked].resource][keyPath: queue] where id != blocked {
      guard wantsBlocking(id) else { continue }
      let granted = locks[id].granted
      let isBlocking =
        granted.isMiddleConversion(to: wanted)
        ? locks[id].highestBlocked < .ex
        : locks[id].highestBlocked < wanted && !granted.isCompatible(with: wanted)
      guard isBlocking else { continue }
      sendBlocking(to: id, mode: wanted)
      locks[id].highestBlocked = wanted
    }
  }

  /// After a grant pass that left locks ungranted: `high` is the strongest mode they want, `wantsCW`
  /// whether one of them wants CW, which `high` alone would hide from a PR holder.
  mutating func sendBlocking(on resource: ResourceID, high: LockMode, wantsCW: Bool) {
    for id in resources[resource].granted where wantsBlocking(id) {
      let granted = locks[id].granted
      let isBlocking =
        granted == .pr && wantsCW
        ? locks[id].highestBlocked < .ex
        : locks[id].highestBlocked < high && !granted.isCompatible(with: high)
      guard isBlocking else { continue }
      sendBlocking(to: id, mode: wantsCW && high == .pr && granted == .pr ? .cw : high)
      locks[id].highestBlocked = high
    }
  }

  func wantsBlocking(_ id: LockID) -> Bool { locks[id].callbacks.contains(.blocking) }

  /// The callback itself, to an owner here or elsewhere.
  mutating func sendBlocking(to id: LockID, mode: LockMode) {
    statistics.blockingCallbacks += 1
    switch locks[id].owner {
    case .here: reportBlocking(id, mode: mode)
    case .node(let node): send(.blocking, for: id, to: node, blockingMode: mode)
    }
  }

  /// At the owner.
  mutating func receiveBlocking(_ message: LockMessage, for id: LockID) {
    reportBlocking(id, mode: message.blockingMode)
  }

  /// A callback that the holder has already complied with, before it came, is not reported.
  private mutating func reportBlocking(_ id: LockID, mode: LockMode) {
    guard let handle = locks[id].handle,
      !locks[id].completedMode.isCompatible(with: mode)
    else { return }
    callBack(.blocking(handle, mode))
  }
}
