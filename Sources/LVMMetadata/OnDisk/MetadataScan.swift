/// What was found on a set of devices (lvm2-metadata 4).
public struct MetadataScan {
  /// Every device with a label, in the order of the devices.
  public var physicalVolumes: [ScannedPhysicalVolume] = []
  public var groups: [ScannedVolumeGroup] = []
  /// Indices into `physicalVolumes` of those that no group lists.
  public var orphans: [Int] = []
  public var warnings: [MetadataWarning] = []

  /// Of no devices.
  public init() {}

  /// The groups called `name`: names may collide, identifiers may not.
  public func groups(named name: String) -> [ScannedVolumeGroup] {
    groups.filter { $0.volumeGroup.name == name }
  }

  public func group(id: LVMIdentifier) -> ScannedVolumeGroup? {
    groups.first { $0.volumeGroup.id == id }
  }
}

/// A device with a PV label.
public struct ScannedPhysicalVolume {
  public var device: any MetadataDevice
  public var label: PhysicalVolumeLabel
  public var areas: [ScannedArea]

  /// True when it has a metadata area that is not ignored.
  var hasAreaInUse: Bool {
    areas.contains { if case .ignored = $0.state { false } else { true } }
  }
}

/// A metadata area as it was found.
public struct ScannedArea {
  /// Where the label says that it is.
  public var area: DiskArea
  public var state: State

  public enum State {
    /// The header cannot be trusted: nothing is read from here and nothing written.
    case unusable(MetadataAreaError)
    case ignored(MetadataAreaHeader)
    /// No group has been written here, or the last one is gone.
    case empty(MetadataAreaHeader)
    /// The header is good, the text is not; the next change of the group replaces it.
    case damaged(MetadataAreaHeader, MetadataAreaError)
    case text(MetadataAreaHeader, MetadataText, TextLocation)
  }

  /// Nil when it cannot be trusted.
  public var header: MetadataAreaHeader? {
    switch state {
    case .unusable: nil
    case .ignored(let header), .empty(let header), .damaged(let header, _), .text(let header, _, _):
      header
    }
  }
}

/// A volume group in its newest version with the devices it lies on.
public struct ScannedVolumeGroup {
  /// A PV of the text and the device that carries it.
  public struct Member {
    public var id: LVMIdentifier
    public var state: State

    public init(id: LVMIdentifier, state: State) {
      self.id = id
      self.state = state
    }

    public enum State {
      case present(ScannedPhysicalVolume)
      /// The device is here, but was absent during a change: its extents may be stale.
      case returned(ScannedPhysicalVolume)
      case missing
    }

    /// The device, wherever it can be reached.
    public var scanned: ScannedPhysicalVolume? {
      switch state {
      case .present(let scanned), .returned(let scanned): scanned
      case .missing: nil
      }
    }
  }

  public var text: MetadataText
  /// The checksum and size of the text as stored: the identity of this version.
  public var location: TextLocation
  /// In the order of `volumeGroup.physicalVolumes`.
  public var members: [Member]
  public var warnings: [MetadataWarning] = []
  /// Why the group cannot be changed until somebody repairs it; empty when it can.
  public var obstacles: [MetadataWarning] = []

  public var volumeGroup: VolumeGroup { text.volumeGroup }

  /// A group that has not been written yet: its seqno is 0, and all members are still to come.
  public init(unwritten group: VolumeGroup) {
    text = MetadataText(
      volumeGroup: group,
      provenance: MetadataProvenance(description: "", creationHost: "", creationTime: 0))
    location = TextLocation(offset: 0, size: 0, checksum: 0)
    members = []
  }

  init(text: MetadataText, location: TextLocation, members: [Member]) {
    self.text = text
    self.location = location
    self.members = members
  }

  /// How many metadata areas hold a text of the group.
  public var areasWithText: Int {
    members.compactMap(\.scanned).flatMap(\.areas).filter { area in
      if case .text = area.state { true } else { false }
    }.count
  }

  /// PVs without a device that can be trusted.
  public var missingPhysicalVolumes: Set<LVMIdentifier> {
    var missing: Set<LVMIdentifier> = []
    for member in members {
      switch member.state {
      case .present: break
      case .returned, .missing: missing.insert(member.id)
      }
    }
    return missing
  }

  /// Names of LVs that lie, even in part, on missing PVs.
  public var partialLogicalVolumes: Set<String> {
    let missing = missingPhysicalVolumes
    return missing.isEmpty ? [] : volumeGroup.logicalVolumes(dependingOn: missing)
  }
}
