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
    /// The volume is a part of another one, which decides about its devices.
    case usedBy(volume: String, segmentType: String)
    /// The device of a physical volume is not there.
    case missingDevice(LVMIdentifier, lastSeen: String?)
    /// The device is there, but was absent when the group was last written.
    case staleDevice(LVMIdentifier, lastSeen: String?)
    /// The device ends before the volume's extents do; sizes in sectors.
    case deviceTooSmall(DeviceNumber, needed: UInt64, found: UInt64)
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
      "volume \(subject) has a segment of type \(type) "
        + "and cannot be activated yet by this version; use lvm on one node"
    case .usedBy(let user, let type):
      "volume \(subject) is a part of \(user), of type \(type), "
        + "and cannot be activated yet by this version; use lvm on one node"
    case .missingDevice(let id, let lastSeen):
      "volume \(subject) needs physical volume \(id)\(Self.hint(lastSeen)), which is missing"
    case .staleDevice(let id, let lastSeen):
      "volume \(subject) needs physical volume \(id)\(Self.hint(lastSeen)), which is marked "
        + "missing; return it with vgextend --restoremissing"
    case .deviceTooSmall(let device, let needed, let found):
      "volume \(subject) needs \(needed) sectors of device \(device), which has \(found)"
    case .malformed(let problem):
      "the metadata of volume \(subject) is wrong: \(problem)"
    }
  }

  private static func hint(_ lastSeen: String?) -> String {
    lastSeen.map { " (last seen as \($0))" } ?? ""
  }
}
