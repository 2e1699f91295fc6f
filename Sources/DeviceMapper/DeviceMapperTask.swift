import CDeviceMapper
import CDeviceMapperShim
import Glibc
import VolumeActivation

/// One `dm_task` of libdevmapper, destroyed with its owner. To be used within
/// `Library.exclusively` only.
struct DeviceMapperTask: ~Copyable {
  private let task: OpaquePointer
  private let operation: DeviceMapperOperation
  private let device: String?

  /// - Parameters:
  ///   - type: one of the library's `DM_DEVICE_…` numbers.
  ///   - device: for messages.
  init(
    _ type: Int, _ operation: DeviceMapperOperation, _ device: String?
  ) throws(DeviceMapperError) {
    _ = LibraryLog.take()
    let driverError = Library.driverError()
    guard driverError == 0 else { throw Self.error(operation, device, code: driverError) }
    errno = 0
    guard let task = dm_task_create(Int32(type)) else {
      throw Self.error(operation, device, code: errno)
    }
    self.task = task
    self.operation = operation
    self.device = device
  }

  deinit { dm_task_destroy(task) }

  /// The error of the call just made, with the library's own words if it had any.
  private static func error(
    _ operation: DeviceMapperOperation, _ device: String?, code: Int32
  ) -> DeviceMapperError {
    var words = LibraryLog.take()
    if code == ENODEV {
      words = ["this kernel has no device-mapper; load the module dm_mod"]
    } else if words.isEmpty {
      words = [code == 0 ? "libdevmapper gave no reason" : String(cString: strerror(code))]
    }
    return DeviceMapperError(
      operation: operation, device: device, code: code, detail: words.joined(separator: "; "))
  }

  /// Throws unless a setter of the library succeeded. They fail for lack of memory and for
  /// arguments that the library will not have.
  private func check(_ result: Int32) throws(DeviceMapperError) {
    guard result != 0 else { throw Self.error(operation, device, code: 0) }
  }

  // MARK: - Addressing

  func setUUID(_ uuid: MappedDeviceUUID) throws(DeviceMapperError) {
    try check(dm_task_set_uuid(task, uuid.text))
  }

  func setName(_ name: String) throws(DeviceMapperError) {
    try check(dm_task_set_name(task, name))
  }

  func setNewName(_ name: String) throws(DeviceMapperError) {
    try check(dm_task_set_newname(task, name))
  }

  /// Addresses an existing device, or asks for this number at creation. A major number that is
  /// not the device-mapper's is replaced by that.
  func setNumber(_ number: DeviceNumber) throws(DeviceMapperError) {
    guard let major = Int32(exactly: number.major), let minor = Int32(exactly: number.minor) else {
      throw DeviceMapperError(
        operation: operation, device: device, code: EINVAL,
        detail: "the device number \(number) is too large")
    }
    try check(dm_task_set_major_minor(task, major, minor, 1))
  }

  // MARK: - Options

  func addLine(_ line: TableLine) throws(DeviceMapperError) {
    try check(
      dm_task_add_target(
        task, line.start, line.length, line.target.type, line.target.parameters))
  }

  /// Has the kernel wipe what it was given.
  func secureData() throws(DeviceMapperError) { try check(dm_task_secure_data(task)) }

  /// For the only target of a device.
  func setMessage(_ message: String) throws(DeviceMapperError) {
    try check(dm_task_set_message(task, message))
    try check(dm_task_set_sector(task, 0))
  }

  func setReadOnly() throws(DeviceMapperError) { try check(dm_task_set_ro(task)) }
  func skipLockingFileSystem() throws(DeviceMapperError) { try check(dm_task_skip_lockfs(task)) }
  func skipFlush() throws(DeviceMapperError) { try check(dm_task_no_flush(task)) }
  func queryInactiveTable() throws(DeviceMapperError) {
    try check(dm_task_query_inactive_table(task))
  }

  /// Repeats a removal for a few seconds while somebody, such as udev, has the device open.
  func retryRemoval() throws(DeviceMapperError) { try check(dm_task_retry_remove(task)) }

  func setReadAhead(_ readAhead: ReadAhead) throws(DeviceMapperError) {
    switch readAhead {
    case .none:
      try check(dm_task_set_read_ahead(task, UInt32(DM_READ_AHEAD_NONE), 0))
    case .exactly(let sectors):
      try check(dm_task_set_read_ahead(task, sectors, 0))
    case .atLeast(0):
      try check(dm_task_set_read_ahead(task, DM_READ_AHEAD_AUTO, 0))
    case .atLeast(let sectors):
      try check(dm_task_set_read_ahead(task, sectors, UInt32(DM_READ_AHEAD_MINIMUM_FLAG)))
    }
  }

  /// Ties the task's uevent to `cookie`, which is made if it is 0.
  func setCookie(_ cookie: inout UInt32, flags: UInt16) throws(DeviceMapperError) {
    try check(dm_task_set_cookie(task, &cookie, flags))
  }

  // MARK: - Running and results

  func run() throws(DeviceMapperError) {
    guard dm_task_run(task) != 0 else {
      throw Self.error(operation, device, code: dm_task_get_errno(task))
    }
  }

  func info() throws(DeviceMapperError) -> dm_info {
    var info = dm_info()
    try check(dm_task_get_info(task, &info))
    return info
  }

  var name: String? { dm_task_get_name(task).map { String(cString: $0) } }
  var uuid: String? { dm_task_get_uuid(task).map { String(cString: $0) } }

  /// The names of all mapped devices.
  var names: [String] {
    // The library hands out one entry without a device when there is none at all.
    guard let first = dm_task_get_names(task), first.pointee.dev != 0 else { return [] }
    var names: [String] = []
    var next: UnsafePointer<dm_names>? = UnsafePointer(first)
    while let entry = next {
      if let name = device_mapper_name(entry) { names.append(String(cString: name)) }
      next = device_mapper_next_name(entry)
    }
    return names
  }

  /// In sectors; 0 when it cannot be found out.
  var readAhead: UInt32 {
    var sectors: UInt32 = 0
    return dm_task_get_read_ahead(task, &sectors) != 0 ? sectors : 0
  }

  var dependencies: [DeviceNumber] {
    guard let list = dm_task_get_deps(task) else { return [] }
    return (0..<list.pointee.count).map { index in
      let device = device_mapper_dependency(list, index)
      return DeviceNumber(major: device_mapper_major(device), minor: device_mapper_minor(device))
    }
  }

  var lines: [TableLine] {
    var lines: [TableLine] = []
    var next: UnsafeMutableRawPointer?
    repeat {
      var start: UInt64 = 0
      var length: UInt64 = 0
      var type: UnsafeMutablePointer<CChar>?
      var parameters: UnsafeMutablePointer<CChar>?
      next = dm_get_next_target(task, next, &start, &length, &type, &parameters)
      if let type {
        let target = TableTarget(
          type: String(cString: type), parameters: parameters.map { String(cString: $0) } ?? "")
        lines.append(TableLine(start: start, length: length, target: target))
      }
    } while next != nil
    return lines
  }
}
