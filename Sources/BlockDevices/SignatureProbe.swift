import CBlkid
import CLinux
import Glibc
import LVMMetadata

/// libblkid cannot look at what it is given.
public struct SignatureProbeError: Error, Equatable, Sendable, CustomStringConvertible {
  public var device: String
  public var reason: String

  public var description: String { "\(device) cannot be probed for signatures: \(reason)" }
}

extension MetadataDevice {
  /// Lets libblkid go through what others would recognise the device by, as LVM does before it uses
  /// one: superblocks first, then partition tables.
  ///
  /// Nothing is written.
  ///
  /// - Parameter isWiped: true when the signature counts as gone from then on; what lay behind it is
  ///   found next (a backup of it, another file system).
  /// - Throws: `SignatureProbeError`, `MetadataDeviceError`.
  public func reviewSignatures(_ isWiped: (ForeignSignature) -> Bool) throws {
    try SignatureProbe(self).review(isWiped)
  }
}

/// The ends of a device, where all signatures are, in a file in memory that libblkid reads.
private final class SignatureProbe {
  /// Nothing that libblkid knows lies farther from the start (LUKS2's last header, 4 MiB) or from the
  /// end (ZFS, 512 KiB).
  private static let headSize: UInt64 = 5 << 20
  private static let tailSize: UInt64 = 1 << 20
  /// More than a device can have; ends a search that goes round in circles.
  private static let countMaximum = 100

  private let device: String
  private let descriptor: Int32
  private let probe: blkid_probe

  init(_ device: some MetadataDevice) throws {
    self.device = device.name
    let descriptor = clinux_memory_file("signatures")
    guard descriptor >= 0 else {
      throw SignatureProbeError(device: device.name, reason: String(cString: strerror(errno)))
    }
    guard let probe = blkid_new_probe() else {
      close(descriptor)
      throw SignatureProbeError(device: device.name, reason: "out of memory")
    }
    (self.descriptor, self.probe) = (descriptor, probe)
    try fill(from: device)
    guard blkid_probe_set_device(probe, descriptor, 0, 0) == 0,
      blkid_probe_set_sectorsize(probe, UInt32(device.logicalSectorSize)) == 0,
      blkid_probe_enable_superblocks(probe, 1) == 0,
      blkid_probe_set_superblocks_flags(
        probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_BADCSUM) == 0,
      blkid_probe_enable_partitions(probe, 1) == 0,
      blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC) == 0
    else { throw SignatureProbeError(device: device.name, reason: "libblkid does not accept it") }
  }

  deinit {
    blkid_free_probe(probe)
    close(descriptor)
  }

  private func fill(from device: some MetadataDevice) throws {
    let size = device.sizeBytes
    guard ftruncate(descriptor, off_t(clamping: size)) == 0 else { throw failure() }
    let head = min(size, Self.headSize)
    let tail = max(head, size - min(size, Self.tailSize))
    for range in [0..<head, tail..<size] where !range.isEmpty {
      try replace(try device.read(at: range.lowerBound, count: range.count), at: range.lowerBound)
    }
  }

  private func replace(_ bytes: [UInt8], at offset: UInt64) throws {
    let written = pwrite(descriptor, bytes, bytes.count, off_t(clamping: offset))
    guard written == bytes.count else { throw failure() }
  }

  private func failure() -> SignatureProbeError {
    SignatureProbeError(device: device, reason: String(cString: strerror(errno)))
  }

  func review(_ isWiped: (ForeignSignature) -> Bool) throws {
    for _ in 0..<Self.countMaximum {
      errno = 0
      switch blkid_do_probe(probe) {
      case 0: break
      case 1: return
      default: throw failure()
      }
      guard let signature = found(), isWiped(signature) else { continue }
      try replace([UInt8](repeating: 0, count: signature.byteCount), at: signature.offset)
      guard blkid_probe_step_back(probe) == 0 else { throw failure() }
    }
    throw SignatureProbeError(device: device, reason: "there is no end of signatures")
  }

  private func found() -> ForeignSignature? {
    for (type, offset, magic) in [
      ("TYPE", "SBMAGIC_OFFSET", "SBMAGIC"), ("PTTYPE", "PTMAGIC_OFFSET", "PTMAGIC"),
    ] {
      guard let word = value(type)?.text, let place = value(offset).flatMap({ UInt64($0.text) }),
        let bytes = value(magic)
      else { continue }
      return ForeignSignature(type: word, offset: place, byteCount: bytes.count)
    }
    return nil
  }

  /// - Returns: the value, and how many bytes it has.
  private func value(_ key: String) -> (text: String, count: Int)? {
    var bytes: UnsafePointer<CChar>?
    var count = 0
    guard blkid_probe_lookup_value(probe, key, &bytes, &count) == 0, let bytes else { return nil }
    let raw = UnsafeRawBufferPointer(start: bytes, count: count)
    return (String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self), count)
  }
}
