import CLinux
import Glibc
import LVMMetadata
import VolumeActivation

/// A block device, or an image file in the place of one, opened for metadata.
///
/// Block devices are read and written past the page cache, because other nodes write to them, too.
/// Image files go through the page cache: all processes of a machine share it.
public final class BlockDevice: MetadataDevice, Sendable {
  public enum Access: Sendable {
    case readOnly
    case readWrite
  }

  public let name: String
  /// Of a file that does not end on a sector boundary, the whole sectors only.
  public let sizeBytes: UInt64
  public let logicalSectorSize: Int
  /// Nil for an image file that stands for no device.
  public let number: DeviceNumber?
  private let descriptor: Int32

  /// Sector size of image files, and the unit of everything that LVM stores.
  private static let smallestSectorSize = 512
  /// Sector sizes beyond this are taken for nonsense.
  private static let largestSectorSize = 65536
  /// Transfers are cut into pieces of this size.
  private static let transferSize = 1 << 20
  /// Enough for the memory alignment that any device wants for direct transfers.
  private static let memoryAlignment = 4096

  /// - Parameters:
  ///   - path: what is opened.
  ///   - name: what it is called in messages; the path if nil.
  ///   - standIn: the number of the device for which an image file stands, where tables are not the
  ///     kernel's.
  public init(
    path: String, name: String? = nil, access: Access, standIn: DeviceNumber? = nil
  ) throws(MetadataDeviceError) {
    let name = name ?? path
    self.name = name
    var attributes = stat()
    guard stat(path, &attributes) == 0 else {
      throw Self.error(name, .open, code: errno)
    }
    let isDevice = attributes.st_mode & S_IFMT == S_IFBLK
    guard isDevice || attributes.st_mode & S_IFMT == S_IFREG else {
      throw MetadataDeviceError(
        device: name, operation: .open, reason: "neither a block device nor a file")
    }
    let writable: Int32 =
      switch access {
      case .readOnly: 0
      case .readWrite: 1
      }
    let descriptor = clinux_open_block(path, writable, isDevice ? 1 : 0)
    guard descriptor >= 0 else { throw Self.error(name, .open, code: errno) }
    do {
      let geometry =
        isDevice
        ? try Self.geometry(of: descriptor, name)
        : try Self.fileGeometry(of: descriptor, name)
      sizeBytes = geometry.sizeBytes
      logicalSectorSize = geometry.sectorSize
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    number =
      isDevice
      ? DeviceNumber(
        major: clinux_device_major(attributes.st_rdev),
        minor: clinux_device_minor(attributes.st_rdev)) : standIn
  }

  deinit { close(descriptor) }

  /// What tells the file from all others on this host.
  func fileIdentity() throws(MetadataDeviceError) -> FileIdentity {
    var attributes = stat()
    guard fstat(descriptor, &attributes) == 0 else { throw Self.error(name, .open, code: errno) }
    return FileIdentity(device: UInt64(attributes.st_dev), file: UInt64(attributes.st_ino))
  }

  /// Locks the file against other processes until it is closed.
  ///
  /// - Returns: false when somebody else has it and `waiting` is false.
  func lock(waiting: Bool) throws(MetadataDeviceError) -> Bool {
    while flock(descriptor, waiting ? LOCK_EX : LOCK_EX | LOCK_NB) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK where !waiting: return false
      default: throw Self.error(name, .open, code: errno)
      }
    }
    return true
  }

  public var use: DeviceUse { number.map { DeviceUse($0) } ?? [] }

  private struct Geometry {
    let sizeBytes: UInt64
    let sectorSize: Int
  }

  private static func geometry(
    of descriptor: Int32, _ name: String
  ) throws(MetadataDeviceError) -> Geometry {
    var size: UInt64 = 0
    var sectorSize: Int32 = 0
    guard clinux_block_size(descriptor, &size) == 0,
      clinux_block_sector_size(descriptor, &sectorSize) == 0
    else { throw error(name, .open, code: errno) }
    let unit = Int(sectorSize)
    guard (smallestSectorSize...largestSectorSize).contains(unit), unit.nonzeroBitCount == 1 else {
      throw MetadataDeviceError(
        device: name, operation: .open, reason: "it has sectors of \(unit) bytes")
    }
    return Geometry(sizeBytes: size, sectorSize: unit)
  }

  private static func fileGeometry(
    of descriptor: Int32, _ name: String
  ) throws(MetadataDeviceError) -> Geometry {
    var attributes = stat()
    guard fstat(descriptor, &attributes) == 0 else { throw error(name, .open, code: errno) }
    let unit = UInt64(smallestSectorSize)
    return Geometry(
      sizeBytes: UInt64(clamping: attributes.st_size) / unit * unit, sectorSize: smallestSectorSize)
  }

  private static func error(
    _ name: String, _ operation: MetadataDeviceError.Operation, code: Int32
  ) -> MetadataDeviceError {
    MetadataDeviceError(
      device: name, operation: operation, reason: String(cString: strerror(code)))
  }

  /// The range of bytes, if it lies on the device.
  private func range(
    _ offset: UInt64, _ count: Int, _ operation: MetadataDeviceError.Operation
  ) throws(MetadataDeviceError) -> Range<UInt64> {
    guard count >= 0, offset <= sizeBytes, UInt64(count) <= sizeBytes - offset else {
      throw MetadataDeviceError(
        device: name, operation: operation,
        reason: "\(count) bytes at \(offset) reach beyond the end at \(sizeBytes)")
    }
    return offset..<(offset + UInt64(count))
  }

  public func read(at offset: UInt64, count: Int) throws(MetadataDeviceError) -> [UInt8] {
    let wanted = try range(offset, count, .read)
    guard !wanted.isEmpty else { return [] }
    // The page cache wants no alignment.
    if number == nil { return try readDirectly(at: offset, count: count) }
    let unit = UInt64(logicalSectorSize)
    let start = wanted.lowerBound / unit * unit
    // The size is a multiple of the unit, so rounding up stays on the device.
    let end = (wanted.upperBound + unit - 1) / unit * unit
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Int(min(end - start, UInt64(Self.transferSize))),
      alignment: Self.memoryAlignment)
    defer { buffer.deallocate() }

    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    var position = start
    while position < end {
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<Int(min(end - position, UInt64(buffer.count)))])
      try fill(piece, at: position)
      let skipped = Int(max(wanted.lowerBound, position) - position)
      let kept = Int(min(wanted.upperBound, position + UInt64(piece.count)) - position)
      bytes.append(contentsOf: piece[skipped..<kept])
      position += UInt64(piece.count)
    }
    return bytes
  }

  private func readDirectly(
    at offset: UInt64, count: Int
  ) throws(MetadataDeviceError) -> [UInt8] {
    var failure: MetadataDeviceError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(MetadataDeviceError) {
        try fill(
          UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<count])),
          at: offset)
        filled = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private func fill(
    _ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64
  ) throws(MetadataDeviceError) {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
        off_t(offset) + off_t(done))
      if count > 0 {
        done += count
      } else if count == 0 {
        throw MetadataDeviceError(
          device: name, operation: .read, reason: "it ends before byte \(offset + UInt64(done))")
      } else if errno != EINTR {
        throw Self.error(name, .read, code: errno)
      }
    }
  }

  public func write(_ bytes: [UInt8], at offset: UInt64) throws(MetadataDeviceError) {
    let unit = logicalSectorSize
    guard offset.isMultiple(of: UInt64(unit)), bytes.count.isMultiple(of: unit) else {
      throw MetadataDeviceError(
        device: name, operation: .write,
        reason: "\(bytes.count) bytes at \(offset) are no whole sectors of \(unit) bytes")
    }
    guard try !range(offset, bytes.count, .write).isEmpty else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(bytes.count, Self.transferSize), alignment: Self.memoryAlignment)
    defer { buffer.deallocate() }
    for start in stride(from: 0, to: bytes.count, by: buffer.count) {
      let piece = bytes[start..<min(start + buffer.count, bytes.count)]
      buffer.copyBytes(from: piece)
      try drain(buffer[..<piece.count], at: offset + UInt64(start))
    }
  }

  private func drain(
    _ buffer: Slice<UnsafeMutableRawBufferPointer>, at offset: UInt64
  ) throws(MetadataDeviceError) {
    let buffer = UnsafeRawBufferPointer(rebasing: buffer)
    var done = 0
    while done < buffer.count {
      let count = pwrite(
        descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
        off_t(offset) + off_t(done))
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw Self.error(name, .write, code: errno)
      }
    }
  }

  public func flush() throws(MetadataDeviceError) {
    while fdatasync(descriptor) != 0 {
      guard errno == EINTR else { throw Self.error(name, .flush, code: errno) }
    }
  }
}
