/// Why an operation on active volumes failed. Unless it says otherwise nothing was changed.
public enum ActivationError: Error, Hashable, Sendable, CustomStringConvertible {
  case deviceMapper(DeviceMapperError, volume: String)
  /// Open by a mount, another mapped device or a process.
  case inUse(volume: String, openCount: Int)
  /// The device disappeared while it was changed.
  case vanished(volume: String)
  /// The device is suspended by something that did not finish.
  case suspended(volume: String)
  /// A table would lie on an image file.
  case imageFile(volume: String)
  /// A change was asked for the wrong step.
  case wrongStep(asked: String, reached: MappingChange.Step)
  /// The step was carried out where it was possible; these volumes are left and can be retried.
  case incomplete([VolumeFailure])
  /// The devices are as they should be, but their nodes and links in /dev may be stale.
  case nodesUnsettled(DeviceMapperError)
  /// The first error, and what could not be put back afterwards.
  indirect case notUndone(ActivationError, [VolumeFailure])

  public var description: String {
    switch self {
    case .deviceMapper(let error, let volume):
      "volume \(volume): \(error)"
    case .inUse(let volume, let openCount):
      "Logical volume \(volume) is in use (opened \(openCount) times); "
        + "unmount it and stop its users first"
    case .vanished(let volume):
      "the device of volume \(volume) was removed by somebody else while it was changed"
    case .suspended(let volume):
      "volume \(volume) is suspended by an unfinished change; recover the volume group first"
    case .imageFile(let volume):
      "volume \(volume) lies on an image file; only volumes on block devices can be active"
    case .wrongStep(let asked, let reached):
      "a volume change cannot be \(asked) when it is \(reached)"
    case .incomplete(let failures):
      "not finished: " + failures.map(\.description).joined(separator: "; ")
    case .nodesUnsettled(let error):
      "the devices are active, but their nodes in /dev may be stale: \(error)"
    case .notUndone(let error, let failures):
      "\(error); and it could not be undone: "
        + failures.map(\.description).joined(separator: "; ")
    }
  }
}

extension ActivationError {
  /// The error of an operation that was undone, except for `failures`.
  func afterUndo(leaving failures: [VolumeFailure]) -> ActivationError {
    failures.isEmpty ? self : .notUndone(self, failures)
  }
}

/// A volume whose device could not be brought to where it should be.
public struct VolumeFailure: Hashable, Sendable, CustomStringConvertible {
  /// `VG/LV`.
  public let volume: String
  public let error: DeviceMapperError

  public var description: String { "volume \(volume): \(error)" }
}
