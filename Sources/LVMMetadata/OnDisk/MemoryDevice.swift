/// A device in memory: the twin of a block device for tests and for simulation.
///
/// It keeps what was written and when it was flushed, so that every crash can be replayed, and it
/// fails where it is told to.
public final class MemoryDevice: MetadataDevice {
  /// A write or a flush, in the order in which they came.
  public enum Event: Sendable, Equatable {
    case write(offset: UInt64, bytes: [UInt8])
    case flush
  }

  public let name: String
  public let sizeBytes: UInt64
  public let logicalSectorSize: Int
  public private(set) var events: [Event] = []
  /// Is told of every event, for a history over several devices.
  public var observer: (Event) -> Void = { _ in }
  /// Returns the reason why an access at a byte offset fails, or nil. Flushes come with offset 0.
  public var failure: (MetadataDeviceError.Operation, UInt64) -> String? = { _, _ in nil }
  /// Pages that are not all zero.
  private var pages: [UInt64: [UInt8]] = [:]
  private static let pageSize: UInt64 = 4096

  public init(name: String, sizeBytes: UInt64, logicalSectorSize: Int = 512) {
    self.name = name
    self.sizeBytes = sizeBytes
    self.logicalSectorSize = logicalSectorSize
  }

  /// The same contents, without history and failures.
  public func copy() -> MemoryDevice {
    let copy = MemoryDevice(name: name, sizeBytes: sizeBytes, logicalSectorSize: logicalSectorSize)
    copy.pages = pages
    return copy
  }

  public func forgetEvents() { events = [] }

  /// All that was ever written, in whole pages, with the offset in bytes of each; the rest is zero.
  public var writtenPages: [(offset: UInt64, bytes: [UInt8])] {
    pages.keys.sorted().map { ($0 * Self.pageSize, pages[$0] ?? []) }
  }

  public func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
    try check(.read, offset, count)
    var bytes = [UInt8](repeating: 0, count: count)
    var index = 0
    while index < count {
      let position = offset + UInt64(index)
      let inPage = Int(position % Self.pageSize)
      let length = min(count - index, Int(Self.pageSize) - inPage)
      if let page = pages[position / Self.pageSize] {
        bytes.replaceSubrange(index..<(index + length), with: page[inPage..<(inPage + length)])
      }
      index += length
    }
    return bytes
  }

  public func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    let unit = UInt64(logicalSectorSize)
    guard offset % unit == 0, UInt64(bytes.count) % unit == 0 else {
      throw MetadataDeviceError(device: name, operation: .write, reason: "Invalid argument")
    }
    try check(.write, offset, bytes.count)
    store(bytes, at: offset)
    note(.write(offset: offset, bytes: bytes))
  }

  public func flush() throws(MetadataDeviceError) {
    try check(.flush, 0, 0)
    note(.flush)
  }

  private func note(_ event: Event) {
    events.append(event)
    observer(event)
  }

  /// Puts bytes into the device unseen by `events` and `failure`, aligned or not.
  public func store(_ bytes: [UInt8], at offset: UInt64) {
    var stored = 0
    while stored < bytes.count {
      let position = offset + UInt64(stored)
      let inPage = Int(position % Self.pageSize)
      let length = min(bytes.count - stored, Int(Self.pageSize) - inPage)
      let number = position / Self.pageSize
      pages[number, default: [UInt8](repeating: 0, count: Int(Self.pageSize))]
        .replaceSubrange(inPage..<(inPage + length), with: bytes[stored..<(stored + length)])
      stored += length
    }
  }

  private func check(
    _ operation: MetadataDeviceError.Operation, _ offset: UInt64, _ count: Int
  ) throws(MetadataDeviceError) {
    if let reason = failure(operation, offset) {
      throw MetadataDeviceError(device: name, operation: operation, reason: reason)
    }
    guard count >= 0, offset <= sizeBytes, UInt64(count) <= sizeBytes - offset else {
      throw MetadataDeviceError(
        device: name, operation: operation, reason: "beyond the end of the device")
    }
  }
}
