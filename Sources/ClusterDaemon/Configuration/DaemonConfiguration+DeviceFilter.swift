import BlockDevices
import Glibc

extension DaemonConfiguration {
  /// Which block devices may be opened: as the configuration says, or else lvm.conf.
  func deviceFilter() throws -> DeviceFilter {
    if let patterns = devices.filter { return try DeviceFilter(patterns: patterns) }
    let directory = getenv("LVM_SYSTEM_DIR").map { String(cString: $0) } ?? "/etc/lvm"
    let filters = try LVMDeviceFilters(systemDirectory: directory)
    return try DeviceFilter(patterns: filters.globalFilter ?? filters.filter ?? [])
  }
}
