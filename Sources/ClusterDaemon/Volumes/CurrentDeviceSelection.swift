import BlockDevices
import Logging
import Synchronization

/// Which block devices may be opened, by the configuration as it is now: an administrator who changes
/// the filter in lvm.conf expects the next change of a volume to go by it, as with LVM's commands.
///
/// While the configuration cannot be read the last one stays in force: the second half of a change
/// must not fail because somebody is editing a file.
final class CurrentDeviceSelection: Sendable {
  private struct State {
    var selection: DeviceSelection
    /// Why it could not be read the last time, which has been told.
    var failure: String?
  }

  private let read: @Sendable () throws -> DeviceSelection
  private let state: Mutex<State>
  private let logger: Logger

  /// - Throws: what `read` throws; nothing is in force before.
  init(logger: Logger, read: @escaping @Sendable () throws -> DeviceSelection) throws {
    self.logger = logger
    self.read = read
    state = Mutex(State(selection: try read()))
  }

  func current() -> DeviceSelection {
    let result = Result { try read() }
    return state.withLock { state in
      switch result {
      case .success(let selection): state = State(selection: selection)
      case .failure(let error):
        if state.failure != "\(error)" {
          state.failure = "\(error)"
          logger.error("the device filter stays as it was: \(error)")
        }
      }
      return state.selection
    }
  }
}
