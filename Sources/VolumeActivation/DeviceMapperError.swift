/// The operations of `DeviceMapping`, for errors, journals and injected failures.
public enum DeviceMapperOperation: String, Hashable, Sendable, CaseIterable {
  case list
  case state
  case create
  case load
  case clear
  case suspend
  case resume
  case remove
  case rename
  case table
  case dependencies
  case status
  case message
  case check
  case settle
}

/// A refusal by the kernel's device-mapper or by its library.
public struct DeviceMapperError: Error, Hashable, Sendable, CustomStringConvertible {
  public let operation: DeviceMapperOperation
  /// The name or UUID of the device; nil when the operation concerns none.
  public let device: String?
  /// The system's error number; 0 when the library refused before it asked the kernel.
  public let code: Int32
  /// What the library had to say, for the administrator.
  public let detail: String

  public init(
    operation: DeviceMapperOperation, device: String?, code: Int32, detail: String
  ) {
    self.operation = operation
    self.device = device
    self.code = code
    self.detail = detail
  }

  /// The kernel has no device-mapper, or the module `dm_mod` is not loaded.
  public var isUnavailable: Bool { code == Self.noSuchDeviceClass }

  /// ENODEV of Linux.
  private static let noSuchDeviceClass: Int32 = 19

  public var description: String {
    let subject = device.map { " of \($0)" } ?? ""
    let number = code == 0 ? "" : " (error \(code))"
    return "device-mapper \(operation.rawValue)\(subject) failed: \(detail)\(number)"
  }
}
