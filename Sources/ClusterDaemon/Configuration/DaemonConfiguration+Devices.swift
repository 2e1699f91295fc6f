import BlockDevices
import LVMSystemDirectory

extension DaemonConfiguration {
  /// Which block devices may be opened: as the configuration says, or else LVM's.
  func deviceSelection() throws -> DeviceSelection {
    if let patterns = devices.filter {
      return DeviceSelection(filter: try DeviceFilter(patterns: patterns))
    }
    return try DeviceSelection(try LVMConfiguration())
  }
}
