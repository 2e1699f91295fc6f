/// A block device that holds labels and metadata areas.
///
/// The module `BlockDevices` implements it for real devices; `MemoryDevice` is the twin for tests
/// and simulation. All calls block until done.
public protocol MetadataDevice: AnyObject {
  /// Path or name for messages.
  var name: String { get }
  var sizeBytes: UInt64 { get }
  /// Unit of writing in bytes: a power of two, at least 512.
  var logicalSectorSize: Int { get }
  /// How it is used at present.
  var use: DeviceUse { get }

  /// Exactly `count` bytes from byte `offset`; neither needs to be aligned.
  func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8]

  /// Writes all of `bytes`; offset and count are multiples of `logicalSectorSize`.
  func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError)

  /// Returns when everything written before is durable, the device's own cache included.
  func flush() throws(MetadataDeviceError)
}

extension MetadataDevice {
  public var use: DeviceUse { [] }
}

/// What tells a device that is worked on from a copy of it.
public struct DeviceUse: OptionSet, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// An active LV lies on it.
  public static let holdsVolumes = DeviceUse(rawValue: 1)
  /// It is a mapped device itself: multipath, encryption.
  public static let isMapped = DeviceUse(rawValue: 2)
}

/// An access to a device failed.
public struct MetadataDeviceError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Operation: String, Sendable {
    case open
    case read
    case write
    case flush
  }

  public var device: String
  public var operation: Operation
  /// What the system said ("Input/output error").
  public var reason: String

  public init(device: String, operation: Operation, reason: String) {
    self.device = device
    self.operation = operation
    self.reason = reason
  }

  public var description: String { "\(device): \(operation.rawValue) failed: \(reason)" }
}
