/// How a commit ended.
public enum MetadataCommitOutcome: Sendable, Equatable {
  /// The new version is durable in every area.
  case everywhere
  /// The new version is durable and counts; the areas named still show the old one.
  case partly(stale: [MetadataAreaFailure])
  /// No area took the new version, and the old one was put back: the group is unchanged.
  case takenBack([MetadataAreaFailure])
  /// No area is known to have the new version, nor could the old one be put back everywhere: the
  /// disk must be read again to see which version counts.
  case unknown([MetadataAreaFailure])
}

/// A metadata area that could not be written.
public struct MetadataAreaFailure: Sendable, Equatable, CustomStringConvertible {
  public var device: String
  /// Where the area begins, in bytes.
  public var offset: UInt64
  public var error: MetadataAreaError

  public init(device: String, offset: UInt64, error: MetadataAreaError) {
    self.device = device
    self.offset = offset
    self.error = error
  }

  public var description: String { "metadata area at byte \(offset) of \(device): \(error)" }
}

/// Why a change did not happen. Nothing is committed.
public enum MetadataCommitError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Nothing was written.
  case refused(group: String, String)
  /// Nothing was written: the text is longer than LVM allows in the area of `device`.
  case textTooLarge(group: String, device: String, size: UInt64, sizeMax: UInt64)
  /// Nothing was written: old and new text do not fit side by side.
  case areaFull(group: String, device: String)
  /// Nothing was written: no PV has a metadata area in use.
  case noArea(group: String)
  /// Nothing but labels was written.
  case label(group: String, MetadataDeviceError)
  /// A write failed and was taken back, except where `notReverted` says otherwise.
  case failed(group: String, MetadataAreaFailure, notReverted: [MetadataAreaFailure])

  public var description: String {
    switch self {
    case .refused(let group, let reason): "VG \(group) is not changed: \(reason)"
    case .textTooLarge(let group, let device, let size, let sizeMax):
      "VG \(group) metadata on \(device) (\(size) bytes) exceeds maximum metadata size "
        + "(\(sizeMax) bytes)"
    case .areaFull(let group, let device):
      "VG \(group) metadata on \(device) has no room beside the metadata in use"
    case .noArea(let group): "VG \(group) has no metadata area in use on any of its devices"
    case .label(let group, let error): "VG \(group) is not changed: \(error)"
    case .failed(let group, let failure, let notReverted):
      "VG \(group) is not changed: \(failure)"
        + notReverted.map { "; not taken back: \($0)" }.joined()
    }
  }
}
