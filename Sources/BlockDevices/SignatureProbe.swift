import CBlkid
import CLinux
import Glibc

/// What a device carries, according to libblkid.
public enum ContentSignature: Equatable, Sendable, CustomStringConvertible {
  case none
  /// An LVM2 label.
  case physicalVolume
  /// A file system, swap space, RAID member, partition table …; libblkid's word for it.
  case other(String)
  /// Several that exclude each other.
  case ambiguous

  public var description: String {
    switch self {
    case .none: "nothing known"
    case .physicalVolume: "an LVM physical volume"
    case .other(let type): "a signature of type \(type)"
    case .ambiguous: "signatures that contradict each other"
    }
  }
}

/// A device that must not be used as a physical volume, or could not be probed.
public enum SignatureProbeError: Error, Equatable, Sendable, CustomStringConvertible {
  case occupied(device: String, ContentSignature)
  case failed(device: String, reason: String)

  public var description: String {
    switch self {
    case .occupied(let device, let signature):
      "\(device) carries \(signature); if it is not needed any more, remove it with wipefs"
    case .failed(let device, let reason):
      "\(device) cannot be probed: \(reason)"
    }
  }
}

/// Looks for signatures with libblkid.
public struct SignatureProbe: ~Copyable {
  /// What `blkid_do_safeprobe` answers; the library has no names for it everywhere.
  private enum Answer {
    static let found: Int32 = 0
    static let nothing: Int32 = 1
    static let ambiguous: Int32 = -2
  }

  private let device: String
  private let descriptor: Int32
  private let probe: blkid_probe

  /// - Parameter path: a block device or an image file.
  public init(path: String) throws(SignatureProbeError) {
    device = path
    descriptor = clinux_open_block(path, 0, 0)
    guard descriptor >= 0 else {
      throw .failed(device: path, reason: String(cString: strerror(errno)))
    }
    guard let probe = blkid_new_probe() else {
      close(descriptor)
      throw .failed(device: path, reason: "out of memory")
    }
    self.probe = probe
  }

  deinit {
    blkid_free_probe(probe)
    close(descriptor)
  }

  public func signature() throws(SignatureProbeError) -> ContentSignature {
    guard blkid_probe_set_device(probe, descriptor, 0, 0) == 0,
      blkid_probe_enable_superblocks(probe, 1) == 0,
      blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) == 0,
      blkid_probe_enable_partitions(probe, 1) == 0
    else { throw .failed(device: device, reason: "libblkid does not accept it") }
    errno = 0
    switch blkid_do_safeprobe(probe) {
    case Answer.found:
      guard let type = value("TYPE") ?? value("PTTYPE") else { return .ambiguous }
      return type == "LVM2_member" ? .physicalVolume : .other(type)
    case Answer.nothing:
      return .none
    case Answer.ambiguous:
      return .ambiguous
    default:
      throw .failed(device: device, reason: String(cString: strerror(errno)))
    }
  }

  /// Throws `occupied` unless the device carries nothing, or an LVM label only.
  public func requireUnoccupied() throws(SignatureProbeError) {
    let signature = try signature()
    switch signature {
    case .none, .physicalVolume: break
    case .other, .ambiguous: throw .occupied(device: device, signature)
    }
  }

  private func value(_ key: String) -> String? {
    var text: UnsafePointer<CChar>?
    guard blkid_probe_lookup_value(probe, key, &text, nil) == 0, let text else { return nil }
    return String(cString: text)
  }
}
