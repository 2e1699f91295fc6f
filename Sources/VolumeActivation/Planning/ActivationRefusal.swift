import LVMMetadata

/// Why a volume cannot be active, told before anything is touched.
public struct ActivationRefusal: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Reason: Hashable, Sendable {
    case exportedGroup
    /// The group belongs to another host.
    case foreignGroup(systemID: String)
    /// The group is marked for the clvmd of LVM 2.02 and this is no such cluster.
    case clusteredGroup
    /// No volume of that name or identifier in the metadata.
    case unknownVolume
    /// An internal volume that only exists as a part of others.
    case hiddenVolume
    /// A segment type that this version builds no table for.
    case segmentType(String)
    /// The volume called so exists in the text only: the record of a snapshot, a cache pool in use.
    case noDevice(of: String)
    /// The volume is being merged into another one, in whose place it appears.
    case merging(into: String)
    /// The images of a RAID volume that are there do not hold all data.
    case tooFewImages(missing: Int, of: Int)
    /// A volume of a kind that never goes without a part of it.
    case incomplete(String)
    /// Metadata or a writable image of a RAID volume is visible: somebody is about to change it.
    case visibleImage(String)
    /// The device of a physical volume is not there.
    case missingDevice(LVMIdentifier, lastSeen: String?)
    /// The device is there, but was absent when the group was last written.
    case staleDevice(LVMIdentifier, lastSeen: String?)
    /// The device ends before the volume's extents do; sizes in sectors.
    case deviceTooSmall(LVMIdentifier, lastSeen: String?, needed: UInt64, found: UInt64)
    /// The metadata contradicts itself; the text says how.
    case malformed(String)
  }

  /// `VG/LV`, or the VG when it is refused as a whole.
  public let subject: String
  public let reason: Reason

  public init(_ subject: String, _ reason: Reason) {
    self.subject = subject
    self.reason = reason
  }

  /// The device of a physical volume is not there or not to be used.
  public var isMissingDevice: Bool {
    switch reason {
    case .missingDevice, .staleDevice: true
    default: false
    }
  }

  public var description: String {
    switch reason {
    case .exportedGroup:
      "volume group \(subject) is exported; import it with vgimport first"
    case .foreignGroup(let systemID):
      "volume group \(subject) belongs to the host with system id \(systemID)"
    case .clusteredGroup:
      "volume group \(subject) is marked as clustered; "
        + "it is served only where clustered groups are configured"
    case .unknownVolume:
      "there is no volume \(subject)"
    case .hiddenVolume:
      "volume \(subject) is internal to another volume; activate that one"
    case .segmentType(let type):
      "volume \(subject) needs a segment of type \(type), which this version does not know"
    case .noDevice(let name):
      "volume \(subject) cannot be activated: \(name) has no device of its own"
    case .merging(let target):
      "volume \(subject) is being merged into \(target)"
    case .tooFewImages(let missing, let count):
      "volume \(subject) lacks \(missing) of the \(count) images of a RAID volume; "
        + "return the missing physical volumes"
    case .incomplete(let kind):
      "volume \(subject) cannot be active without all its devices: it is a \(kind); return the "
        + "missing physical volumes"
    case .visibleImage(let name):
      "volume \(subject) is a RAID volume whose part \(name) is visible"
    case .missingDevice(let id, let lastSeen):
      "volume \(subject) needs physical volume \(id)\(Self.hint(lastSeen)), which is missing"
    case .staleDevice(let id, let lastSeen):
      "volume \(subject) needs physical volume \(id)\(Self.hint(lastSeen)), which is marked "
        + "missing; return it with vgextend --restoremissing"
    case .deviceTooSmall(let id, let lastSeen, let needed, let found):
      "volume \(subject) needs \(needed) sectors of physical volume \(id)\(Self.hint(lastSeen)), "
        + "which has \(found)"
    case .malformed(let problem):
      "the metadata of volume \(subject) is wrong: \(problem)"
    }
  }

  private static func hint(_ lastSeen: String?) -> String {
    lastSeen.map { " (last seen as \($0))" } ?? ""
  }
}
